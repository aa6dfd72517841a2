"""CoAP over a serial line as a client: slipmux on anything that pyserial opens.

Owns: the port, a thread that waits for its bytes, and the frames. Any pyserial URL is a port: a device's path or COM
name, a pseudo-terminal, `socket://…`, `rfc2217://…`. Must not know what a datagram says.
"""

import asyncio
import contextlib
import errno
import grp
import os
import termios
import threading
import time
from collections.abc import Callable

import serial

from admit_protocol import slip
from admit_protocol.coap_udp import UdpLayer
from admit_protocol.errors import AdmitError, Busy, LocalError, NotFound, TimedOut

BAUD_RATE = 115_200
SHARED_S = 0.3  # how long a port that somebody holds is tried
POLL_S = 0.2  # how long a closed port may keep its thread
WRITE_TIMEOUT_S = 5.0
MAX_DATAGRAM = 1280
# What we send at most. MicroPython on an ESP32 keeps 259 bytes that its program has not read yet (stdin_ringbuf), and
# loses the rest of a longer frame whenever the program computes: so larger requests go in blocks.
LONGEST_TO_DEVICE = 200

NO_ACCESS = "no access to {0}: it is the group {1}'s; join it (sudo usermod -aG {1} $USER) and log in again"


class SerialTransport:
    """Datagrams over the line `url`. `say(text)` gets the diagnostic text that the device sends beside them."""

    layer: UdpLayer

    def __init__(self, url: str, say: Callable[[str], None] | None = None):
        self.description = url
        self._url = url
        self._say = say or (lambda text: None)
        self._port: serial.SerialBase | None = None
        self._datagrams: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Open the port. NotFound("serial-not-found"), LocalError("serial-no-access"), Busy("serial-in-use")."""
        self.layer = UdpLayer(os.urandom)
        self.layer.max_payload = LONGEST_TO_DEVICE
        self._datagrams = asyncio.Queue()
        self._port = await asyncio.to_thread(open_port, self._url)
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._port, asyncio.get_running_loop()), daemon=True)
        self._reader.start()

    async def send(self, data: bytes) -> None:
        """Send one datagram. TimedOut("link-dropped") if the line does not take it."""
        await self._write(slip.encode_coap(data))

    async def tell(self, text: str) -> None:
        """Send diagnostic text: to a board that knows of a screen, the question how everything is. Raises as `send`."""
        await self._write(slip.encode_diagnostic(text))

    async def _write(self, frame: bytes) -> None:
        async with self._writing:
            if self._port is None:
                raise TimedOut("link-dropped", "the port is closed")
            try:
                await asyncio.to_thread(self._port.write, frame)
            except OSError as error:
                raise TimedOut("link-dropped", f"{self.description}: {error}") from error

    async def receive(self) -> bytes:
        """The next datagram. TimedOut("link-dropped") once the line is gone."""
        datagram = await self._datagrams.get()
        if datagram is None:
            self._datagrams.put_nowait(None)  # for whoever asks again
            raise TimedOut("link-dropped", f"{self.description} was unplugged or closed")
        return datagram

    async def close(self) -> None:
        """Close the port."""
        port, self._port = self._port, None
        if port:
            self._closing.set()
            with contextlib.suppress(AttributeError, OSError):  # not every kind of port can
                port.cancel_read()
            await asyncio.to_thread(self._reader.join)
            port.close()

    def _read(self, port: serial.SerialBase, loop: asyncio.AbstractEventLoop) -> None:
        """The thread: bytes to frames until the port closes or fails."""
        decoder = slip.Decoder(MAX_DATAGRAM)
        with contextlib.suppress(OSError, TypeError, RuntimeError):  # what a port does that goes away; a closed loop
            while not self._closing.is_set():
                if data := port.read(max(1, port.in_waiting)):
                    loop.call_soon_threadsafe(self._on_frames, decoder.feed(data))
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._datagrams.put_nowait, None)

    def _on_frames(self, frames) -> None:
        for kind, content in frames:
            if kind == "coap":
                self._datagrams.put_nowait(content)
            elif kind == "diagnostic":
                self._say(content)


def open_port(url: str, timeout_s: float = POLL_S) -> serial.SerialBase:
    """Open `url` for us alone, and forget what was on the line before. A read waits for `timeout_s` at most: to set
    that later would fail in ways of its own on a port that is just going away.

    Somebody who holds it is given a moment: a program that we are just starting has all that we had for an instant.
    """
    give_up = time.monotonic() + SHARED_S
    while True:
        try:
            return _open(url, timeout_s)
        except Busy:
            if time.monotonic() >= give_up:
                raise
            time.sleep(SHARED_S / 10)


def _open(url: str, timeout_s: float) -> serial.SerialBase:
    try:
        limit_s = None if url.startswith("rfc2217:") else WRITE_TIMEOUT_S  # pyserial's client has no such timeout
        port = serial.serial_for_url(url, BAUD_RATE, timeout=timeout_s, write_timeout=limit_s, exclusive=True)
        with contextlib.suppress(OSError, termios.error):  # a line that has gone already says so at the first byte
            port.reset_input_buffer()
        return port
    except (OSError, ValueError, termios.error) as error:
        raise refusal(url, error) from error


def refusal(url: str, error: Exception) -> AdmitError:
    """Why a port did not open, and what to do."""
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return LocalError("serial-no-access", NO_ACCESS.format(url, _group(url)))
    if code in (errno.EAGAIN, errno.EBUSY):
        return Busy("serial-in-use", f"another program holds {url}")
    return NotFound("serial-not-found", f"{url}: {error}")


def _group(url: str) -> str:
    """The group that a device file belongs to; what it mostly is if there is no telling."""
    try:
        return grp.getgrgid(os.stat(url).st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
