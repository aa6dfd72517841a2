"""Bringing a release to one device, or one back: what is missing goes over, it restarts, and it says what it then runs.

Owns: the order, and what is done when a link drops: the next one goes on where the device says that it is.
Rules: only what the device lacks is sent, and of the list only what is different from what it runs. Nothing counts as
done but what the device said afterwards in a new session, proven by its credential: the very set, no longer on trial.
A device that was switched and does not come back has failed; one that cannot be reached before has not.
Must not know: how a device is reached, and who else is brought the same (rollouts.py).
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from admit import device_release, releases
from admit.client import Session
from admit.device_release import Running, Staged
from admit.releases import Release
from admit_protocol import release
from admit_protocol.errors import AdmitError, Busy, Conflict, Malformed, NotFound, Refused, TimedOut

NEVER_BACK = "update-never-back"
BACK_S = 180.0  # in which a device restarts, proves itself to itself, or goes back and starts again
LEAVES_S = 2.0  # after its answer a device is still what it was, for a moment
PAUSE_S = 1.0  # between two attempts to reach it
LINKS = 5  # that may drop one after another without a byte more having got across
_VISITS, _IN_VAIN = 1000, 100  # to one device; and of these, one after another without a byte more
_MOST_PAUSES = 8  # to which the pause grows while a device starts
_STANDSTILLS = 20  # answers in which an item got less far than it was sent
_OUT_OF_REACH = (TimedOut, Busy, NotFound)

Reach = Callable[[], AbstractAsyncContextManager[Session]]


class Watcher(Protocol):
    """Who is told of one device's steps."""

    def step(self, name: str, words: str) -> None:
        """A step begins."""

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""


@dataclass(frozen=True)
class Outcome:
    """What came of it. `ran`, `runs`: what the device said of itself before and after; `moved`: bytes of CoAP that
    crossed the link in both directions, `sent`: of these, bytes of the release. Nothing was `sent` to one that ran it.
    """

    ran: Running
    runs: Running
    moved: int
    sent: int


@dataclass(frozen=True)
class Patience:
    """How long a device may take to come `back`, and the `pause` between two attempts to reach it, in seconds."""

    back: float = BACK_S
    pause: float = PAUSE_S
    leaves: float = LEAVES_S


class Restarting:
    """What is common to a device that is updated and one that is rolled back: it restarts, and must come back.

    A subclass says in `_visited` what is to be done in one session, as often as it takes.
    """

    def __init__(self, reach: Reach, watcher: Watcher, patience: Patience):
        self._reach, self._watcher, self._patience = reach, watcher, patience
        self._ran: Running | None = None
        self._moved = self._sent = 0
        self._furthest: dict[int, int] = {}  # of each item, the most bytes that were ever there
        self._until: float | None = None  # when it must be back
        self._pause = patience.pause

    async def run(self) -> Outcome:
        """Do all of it, or what is left of it. Raises what the subclass says; TimedOut update-never-back."""
        drops = in_vain = 0
        for _ in range(_VISITS):
            got, now = self._got, None
            try:
                async with self._session() as session:
                    now = await device_release.read(session)
                    self._ran = self._ran or now
                    if await self._visited(session, now):
                        moved = self._moved + session.connection.moved
                        return Outcome(self._ran, now, moved, self._sent)
                drops = 0
            except (*_OUT_OF_REACH, Refused, Conflict) as error:
                drops = drops * (self._got == got) + 1
                self._may_go_on(error, drops, now is not None)
            in_vain = (in_vain + 1) * (self._got == got)
            if in_vain >= _IN_VAIN:
                break
            if self._until and time.monotonic() > self._until:
                raise TimedOut(NEVER_BACK, f"it was told to restart, and was not back {self._patience.back:g} s later")
            await asyncio.sleep(self._pause)
            if self._until:  # each question costs a handshake
                self._pause = min(2 * self._pause, _MOST_PAUSES * self._patience.pause)
        raise TimedOut(NEVER_BACK, "it was visited over and over, and gets no further")

    @property
    def _got(self) -> int:
        return sum(self._furthest.values())

    async def _visited(self, session: Session, now: Running) -> bool:
        """Do what is to be done in a session; is all done, as the device itself said before?"""
        raise NotImplementedError

    def _may_go_on(self, error: AdmitError, drops: int, was_there: bool) -> None:
        """Raise `error` unless another attempt has a chance."""
        if error.reason == "release-on-trial":  # it was switched, and has not even restarted
            return self._wait()
        if was_there and not isinstance(error, TimedOut):
            raise error
        if self._until:  # while it starts it may say anything, or nothing
            return
        if self._ran is None or drops >= LINKS or not isinstance(error, TimedOut):
            raise error
        self._watcher.step("reach", "the link dropped: reaching it again")

    async def _restarts(self) -> None:
        """It has been told to restart, or may have been."""
        self._watcher.step("restart", "waiting until it has proven itself")
        await asyncio.sleep(self._patience.leaves)

    def _wait(self) -> None:
        """From now on it must be back in time."""
        self._until = self._until or time.monotonic() + self._patience.back

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        """A session with the device; what crosses its link is counted."""
        async with self._reach() as session:
            try:
                yield session
            finally:
                self._moved += session.connection.moved


class Update(Restarting):
    """A release on its way to the device that `reach()` leads to.

    `known(set hash)`: the file list of what it may run, or None. `may_switch()` is asked before the device is switched.
    `run` raises Conflict update-held if it may not; Refused update-went-back, with the device's reason; what the device
    says against the release; and what the link raises.
    """

    def __init__(
        self,
        reach: Reach,
        made: Release,
        watcher: Watcher,
        known: Callable[[bytes], bytes | None] = lambda set_hash: None,
        may_switch: Callable[[], bool] = lambda: True,
        patience: Patience = Patience(),
    ):
        super().__init__(reach, watcher, patience)
        self._release, self._known, self._may_switch = made, known, may_switch
        self._hash = hashlib.sha256(made.data).digest()
        self._done = self._total = 0
        self._was_told = False  # to switch
        self._is_done = False  # by its own answer

    async def _visited(self, session: Session, now: Running) -> bool:
        if now.on_trial:
            self._wait()
        elif now.set_hash == self._release.manifest.set_hash and self._counts(now):
            return True
        elif self._is_done:
            raise Malformed("release-body", "it runs the release by one of its answers, and not by another")
        elif self._until and self._went_back(now):
            raise went_back(now, self._release.manifest.sequence)
        else:
            if not self._was_told:
                self._until = None  # it was another's trial that ended
            await self._bring(session, now)
        return False

    def _counts(self, now: Running) -> bool:
        """Does it run these files as this release, or a later one? If not, its number and floor are told there, and
        MicroPython may be another one.
        """
        told = self._release.manifest
        return (self._was_told and not told.image) or self._is_done or now.sequence >= told.sequence

    def _went_back(self, now: Running) -> bool:
        """Is what it was just on trial with, or told to switch to, over? Staged still, it never heard of the switch."""
        was_ours = now.ended is not None and now.ended[0] == self._release.manifest.sequence
        return now.staged != self._hash and (self._was_told or was_ours)

    async def _bring(self, session: Session, now: Running) -> None:
        self._watcher.step("compare", "comparing with what it runs")
        staged = await self._compared(session, now)
        self._is_done = staged.done
        if not staged.done:
            await self._send_all(session, staged)
            if not self._may_switch():
                raise Conflict("update-held", "it has all of it, and was not switched: the rollout is paused")
            self._watcher.step("switch", "having it prove all of it")
            self._was_told = True
            self._wait()
            await device_release.switch(session)
            await self._restarts()

    async def _compared(self, session: Session, now: Running) -> Staged:
        """Have the device find out what it lacks."""
        staged = await device_release.stage(session, self._release.data)
        missing = dict(staged.missing)
        if release.LIST in missing:
            await self._send(session, release.LIST, self._delta(now), missing[release.LIST])
            staged = await device_release.go_on(session)
        while staged.left:
            before, staged = staged, await device_release.go_on(session)
            if staged.left >= before.left:
                raise Malformed("release-body", "it gets no further with looking for files")
        return staged

    def _delta(self, now: Running) -> bytes:
        """The list, as the difference to that of what runs; all of it if nobody here knows what that is."""
        known = self._known(now.set_hash) if now.set_hash else None
        old = release.parse_list(known) if known else ()
        return releases.compress(release.delta(old, self._release.rows, now.set_hash if known else None))

    async def _send_all(self, session: Session, staged: Staged) -> None:
        self._watcher.step("send", "sending what it lacks")
        items = [(item, self._release.item(item), have) for item, have in staged.missing]
        self._total = sum(len(data) for _, data, _ in items)
        self._done = sum(have for _, _, have in items)
        for item, data, have in items:
            await self._send(session, item, data, have)

    async def _send(self, session: Session, item: int, data: bytes, have: int) -> None:
        """Have the device have all of an item, of which it has so much."""
        size, standstills = device_release.piece_length(session, item, len(data)), 0
        while have < len(data):
            piece = data[have : have + size]
            now = await device_release.put(session, item, have, len(data), piece)
            standstills += now < have + len(piece)
            if standstills > _STANDSTILLS:
                raise Malformed("release-body", "it gets no further with a file")
            self._sent += len(piece)
            self._furthest[item] = max(now, self._furthest.get(item, 0))
            self._done += now - have
            have = now
            if self._total:  # the list is not counted
                self._watcher.progress(self._done, self._total)


class Rollback(Restarting):
    """A device on its way back to what it ran before. `run` raises Conflict release-nothing-to-go-back-to, Refused
    update-went-back, what the device says against it, and what the link raises.
    """

    def __init__(self, reach: Reach, watcher: Watcher, patience: Patience = Patience()):
        super().__init__(reach, watcher, patience)
        self._from: Running | None = None

    async def _visited(self, session: Session, now: Running) -> bool:
        if now.on_trial:
            self._wait()
            return False
        if self._from and now.slot != self._from.slot:
            return True
        if self._from and now.ended != self._from.ended:
            raise went_back(now, self._from.other or 0)
        await self._go_back(session, now)
        return False

    async def _go_back(self, session: Session, now: Running) -> None:
        if now.other is None:
            raise Conflict("release-nothing-to-go-back-to", "its other slot holds nothing that may run")
        self._watcher.step("switch", f"having it go back from {now.version}")
        self._from = now
        self._wait()
        await device_release.roll_back(session)
        await self._restarts()


def went_back(now: Running, sequence: int) -> Refused:
    """The device did not keep what it was switched to: why, in its own words."""
    told = now.ended[1] if now.ended and now.ended[0] == sequence else "it does not say why"
    return Refused("update-went-back", f"{told}; it runs what it ran before")
