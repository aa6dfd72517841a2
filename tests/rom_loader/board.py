"""A board with a chip on a cable: its power, its resets, and what runs after each of them.

Owns: the thread that serves the cable. In the ROM the protocol answers; booted from flash, the line is what `boot`
leads to, a virtual board, say. A line without reset lines resets by itself when flash was written and the client has
left: the technician's finger on the button.
"""

import contextlib
import os
import select
import threading
import time
import tty
from pathlib import Path

from rom_loader.chips import CHIPS
from rom_loader.efuses import Efuses
from rom_loader.flash import Flash
from rom_loader.line import Faults, Pty
from rom_loader.protocol import Protocol

MAC = bytes.fromhex("246f28000001")
_POLL_S = 0.02
_AGAIN_S = 0.2  # until a chip that finds nothing to boot is reset by its watchdog
_BOOT_LOG = "ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:{}\r\n"


class RomBoard:
    """A chip of this kind, with a flash image as `file`, on `line`; else on a pseudo-terminal beside the file.

    mac        its MAC address, 6 bytes; a number stands for the n-th of our own
    size       bytes of flash
    efuses     file of its eFuses, if they shall outlive it
    boot       boot(board) → the path or descriptor of the line that the flashed program has; None: nothing there
               starts, and the chip tries again and again, which it tells. Without a `boot` it says nothing more
    on_reset   on_reset(mode) is called with "rom" or "flash" after each reset
    held       BOOT is held, or wired to the reset lines: a reset may lead to the ROM
    """

    def __init__(
        self, chip, file, line=None, *, mac=MAC, size=4 << 20, efuses=None, boot=None, on_reset=None, held=True
    ):
        file = Path(file)
        self.chip, self.mac = CHIPS[chip], mac if isinstance(mac, bytes) else MAC[:4] + mac.to_bytes(2, "big")
        self.flash, self.efuses = Flash(file, size), Efuses(self.chip, self.mac, efuses)
        self.line = line or Pty(file.with_suffix(".port"))
        if self.line.has_reset_lines:
            self.line._on_lines = self._lines
        self.faults, self.held, self.mode = Faults(), held, "rom"
        self._boot, self._on_reset, self._program, self._in_reset = boot, on_reset, None, False
        self._protocol = Protocol(self.chip, self.flash, self.efuses, lambda: self._todo.append("flash"))
        self._todo, self._stalled, self._plugged, self._stop = [], False, False, False
        self._lock = threading.RLock()

    @property
    def port(self):
        """What pyserial opens."""
        return self.line.url

    def __enter__(self):
        self.plug()
        self.reset("rom" if self.held else "flash")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()
        self.unplug()
        self._leave_program()
        self.flash.close()

    def plug(self):
        """Put the cable in."""
        with self._lock:
            self.line.open()
            self._plugged = True

    def unplug(self):
        """Pull the cable: no power either."""
        with self._lock:
            if self._plugged:
                self.line.close()
            self._plugged = False
            self._protocol.restart()

    def reset(self, mode="flash"):
        """Reset the chip into its "rom", or to boot from "flash"."""
        with self._lock:
            self._stalled = False
            self.efuses.load()
            self._protocol.restart()
            self._leave_program()
            self.mode = "flash" if self.efuses.download_disabled or not self.held else mode
            if self._plugged:
                self.line.send(self._boot_log().encode())
            self._protocol.flashed = False
            if self.mode == "flash":
                self._enter_program()
        if self._on_reset:
            self._on_reset(self.mode)

    def _boot_log(self):
        self._told_at = time.monotonic()
        if self.mode == "rom":
            return _BOOT_LOG.format("0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))") + "waiting for download\r\n"
        return _BOOT_LOG.format("0x13 (SPI_FAST_FLASH_BOOT)") + "invalid header: 0xffffffff\r\n" * self.flash.blank

    @property
    def _finds_nothing(self):
        return self.mode == "flash" and self._boot is not None and self._program is None

    def _enter_program(self):
        line = self._boot(self) if self._boot and not self.flash.blank else None
        if line is not None and not isinstance(line, int):
            line = os.open(line, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(line)
        self._program = line

    def _leave_program(self):
        if self._program is not None:
            with contextlib.suppress(OSError):
                os.close(self._program)
        self._program = None

    def _lines(self, dtr, rts):
        """RTS alone holds the chip in reset; as it lets go, DTR says whether BOOT is held. Both at once do nothing."""
        if self._in_reset and not rts:
            self._todo.append("rom" if dtr else "flash")
        self._in_reset = rts and (self._in_reset or not dtr)

    def _serve(self):
        while not self._stop:
            with self._lock:
                files = self.line.files() if self._plugged else []
                files += [self._program] if self._program is not None else []
            ready = select.select(files, [], [], _POLL_S)[0]
            with self._lock:
                if self._plugged:
                    self._turn(ready)

    def _turn(self, ready):
        data = self.line.receive()
        if data is None and self._protocol.flashed and not self.line.has_reset_lines:
            self._todo.append("flash")
        if data:
            self._received(data)
        if self._program in ready:
            self._from_program()
        if self._finds_nothing and time.monotonic() > self._told_at + _AGAIN_S:
            self.line.send(self._boot_log().encode())
        while self._todo:
            self.reset(self._todo.pop(0))

    def _received(self, data):
        if self.mode == "flash":
            with contextlib.suppress(OSError, TypeError):
                os.write(self._program, data)
            return
        if self._is_for_the_program(data):
            self.reset("flash")
            return self._received(data)
        data, fault = self.faults.pass_on(data)
        if not self._stalled:
            self.line.send(self._protocol.feed(data))
        self._stalled |= fault == "stall" or self._protocol.halted
        if fault == "vanish":
            self.unplug()

    def _is_for_the_program(self, data):
        """Somebody else was so quick to open the port that nobody saw esptool leave it."""
        return self._protocol.flashed and not self.line.has_reset_lines and not self._protocol.is_meant(data)

    def _from_program(self):
        try:
            self.line.send(os.read(self._program, 65536))
        except BlockingIOError:
            pass
        except OSError:  # it ended, or was reset: its line is gone
            self._leave_program()
