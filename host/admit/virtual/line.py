"""The line between a client and a virtual chip: two pseudo-terminals and what happens to bytes between them.

Owns: how fast bytes go, pulling the plug and putting it back, and what a test does to the bytes on their way. It works
in a thread of its own, so that it goes on whatever the event loop is busy with. Must not know what the bytes mean.
"""

import contextlib
import fcntl
import os
import pty
import select
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from admit.virtual.plug import CHUNK, Plug, read, write
from admit.virtual.way import SLICE_S, Way

LIMIT = 4096  # bytes of one direction that wait here, as they would in a driver

# What the chip tells by modes of its terminal, which are without effect on a raw one: Ctrl-C is to interrupt what runs
# (boards/virtual/chip/line.py), and what runs is the raw REPL's.
INTERRUPTS, RAW_REPL = termios.ECHOE, termios.ECHOK

CTRL_C = 0x03
HANDLING_S = 0.02  # an interrupted program has this long to see it, before more reaches it

TO_CHIP, TO_CLIENT = "to chip", "to client"

Tap = Callable[[str, bytes], bytes]


class Line:
    """A client's pseudo-terminal, with a link to it at `path`, and the chip's, whose name is `chip`.

    baud   bits a second each way, ten a byte; None: as fast as it goes
    tcp    serve the client's end as `url` (socket://127.0.0.1:port) too
    fifo   bytes that the chip holds until its program reads them; more are lost. None: no byte is

    In the line's own thread these are called:
    on_output     with all that the chip sends
    on_interrupt  for a Ctrl-C while INTERRUPTS is in `modes()`; it goes no further
    tap           tap(direction, data) may look at what goes by, and returns what goes on instead

    A message is what goes one way until something goes the other way. `messages` counts them, `counts` the bytes of
    each direction.
    """

    def __init__(
        self,
        path: Path,
        *,
        baud: int | None = None,
        tcp: bool = False,
        fifo: int | None = None,
        on_output: Callable[[bytes], None] | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ):
        self.path = path
        self.url: str | None = None
        self.tap: Tap | None = None
        self.messages = 0
        self.counts = {TO_CHIP: 0, TO_CLIENT: 0}
        self._tcp, self._fifo = tcp, fifo
        self._on_output = on_output or (lambda data: None)
        self._on_interrupt = on_interrupt or (lambda: None)
        self._ways = {TO_CHIP: Way(baud), TO_CLIENT: Way(baud)}
        self._direction = ""
        self._interrupted_at = 0.0
        self._cut: tuple[int, float, Callable[[], None] | None] | None = None
        self._master, self._slave = pty.openpty()
        self._plug: Plug | None = None
        self._orders: list[tuple[Callable[[], None], Future[None]]] = []
        self._wake = os.pipe()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        _make_bare(self._slave)
        os.set_blocking(self._master, False)
        os.set_blocking(self._wake[0], False)

    @property
    def chip(self) -> str:
        """The name of the terminal that is the chip's end."""
        return os.ttyname(self._slave)

    @property
    def plugged(self) -> bool:
        """Is the client's end there?"""
        return self._plug is not None

    def start(self) -> None:
        """Begin, plugged in."""
        self._plug_in()
        self._thread.start()

    def stop(self) -> None:
        """End; both ends are gone."""
        if not self._thread.is_alive():
            return
        self._order(self._end)
        self._thread.join()
        for fd in (self._master, self._slave, *self._wake):
            os.close(fd)

    def plug(self) -> None:
        """Put the cable back: the path is there again, and what waited is lost."""
        self._order(self._plug_in)

    def unplug(self) -> None:
        """Pull the cable: the path vanishes; who has it open reads its end and cannot write. A tap may do so too."""
        self._order(self._unplug)

    def cut_at(self, message: int, part: float = 0.5, then: Callable[[], None] | None = None) -> None:
        """Pull the cable in message number `message`, of whose first bytes only a `part` arrives; then call `then`."""
        self._cut = message, part, then

    def modes(self) -> int:
        """The local modes that the chip has given its end."""
        return termios.tcgetattr(self._slave)[3]

    def begin(self) -> None:
        """The chip gets power: nothing waits for it, and Ctrl-C is a byte."""
        self._order(self._ways[TO_CHIP].forget)
        _make_bare(self._slave)
        termios.tcflush(self._slave, termios.TCIOFLUSH)

    # -- the thread --

    def _order(self, action: Callable[[], None]) -> None:
        """Have the thread do it, and wait until it has."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            action()
            return
        done: Future[None] = Future()
        self._orders.append((action, done))
        os.write(self._wake[1], b"\0")
        done.result()

    def _end(self) -> None:
        self._running = False
        self._unplug()

    def _run(self) -> None:
        while self._running:
            ready = self._wait()
            if self._wake[0] in ready:
                self._obey()
                continue
            if self._master in ready:
                self._take(TO_CLIENT, read(self._master))
            for fd in self._plug.readers() if self._plug else ():
                if fd in ready and self._plug:  # whoever looks on may pull it
                    self._take(TO_CHIP, self._plug.read(fd))
            self._deliver()

    def _wait(self) -> list[int]:
        """Until something came in, may go out, or is due."""
        now = time.monotonic()
        up, down = self._ways[TO_CHIP], self._ways[TO_CLIENT]
        reading, writing = [self._wake[0]], []
        if len(down.waiting) < LIMIT:
            reading.append(self._master)
        if self._plug and len(up.waiting) < LIMIT:
            reading += self._plug.readers()
        if up.stuck_since:
            writing.append(self._master)
        if down.stuck_since and self._plug:
            writing.append(self._plug.writer())
        timeouts = [way.wait_s(now) for way in (up, down)]
        timeout = min((each for each in timeouts if each is not None), default=None)
        readable, writable, _ = select.select(reading, writing, [], timeout)
        return readable + writable

    def _obey(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], CHUNK)
        while self._orders:
            action, done = self._orders.pop(0)
            try:
                action()
                done.set_result(None)
            except OSError as error:  # another program has the TCP port now
                done.set_exception(error)

    # -- bytes --

    def _take(self, direction: str, data: bytes) -> None:
        """Bytes came in. What the chip says is heard, plugged in or not."""
        if data and direction == TO_CLIENT:
            self._on_output(data)
        if not data or not self._plug:
            return
        if direction != self._direction:
            self._direction = direction
            self.messages += 1
        if self.tap:
            data = self.tap(direction, data)
        cut = self._cut
        if cut and self.messages >= cut[0]:
            self._cut = None
            self._ways[direction].put(data[: int(len(data) * cut[1])])
            self._deliver(at_once=True)
            self._unplug()
            if cut[2]:
                cut[2]()
        elif self._plug:
            self.counts[direction] += len(data)
            self._ways[direction].put(data)

    def _deliver(self, at_once: bool = False) -> None:
        """Bytes go out that are due. What nobody takes for too long is lost."""
        self._ways[TO_CHIP].deliver(self._to_chip, at_once)
        if self._plug:
            self._ways[TO_CLIENT].deliver(self._plug.write, at_once)

    def _to_chip(self, data: bytes) -> int:
        """How many bytes were taken. Ctrl-C that interrupts does so once, however often it comes meanwhile."""
        now = time.monotonic()
        if now < self._interrupted_at + HANDLING_S and self.modes() & INTERRUPTS:
            self._ways[TO_CHIP].hold(now + SLICE_S)
            return 0
        if CTRL_C in data and self.modes() & INTERRUPTS:
            before = data.index(CTRL_C)
            written = self._write_chip(data[:before])
            if written < before:
                return written
            self._on_interrupt()
            self._interrupted_at = time.monotonic()
            return len(data) - len(data[before:].lstrip(b"\x03"))
        return self._write_chip(data)

    def _write_chip(self, data: bytes) -> int:
        if self._fifo is None:
            return write(self._master, data)
        (held,) = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))
        write(self._master, data[: max(0, self._fifo - held)])
        return len(data)

    # -- the plug --

    def _plug_in(self) -> None:
        if self._plug is None:
            self._direction = ""
            self._plug = Plug(self.path, self._tcp, self.url)
            self.url = self._plug.url

    def _unplug(self) -> None:
        plug, self._plug = self._plug, None
        if plug:
            plug.pull()
            for way in self._ways.values():
                way.forget()


def _make_bare(terminal: int) -> None:
    """Bytes pass as they are, and no mode is set that says anything."""
    tty.setraw(terminal)
    modes = termios.tcgetattr(terminal)
    modes[3] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
