"""Back to factory, by the boot button: pressed soon after the start, then held while the LED counts down.

Owns: the button, and the order of a wipe: a note that it has begun, the identity, everything else, and the note last; a
start that finds the note goes on with it. Held at reset itself the button would start the chip's own loader. Loaded for
that alone.
"""

import asyncio

import machine

from admit_protocol.const import const
from admit_protocol.errors import StorageError

_PRESS_MS = const(5_000)
_HOLD_MS = const(10_000)
_LOOK_MS = const(50)
_WIPING = const("wiping")


async def button_held(gpio, outputs):
    """Was it pressed within 5 s from now, and held for 10 s? It reads 0 while pressed."""
    button = machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP)
    if not await _stays(button, 1, _PRESS_MS):
        status = outputs.get("status")
        outputs.set("status", _WIPING)
        if await _stays(button, 0, _HOLD_MS):
            return True
        outputs.set("status", status)
    return False


def wipe(storage, keystore, scrub):
    """Forget the identity, then everything else, `scrub()` the flash, and reset."""
    try:
        _try(storage.write, _WIPING, b"")  # full: it will have room in a moment
        keystore.erase()
        for name in storage.names():
            if name != _WIPING:
                _try(storage.remove, name)
        scrub()
        _try(storage.remove, _WIPING)
    finally:  # the identity that was erased is still in RAM
        machine.reset()


def _try(step, *given):
    try:
        step(*given)
    except StorageError:
        pass


async def _stays(button, level, length_ms):
    """Does the button stay at `level` for so long?"""
    while button.value() == level:
        if length_ms <= 0:
            return True
        await asyncio.sleep_ms(_LOOK_MS)
        length_ms -= _LOOK_MS
    return False
