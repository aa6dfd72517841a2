"""The protocol of admit: bytes in, values out.

Nothing here does I/O, reads a clock, draws randomness or knows asyncio, so every line runs the same on CPython and
on MicroPython, and each byte can be tested without a device.
"""
