"""A chip's ROM loader as a program: python -m rom_loader esp32 flash.bin, with tests/ in PYTHONPATH.

Prints the port that esptool can open, then what happens, until it is ended.
"""

import argparse
import signal

from rom_loader import CHIPS, Faults, RomBoard
from rom_loader.line import Pty, Rfc2217, Tcp


def main():
    """Serve one chip."""
    parser = argparse.ArgumentParser(prog="rom_loader", description=__doc__.splitlines()[0])
    parser.add_argument("chip", choices=CHIPS)
    parser.add_argument("flash", help="its flash, a file; made if it is not there")
    parser.add_argument("--pty", metavar="PATH", help="a pseudo-terminal with a link at PATH; the default")
    parser.add_argument("--tcp", type=int, metavar="PORT", help="a TCP port instead")
    parser.add_argument("--rfc2217", type=int, metavar="PORT", help="a TCP port with reset lines instead")
    parser.add_argument("--size", type=int, default=4, help="megabytes of flash")
    parser.add_argument("--mac", type=bytes.fromhex, default="246f28000001")
    parser.add_argument("--efuses", metavar="FILE", help="keep the eFuses there")
    parser.add_argument("--boot", metavar="PATH", help="where the line leads once the flash is booted")
    parser.add_argument("--running", action="store_true", help="BOOT is not held: it boots from flash")
    parser.add_argument("--drop", type=int, nargs="*", default=[], help="numbers of bytes that get lost")
    parser.add_argument("--stall", type=int, help="say nothing more after so many bytes")
    parser.add_argument("--vanish", type=int, help="pull the cable after so many bytes")
    given = parser.parse_args()
    board = RomBoard(
        given.chip,
        given.flash,
        _line(given),
        mac=given.mac,
        size=given.size << 20,
        efuses=given.efuses,
        boot=lambda _: given.boot,
        on_reset=lambda mode: print(f"reset {mode}", flush=True),
        held=not given.running,
    )
    board.faults = Faults(given.drop, given.stall, given.vanish)
    with board:
        print(f"port {board.port}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _line(given):
    if given.rfc2217 is not None:
        return Rfc2217(given.rfc2217)
    return Tcp(given.tcp) if given.tcp is not None else Pty(given.pty) if given.pty else None


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
