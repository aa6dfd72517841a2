"""What differs between the two interpreters: waiting for a descriptor.

Owns: `readable`, `writable`. No other port asks which interpreter it runs under, nor reaches into asyncio.
"""

import asyncio
import sys

if sys.implementation.name == "micropython":

    def readable(stream):
        """Wait until `stream` (a file or socket) has something to read, has ended or has failed."""
        yield asyncio.core._io_queue.queue_read(stream)

    def writable(stream):
        """Wait until `stream` takes bytes again."""
        yield asyncio.core._io_queue.queue_write(stream)

else:
    from ports.virtual.runtime_cpython import readable as readable
    from ports.virtual.runtime_cpython import writable as writable
