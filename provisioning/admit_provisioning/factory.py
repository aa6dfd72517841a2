"""Many boards at once: a worker for each port provisions whatever is plugged in there, one board after the other.

Owns: which board gets which name, when a port has another board, when there are enough, and what became of each.
Rules: one port's failure is that port's alone. A board that is a device already keeps its name and is left as it is,
unless told otherwise; one whose provisioning began and was torn off gets the name that was reserved for it. Nobody
starts a board beyond the count.
Must not know: how a board is provisioned; terminals.
"""

import glob
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from admit.authority import Authority
from admit.client import Holder
from admit.registry import Registry
from admit.site import Site
from admit_protocol.errors import AdmitError, Conflict, NotFound, TimedOut
from admit_provisioning import detect, pipeline
from admit_provisioning.esptool import Link
from admit_provisioning.journal import Journal, Watcher
from admit_provisioning.pipeline import Order, Provisioned

PROVISIONED, INSTALLED, SKIPPED, FAILED = "provisioned", "installed", "skipped", "failed"
MADE = (PROVISIONED, INSTALLED)

_TAKEN = ("board-name-reserved", "registry-device-exists", "registry-changed")  # by somebody else, just now
_LOOK_S = 0.25  # between looks at the ports
_ASK_S = 2.0  # between questions to a board that is done: is it still the same?


@dataclass(frozen=True)
class Batch:
    """What is to be made: `count` devices (None: until stopped) called `prefix` with a number, from boards at ports
    that match `patterns`, which are paths with * and ?, or URLs. `order` holds for each, but for its port; boards that
    are only to be installed get no names. `once`: of each port only the board that is there.
    """

    patterns: tuple[str, ...]
    order: Order
    prefix: str
    count: int | None = None
    once: bool = False


@dataclass(frozen=True)
class Result:
    """What became of one board. `outcome`: PROVISIONED; INSTALLED, if that was all that was ordered; SKIPPED for a
    board that was there before; or FAILED with the reason and its detail. `seconds` by step.
    """

    port: str
    outcome: str
    device_id: str = ""
    board_id: str = ""
    fingerprint: str = ""
    reason: str = ""
    detail: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    ended_at: int = 0

    def record(self) -> dict[str, Any]:
        """All of it, for a journal that programs read."""
        return asdict(self)


class Floor(Protocol):
    """Who watches the whole factory. Called by one worker at a time."""

    def watcher(self, port: str) -> Watcher:
        """Who is told of a port's steps."""

    def ended(self, result: Result) -> None:
        """A board is done, or has failed."""

    def waiting(self, port: str) -> None:
        """The port wants another board."""


class Names:
    """Hands out names: prefix and the lowest number that nobody in the registry has, or has reserved."""

    def __init__(self, registry: Registry, prefix: str):
        self._registry = registry
        self._prefix = prefix
        self._given: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, board_id: str) -> str:
        """The name for a board: the one that it has or was to get, else a new one."""
        with self._lock:
            if board_id not in self._given:
                row = self._registry.board(board_id)
                self._given[board_id] = (row and (row.device_id or row.name)) or next(self._free())
            return self._given[board_id]

    def forget(self, board_id: str) -> None:
        """The board does not get that name: somebody else was faster, in another factory perhaps."""
        with self._lock:
            self._given.pop(board_id, None)

    def _free(self) -> Iterator[str]:
        registry = self._registry
        taken = {each.id for each in registry.devices()} | {each.name for each in registry.boards()}
        taken |= set(self._given.values())
        number = 1
        while True:
            if (name := f"{self._prefix}{number}") not in taken:
                yield name
            number += 1


@dataclass
class _NamingJournal(Journal):
    """A journal of which the device gets its name when it is known which board it is, or that it has one."""

    names: Names | None = None
    was_device: bool = False

    def open(self, board_id: str) -> None:
        while self.names and not self.device_id:
            self.device_id = self.names.of(board_id)
            try:
                return super().open(board_id)
            except Conflict as error:
                if error.reason not in _TAKEN:
                    raise
                self.names.forget(board_id)
                self.device_id = ""
        super().open(board_id)

    def known_as(self, device_id: str) -> str:
        self.was_device, self.device_id = True, device_id
        return device_id


class Factory:
    """Runs a batch for a site; `holder` proves the devices."""

    def __init__(self, batch: Batch, site: Site, signer: Authority, holder: Holder, floor: Floor):
        self.results: list[Result] = []
        self._batch = batch
        self._site, self._signer, self._holder = site, signer, holder
        self._floor = floor
        self._names = Names(site.registry, batch.prefix)
        self._stopped = False  # plain: the handler of a signal sets it, in the midst of anything
        self._lock = threading.RLock()
        self._begun = 0
        self._workers: dict[str, threading.Thread] = {}

    def run(self) -> list[Result]:
        """Work until there are enough, or `stop` was called; boards that were begun are finished. Blocks."""
        while not self._is_over():
            for port in self._ports():
                if port not in self._workers:
                    self._workers[port] = threading.Thread(target=self._work, args=(port,), daemon=True)
                    self._workers[port].start()
            if self._batch.once and not any(each.is_alive() for each in self._workers.values()):
                break
            time.sleep(_LOOK_S)
        for worker in self._workers.values():
            worker.join()
        return self.results

    def stop(self) -> None:
        """Begin no further board."""
        self._stopped = True

    def _ports(self) -> list[str]:
        """The ports there are now: those that a pattern finds, and whatever is no path."""
        found: list[str] = []
        for pattern in self._batch.patterns:
            found += [pattern] if "://" in pattern else sorted(glob.glob(pattern))
        return list(dict.fromkeys(found))

    def _is_over(self) -> bool:
        with self._lock:
            made = sum(each.outcome in MADE for each in self.results)
            return self._stopped or (self._batch.count is not None and made >= self._batch.count)

    def _may_begin(self) -> bool:
        """Is one more board wanted? Those at work count as made: should one fail, its place is free again."""
        with self._lock:
            if self._is_over() or (self._batch.count is not None and self._begun >= self._batch.count):
                return False
            self._begun += 1
            return True

    # One port

    def _work(self, port: str) -> None:
        link = replace(self._batch.order.link, port=port)
        while not self._is_over():
            if not self._may_begin():  # others are at work on the last ones
                time.sleep(_LOOK_S)
                continue
            plugged_in = _plug(port)
            result, lost = self._one(link)
            # A port that its board took away for its resets, and brought back, has the same board; a lost one has not.
            done_at = plugged_in if lost else _plug(port)  # before anybody hears of it, and plugs in the next one
            self._note(result)
            if self._batch.once or self._is_over():
                return
            self._wait_for_another(link, done_at)

    def _note(self, result: Result) -> None:
        with self._lock:
            if result.outcome not in MADE:
                self._begun -= 1
            self.results.append(result)
            self._floor.ended(result)

    def _one(self, link: Link) -> tuple[Result, bool]:
        """Provision the board that is there now; its failure is a result like any other. And was its line lost?"""
        order = replace(self._batch.order, link=link)
        with self._lock:
            watcher = self._floor.watcher(link.port)
        names = None if order.install_only else self._names
        journal = _NamingJournal(self._site, self._signer, "", watcher, order.again, names=names)
        try:
            done = pipeline.provision(order, journal, self._holder)
        except AdmitError as error:
            return _failed(link, journal, error.reason, error.detail), isinstance(error, TimedOut | NotFound)
        except Exception as error:  # a worker that dies would leave its port without anybody
            return _failed(link, journal, "unexpected", f"{type(error).__name__}: {error}"), False
        return _done(link, journal, done), False

    def _wait_for_another(self, link: Link, plugged_in: tuple[int, ...]) -> None:
        """Until the port has another board: its path went away and is back, or somebody else answers."""
        with self._lock:
            self._floor.waiting(link.port)
        was, asked = _who(link), time.monotonic()
        while not self._is_over():
            now = _plug(link.port)
            if now and now != plugged_in:
                return
            if now and time.monotonic() >= asked + _ASK_S:
                answers = _who(link)
                if answers is not None and answers != was:
                    return
                asked = time.monotonic()
            time.sleep(_LOOK_S)


def _plug(port: str) -> tuple[int, ...]:
    """What is another one after a port was unplugged and is back; () while it is away, (0,) for what is no path."""
    if "://" in port:
        return (0,)
    try:
        itself, leads_to = os.lstat(port), os.stat(port)
    except OSError:
        return ()
    return itself.st_ino, itself.st_mtime_ns if os.path.islink(port) else 0, leads_to.st_ino


def _who(link: Link) -> tuple[str, str] | None:
    """Who answers at a port, told apart from others as well as may be; None if nobody does.

    A blank board speaks in its ROM loader alone: who keeps silent is reset into it.
    """
    try:
        found = detect.detect(replace(link, attempts=1))
    except AdmitError:
        return None
    return found.kind, found.board_id or (found.chip.mac.hex() if found.chip else "")


def _done(link: Link, journal: _NamingJournal, done: Provisioned) -> Result:
    outcome = PROVISIONED if done.credential else INSTALLED
    if not done.sent and (journal.was_device or outcome == INSTALLED):
        outcome = SKIPPED
    seconds = {step: round(spent, 3) for step, spent in done.seconds.items()}
    names = done.device_id, done.board_id, done.fingerprint
    return Result(link.port, outcome, *names, seconds=seconds, ended_at=int(time.time()))


def _failed(link: Link, journal: Journal, reason: str, detail: str) -> Result:
    seconds = {step: round(spent, 3) for step, spent in journal.seconds.items()}
    names = journal.device_id, journal.opened_as or ""
    return Result(link.port, FAILED, *names, "", reason, detail, seconds, int(time.time()))
