"""`os` of the Unix port with the chip's random numbers: true only while the radio is on.

docs and ESP-IDF, "Random Number Generation": without RF the generator is a pseudo-random one. Here it then starts with
the same bytes after each start of the chip, so that a key made from them is known. ADMIT_CHIP_ENTROPY=stuck: the source
gives one byte for ever, radio or not. Must not know who asks.
"""

import uos
from uos import *  # noqa: F403

_pseudo = 0


def urandom(length):
    """`length` bytes: random ones while the radio is on."""
    global _pseudo
    if uos.getenv("ADMIT_CHIP_ENTROPY") == "stuck":
        return b"\x5a" * length
    if _radio_on():
        return uos.urandom(length)
    numbers = bytearray(length)
    for at in range(length):
        _pseudo = (_pseudo * 1103515245 + 12345) & 0x7FFFFFFF
        numbers[at] = _pseudo >> 16 & 255
    return bytes(numbers)


def _radio_on():
    import sys

    module = sys.modules.get("bluetooth")
    return bool(module and module.BLE().active())
