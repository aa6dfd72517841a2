"""A whole ESP32 for tests: its ROM loader, and MicroPython with the ESP32 port once that was flashed, on one cable.

Owns: who has the cable when, and that both see the same flash: MicroPython's file system is the partition `vfs` of what
esptool writes to, and its NVS is gone when esptool has written there. Rules: the chip boots only what is whole on its
flash; in its ROM it runs nothing. Must not know the firmware, or who is at the other end.
"""

import time

from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit_protocol.errors import AdmitError
from admit_provisioning import boards, images
from chip_world import World
from esp32_kiosk import STAND_INS
from rom_loader import RomBoard
from rom_loader.image import PARTITIONS

_PLACES = {name: (offset, size) for name, _, _, offset, size in PARTITIONS}
_VFS, _NVS = _PLACES["vfs"], _PLACES["nvs"]
_IN_USE = b"\0"  # at the beginning of a partition: it is not erased any more
_TICK_S = 0.01


class WholeChip:
    """A context manager; `beside` (cli_kiosk.Beside) runs what is asynchronous of it.

    folder   where the chip keeps all that it has
    name     what it is, one of boards/
    line     the cable (rom_loader.line); None: a pseudo-terminal beside its flash, `folder`/flash.port
    mac      as RomBoard has it
    booted   BOOT is not held as it gets power: it boots what is on its flash
    wiring   VirtualBoard's, of what MicroPython's end of the cable is like
    """

    def __init__(self, beside, folder, name="esp32_generic", line=None, mac=1, booted=False, **wiring):
        folder.mkdir(parents=True, exist_ok=True)
        self.board, self._beside, self._folder, self._booted = boards.load(name), beside, folder, booted
        self._wiring = wiring
        self.rom = RomBoard(self.board.chip, folder / "flash", line, mac=mac, boot=self._boot, on_reset=self._on_reset)
        self._running = False

    def __enter__(self):
        self._beside.do(self._prepare())
        self.rom.__enter__()
        if self._booted:
            self.rom.reset("flash")
        return self

    def __exit__(self, *_):
        self.rom.reset("rom")
        self.rom.__exit__()
        self._beside.do(self._leave())

    @property
    def port(self):
        """What pyserial opens."""
        return self.rom.port

    @property
    def board_id(self):
        """What MicroPython must say that it is: the chip's MAC, in hex."""
        return self.rom.mac.hex()

    @property
    def flashed(self):
        """Has anybody ever written to its flash?"""
        return self.rom.flash.read(0, self.rom.flash.size) != b"\xff" * self.rom.flash.size

    def until(self, mode):
        """Wait until the chip is in its "rom", or runs from "flash"."""
        while self.rom.mode != mode:
            time.sleep(_TICK_S)

    def unplug(self):
        """Pull the cable; there is no power without it."""
        self.rom.unplug()
        self._switch_off()

    def plug(self, mode="rom"):
        """Put it in again, with BOOT held or not."""
        self.rom.plug()
        self.rom.reset(mode)

    # -- MicroPython --

    async def _prepare(self):
        self._air = Air()
        await self._air.start()
        self.world = World(self._air.name)
        await self.world.start()
        chip = self.board.chip
        told = {"CHIP": str(self.world.port), "CHIP_NAME": chip, "CHIP_TITLE": f"Generic module with {chip.upper()}"}
        storage = self._folder / "board"
        storage.mkdir(exist_ok=True)
        (storage / "chip-id").write_bytes(self.rom.mac)
        self.virtual = VirtualBoard(storage, blank=True, modules=[STAND_INS], settings=told, **self._wiring)

    async def _leave(self):
        await self.virtual.stop()
        await self.world.stop()
        await self._air.stop()

    def _boot(self, rom):
        """MicroPython's end of the cable; None if the flash holds nothing that starts."""
        self._switch_off()
        if not self._is_whole():
            return None
        if rom.flash.read(_NVS[0], 1) == b"\xff":
            self.world.nvs.clear()
            rom.flash.program(_NVS[0], _IN_USE)
        self.virtual.chip.flash.write_bytes(rom.flash.read(*_VFS))
        self._beside.do(self.virtual.start())
        self._running = True
        return str(self.virtual.cable)

    def _is_whole(self):
        """What the bootloader checks."""
        start, end = self.board.image_offset, _VFS[0]
        try:
            images.parse(self.rom.flash.read(start, end - start), self.board)
        except AdmitError:
            return False
        return True

    def _on_reset(self, mode):
        if mode == "rom":
            self._switch_off()

    def _switch_off(self):
        """No program runs, and what it wrote is on the flash."""
        if self._running:
            self._running = False
            self._beside.do(self.virtual.kill())
            self.rom.flash.erase(*_VFS)
            self.rom.flash.program(_VFS[0], self.virtual.chip.flash.read_bytes())
