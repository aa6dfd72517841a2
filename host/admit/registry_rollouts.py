"""Releases and rollouts in the registry; `Rollouts` is mixed into admit.registry.Registry.

Owns: the tables sets, releases, rollouts and arrivals.
Rules: a release's number and version are its own for good. A device has one way at a time: whoever begins to bring it a
later release replaces the rollout that was under way to it, whole.
Must not know: what a release holds, and how it gets to a device.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from admit.plain import one_line
from admit.registry_models import BoardRow
from admit.rollout_models import ArrivalRow, ReleaseRow, RolloutRow, SetRow
from admit_protocol.errors import Conflict, NotFound

OPEN, PAUSED, COMPLETE, REPLACED = "open", "paused", "done", "replaced"
WAITING, BACK = "waiting", "back"  # of a device: nobody has tried yet; it was rolled back later

_REASON, _DETAIL = 64, 400  # characters that are kept of a failure


class Rollouts:
    """What a Registry knows of releases and where they are."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def keep_set(self, set_hash: bytes, files: bytes) -> None:
        """Remember what is in a firmware set, so that later only the difference to it needs to be told."""
        with self._change() as session:
            session.merge(SetRow(set_hash=set_hash, files=files))

    def set_files(self, set_hash: bytes) -> bytes | None:
        """The file list of a set; None of one that this registry never saw."""
        with self._read() as session:
            row = session.get(SetRow, set_hash)
            return row.files if row else None

    def releases(self) -> list[ReleaseRow]:
        """Every release, the oldest first."""
        with self._read() as session:
            return list(session.scalars(select(ReleaseRow).order_by(ReleaseRow.sequence)))

    def add_release(self, row: ReleaseRow, files: bytes) -> ReleaseRow:
        """Keep a release and its file list; the same one again changes nothing.

        Raises Conflict release-taken if its number or its version is another one's.
        """
        with self._change() as session:
            same = (ReleaseRow.sequence == row.sequence) | (ReleaseRow.version == row.version)
            for known in session.scalars(select(ReleaseRow).where(same)):
                if known.manifest == row.manifest:
                    return known
                raise Conflict("release-taken", f"version {known.version} has number {known.sequence} already")
            session.add(row)
            session.merge(SetRow(set_hash=row.set_hash, files=files))
            return row

    def begin_rollout(
        self, release: int, stages: str, pause_on: int, devices: Sequence[str], now: int, retry: bool = False
    ) -> tuple[RolloutRow, list[int]]:
        """Begin to bring a release, by its number, to devices, in that order; and which rollouts it replaces.

        Raises Conflict rollout-later if one of a later release is under way to one of them; rollout-paused if one of
        this release is paused, unless it is tried again.
        """
        with self._change() as session:
            replaced = []
            living = select(RolloutRow).where(RolloutRow.state.in_([OPEN, PAUSED])).order_by(RolloutRow.id)
            for row in session.scalars(living):
                if not _shared(session, row, devices):
                    continue
                if row.sequence > release:
                    raise Conflict("rollout-later", f"rollout {row.id} brings a later release to some of them")
                if row.sequence == release:
                    _check_pause(row, retry)
                row.state = REPLACED
                replaced.append(row.id)
            made = RolloutRow(sequence=release, stages=stages, pause_on=pause_on, began_at=now, state=OPEN)
            session.add(made)
            session.flush()
            for place, device_id in enumerate(devices):
                arrival = ArrivalRow(rollout_id=made.id, device_id=device_id, place=place, state=WAITING)
                arrival.moved, arrival.at = 0, now
                session.add(arrival)
            return made, replaced

    def rollouts(self) -> list[tuple[RolloutRow, ReleaseRow]]:
        """Every rollout and its release, the newest first."""
        with self._read() as session:
            found = select(RolloutRow, ReleaseRow).join(ReleaseRow, ReleaseRow.sequence == RolloutRow.sequence)
            return [(rollout, release) for rollout, release in session.execute(found.order_by(RolloutRow.id.desc()))]

    def rollout(self, rollout_id: int) -> RolloutRow:
        """A rollout. Raises NotFound rollout-missing."""
        with self._read() as session:
            return _rollout(session, rollout_id)

    def rollout_is(self, rollout_id: int, state: str) -> None:
        """The rollout is in this state from now on. Raises Conflict rollout-replaced if it was replaced."""
        with self._change() as session:
            _living(session, rollout_id).state = state

    def go_on(self, rollout_id: int, stages: str | None, pause_on: int | None, retry: bool) -> None:
        """A rollout goes on, by these terms if some are given; one that is paused only if it is tried again.

        Raises Conflict rollout-paused, rollout-replaced.
        """
        with self._change() as session:
            row = _living(session, rollout_id)
            _check_pause(row, retry)
            row.state, row.stages, row.pause_on = OPEN, stages or row.stages, pause_on or row.pause_on

    def arrivals(self, rollout_id: int) -> list[ArrivalRow]:
        """Where each device of a rollout is, in its order."""
        with self._read() as session:
            found = select(ArrivalRow).where(ArrivalRow.rollout_id == rollout_id).order_by(ArrivalRow.place)
            return list(session.scalars(found))

    def arrival_is(
        self,
        rollout_id: int,
        device_id: str,
        state: str,
        now: int,
        moved: int = 0,
        ran: str | None = None,
        why: tuple[str, str] | None = None,
    ) -> None:
        """A device is in this state from now on; `moved` bytes more have crossed the link; `why`: a reason, a detail.

        `ran` counts the first time: what it ran before all this. Raises NotFound rollout-missing.
        """
        with self._change() as session:
            row = session.get(ArrivalRow, (rollout_id, device_id))
            if row is None:
                raise NotFound("rollout-missing", f"{device_id} is in no rollout {rollout_id}")
            row.state, row.at, row.moved, row.ran = state, now, row.moved + moved, row.ran or ran
            row.reason, row.detail = (one_line(why[0], _REASON), one_line(why[1], _DETAIL)) if why else (None, None)

    def device_runs(self, device_id: str, set_hash: bytes) -> None:
        """A device was seen to run another firmware set."""
        with self._change() as session:
            _runs(session, device_id, set_hash)

    def device_went_back(self, device_id: str, set_hash: bytes, now: int) -> None:
        """A device was rolled back to an earlier firmware set: the rollout that it was in last says so, too."""
        with self._change() as session:
            _runs(session, device_id, set_hash)
            found = select(ArrivalRow).where(ArrivalRow.device_id == device_id)
            last = session.scalars(found.order_by(ArrivalRow.rollout_id.desc()).limit(1)).one_or_none()
            if last:
                last.state, last.at, last.reason, last.detail = BACK, now, None, None


def _runs(session: Session, device_id: str, set_hash: bytes) -> None:
    session.execute(update(BoardRow).where(BoardRow.device_id == device_id).values(set_hash=set_hash))


def _shared(session: Session, rollout: RolloutRow, devices: Sequence[str]) -> bool:
    """Is one of the devices in that rollout?"""
    found = session.scalars(select(ArrivalRow.device_id).where(ArrivalRow.rollout_id == rollout.id))
    return not set(devices).isdisjoint(found)


def _check_pause(row: RolloutRow, retry: bool) -> None:
    if row.state == PAUSED and not retry:
        raise Conflict("rollout-paused", f"rollout {row.id} of it is paused")


def _living(session: Session, rollout_id: int) -> RolloutRow:
    row = _rollout(session, rollout_id)
    if row.state == REPLACED:
        raise Conflict("rollout-replaced", f"rollout {rollout_id} was replaced by a later one")
    return row


def _rollout(session: Session, rollout_id: int) -> RolloutRow:
    found = session.get(RolloutRow, rollout_id)
    if found is None:
        raise NotFound("rollout-missing", f"there is no rollout {rollout_id}")
    return found
