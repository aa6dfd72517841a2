"""The ESP32 port's cable: 259 bytes of patience, Ctrl-C, what is printed, and the REPL for one boot."""

import asyncio
import contextlib

import serial

from admit.connection import Connection
from admit_protocol import cbor, coap, slip
from chip_board import LISTENING, Chip
from chip_world import World
from esp32_kiosk import ROUTINES, UNREAD, commissioned, esp32
from rig import ALL
from wired_kiosk import first_visit, invoke, next_visit

REPL_OPEN = {1: 1}

# A stream as the chip's standard input is: whoever asks for more than has come waits for it, here with an error.
CHIPS_INPUT = (
    """
import asyncio, io, select
from ports.stdio import Serial
class Input(io.IOBase):
    waiting = b""
    def ioctl(self, request, flags):
        if request != 3:  # it is no file of the PC's
            return -1
        return flags & 1 if self.waiting else 0
    def readinto(self, buffer):
        if len(buffer) > len(self.waiting):
            raise RuntimeError("waits for ever")
        buffer[:] = self.waiting[: len(buffer)]
        self.waiting = self.waiting[len(buffer) :]
        return len(buffer)
    def read(self, size=-1):
        raise RuntimeError("waits for ever")
class Listener:
    def __init__(self): self.heard = []
    def opened(self, link, mtu): self.heard.append("opened")
    def received(self, link, data): self.heard.append(bytes(data))
    def closed(self, link): self.heard.append("closed")
async def hear(pieces):
    cable, listener, source = Serial(), Listener(), Input()
    cable._in = source
    cable._poll = select.poll()
    cable._poll.register(source, 1)
    await cable.start(listener, "x")
    import builtins
    del builtins.print
    for piece in pieces:
        source.waiting += piece
        while source.waiting:
            await asyncio.sleep_ms(1)
        await asyncio.sleep_ms(5)
    return listener.heard
"""
    + LISTENING
)


def serve(story, folder, **options):
    """Run `story(kiosk, admin)` with a commissioned kiosk-1."""

    async def main():
        async with asyncio.timeout(90), commissioned(folder, **options) as (kiosk, admin):
            await story(kiosk, admin)

    asyncio.run(main())


@contextlib.contextmanager
def terminal(kiosk):
    """The line as a terminal program has it."""
    with serial.serial_for_url(str(kiosk.board.cable), 115200, timeout=0.2) as port:
        yield port


def test_everything_that_is_sent_to_it_fits_what_it_keeps_unread(tmp_path):
    async def story(kiosk, admin):
        sent = []
        kiosk.board.chip.line.tap = lambda direction, data: (direction == "to chip" and sent.append(len(data)), data)[1]
        visitor = kiosk.visitor("alice", ALL)
        async with Connection(kiosk.cable()) as line:
            session = await first_visit(line, visitor)  # whose grant goes by value
            await session.request(coap.GET, "/journal")
            await invoke(session, "open", seconds=1)
        assert sent and max(sent) <= UNREAD

    serve(story, tmp_path)


def test_the_cable_works_at_115200_baud(tmp_path):
    async def story(kiosk, admin):
        async with Connection(kiosk.cable()) as line:
            session = await next_visit(line, admin, kiosk.credential)
            assert await invoke(session, "open", seconds=1) == [1, 1]

    serve(story, tmp_path, baud=115200)


def test_control_characters_and_noise_do_nothing_while_the_app_runs(tmp_path):
    async def story(kiosk, admin):
        with terminal(kiosk) as port:
            for noise in (b"\x03" * 50, b"\x04\x01\x02\r\nprint(1)\r\n", bytes(range(256)), b"\xc0\xa9" + b"x" * 200):
                port.write(noise)
                await asyncio.sleep(0.05)
        async with Connection(kiosk.cable()) as line:
            session = await next_visit(line, admin, kiosk.credential)
            assert (await session.request(coap.GET, "/health")).code == coap.CONTENT
        assert kiosk.world.starts == [1]

    serve(story, tmp_path)


def test_what_a_routine_prints_goes_out_in_frames_of_its_own(tmp_path):
    routines = ROUTINES + '@routine("Talk.")\ndef talk(kiosk):\n    print("said", 1, 2, sep="-")\n'

    async def story(kiosk, admin):
        said = []
        async with Connection(kiosk.cable(said.append)) as line:
            session = await next_visit(line, admin, kiosk.credential)
            assert await invoke(session, "talk") == [1, None]
        assert "said-1-2" in "".join(said)

    serve(story, tmp_path, routines=routines)


def test_an_admin_opens_the_repl_for_one_boot(tmp_path):
    async def story(kiosk, admin):
        async with Connection(kiosk.cable()) as line:
            session = await next_visit(line, admin, kiosk.credential)
            assert (await session.request(coap.POST, "/reset", cbor.encode(REPL_OPEN))).code == coap.CHANGED
        await kiosk.restarted(2, 1)
        with terminal(kiosk) as port:
            await kiosk.world.until(lambda: port.write(b"\r") and b">>>" in port.read(200))
            port.write(b"import machine; machine.reset()\r")
            await kiosk.restarted(2, 2)
        await kiosk.ready()

    serve(story, tmp_path)


def test_nobody_else_does(tmp_path):
    async def story(kiosk, admin):
        stranger = kiosk.visitor("bob", [("/r/open", 3, {})])
        response = await kiosk.plain(coap.POST, "/reset", REPL_OPEN)
        assert response.code >> 5 == 4
        async with Connection(kiosk.cable()) as line:
            session = await first_visit(line, stranger)
            with contextlib.suppress(Exception):
                await session.request(coap.POST, "/reset", cbor.encode(REPL_OPEN))
        await asyncio.sleep(0.5)
        assert kiosk.world.starts == [1]

    serve(story, tmp_path)


def test_it_never_asks_its_input_for_more_than_has_come(tmp_path):
    async def main():
        async with asyncio.timeout(30), World() as world, Chip(tmp_path, world, CHIPS_INPUT) as chip:
            await chip.expect("listening")
            frames = [slip.encode_coap(bytes((0x40, 1, 0, number))) for number in range(3)]
            pieces = [frames[0][:3], frames[0][3:] + frames[1], frames[2]]
            heard = await chip.ask(f"asyncio.run(hear({pieces!r}))")
            assert heard == str(["opened", *(bytes((0x40, 1, 0, number)) for number in range(3))])

    asyncio.run(main())


def test_a_factory_board_that_fails_comes_up_with_its_repl(tmp_path, monkeypatch):
    monkeypatch.setattr("esp32_kiosk.json.dumps", lambda config: '{"port": "esp32"}')  # no pins, no name

    async def main():
        async with asyncio.timeout(60), esp32(tmp_path, faults=True) as kiosk:
            await kiosk.board.expect("KeyError")
            with terminal(kiosk) as port:
                await kiosk.world.until(lambda: port.write(b"\r") and b">>>" in port.read(200))

    asyncio.run(main())
