"""A virtual chip that began blank, for tests that block while they talk to it over its cable, as a program does."""

import asyncio
import contextlib
import threading

from admit.virtual.board import VirtualBoard
from admit_provisioning.repl import Repl


class BlankChip:
    """A context manager; the board's event loop runs in a thread of its own. `wiring` is VirtualBoard's."""

    def __init__(self, folder, **wiring):
        self.board = VirtualBoard(folder, blank=True, **wiring)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._do(self.board.start())
        self._do(self.board.expect("MicroPython v"))
        return self

    def __exit__(self, *_):
        self._do(self.board.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def port(self):
        return str(self.board.cable)

    @property
    def line(self):
        return self.board.chip.line

    def power_cycle(self):
        """Power off and on, the cable plugged in."""
        if not self.line.plugged:
            self.line.plug()
        self._do(self.board.restart())

    def erase(self):
        """Power off, an erased flash, power on."""
        self._do(self.board.kill())
        self.board.chip.flash.unlink()
        self._do(self.board.start())

    def run(self, code):
        """What code prints at the chip's REPL."""
        with Repl(self.port) as repl:
            return repl.exec(code).decode()

    @contextlib.contextmanager
    def tapped(self, tap):
        """tap(direction, data) returns what goes on instead."""
        self.line.tap = tap
        try:
            yield
        finally:
            self.line.tap = None

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
