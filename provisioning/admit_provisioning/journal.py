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

from admit import admin
from admit.authority import Authority
from admit.boards import BEGAN, DONE, FAILED, STEPS, Run
from admit.registry import Registry
from admit.registry_models import Device
from admit.site import Site
from admit_protocol.errors import AdmitError, Conflict

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
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Do a step: journalled before it begins and after it ended, with what the caller puts into the dict: `board`,
        `set_hash`, `detail`.
        """
        self.tell(name)
        facts: dict[str, Any] = {}
        self._record(name, BEGAN)
        try:
            with self.timed(name):
                yield facts
        except BaseException as error:
            with contextlib.suppress(AdmitError):
                self._record(name, FAILED, detail=f"{type(error).__name__}: {error}")
            raise
        self._record(name, DONE, **facts)

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add what the block takes to the step's seconds."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    def issue(self, public: bytes, test_only: bool = False) -> bytes:
        """The credential for the board's key, and the board's device in the registry: one transaction.

        Raises Conflict board-wiped if the board had another identity that it has lost, and no `again` was given.
        """
        known = self._registered()
        if known and known.public == public:
            return self.bind(known.credential)
        data = self.signer.issue_credential(self.device_id, public, self._now, test_only)
        return self.bind(data, admin.first_bundle(self.site, self.signer, self.device_id, self._now))

    def bind(self, credential_data: bytes, bundle_data: bytes | None = None) -> bytes:
        """The board is the device of this credential, which is returned."""
        device = self.registry.bind_device(self._opened, credential_data, self._now, bundle_data, self.again)
        return device.credential

    def _registered(self) -> Device | None:
        return next((each for each in self.registry.devices() if each.id == self.device_id), None)

    def _record(self, step: str, event: str, **facts) -> None:
        self.registry.record_step(self._opened, step, event, self._now, **facts)

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
