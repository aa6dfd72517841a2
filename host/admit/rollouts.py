"""A release on its way to many devices: who is next, who may not be, and what stops it.

Owns: the order, the stages, and what the registry remembers of each device at every step; so a rollout that was stopped
anywhere, by Ctrl-C or by a power cut at this desk, is gone on with by the same call.
Rules: a stage begins once the one before has its number of devices that proved themselves with the release. A device
that cannot be reached is no failure: the next one takes its place, and it is tried again by the next call. So many
failures as were allowed pause the rollout: what was not switched yet is not. What stops a rollout is in the registry
before anything follows from it, and is asked for there before each device is switched: whoever stopped it, and
wherever.
Must not know: how a device is reached, and what is done there (updating.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from admit import rollout_stages
from admit.device_release import Running
from admit.registry import Registry
from admit.registry_rollouts import COMPLETE, OPEN, PAUSED, WAITING
from admit.rollout_models import ArrivalRow, ReleaseRow
from admit.updating import NEVER_BACK, Outcome
from admit_protocol.errors import AdmitError, Busy, NotFound, TimedOut

# Where a device is. `held`: it has the release, and the rollout was paused before it switched.
SENDING, UPDATED, FAILED, MISSED, HELD = "sending", "updated", "failed", "missed", "held"
_NOT_YET = (WAITING, SENDING, MISSED, HELD)


class Floor(Protocol):
    """Who watches a rollout."""

    def stage(self, number: int, of: int, target: int) -> None:
        """A stage begins, at whose end so many devices are to run the release."""

    def ended(self, device_id: str, state: str, outcome: Outcome | None, error: AdmitError | None) -> None:
        """A device is where it will be for now."""


# deliver(device id, may it switch now?): what came of it. Raises AdmitError.
Deliver = Callable[[str, Callable[[], bool]], Awaitable[Outcome]]


@dataclass
class Rollout:
    """A rollout under way. `at_once`: how many devices at the same time; `clock` gives unix seconds."""

    registry: Registry
    id: int
    deliver: Deliver
    floor: Floor
    clock: Callable[[], float]
    at_once: int = 4
    errors: list[AdmitError] = field(default_factory=list)  # of those that did not get there; failures come first

    async def run(self) -> str:
        """Bring the release to all that can be reached: the state that the rollout then is in.

        Raises Conflict rollout-replaced, NotFound rollout-missing.
        """
        row = self.registry.rollout(self.id)
        self._pause_on = row.pause_on
        if self._failed() >= row.pause_on and self._goes_on():  # a journal told of it, or we died as it failed
            self.registry.rollout_is(self.id, PAUSED)
        tried: set[str] = set()
        counts = rollout_stages.targets(row.stages, len(self._arrivals()))
        for number, target in enumerate(counts, 1):
            if self._proven() < target:
                self.floor.stage(number, len(counts), target)
            while self._goes_on() and (batch := self._next(target, tried)):
                tried.update(batch)
                await self._try_all(batch)
            if self._proven() < target:
                break
        return self._settle()

    def retry(self) -> None:
        """Let those that failed be tried again, if it is paused. Raises Conflict rollout-replaced."""
        self.registry.go_on(self.id, None, None, True)
        for each in self._arrivals():
            if each.state == FAILED:
                self._note(each.device_id, WAITING)

    def _next(self, target: int, tried: set[str]) -> list[str]:
        """Those that are tried together now: no more than the stage lacks."""
        left = [each.device_id for each in self._arrivals() if each.state in _NOT_YET and each.device_id not in tried]
        return left[: max(target - self._proven(), 0)]

    async def _try_all(self, batch: list[str]) -> None:
        turns = asyncio.Semaphore(self.at_once)
        try:
            async with asyncio.TaskGroup() as group:
                for device_id in batch:
                    group.create_task(self._try(device_id, turns))
        except (
            BaseExceptionGroup
        ) as group:  # the registry's, say; the others were cancelled, and go on at the next call
            raise group.exceptions[0] from None

    async def _try(self, device_id: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            if not self._goes_on():
                return
            self._note(device_id, SENDING)
            try:
                outcome = await self.deliver(device_id, self._goes_on)
            except AdmitError as error:
                self._missed(device_id, error)
            else:
                self._note(device_id, UPDATED, outcome.moved, named(outcome.ran, self.registry.releases()))
                self.registry.device_runs(device_id, outcome.runs.set_hash or b"")
                self.floor.ended(device_id, UPDATED, outcome, None)

    def _missed(self, device_id: str, error: AdmitError) -> None:
        """It is not there: why, and whether that stops the others."""
        state = state_after(error)
        self.errors.insert(0 if state == FAILED else len(self.errors), error)
        if state == FAILED and self._failed(but=device_id) + 1 >= self._pause_on and self._goes_on():
            self.registry.rollout_is(self.id, PAUSED)  # first: from here on this program may die
        self._note(device_id, state, why=(error.reason, error.detail))
        self.floor.ended(device_id, state, None, error)

    def _settle(self) -> str:
        state = self.registry.rollout(self.id).state
        if state == OPEN and {each.state for each in self._arrivals()} <= {UPDATED}:
            state = COMPLETE
        self.registry.rollout_is(self.id, state)
        return state

    def _failed(self, but: str = "") -> int:
        return sum(each.state == FAILED for each in self._arrivals() if each.device_id != but)

    def _goes_on(self) -> bool:
        return self.registry.rollout(self.id).state == OPEN

    def _arrivals(self) -> list[ArrivalRow]:
        return self.registry.arrivals(self.id)

    def _proven(self) -> int:
        return sum(each.state == UPDATED for each in self._arrivals())

    def _note(self, device_id: str, state: str, moved: int = 0, ran: str | None = None, why=None) -> None:
        self.registry.arrival_is(self.id, device_id, state, int(self.clock()), moved, ran, why)


def named(running: Running, known: list[ReleaseRow]) -> str:
    """What people call what runs on a device: the version of its release, or else what the firmware calls itself."""
    return next((row.version for row in known if row.sequence == running.sequence), running.version)


def state_after(error: AdmitError) -> str:
    """Where an error leaves a device. Who cannot be reached has not failed, unless it is since it was switched."""
    if error.reason == "update-held":
        return HELD
    of_release = error.reason == NEVER_BACK or error.reason.startswith("release-")
    return MISSED if isinstance(error, NotFound | TimedOut | Busy) and not of_release else FAILED
