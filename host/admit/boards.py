"""Boards in the registry: which chip has which name, how far its provisioning came, and what was pinned.

Owns: the tables boards, provisioning, retired and images; `Boards` is mixed into admit.registry.Registry.
Rules: a board has at most one device and a device at most one board, also while a name is only reserved; a step and
what it changed are written together or not at all. What an identity had told is kept when it is retired.
Must not know: what a step does to a board.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

import cbor2
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from admit.registry_devices import Then, put_device
from admit.registry_models import BoardRow, BundleRow, Device, HeadRow, ImageRow, RecordRow, RetiredRow, StepRow
from admit_protocol import credential
from admit_protocol.errors import Conflict, Unverified

STEPS = ("detect", "flash", "install", "key", "issue", "lock", "prove", "label")
BEGAN, DONE, FAILED = "began", "done", "failed"

_DETAIL = 400  # characters that are kept of a failure


@dataclass(frozen=True)
class Run:
    """One run of `admit provision`: which board (its unique id in hex) is to be which device, by whom.

    `device_id` is "" for a board that gets its firmware and no name.
    """

    id: str
    board_id: str
    device_id: str
    who: str


@dataclass(frozen=True)
class Entry:
    """What the journal says of a step: that it began, was done, or failed; and what is known of the board since."""

    step: str
    event: str
    at: int
    detail: str | None = None
    board: str | None = None
    set_hash: bytes | None = None


class Boards:
    """What a Registry knows of boards."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def board(self, board_id: str) -> BoardRow | None:
        """A board, or None if it was never in hand."""
        with self._read() as session:
            return session.get(BoardRow, board_id)

    def boards(self) -> list[BoardRow]:
        """Every board, by its id."""
        with self._read() as session:
            return list(session.scalars(select(BoardRow).order_by(BoardRow.board_id)))

    def board_of(self, device_id: str) -> BoardRow | None:
        """The board that a device is on, or None."""
        with self._read() as session:
            return session.scalar(select(BoardRow).where(BoardRow.device_id == device_id))

    def steps(self, board_id: str) -> list[StepRow]:
        """The journal of a board's provisioning, the oldest first."""
        with self._read() as session:
            return list(session.scalars(select(StepRow).where(StepRow.board_id == board_id).order_by(StepRow.id)))

    def reserve(self, run: Run, now: int, again: bool = False) -> BoardRow:
        """Take a name for a board. `again` takes it from, or takes away, a reservation that led to no device.

        Raises Conflict: registry-device-exists (the name is another board's), device-commissioned (the board has
        another name), board-name-reserved, board-reserved (somebody began with the name, or with the board).
        """
        with self._change() as session:
            _free_name(session, run, again)
            row = session.get(BoardRow, run.board_id)
            if row is None:
                row = BoardRow(board_id=run.board_id, state=STEPS[0])
            elif not again:
                _may_rename(row, run)
            row.name = run.device_id or None
            row.reserved_by, row.reserved_at, row.updated_at = run.who, now, now
            session.add(row)
            return row

    def record(self, run: Run, *entries: Entry) -> None:
        """Journal what became of steps and what is known since, whole or not at all. Raises Conflict board-reserved."""
        with self._change() as session:
            _note(session, _reserved(session, run), run, entries)

    def bind_device(
        self,
        run: Run,
        credential_data: bytes,
        now: int,
        then: Then | None = None,
        again: bool = False,
        entries: Sequence[Entry] = (),
    ) -> Device:
        """The board is this device from now on; whatever it was before is retired in the same transaction, and the
        entries are journalled.

        A device that is new is handed to `then`, in that transaction too.

        That needs `again`, unless the board was never seen to have taken that identity. Raises Conflict: board-wiped,
        registry-device-exists, device-revoked, and device-retired for an identity that counts no more.
        """
        new = credential.parse(credential_data)
        with self._change() as session:
            row = _reserved(session, run)
            _note(session, row, run, entries)
            _not_retired(session, new)
            for device in _replaced(session, row, new):
                _may_retire(row, device, again)
                retire(session, device, run.board_id, now)
            device = put_device(session, credential_data, now, then)
            if row.device_id != device.id:  # as after a retirement
                row.device_id, row.state = device.id, "issue"
            row.updated_at = now
            return device

    def retired(self, device_id: str) -> list[RetiredRow]:
        """The identities that had this name and count no more, the oldest first."""
        with self._read() as session:
            found = select(RetiredRow).where(RetiredRow.device_id == device_id).order_by(RetiredRow.retired_at)
            return list(session.scalars(found))

    def pin_image(self, name: str, sha256: str, now: int, source: str | None = None) -> None:
        """Pin a firmware image, by its sha256 in hex, at its first use. Raises Unverified image-changed ever after."""
        with self._change() as session:
            known = session.get(ImageRow, name)
            if known is None:
                session.add(ImageRow(name=name, sha256=sha256, source=source, first_used_at=now))
            elif known.sha256 != sha256:
                raise Unverified(
                    "image-changed",
                    f"{name} is not what it was on {_when(known.first_used_at)}: sha256 {sha256}, not {known.sha256}",
                )

    def images(self) -> list[ImageRow]:
        """Every image that was pinned, by name."""
        with self._read() as session:
            return list(session.scalars(select(ImageRow).order_by(ImageRow.name)))


def _free_name(session: Session, run: Run, again: bool) -> None:
    """Raise if the name belongs to another board, or is reserved for one; `again` gives up such a reservation."""
    other = session.scalar(select(BoardRow).where(BoardRow.name == run.device_id, BoardRow.board_id != run.board_id))
    owner = session.scalar(select(BoardRow).where(BoardRow.device_id == run.device_id))
    if owner is not None and owner.board_id != run.board_id:
        raise Conflict("registry-device-exists", f"{run.device_id} is the board {owner.board_id} already")
    if other is None:
        return
    if not again:
        raise Conflict("board-name-reserved", _began(other))
    other.name = other.device_id
    session.flush()  # or the name would be two boards' for a moment


def _may_rename(row: BoardRow, run: Run) -> None:
    """Raise if the board has another name, or somebody else has begun to give it one."""
    if run.device_id in (row.name, row.device_id):
        return
    if row.device_id is not None:
        raise Conflict("device-commissioned", f"this board is {row.device_id} of this site already")
    if row.name is not None and row.reserved_by != run.who:
        raise Conflict("board-reserved", _began(row))


def _began(row: BoardRow) -> str:
    """Who is at it, and since when."""
    return f"{row.reserved_by} began to make {row.name} of the board {row.board_id}, {_when(row.reserved_at)}"


def _reserved(session: Session, run: Run) -> BoardRow:
    """The board of a run, as long as nobody took its name away, nor began with it, too."""
    row = session.get(BoardRow, run.board_id)
    if row is None or (row.name or "") != run.device_id:
        raise Conflict("board-reserved", "somebody gave this board another name meanwhile")
    ours = select(StepRow).where(StepRow.board_id == run.board_id).order_by(StepRow.id.desc()).limit(1)
    latest = session.scalar(ours)
    if latest and latest.run != run.id and session.scalar(ours.where(StepRow.run == run.id)):
        raise Conflict(
            "board-reserved", f"{latest.who} began with this board, {_when(latest.at)}, while it was at work"
        )
    return row


def _note(session: Session, row: BoardRow, run: Run, entries: Sequence[Entry]) -> None:
    """Journal the entries, and what they tell of the board."""
    for entry in entries:
        row.board, row.set_hash = entry.board or row.board, entry.set_hash or row.set_hash
        row.updated_at = entry.at
        if entry.event == DONE:
            row.state = max(row.state, entry.step, key=STEPS.index)
        session.add(_step(run, entry))


def _not_retired(session: Session, new: credential.Credential) -> None:
    if (gone := session.get(RetiredRow, (new.public, new.device_id))) is not None:
        raise Conflict("device-retired", f"this identity of {gone.device_id} was retired, {_when(gone.retired_at)}")


def _replaced(session: Session, row: BoardRow, new: credential.Credential) -> list[Device]:
    """Which devices are no more once the board is `new`: what it was, and an earlier one of the name on no board."""
    found = [session.get(Device, each) for each in {row.device_id, new.device_id} if each]
    return [each for each in found if each and (each.id, each.public) != (new.device_id, new.public)]


def _may_retire(row: BoardRow, device: Device, again: bool) -> None:
    if again:
        return
    if device.id != row.device_id:
        raise Conflict("registry-device-exists", f"there is another device {device.id} already")
    if row.state != "issue":
        raise Conflict("board-wiped", f"this board was {device.id}, and has lost that identity")


def retire(session: Session, device: Device, board_id: str | None, now: int) -> None:
    """Move a device, and all that it had told, to where it counts no more."""
    told = cbor2.dumps([_records(session, device.id), _heads(session, device.id)])
    gone = RetiredRow(public=device.public, device_id=device.id, board_id=board_id, credential=device.credential)
    gone.epoch, gone.journal, gone.retired_at = device.epoch, told, now
    session.add(gone)
    for board in session.scalars(select(BoardRow).where(BoardRow.device_id == device.id)):
        board.device_id = None
    session.flush()
    for table in (RecordRow, HeadRow, BundleRow):
        session.execute(delete(table).where(table.device_id == device.id))
    session.delete(device)
    session.flush()


def _records(session: Session, device_id: str) -> list[bytes]:
    return list(session.scalars(select(RecordRow.data).where(RecordRow.device_id == device_id).order_by(RecordRow.seq)))


def _heads(session: Session, device_id: str) -> list[list]:
    found = session.scalars(select(HeadRow).where(HeadRow.device_id == device_id).order_by(HeadRow.count))
    return [[each.count, each.head, each.first, each.base, each.signed, each.seen_at] for each in found]


def _step(run: Run, entry: Entry) -> StepRow:
    row = StepRow(run=run.id, board_id=run.board_id, device_id=run.device_id, who=run.who)
    row.step, row.event, row.at = entry.step, entry.event, entry.at
    row.detail = entry.detail and entry.detail[:_DETAIL]
    return row


def _when(unix: int) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"
