"""From a board in the hand to a device of the site: detect, flash, install, key, issue, lock, prove, label.

Owns: the order of the steps, and what must be true between them.
Rules: the board itself is asked how far it is, again after each change; the registry remembers what a board cannot
tell. So a run that was killed or unplugged anywhere is finished by the next one, and nothing is done twice.
Nothing is believed of a device until it has proven itself with its credential, over this cable, in this run.
Must not know: terminals; how bytes reach a chip or a flash.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from admit import releases
from admit.client import Holder, Session
from admit.connection import Connection
from admit.keyfiles import fingerprint
from admit.transport import open_transport
from admit_protocol import credential
from admit_protocol.errors import AdmitError, Conflict, LocalError, NotFound, RemoteError, Unsupported, Unverified
from admit_provisioning import boards, detect, esptool, flash, images, install
from admit_provisioning import commission as device
from admit_provisioning.boards import Board
from admit_provisioning.compile import FirmwareSet, build
from admit_provisioning.detect import APP, REPL, ROM, Found
from admit_provisioning.esptool import Link
from admit_provisioning.journal import Journal
from admit_provisioning.receiver import Receiver
from admit_provisioning.repl import Repl, Runtime

_CHIP = re.compile(r".* with (ESP32\w*)")
_READ_KIND = "print(open('/board.json').read())"
_VERSION = re.compile(r"\d+\.\d+\.\d+")

T = TypeVar("T")


@dataclass(frozen=True)
class Order:
    """What a technician wants: the board at `link` as a device; `board`: its kind, or None for what it says itself.

    `install_only`: no more than its firmware, so that it may join later, by a sealed label. `screen`: one will stand at
    its cable, and is to be told names and codes.
    """

    link: Link
    board: str | None = None
    image: Path | None = None
    routines: Path | None = None
    again: bool = False
    install_only: bool = False
    screen: bool = False


@dataclass
class Provisioned:
    """What came of it. `sent`: bytes of firmware that went over the line; `is_current` is False for a device that was
    left with other firmware than ours. A board that was only installed has no `credential` (b""), and no health.
    """

    device_id: str
    board_id: str
    credential: bytes
    proof: device.Proof
    is_current: bool
    sent: int
    seconds: dict[str, float]

    @property
    def fingerprint(self) -> str:
        """That of the device's key, as its label shows it."""
        return fingerprint(credential.parse(self.credential).public) if self.credential else ""

    @property
    def is_test_only(self) -> bool:
        """Was its key made without a hardware source of randomness?"""
        return bool(self.credential) and credential.parse(self.credential).test_only


def provision(order: Order, journal: Journal, holder: Holder) -> Provisioned:
    """Do all of it, or what is left of it. Blocks; raises AdmitError, and leaves what the same call then finishes."""
    with contextlib.closing(_Pipeline(order, journal, holder)) as pipeline:
        return pipeline.run()


@dataclass
class _Pipeline:
    order: Order
    journal: Journal
    holder: Holder
    firmware: FirmwareSet | None = None  # what the device must have, once somebody had to know it
    runtime: Runtime | None = None  # of the board, if its REPL was seen
    proof: device.Proof | None = None  # of a device that was one before, as long as nothing was changed
    release: device.Release | None = None  # of a board that belongs to nobody yet
    sent: int = 0
    is_current: bool = True
    _changed: list[str] = field(default_factory=list)
    _call: "_Call | None" = None

    def close(self) -> None:
        """Leave the port, and nothing unwritten: what went wrong before is told, not that this fails too."""
        self._hang_up()
        with contextlib.suppress(AdmitError):
            self.journal.settle()

    def run(self) -> Provisioned:
        description = self._running_app().description
        assert description is not None
        if self.order.install_only and self.release:
            return self._result(b"", device.Proof(self.release, {}))
        credential_data = description.credential or self._join()
        proof = self.proof or self._prove(credential_data)
        self.journal.mark("label")
        return self._result(credential_data, proof)

    def _result(self, credential_data: bytes, proof: device.Proof) -> Provisioned:
        more = proof, self.is_current, self.sent, self.journal.seconds
        return Provisioned(self.journal.device_id, self.journal.board_id, credential_data, *more)

    # Up to an app with our firmware

    def _running_app(self) -> Found:
        self.journal.tell("detect")
        with self.journal.timed("detect"):
            found = detect.detect(self.order.link)
        while True:
            if found.kind == APP and self._is_current(found):
                return found
            found = {APP: self._open_repl, REPL: self._install, ROM: self._flash}[found.kind](found)

    def _is_current(self, found: Found) -> bool:
        """Does the app run the firmware that it should? A device of the site proves itself first."""
        description = found.description
        assert description is not None
        if not found.board_id:
            raise Unsupported("board-nameless", "the firmware on it does not say which board it is")
        if description.credential is not None:
            self.release = None
            release = self._recognise(description.credential, found.board_id).release
        else:
            self.journal.open(found.board_id)
            self.journal.expect_factory()
            release = self.release = self._talk(lambda line: device.read_release(device.unprotected(line)))
        return self._is_ours(release) or self._may_stay(description.credential)

    def _is_ours(self, release: device.Release) -> bool:
        if self.firmware is None and release.set_hash is not None:
            board = boards.load(self.order.board) if self.order.board else boards.told(release.board)
            self.firmware = build(board, self.order.routines, release.mpy)
        return release.set_hash == (self.firmware.hash if self.firmware else None)

    def _may_stay(self, credential_data: bytes | None) -> bool:
        """May other firmware than ours stay on it? On a device that works already, unless `again` was said."""
        if "install" in self._changed:
            raise Unverified("provision-set-differs", "it does not run what was installed")
        self.is_current = credential_data is None or self.order.again
        return not self.is_current

    def _recognise(self, credential_data: bytes, board_id: str) -> device.Proof:
        """Prove a device that has a credential: first that it is ours, or it would learn who we are."""
        expected = self.journal.known_as(credential.parse(credential_data).device_id)
        device.own(credential_data, self.holder.anchor, expected)
        self.journal.open(board_id)
        self._lock()
        self.proof = self._prove(credential_data)
        return self.proof

    def _open_repl(self, found: Found) -> Found:
        """Have an app restart with its REPL open."""
        assert found.description
        self._once("repl")
        self.journal.tell("install", "opening its REPL")
        credential_data = found.description.credential
        self._talk(lambda line: self._restart(line, credential_data))
        self.proof = None
        return self._wait_for(REPL)

    async def _restart(self, line: Connection, credential_data: bytes | None) -> None:
        if credential_data is None:
            return await device.open_repl(device.unprotected(line))
        session = Session(line, self.holder, credential_data)
        await session.start()
        await device.open_repl(session.request)

    def _flash(self, found: Found) -> Found:
        """Write MicroPython to a chip whose ROM loader answers. One that had it already is only started first."""
        assert found.chip
        board = self._board(found.chip.name)
        flash.check_chip(found.chip, board)
        self.journal.open(found.chip.mac.hex())
        if self.journal.had_firmware and "restart" not in self._changed:
            return self._restarted()
        self._once("flash")
        with self.journal.step("flash") as facts:
            image = images.resolve(board, self.order.image, self.journal.registry)
            known = found.chip if self.order.image else None  # after a download there may be another board
            flash.flash(self.order.link, board, image, self._tell_flash, self.journal.watcher.progress, known=known)
            facts["board"] = board.name
        return self._wait_for(REPL)

    def _restarted(self) -> Found:
        self._once("restart")
        link = self.order.link
        esptool.run(["--no-stub", *link.options(), "--connect-attempts", str(link.attempts), "read-mac"])
        return detect.detect(link)

    def _tell_flash(self, words: str) -> None:
        self.journal.tell("flash", words)

    def _install(self, found: Found) -> Found:
        with Repl(self.order.link.port) as repl:
            self.runtime = repl.describe()
            if not self.runtime.board_id:
                raise Unsupported("board-nameless", "its MicroPython does not say which board it is")
            kind = _kind(repl)
            with Receiver(repl) as receiver:  # which is on its way while the registry is asked; it changes nothing
                self.journal.open(self.runtime.board_id.hex())
                self._once("install")
                with self.journal.step("install") as facts:
                    self._send(repl, receiver, self._board(_chip(found.banner), kind), facts)
        return self._wait_for(APP)

    def _send(self, repl: Repl, receiver: Receiver, board: Board, facts: dict[str, Any]) -> None:
        assert self.runtime
        if _numbers(self.runtime.version) < _numbers(board.minimum_version):
            raise Unsupported("repl-old", f"it runs MicroPython {self.runtime.version}, not {board.minimum_version}")
        self.firmware = build(board, self.order.routines, self.runtime.mpy)
        progress = self.journal.watcher.progress
        self.sent += install.install(repl, self.firmware, board, progress, receiver).bytes_sent
        facts |= {"board": board.name, "set_hash": self.firmware.hash}
        self.journal.registry.keep_set(self.firmware.hash, releases.list_of(self.firmware.files))

    def _wait_for(self, kind: str) -> Found:
        self._hang_up()
        self.journal.tell("detect", "waiting until it has started")
        with self.journal.timed("detect"):
            return detect.wait_for(kind, self.order.link)

    def _board(self, chip: str | None, told: str | None = None) -> Board:
        """The kind of the board: as ordered, as it says itself, or else the first one with its chip."""
        named = self.order.board or (told if told in boards.names() else None)
        board = boards.load(named) if named else _with_chip(chip)
        if board.chip != chip:
            words = f"it has the chip {chip}" if chip else "it has no chip"
            raise Conflict("flash-other-chip", f"{words}, and {board.name} {board.chip or 'has none'}")
        return replace(board, screen=board.screen or self.order.screen)

    def _once(self, change: str) -> None:
        """Each change is made once a run: a board that asks for another one is broken."""
        if change in self._changed:
            raise LocalError("board-not-started", f"after {change} it is where it was before")
        self._changed.append(change)

    # From there to a device of the site

    def _join(self) -> bytes:
        with self.journal.step("key", leads_on=True):
            keys = self._talk(device.make_key)
        with self.journal.step("issue", leads_on=True, binds=True):
            credential_data = self.journal.issue(keys)
        self._lock(lambda line: device.install(line, credential_data, self.holder.anchor))
        return credential_data

    def _lock(self, hand_over: Callable[[Connection], Awaitable[None]] | None = None) -> None:
        """The device belongs to the site, and its cable opens nothing any more."""
        with self.journal.step("lock", leads_on=True):
            if hand_over:
                self._talk(hand_over)
            self._hang_up()
            if detect.shows_repl(self.order.link):
                raise Unverified("provision-repl-open", "its REPL answers: whoever has the cable could change it")

    def _prove(self, credential_data: bytes) -> device.Proof:
        with self.journal.step("prove", leads_on=True) as facts:
            proof = self._talk(lambda line: device.prove_release(line, self.holder, credential_data))
            self._check(proof.release)
            self.journal.bind(credential_data)
            facts |= {"board": proof.release.board, "set_hash": proof.release.set_hash}
        return proof

    def _check(self, release: device.Release) -> None:
        """Raise unless a proven device is the board in hand, and runs what was installed."""
        if release.board_id.hex() != self.journal.board_id:
            raise Conflict("board-swapped", f"{self.journal.device_id} is the board {release.board_id.hex()}")
        if "install" in self._changed and self.firmware and self.runtime:
            said = release.set_hash, release.version, _numbers(release.micropython)
            if said != (self.firmware.hash, self.firmware.version, _numbers(self.runtime.version)):
                raise Unverified("provision-set-differs", f"it runs {release.version} on {release.micropython}")

    def _talk(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do something over the connection to the app, which stays open as long as nobody else needs the port."""
        self._call = self._call or _Call(self.order.link.port)
        try:
            return self._call.run(work)
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        call, self._call = self._call, None
        if call:
            call.close()


class _Call:
    """A connection to the app at a port, for one piece of work after the other."""

    def __init__(self, port: str):
        self._line = Connection(open_transport(port))
        self._runner = asyncio.Runner()
        try:
            self._runner.run(self._line.__aenter__())
        except BaseException:
            self._runner.close()
            raise

    def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def call() -> T:
            return await work(self._line)

        return self._runner.run(call())

    def close(self) -> None:
        with self._runner:
            self._runner.run(self._line.__aexit__())


def _with_chip(chip: str | None) -> Board:
    """The first kind of board that has this chip, or none."""
    names = boards.names()
    found = [board for board in map(boards.load, names) if board.chip == chip]
    if not found:
        raise NotFound("board-unknown", f"no board of ours has the chip {chip}; there are {', '.join(names)}")
    return found[0]


def _kind(repl: Repl) -> str | None:
    """What kind of board it says that it is, if firmware was installed before."""
    try:
        return json.loads(repl.exec(_READ_KIND))["board"]
    except (ValueError, KeyError, TypeError, RemoteError):
        return None


def _chip(banner: str) -> str | None:
    """The chip that MicroPython's banner names, as esptool calls it; None for a board without one."""
    named = _CHIP.search(banner)
    return named[1].lower() if named else None


def _numbers(version: str) -> list[int]:
    """Those of a version: [1, 25, 0] of "v1.25.0-preview"."""
    found = _VERSION.search(version)
    return [int(each) for each in found[0].split(".")] if found else []
