"""Joins a board's ports to the device app. On a chip this runs after boot.py; on a PC it is the virtual board.

Nothing else in the firmware does work at import.
"""

import asyncio
import sys

from admit_device.device import Device

if sys.platform == "esp32":
    from ports.esp32.board import open_board
else:
    from ports.virtual.board import open_board


def main():
    """Run the device until it is switched off."""
    board = open_board()
    profile = None
    if board.test_identity:
        from admit_device.strangers import load

        profile = load(board.test_identity)
    asyncio.run(Device(board, run_file(board.routines_file), profile).run())


def run_file(path):
    """The names that a routines file defines; none if there is no file."""
    namespace = {}
    if path:
        with open(path) as file:
            exec(file.read(), namespace)
    return namespace


if __name__ == "__main__":
    main()
