"""A board with an ESP32: which ports it has, told by board.json.

Owns: the order of starting (the radio first: NimBLE needs memory that a full heap no longer has), and the watchdog. A
wipe that power ended in the middle is finished at the next start.
"""

import asyncio

import machine

from admit_protocol.const import const
from ports.entropy import Entropy
from ports.esp32.clock import Clock
from ports.esp32.keystore import Keystore
from ports.esp32.outputs import Outputs
from ports.folder import FolderStorage, make_folder
from ports.ondemand import forget
from ports.stdio import Serial

_FASTEST = (240_000_000, 160_000_000)
_WATCHDOG_MS = const(30_000)  # the longest that the loop computes without a pause is some seconds

_DOING = const(b"doing ")

_CAUSES = {
    machine.PWRON_RESET: "power",
    machine.HARD_RESET: "hard",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "sleep",
    machine.SOFT_RESET: "soft",
}


class Board:
    """The ports of admit_device/ports.py as attributes. `config`: board.json; `root`: where the flash is, for tests."""

    port = "esp32"
    restarts = True
    test_identity = None

    def __init__(self, config, root=""):
        _run_fast()
        self.faults = []
        radio = self._radio(config)
        self._root = root
        cable = Serial()
        self.links = [radio, cable] if radio else [cable]
        self.test_only = config["radio"] == "none"
        self.entropy = Entropy(live=None if self.test_only else (lambda: radio is not None and radio.live()))
        self.name = config["board"]
        self.board_id = machine.unique_id()
        self.reset_cause = _CAUSES.get(machine.reset_cause(), "unknown")
        self.was_doing = _remembered() if self.reset_cause == "watchdog" else b""
        self.routines_file = self._slots("routines_file")
        self.trial = self._slots("trial")
        screen = config.get("screen")
        self.outputs = Outputs(config["pins"], screen)
        if screen:
            cable.asked = self.outputs.tell
        self.clock = Clock()
        self.storage = FolderStorage(make_folder(root + "/data"))
        self.keystore = Keystore()
        self._button = config["pins"].get("button")
        self._watchdog = None
        names = self.storage.names()
        if "wiping" in names:
            self.wipe()
        elif "scrubbing" in names and not self.trial:  # which would be too late for its proof
            self.scrub()

    def installed(self):
        """The hash of the firmware set that runs, 32 bytes, or None."""
        return self._slots("installed")

    def vitals(self):
        """(slot whose firmware runs, or None; bytes of storage in all; bytes free)."""
        return self._slots("vitals")

    def doing(self, what):
        """Remember what is being done now, by code that may never come back: in memory that outlives a reset, but no
        loss of power.
        """
        machine.RTC().memory(_DOING + what.encode())

    def updates(self):
        """What fills and tries the other slot, or None where there are none."""
        if self._slots("active") is None:
            return None
        from ports.updates import Updates

        forget("ports.updates")
        forget("ports.slots")
        return Updates(self._root, _images)

    def restart(self, repl=False):
        """Reset the chip; with `repl`, into the REPL for one time."""
        if repl:
            self._slots("ask_repl")
        machine.reset()

    def watch(self):
        """From now on the chip resets if `tend` stands still. It cannot be undone."""
        self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)

    def wipe(self):
        """Back to factory, and reset."""
        from ports.esp32.factory import wipe

        wipe(self.storage, self.keystore, self.scrub)

    def scrub(self, now=True):
        """Leave nothing on the flash of files that were removed; or have the next start do so."""
        from ports.esp32.scrub import scrub

        scrub(self.storage, self._root + "/data", self._feed, now)
        forget("ports.esp32.scrub")

    async def tend(self):
        """Beside the device, as long as it runs: feed the watchdog, show the status, look at the button."""
        if self._button is not None:
            asyncio.create_task(self._look())
        while True:
            await self.outputs.blink(self._feed)

    def _feed(self):
        if self._watchdog:
            self._watchdog.feed()

    def _slots(self, question):
        from ports import slots

        try:
            return getattr(slots, question)(self._root)
        finally:
            forget("ports.slots")

    async def _look(self):
        from ports.esp32 import factory

        if await factory.button_held(self._button, self.outputs):
            self.wipe()
        forget("ports.esp32.factory")

    def _radio(self, config):
        """The radio. None for a board that has none, or where switching it on would crash; or if it does not start."""
        if config["radio"] == "none":
            return None
        try:
            from ports.esp32.radio import Radio

            return Radio()
        except (ImportError, OSError) as error:  # the cable still serves, but no key is made
            self.faults.append("radio: %s" % error)
            return None


def open_board(config):
    """The board that `config` describes."""
    return Board(config)


def _images():
    from ports.esp32 import image

    forget("ports.esp32.image")
    return image


def _remembered():
    told = machine.RTC().memory()
    return told[len(_DOING) :] if told.startswith(_DOING) else b""


def _run_fast():
    for hertz in _FASTEST:
        try:
            machine.freq(hertz)
            return
        except ValueError:  # this chip cannot
            pass
