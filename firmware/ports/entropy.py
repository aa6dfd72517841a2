"""A board's randomness, refused as soon as its source is not live or looks stuck.

Owns: the check, a continuous one: each draw begins with a probe that is never given out, and two equal probes in a row,
or a probe of one repeated byte, mean a stuck source. Must not know what the bytes are for.
"""

import os

from admit_protocol.const import const
from admit_protocol.errors import EntropyError

_PROBE = const(16)


class Entropy:
    """`source(length) -> bytes` is the machine's; a test brings a bad one. `live()`: is noise from hardware behind it
    now? None: it always is.
    """

    def __init__(self, source=os.urandom, live=None):
        self._source = source
        self._live = live
        self._last_probe = source(_PROBE)

    def random(self, length):
        """Return `length` random bytes. EntropyError("entropy-not-live") or ("entropy-stuck") instead of bytes that may
        not be random.
        """
        if self._live is not None and not self._live():
            raise EntropyError("entropy-not-live")
        data = self._source(_PROBE + length)
        probe = data[:_PROBE]
        if len(data) != _PROBE + length or probe == self._last_probe or probe == probe[:1] * _PROBE:
            raise EntropyError("entropy-stuck")
        self._last_probe = probe
        return data[_PROBE:]
