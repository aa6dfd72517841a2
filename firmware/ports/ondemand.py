"""Modules of ports that are seldom needed: imported inside a function, forgotten after it, so that they cost no heap.

from ports.esp32 import nvs

try:
    return nvs.read(...)
finally:
    forget("ports.esp32.nvs")
"""

import gc
import sys


def forget(name):
    """Let go of the module `name`, if nobody keeps anything of it. On CPython, where memory is no matter, it stays."""
    package, _, module = name.rpartition(".")
    if sys.implementation.name == "micropython" and name in sys.modules:
        del sys.modules[name]
        delattr(sys.modules[package], module)
        gc.collect()
