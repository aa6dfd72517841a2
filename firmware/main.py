"""Joins a board's ports to the device app. On a chip this runs after boot.py; on a PC it is the virtual board.

Nothing else in the firmware does work at import.
"""

import asyncio
import sys

if sys.platform == "esp32":
    from ports.esp32.board import open_board
else:
    from ports.virtual.board import open_board

from admit_device.device import Device


def main():
    """Run the device until it is switched off."""
    board = open_board()
    asyncio.run(Device(board.ports, board.routines(), **board.test_identity()).run())


if __name__ == "__main__":
    main()
