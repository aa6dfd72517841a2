"""CPython's ways of doing what MicroPython has built in; a board never loads this. See runtime.py and clock.py."""

import asyncio
import time

__all__ = ("readable", "ticks_diff", "ticks_ms", "writable")


def readable(stream):
    """Wait until `stream` (a file or socket) has something to read, has ended or has failed."""
    loop = asyncio.get_running_loop()
    return _until(loop.add_reader, loop.remove_reader, stream)


def writable(stream):
    """Wait until `stream` takes bytes again."""
    loop = asyncio.get_running_loop()
    return _until(loop.add_writer, loop.remove_writer, stream)


def ticks_ms():
    """Milliseconds since some moment."""
    return int(time.monotonic() * 1000)


def ticks_diff(later, earlier):
    """Milliseconds between two of `ticks_ms`."""
    return later - earlier


async def _until(add, remove, stream):
    ready = asyncio.get_running_loop().create_future()
    add(stream.fileno(), _wake, ready)
    try:
        await ready
    finally:
        remove(stream.fileno())


def _wake(ready):
    if not ready.done():
        ready.set_result(None)
