"""Modules that are loaded when they are needed and forgotten afterwards, so that what is rare costs no heap.

    with borrowed():                                        self._layer = OnDemand(_gatt_layer)
        from admit_device.commissioning import join         ...
                                                            layer = self._layer()(True, mtu)
        answer = join(...)                                  ...
                                                            self._layer.forget()  # at rest, if there is no link

What is borrowed is forgotten at once; what is OnDemand when it is told to; what is `kept` never. Anything else that was
imported since `settle`, by whatever function needed it, is forgotten at the next `rest`. See docs/adr/0010-memory.md.

A module stays in the heap as long as somebody keeps a function of it, or an object of one of its classes: what outlives
it had better be bytes, numbers, tuples and the like. Where memory is no matter, everything stays: on CPython, and on a
board with a large heap.
"""

import gc
import os
import sys

_SMALL_HEAP = 512 * 1024  # bytes; an ESP32 without PSRAM has a third of it

is_small = hasattr(gc, "mem_free") and gc.mem_free() + gc.mem_alloc() < _SMALL_HEAP
_staying = set()  # names of modules
_lent = []  # such a set of each OnDemand that is loaded


class _Loading:
    """Importing makes as much garbage as code: inside, it is collected often, so that no holes remain in the heap."""

    def __enter__(self):
        self._before = set(sys.modules)
        if is_small:
            self._threshold = gc.threshold()
            gc.threshold(4096)

    def __exit__(self, *_):
        if is_small:
            gc.threshold(self._threshold)
        self._imported(set(sys.modules) - self._before)
        self._before = None


class kept(_Loading):
    """What is imported inside stays."""

    def _imported(self, fresh):
        _staying.update(fresh)


class borrowed(_Loading):
    """What is imported inside is forgotten at its end."""

    def _imported(self, fresh):
        if fresh:
            _forget(fresh)


class OnDemand(_Loading):
    """What `importer()` imports and returns: loaded when it is asked for, and until `forget`."""

    def __init__(self, importer):
        self._importer = importer
        self._loaded = None

    def __call__(self):
        if self._loaded is None:
            rest()  # what is there by chance would not be counted as this one's
            with self:
                self._loaded = self._importer()
        return self._loaded

    def forget(self):
        """Nobody needs it any longer, nor what it has imported since."""
        if self._loaded is not None:
            self._loaded = None
            _lent.remove(self._fresh)
            rest()

    def _imported(self, fresh):
        self._fresh = fresh
        _lent.append(fresh)


def learn_names():
    """Load every module once, and forget it. To be called at the start, while the heap is whole.

    MicroPython never forgets a name, and keeps names in tables, each twice as large as the one before: the last takes 9
    KB in one piece, which a visitor would wait for in vain.
    """
    if is_small:
        for package in ("admit_protocol", "admit_device"):
            for file in os.listdir(sys.modules[package].__path__):
                if file.endswith(".mpy") and file[0] != "_":
                    with borrowed():
                        __import__(package + "." + file[:-4])


def settle():
    """The device has started: what is loaded now stays."""
    _staying.update(sys.modules)


def rest():
    """Nobody needs an answer: forget what was loaded for one. To be called after `settle`."""
    _forget(set(sys.modules))


def _forget(names):
    """Only what is ours: a site's own modules may keep something."""
    if not is_small:
        return
    names = names - _staying
    for lent in _lent:
        names = names - lent
    for name in names:
        package, _, module = name.rpartition(".")
        if package in ("admit_protocol", "admit_device"):
            del sys.modules[name]
            delattr(sys.modules[package], module)
    gc.collect()
