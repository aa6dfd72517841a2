"""Puts stand-ins where the interpreter's own modules are, so that a program finds a chip's.

Owns: which. Everything is imported while the PC's files can still be read; a program then gets it from sys.modules.
"""

import os
import sys

import chip_machine
import chip_micropython
import chip_sys

_FOLDER = 0x4000


def install(cause, folders):
    """`folders`: paths with : between. Their modules stand before all others; of two the first folder's counts."""
    chip_machine.begin(cause)
    sys.modules["machine"] = chip_machine
    sys.modules["micropython"] = chip_micropython
    sys.modules["sys"] = chip_sys.module
    folders = folders.split(":") if folders else []
    sys.path[:0] = folders
    names = {name for folder in folders for name in _modules(folder)}
    for name in names:
        sys.modules.pop(name, None)
    for name in names:
        __import__(name)


def _modules(folder):
    for name, kind, *_ in os.ilistdir(folder):
        if name.endswith(".py"):
            yield name[:-3]
        elif kind == _FOLDER and name[0] not in "_.":
            yield name
