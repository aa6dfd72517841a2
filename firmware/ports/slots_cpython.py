"""What CPython has no name for: MicroPython's listing of a folder. A board never loads this. See slots.py."""

import os

__all__ = ("ilistdir",)

_DIRECTORY, _FILE = 0x4000, 0x8000


def ilistdir(folder):
    """(name, kind) of what is in a folder."""
    with os.scandir(folder) as entries:
        return [(entry.name, _DIRECTORY if entry.is_dir() else _FILE) for entry in entries]
