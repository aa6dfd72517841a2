"""Wrong codes: whoever types one has five tries, and then waits, each time twice as long, at most an hour.

Counted for each person apart, so nobody locks another out, and written down before the code is looked at, so that a
power cut gives no try away. Who is switched off with the device waits anew from its start. Only who has standing here
comes as far as this: a stranger wears no flash. Loaded for that alone.
"""

from admit_protocol import cbor, kdf
from admit_protocol.const import const
from admit_protocol.errors import Busy, Denied, StorageError

_FREE_ATTEMPTS = const(5)
_MAX_DELAY_MS = const(3600 * 1000)
_PEOPLE = const(16)  # counted at a time; the one with the fewest wrong codes makes room for another
_NAME = const("attempts")


def check(access, who, given, code):
    """Return if the code that was `given` (text) is `code`. `who`: 8 bytes; what they did is forgotten then.

    Raises Denied("code-wrong"), Busy("code-wait") while it is not looked at, StorageError if it cannot be counted.
    """
    counts = _stored(access.storage)
    wrong, now_ms = counts.get(who, 0), access.clock.monotonic_ms()
    left_ms = access.tries.get(who, 0) + delay_ms(wrong) - now_ms
    if left_ms > 0:
        raise Busy("code-wait", "%d s" % (left_ms // 1000 + 1))
    if who not in counts and len(counts) >= _PEOPLE:
        least = min(counts, key=counts.get)
        del counts[least]
    counts[who] = wrong + 1
    access.tries = {each: access.tries[each] for each in access.tries if each in counts}
    access.tries[who] = now_ms
    access.storage.write(_NAME, cbor.encode(counts))
    if not kdf.constant_time_equal(given.encode(), code.encode()):
        raise Denied("code-wrong")
    del counts[who], access.tries[who]
    access.storage.write(_NAME, cbor.encode(counts))


def delay_ms(wrong):
    """How long to wait after so many wrong codes: nothing after the first ones, then double each time, to an hour.

    It counts from the last one, or from the start of a device that was switched off meanwhile.
    """
    if wrong < _FREE_ATTEMPTS:
        return 0
    return min(1000 << min(wrong - _FREE_ATTEMPTS, 12), _MAX_DELAY_MS)


def _stored(storage):
    """Wrong codes by who gave them. What is damaged is forgotten: whoever can damage flash has the device in hand."""
    try:
        stored = storage.read(_NAME)
    except StorageError as error:
        if error.reason != "storage-corrupt":
            raise
        stored = None
    return cbor.decode(stored) if stored else {}
