"""The world around a stand-in ESP32 (tests/chip): its air, what is wired to its pins, and its power.

Owns: the frames of tests/chip/board_wire.py at this end, in their order, and whether the program has dealt with each.
`World.port` is what ADMIT_CHIP says. Must not know the firmware.
"""

import asyncio
import collections
import contextlib
import json
import time

from chip_radio import ChipRadio

HEADER = 7
POWER_ON = 1
PATIENCE_S = 10.0


class World:
    """An async context manager around a chip, which may start again and again; one at a time.

    air: bumble's name of it; None: the chip's radio does not start. max_links: how many it takes at once.
    """

    def __init__(self, air: str | None = None, max_links: int = 4):
        self.pins: dict[int, int] = {}  # level of each output
        self.tones: dict[int, tuple[int, int]] = {}  # of each PWM: frequency in Hz, duty of 65535; (0, 0): stopped
        self.events: list[tuple[str, int, int]] = []  # ("pin", number, level), ("tone", …), ("restart", cause, 0), …
        self.starts: list[int] = []  # the cause of each start: 1 power, 2 reset, 3 watchdog, 5 soft reset
        self.nvs: dict[str, list] = {}  # the partition: "namespace/key" and [type, value]
        self.written = 0  # entries of NVS, 126 of which are one erasure of a page
        self.pages_erased: list[int] = []
        self.rtc = b""  # memory that outlives a restart, not a loss of power
        self.connected = asyncio.Event()
        self.radio = ChipRadio(air or "", self.deliver, max_links)
        self._clock_s = 0.0  # seconds after 2000, less the PC's monotonic ones
        self._levels: dict[int, int] = {}
        self._has_air = air is not None
        self._writer: asyncio.StreamWriter | None = None
        self._unanswered: collections.deque[asyncio.Future] = collections.deque()
        self._server: asyncio.Server | None = None
        self._reader_task: asyncio.Task | None = None

    async def __aenter__(self) -> "World":
        await self.start()
        return self

    async def __aexit__(self, *_) -> None:
        await self.stop()

    async def start(self) -> None:
        """Wait for a chip on a free port of this PC."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take the chip off the air and off its wires."""
        if self._server:
            self._server.close()
        await self._lost()
        if self._reader_task:
            await asyncio.wait([self._reader_task])

    async def press(self, pin: int, level: int | None) -> None:
        """Apply a level to a pin, or nothing (None), also to a chip that starts later."""
        self._levels[pin] = 0xFF if level is None else level
        if self._writer:
            await self.deliver(b"g", pin, self._levels[pin])

    async def fault(self, name: str) -> None:
        """Let the next call of the radio fail: "mbufs", no memory for an indication."""
        await self.deliver(b"f", 0, 0, name.encode())

    async def deliver(self, kind: bytes, a: int = 0, b: int = 0, payload: bytes = b"") -> None:
        """Send a frame and wait until the program has dealt with it, or is gone."""
        if self._writer is None:
            return
        done = asyncio.get_running_loop().create_future()
        self._unanswered.append(done)
        self._writer.write(kind + _u16(a) + _u16(b) + _u16(len(payload)) + payload)
        await done

    async def settled(self) -> None:
        """Wait until all that the program has told until now has arrived."""
        await self.deliver(b"?")

    async def until(self, condition, timeout_s: float = PATIENCE_S) -> None:
        """Wait until `condition()` holds."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._lost()  # the chip that was here before is dead
        self._reader_task = asyncio.current_task()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._greet(reader, writer)
        self._writer = writer
        self.pins.clear()
        self.tones.clear()
        self.connected.set()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await reader.readexactly(HEADER)
                payload = await reader.readexactly(int.from_bytes(header[5:], "big"))
                await self._on_frame(header[:1], *_numbers(header), payload)
        if self._writer is writer:
            await self._lost()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A chip starts: it gets what outlived the reason for that."""
        header = await reader.readexactly(HEADER)
        assert header[:1] == b"H"
        self.starts.append(_numbers(header)[0])
        if self.starts[-1] == POWER_ON:
            self.rtc, self._clock_s = b"", -time.monotonic()
        clock = int(self._clock_s + time.monotonic())
        told = {"nvs": self.nvs, "rtc": self.rtc.hex(), "clock": clock, "levels": self._levels}
        kept = json.dumps(told).encode()
        writer.write(b"h" + _u16(0) + _u16(0) + _u16(len(kept)) + kept)

    async def _lost(self) -> None:
        """The chip has no power, or starts again: its links are gone, nobody answers."""
        self.connected.clear()
        writer, self._writer = self._writer, None
        if writer:
            writer.close()
        for done in self._unanswered:
            if not done.done():
                done.set_result(None)
        self._unanswered.clear()
        await self.radio.switch_off()

    async def _on_frame(self, kind: bytes, a: int, b: int, payload: bytes) -> None:
        radio = self.radio
        if kind == b"k":
            done = self._unanswered.popleft()
            if not done.done():
                done.set_result(None)
        elif kind == b"E":
            await self._switch_radio(bool(a))
        elif kind == b"M":
            radio.set_mtu(a)
        elif kind == b"R":
            radio.register(payload)
        elif kind == b"V":
            radio.set_value(b, payload)
        elif kind == b"A":
            await radio.advertise(a, bool(b), payload[1 : 1 + payload[0]], payload[1 + payload[0] :])
        elif kind == b"S":
            await radio.stop_advertising()
        elif kind == b"I":
            radio.indicate(a, b, payload)
        elif kind == b"N":
            radio.notify(a, b, payload)
        elif kind == b"D":
            radio.disconnect(a)
        elif kind == b"Y":
            radio.ask_mtu(a, b)
        else:
            self._on_wire(kind, a, b, payload)

    async def _switch_radio(self, on: bool) -> None:
        if not on:
            await self.radio.switch_off()
        elif self._has_air:
            await self.radio.switch_on()
            asyncio.ensure_future(self.deliver(b"e", 1, 0, bytes.fromhex("240ac4000003")))

    def _on_wire(self, kind: bytes, a: int, b: int, payload: bytes) -> None:
        if kind == b"G":
            self.pins[a] = b
            self.events.append(("pin", a, b))
        elif kind == b"W":
            self.tones[a] = int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:], "big")
            self.events.append(("tone", a, self.tones[a][0]))
        elif kind == b"B":
            self.events.append(("bits", a, int.from_bytes(payload, "big")))
        elif kind == b"F":
            self._on_nvs(*json.loads(payload))
        elif kind == b"Q":
            self.pages_erased.append(a)
            if a == b - 1:
                self.nvs.clear()
        elif kind == b"P":
            self.rtc = payload
        elif kind == b"C":
            self._clock_s = (a << 16 | b) - time.monotonic()
        elif kind == b"X":
            self.events.append(("restart", a, 0))
        elif kind == b"T":
            self.events.append(("watchdog", a, 0))

    def _on_nvs(self, name: str, item: list | None, cost: int) -> None:
        self.written += cost
        if item:
            self.nvs[name] = item
        else:
            self.nvs.pop(name, None)


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _numbers(header: bytes) -> tuple[int, int]:
    return int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big")
