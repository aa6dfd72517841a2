"""The virtual board: which ports it has, told by the environment that its runner (admit.virtual.board) sets.

ADMIT_STORAGE          folder with two folders in it, `keys` and `data`; without it, they are on a virtual chip's flash
ADMIT_STORAGE_LIMIT    bytes that `data` may hold; ADMIT_READ_ONLY=1 refuses every write
ADMIT_RADIO_FD, ADMIT_CABLE_FD, ADMIT_UDP_PORT     each port is there if its variable is; on the virtual chip
                       the cable is standard input and output instead
ADMIT_CLOCK_OFFSET_S   added to the PC's clock; "unknown" for a board that does not know the time
ADMIT_ROUTINES         the routines file; else the one of the firmware set
ADMIT_TEST_IDENTITY    a file of test identities (admit_device/strangers.py); never on a device that guards anything
ADMIT_BUTTON           a file; who touches it presses the kiosk's button
ADMIT_SCREEN           1: a screen stands at the cable's other end, as board.json's `screen` says of an installed board
ADMIT_CHIP_ID          the board's id in hex; else one is made of the folder's name
ADMIT_RESET_CAUSE      why the board starts, in a word; else "power"
"""

import os
from binascii import unhexlify
from hashlib import sha256

from admit_protocol.const import const
from ports.folder import make_folder
from ports.ondemand import forget
from ports.virtual.clock import Clock
from ports.virtual.entropy import Entropy
from ports.virtual.keystore import Keystore
from ports.virtual.outputs import Outputs
from ports.virtual.storage import Storage

_UNWATCH = const('rm -f "$ADMIT_CHIP_PID.dog"')  # boards/virtual/chip/chip_machine.py


class Board:
    """The ports of admit_device/ports.py as attributes, the routines file, and the file of test identities or None."""

    port = "virtual"

    def __init__(self, config):
        folder = os.getenv("ADMIT_STORAGE") or ""
        limit, read_only = _number("ADMIT_STORAGE_LIMIT"), os.getenv("ADMIT_READ_ONLY") == "1"
        self.storage = Storage(make_folder(folder + "/data"), limit, read_only)
        self.keystore = Keystore(make_folder(folder + "/keys"), None, read_only)
        self.clock = Clock(_offset())
        self.entropy = Entropy()
        screen = config.get("screen") or os.getenv("ADMIT_SCREEN") == "1"
        self.outputs = Outputs(os.getenv("ADMIT_BUTTON"), screen)
        self.restarts = _slots("active") is not None
        self.trial = _slots("trial") if self.restarts else None
        self._is_watched = self.trial == "on"
        self.links = list(_links(self.restarts))
        if screen:
            self._serve_screen()
        self.name = config["board"]
        self.board_id = unhexlify(os.getenv("ADMIT_CHIP_ID") or "") or sha256(folder.encode()).digest()[:6]
        self.test_only = config["radio"] == "none"
        self.reset_cause = os.getenv("ADMIT_RESET_CAUSE") or "power"
        self.faults = []
        self._doing = folder and folder + "/doing"
        self.was_doing = self._remembered() if self.reset_cause == "watchdog" else b""
        self.routines_file = os.getenv("ADMIT_ROUTINES") or _slots("routines_file")
        self.test_identity = os.getenv("ADMIT_TEST_IDENTITY")

    def _serve_screen(self):
        for cable in self.links:
            if cable.kind == "serial":
                cable.asked = self.outputs.tell
                if not self.restarts:  # its console is not its cable
                    self.outputs.say = cable.print

    def installed(self):
        """The hash of the firmware set that runs, 32 bytes, or None."""
        return _slots("installed")

    def vitals(self):
        """(slot whose firmware runs, or None; bytes of storage in all; bytes free)."""
        told = _slots("vitals")
        return told[:1] + (self.storage.space() or told[1:])

    def doing(self, what):
        """Remember over a reset what is being done now, by code that may never come back."""
        try:
            with open(self._doing, "w") as file:
                file.write(what)
        except OSError:  # a virtual chip has no such folder
            pass

    def _remembered(self):
        try:
            with open(self._doing, "rb") as file:
                return file.read()
        except OSError:  # nothing was done
            return b""

    def restart(self, repl=False):
        """End the program: its runner starts it again; with `repl`, into the REPL for one time."""
        if repl and self.restarts:
            _slots("ask_repl")
        raise SystemExit

    def updates(self):
        """What fills and tries the other slot, or None where there are none."""
        if not self.restarts:
            return None
        from ports.updates import Updates

        forget("ports.updates")
        forget("ports.slots")
        return Updates()

    def scrub(self, now=True):
        """What a PC's file system has removed is its own affair."""

    def watch(self):
        """A PC has no watchdog, but for the one that boot.py sets beside a trial: that ends with it."""
        if self._is_watched and not self.trial:
            self._is_watched = False
            os.system(_UNWATCH)

    async def tend(self):
        """A PC has nothing to tend."""


def _slots(question):
    from ports import slots

    try:
        return getattr(slots, question)()
    finally:
        forget("ports.slots")


def open_board(config):
    """The board that `config` (board.json) and the environment describe."""
    return Board(config)


def _links(on_chip):
    """The link servers that the board has; the module of one that it lacks is not loaded."""
    if _number("ADMIT_RADIO_FD") is not None:
        from ports.virtual.radio import Radio

        yield Radio(_number("ADMIT_RADIO_FD"))
    if _number("ADMIT_CABLE_FD") is not None:
        from ports.virtual.cable import Cable

        yield Cable(_number("ADMIT_CABLE_FD"))
    elif on_chip:
        from ports.stdio import Serial

        yield Serial()
    if _number("ADMIT_UDP_PORT") is not None:
        from ports.virtual.udp import Udp

        yield Udp(_number("ADMIT_UDP_PORT"))


def _offset():
    return None if os.getenv("ADMIT_CLOCK_OFFSET_S") == "unknown" else _number("ADMIT_CLOCK_OFFSET_S") or 0


def _number(name):
    text = os.getenv(name)
    return int(text) if text else None
