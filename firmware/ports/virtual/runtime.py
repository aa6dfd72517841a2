"""What differs between the two interpreters: waiting for a descriptor, and printing a traceback.

Owns: `readable`, `writable`, `guarded`. No other port asks which interpreter it runs under, nor reaches into asyncio.
"""

import asyncio
import sys

if sys.implementation.name == "micropython":
    print_exception = sys.print_exception

    def readable(stream):
        """Wait until `stream` (a file or socket) has something to read, has ended or has failed."""
        yield asyncio.core._io_queue.queue_read(stream)

    def writable(stream):
        """Wait until `stream` takes bytes again."""
        yield asyncio.core._io_queue.queue_write(stream)

else:
    from ports.virtual.runtime_cpython import print_exception
    from ports.virtual.runtime_cpython import readable as readable
    from ports.virtual.runtime_cpython import writable as writable


def guarded(server, link, call, *arguments):
    """Call the listener. An error that serving one peer met is printed, and costs that peer its link, nobody else's."""
    try:
        call(*arguments)
    except Exception as error:
        print_exception(error)
        server.close(link)
