"""Joins a board's ports to the device app. On a chip this runs after boot.py; on a PC it is the virtual board.

Nothing else in the firmware does work at import.
"""

# ruff: noqa: E402

import gc
import sys

# Importing makes almost as much garbage as code. Collected often, it is gone before the next module is put beside it;
# collected late, it leaves a quarter of the heap in holes that no buffer fits into.
if hasattr(gc, "threshold"):  # MicroPython
    gc.threshold(4096)

import asyncio

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
    device = Device(board, load_routines(board.routines_file), profile)
    if hasattr(gc, "threshold"):
        gc.threshold(-1)  # from now on when the heap is full, and in every pause
    asyncio.run(device.run())


def load_routines(path):
    """The names that a routines file defines, .py or compiled to .mpy; none if there is no file."""
    if not path:
        return {}
    if path.endswith(".mpy"):  # compiled before it came here: the compiler itself would take 30 KB of heap
        folder, _, name = path.rpartition("/")
        sys.path.insert(0, folder)
        return __import__(name[:-4]).__dict__
    namespace = {}
    with open(path) as file:
        exec(file.read(), namespace)
    return namespace


if __name__ == "__main__":
    main()
