"""Modules that are loaded when they are needed and forgotten afterwards, so that what is rare costs no heap.

    with borrowed():
        from admit_device.commissioning import join

        answer = join(...)

A module stays in the heap as long as somebody keeps a function of it, or an object of one of its classes: what leaves
the block had better be bytes, numbers, tuples and the like. On CPython, where memory is no matter, it stays loaded.
"""

import gc
import sys


class borrowed:
    """Forgets, at its end, the modules that were imported inside it."""

    def __enter__(self):
        self._before = list(sys.modules)

    def __exit__(self, *_):
        if sys.implementation.name == "micropython":
            for name in list(sys.modules):
                if name not in self._before:
                    _forget(name)
            gc.collect()


def _forget(name):
    package, _, module = name.rpartition(".")
    del sys.modules[name]
    if package in sys.modules:
        delattr(sys.modules[package], module)
