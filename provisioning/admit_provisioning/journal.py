"""What one run of the pipeline remembers in the site's registry, so that the next one can go on.

Owns: the order of "began", the step itself, and "done"; who is at work; and what the authority issues for a board.
Rules: nothing is done to a board whose name is not reserved for it. A credential is issued once for a key: a board that
did not get it is handed the same one again.
Must not know: how a step is done.
"""

import contextlib
import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from admit import editing
from admit.authority import Authority
from admit.boards import BEGAN, DONE, FAILED, STEPS, Entry, Run
from admit.registry import Registry
from admit.registry_devices import Then
from admit.registry_models import Device
from admit.site import Site
from admit_protocol.errors import AdmitError, Conflict
from admit_provisioning.commission import Keys

WORDS = {
    "detect": "looking who answers",
    "flash": "writing MicroPython",
    "install": "installing the firmware",
    "key": "making the device's key",
    "issue": "issuing its credential",
    "lock": "locking it to the site",
    "prove": "proving the device with its new credential",
    "label": "noting it for its label",
}
assert tuple(WORDS) == STEPS


class Watcher(Protocol):
    """Who is told how it goes: each step as it begins, and how far a long one is."""

    def step(self, name: str, words: str) -> None:
        """A step of STEPS begins, or goes on with something else, in words."""

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""


@dataclass
class Journal:
    """The journal of one run, which is to make `device_id` of the board that `open` is told of.

    Without a `device_id` ("") it is the one that the board has, or that is reserved for it, if any.
    """

    site: Site
    signer: Authority
    device_id: str
    watcher: Watcher
    again: bool = False
    clock: Callable[[], float] = time.time
    seconds: dict[str, float] = field(default_factory=dict)
    _run: Run | None = None
    _bound: bytes | None = None  # the credential that this run has bound the board to
    _unwritten: list[Entry] = field(default_factory=list)

    @property
    def board_id(self) -> str:
        """The board in hand, its unique id in hex."""
        return self._opened.board_id

    @property
    def opened_as(self) -> str | None:
        """The same, or None if none was opened yet."""
        return self._run.board_id if self._run else None

    def known_as(self, device_id: str) -> str:
        """The name that a device must have which says that it has this one: the name that was asked for."""
        self.device_id = self.device_id or device_id
        return self.device_id

    @property
    def registry(self) -> Registry:
        """The site's registry."""
        return self.site.registry

    def open(self, board_id: str) -> None:
        """Take the board in hand, and the name for it. Told again of the same board it does nothing.

        Raises Conflict: board-swapped for another one, and what Registry.reserve does.
        """
        if self._run is None:
            row = None if self.device_id else self.registry.board(board_id)
            self.device_id = self.device_id or (row and (row.device_id or row.name)) or ""
            run = Run(os.urandom(8).hex(), board_id, self.device_id, _who())
            self.registry.reserve(run, self._now, self.again)
            self._run = run
        elif self._run.board_id != board_id:
            raise Conflict("board-swapped", f"this is the board {board_id}; it was {self._run.board_id} a moment ago")

    @property
    def had_firmware(self) -> bool:
        """Did an earlier run bring MicroPython or firmware onto the board?"""
        row = self.registry.board(self.board_id)
        return row is not None and row.state != STEPS[0]

    def expect_factory(self) -> None:
        """The board has no identity: raise Conflict board-wiped if it should have one, and no `again` was given."""
        row = self.registry.board(self.board_id)
        had_one = row and row.device_id and STEPS.index(row.state) >= STEPS.index("lock")
        if row and had_one and not self.again:
            raise Conflict("board-wiped", f"this board was {row.device_id}, and has lost that identity")

    def tell(self, name: str, words: str = "") -> None:
        """What is being done, in words: nothing that is journalled."""
        self.watcher.step(name, words or WORDS[name])

    @contextlib.contextmanager
    def step(self, name: str, leads_on: bool = False, binds: bool = False) -> Iterator[dict[str, Any]]:
        """Do a step: journalled before it begins and after it ended, with what the caller puts into the dict: `board`,
        `set_hash`, `detail`.

        If it `leads_on` to another one at once, its end is written together with what is written next. If all it does
        is to issue and `bind`, its beginning is written in that transaction.
        """
        self.tell(name)
        facts: dict[str, Any] = {}
        self._unwritten.append(Entry(name, BEGAN, self._now))
        if not binds:
            self.settle()
        try:
            with self.timed(name):
                yield facts
        except BaseException as error:
            with contextlib.suppress(AdmitError):
                self._unwritten.append(Entry(name, FAILED, self._now, f"{type(error).__name__}: {error}"))
                self.settle()
            raise
        self._unwritten.append(Entry(name, DONE, self._now, **facts))
        if not leads_on:
            self.settle()

    def mark(self, name: str) -> None:
        """A step in which nothing happens but that it is journalled."""
        self.tell(name)
        self._unwritten += [Entry(name, BEGAN, self._now), Entry(name, DONE, self._now)]
        self.settle()

    def settle(self) -> None:
        """Write what is not written yet."""
        if self._unwritten:
            entries, self._unwritten = self._unwritten, []
            self.registry.record(self._opened, *entries)

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add what the block takes to the step's seconds."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    def issue(self, keys: Keys) -> bytes:
        """The credential for the board's keys, and the board's device in the registry: one transaction.

        Raises Conflict board-wiped if the board had another identity that it has lost, and no `again` was given.
        """
        known = self._registered()
        if known and known.public == keys.public:
            return self.bind(known.credential)
        data = self.signer.issue_credential(self.device_id, keys.public, keys.seal_public, self._now, keys.test_only)
        return self.bind(data, lambda session, device: editing.first_bundle(self.signer, session, device, self._now))

    def bind(self, credential_data: bytes, then: Then | None = None) -> bytes:
        """The board is the device of this credential, which is returned. Told again of the same one it does nothing."""
        if self._bound != credential_data:
            more = then, self.again, self._unwritten
            device = self.registry.bind_device(self._opened, credential_data, self._now, *more)
            self._unwritten = []
            self._bound = device.credential
        return credential_data

    def _registered(self) -> Device | None:
        return next((each for each in self.registry.devices() if each.id == self.device_id), None)

    @property
    def _opened(self) -> Run:
        if self._run is None:
            raise RuntimeError("no board was opened")
        return self._run

    @property
    def _now(self) -> int:
        return int(self.clock())


def _who() -> str:
    """Who is at work, as a colleague would say it: anna@bench-2."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"[:128]
