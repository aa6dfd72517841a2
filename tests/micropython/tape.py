"""A flash that remembers what was written to it: a story is told once, and cut at each of its writes afterwards.

What power cut off in the middle of a write leaves the beginning of it, of any length; what was to be written later is
not there. Whatever RAM held then is gone with it, so nothing of the story need be told again.
"""

from journal_on_flash import BLOCK, Flash

SIXTEENTHS = 16


class Tape(Flash):
    """Remembers each write, erasures too, and what was `note`d in between."""

    def __init__(self, blocks, image=None):
        super().__init__(blocks, image)
        self._before = bytes(self.image)
        self._written, self._noted = [], []

    def writeblocks(self, block, data, offset=0):
        self._written.append((block * BLOCK + offset, bytes(data)))
        super().writeblocks(block, data, offset)

    def note(self, name, value):
        """From here on `name` is known to be `value`."""
        self._noted.append((len(self._written), name, value))

    @property
    def length(self):
        """How many writes there were."""
        return len(self._written)

    def cuts(self, first, step, parts):
        """Yield (image, known) for cuts at write `first`, `first + step`, …, once for each of `parts`: so many
        sixteenths of that write are there. `known`: what had been noted before.
        """
        image, known, noted = bytearray(self._before), {}, list(self._noted)
        for number, (at, data) in enumerate(self._written):
            while noted and noted[0][0] <= number:
                _, name, value = noted.pop(0)
                known[name] = value
            if number >= first and (number - first) % step == 0:
                for part in parts:
                    torn, length = bytearray(image), len(data) * part // SIXTEENTHS
                    torn[at : at + length] = data[:length]
                    yield torn, known
            image[at : at + len(data)] = data
