"""A bounded list of records in storage: two segments, of which the older is dropped when the newer is full.

Appending is what wears flash least, and dropping a whole segment is the only removal, so there is no moment at which a
power cut could leave a half-rewritten list. Records are read one by one: all together they would not fit into memory.
"""

from admit_protocol import cbor
from admit_protocol.errors import StorageError


class Segments:
    """Keeps at least the last `size` records appended under `name`, at most twice as many.

    Each segment opens with a header: its generation, and whatever the owner wants to know at its start.
    """

    def __init__(self, storage, name, size, header=None):
        self._storage = storage
        self._names = (name + "-a", name + "-b")
        self._size = size
        headers = [self._header(each) for each in self._names]
        if headers == [None, None]:
            headers[0] = self._start(0, 0, header)
        self._active = 1 if headers[1] and (headers[0] is None or headers[1][0] > headers[0][0]) else 0
        self.generation, self.header = headers[self._active]
        self._count = 0
        for _ in self.current():
            self._count += 1

    def full(self):
        """Must `rotate` come before the next `append`?"""
        return self._count >= self._size

    def append(self, record):
        """Add one record; StorageError means that nothing was added."""
        self._storage.append(self._names[self._active], record)
        self._count += 1

    def rotate(self, header=None):
        """Drop the older segment and start a new one that opens with `header`."""
        other = 1 - self._active
        self._start(other, self.generation + 1, header)
        self._active, self._count = other, 0
        self.generation, self.header = self.generation + 1, header

    def current(self):
        """The records of the newer segment, one by one."""
        return self._records(self._active)

    def all(self):
        """All records that are kept, the oldest first, one by one."""
        yield from self._records(1 - self._active)
        yield from self._records(self._active)

    def oldest(self):
        """The header of the segment that `all` begins with."""
        older = self._header(self._names[1 - self._active])
        return older[1] if older else self.header

    def _records(self, index):
        records = self._storage.records(self._names[index])
        next(records, None)  # the header
        return records

    def _start(self, index, generation, header):
        self._storage.remove(self._names[index])
        self._storage.append(self._names[index], cbor.encode([generation, header]))
        return [generation, header]

    def _header(self, name):
        records = self._storage.records(name)
        first = next(records, None)
        records.close()
        if first is None:
            return None
        header = cbor.decode(first)
        if not isinstance(header, list) or len(header) != 2:
            raise StorageError("storage-corrupt", name)
        return header
