"""The client over a serial line: real pseudo-terminals and sockets, noise, stale bytes, and ports that refuse."""

import asyncio
import contextlib
import errno
import os
import pty
import threading
import tty

import pytest
import serial

from admit.transport import open_transport
from admit.transport import serial as serial_module
from admit.transport.serial import SerialTransport
from admit_protocol import slip
from admit_protocol.errors import Busy, LocalError, NotFound, TimedOut

DATAGRAM = b"\x40\x01\x12\x34\xc0\xdb\xff"


class Line:
    """A pseudo-terminal; the test is the device at its far end."""

    def __enter__(self):
        self.ends = self.device, near = pty.openpty()
        tty.setraw(near)
        self.path = os.ttyname(near)
        return self

    def __exit__(self, *_):
        self.unplug()

    def unplug(self):
        ends, self.ends = self.ends, ()
        for end in ends:
            os.close(end)

    def say(self, data):
        os.write(self.device, data)

    async def hear(self, length):
        data = b""
        while len(data) < length:
            data += await asyncio.wait_for(asyncio.to_thread(os.read, self.device, length - len(data)), 5)
        return data


@contextlib.asynccontextmanager
async def opened(url, **options):
    transport = SerialTransport(url, **options)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


async def next_of(transport):
    return await asyncio.wait_for(transport.receive(), 5)


def test_datagrams_there_and_back():
    async def main():
        with Line() as line:
            async with opened(line.path) as transport:
                for datagram in (b"", DATAGRAM, bytes(range(256)) * 4 + bytes(256)):
                    frame = slip.encode_coap(datagram)
                    await transport.send(datagram)
                    assert await line.hear(len(frame)) == frame
                    line.say(frame)
                    assert await next_of(transport) == datagram

    asyncio.run(main())


def test_text_beside_the_datagrams_is_passed_on_and_noise_is_dropped():
    async def main():
        said = []
        with Line() as line:
            async with opened(line.path, say=said.append) as transport:
                line.say(b"ets Jul 29 2019 12:21:46\r\n" + slip.encode_diagnostic("door open\n"))
                broken = bytearray(slip.encode_coap(DATAGRAM))
                broken[3] ^= 1
                line.say(bytes(broken) + slip.encode_coap(DATAGRAM))
                assert await next_of(transport) == DATAGRAM
        assert said == ["door open\n"]

    asyncio.run(main())


def test_what_was_on_the_line_before_is_forgotten():
    async def main():
        with Line() as line:
            line.say(slip.encode_coap(b"stale"))
            async with opened(line.path) as transport:
                line.say(slip.encode_coap(b"fresh"))
                assert await next_of(transport) == b"fresh"
            async with opened(line.path) as transport:
                line.say(slip.encode_coap(b"again"))
                assert await next_of(transport) == b"again"

    asyncio.run(main())


def test_any_url_of_pyserial_is_a_port():
    async def main():
        async def echo(reader, writer):
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(100):
                    writer.write(data)
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        transport = open_transport(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await transport.open()
        await transport.send(DATAGRAM)
        assert await next_of(transport) == DATAGRAM
        await transport.close()
        server.close()

    asyncio.run(main())


def test_an_unplugged_line_is_a_dropped_link():
    async def main():
        with Line() as line:
            async with opened(line.path) as transport:
                waiting = asyncio.create_task(transport.receive())
                await asyncio.sleep(0)
                line.unplug()
                with pytest.raises(TimedOut, match="link-dropped"):
                    await asyncio.wait_for(waiting, 5)
                with pytest.raises(TimedOut, match="link-dropped"):
                    await transport.receive()
                with pytest.raises(TimedOut, match="link-dropped"):
                    await transport.send(DATAGRAM)
            with pytest.raises(TimedOut, match="closed"):
                await transport.send(DATAGRAM)

    asyncio.run(main())


def test_a_line_that_takes_nothing_is_a_dropped_link(monkeypatch):
    monkeypatch.setattr(serial_module, "WRITE_TIMEOUT_S", 0.1)

    async def main():
        with Line() as line:
            async with opened(line.path) as transport:
                with pytest.raises(TimedOut, match="link-dropped"):
                    for _ in range(100):
                        await transport.send(bytes(1000))

    asyncio.run(main())


def test_a_closed_port_leaves_no_thread():
    async def main():
        with Line() as line:
            before = set(threading.enumerate())
            transport = SerialTransport(line.path)
            await transport.open()
            reader = set(threading.enumerate()) - before
            await transport.close()
            await transport.close()
            assert not any(thread is transport._reader and thread.is_alive() for thread in reader)

    asyncio.run(main())


def test_a_port_that_is_not_there_is_not_found():
    async def main():
        for name in ("/dev/no-such-port", "no-such-scheme://x", "socket://127.0.0.1:1"):
            with pytest.raises(NotFound, match=name.rpartition("/")[2]) as caught:
                await SerialTransport(name).open()
            assert caught.value.reason == "serial-not-found"

    asyncio.run(main())


def test_a_cable_that_falls_out_as_the_port_opens_is_a_dropped_link(monkeypatch):
    # Bug: emptying the buffer of a terminal that has gone raises termios.error, which is no OSError.
    line = Line().__enter__()
    really_open = serial.serial_for_url

    def opened_and_pulled(url, *positional, **named):
        port = really_open(url, *positional, **named)
        line.unplug()
        return port

    async def main():
        async with opened(line.path) as transport:
            with pytest.raises(TimedOut) as caught:
                await next_of(transport)
            assert caught.value.reason == "link-dropped"

    monkeypatch.setattr(serial, "serial_for_url", opened_and_pulled)
    asyncio.run(main())


def test_a_port_that_another_program_holds_is_busy():
    async def main():
        with Line() as line:
            async with opened(line.path):
                with pytest.raises(Busy) as caught:
                    await SerialTransport(line.path).open()
                assert caught.value.reason == "serial-in-use"

    asyncio.run(main())


def test_a_port_without_access_names_the_group(monkeypatch):
    def refuse(*_, **__):
        raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    async def main():
        monkeypatch.setattr(serial, "serial_for_url", refuse)
        with pytest.raises(LocalError, match="dialout") as caught:
            await SerialTransport("/dev/ttyUSB0").open()
        assert caught.value.reason == "serial-no-access" and "/dev/ttyUSB0" in caught.value.detail

    asyncio.run(main())
