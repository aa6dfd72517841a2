"""A bounded list of records in storage, which wears flash little: two segments, and a tail of the latest records.

A file that grows by one record costs a flash a whole erased block each time; a small file that is replaced does not. So
each record goes into a small file of its own, one of _TAIL, and those go into a segment together when they are full. A
segment that is full is sealed by the next one's header; the older of two is dropped whole, which is the only removal.
At no moment would a power cut leave more or less than the records that `append` has returned for, and perhaps the one
under way. Records are read a few at a time: all together they would not fit into memory.
"""

from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import StorageError

_TAIL = const(20)  # records
_TAIL_BYTES = const(2048)  # of them, as they go into a segment
_LENGTH = const(2)  # bytes before each record there
_NUMBER = const(4)  # bytes before the record in a small file


class Segments:
    """Keeps at least the last `size` records appended under `name`, or `limit` bytes of them; never thrice as much.

    `count`: how many there have been. Each segment opens with a header: the number of its first record, and whatever
    the owner wants to know at its start; `header` is the first one's.
    """

    def __init__(self, storage, name, size, header=None, limit=None):
        self._storage = storage
        self._name = name
        self._size, self._limit = size, limit
        headers = [self._header(0), self._header(1)]
        if headers == [None, None]:
            headers[0] = self._start(0, 0, header)
        self._active = 1 if headers[1] and (headers[0] is None or headers[1][0] > headers[0][0]) else 0
        self._first = self.count = headers[self._active][0]
        self._bytes = 0  # in the newer segment
        for record in self._records(self._active):
            self.count += 1
            self._bytes += len(record)
        self._settled = self.count  # the number of the first record of the tail
        self._tail_bytes = 0
        for record in self._tail(self.count + _TAIL):
            self.count += 1
            self._tail_bytes += len(record)

    def append(self, record, header=None):
        """Add one record; StorageError means that it was not added. `header` is for a segment that begins with it."""
        if self.count - self._settled == _TAIL or self._tail_bytes + len(record) > _TAIL_BYTES:
            # The tail goes into the newer segment, in one piece: each costs a block.
            piece = b"".join([len(each).to_bytes(_LENGTH, "big") + each for each in self._tail(self.count)])
            self._storage.append(self._file(self._active), piece)
            self._bytes += self._tail_bytes
            self._settled, self._tail_bytes = self.count, 0
        if self.count == self._settled and (
            self.count - self._first >= self._size or (self._limit and self._bytes >= self._limit)
        ):  # the older segment is dropped, and a new one begins
            self._start(1 - self._active, self.count, header)
            self._active, self._first, self._bytes = 1 - self._active, self.count, 0
        self._storage.put(self._slot(self.count), self.count.to_bytes(_NUMBER, "big") + record)
        self.count += 1
        self._tail_bytes += len(record)

    def since(self, number):
        """(number, header, records) of the segment that holds record `number`, or of what comes nearest; its records
        and all later ones, one by one.
        """
        for index in (1 - self._active, self._active):
            header = self._header(index)
            if header and (index == self._active or number < self._first):
                return header[0], header[1], self.all(index)

    def all(self, index=None):
        """All records that are kept, the oldest first, one by one; or those of a segment, and all later ones."""
        if index != self._active:
            yield from self._records(1 - self._active)
        yield from self._records(self._active)
        yield from self._tail(self.count)

    def _tail(self, end):
        """The records of the tail before number `end`. Only one that was not confirmed may be torn: none follows."""
        is_over = False
        for number in range(self._settled, end):
            try:
                stored = self._storage.read(self._slot(number))
            except StorageError as error:
                if error.reason != "storage-corrupt":
                    raise
                stored = None
            is_there = stored and int.from_bytes(stored[:_NUMBER], "big") == number
            if is_there and not is_over:
                yield stored[_NUMBER:]
            elif is_there or number < self.count:
                raise StorageError("storage-corrupt", self._slot(number))
            else:
                is_over = True

    def _slot(self, number):
        return "%s-%d" % (self._name, number % _TAIL)

    def _file(self, index):
        return self._name + ("-a", "-b")[index]

    def _records(self, index):
        pieces = self._storage.records(self._file(index))
        next(pieces, None)  # the header
        for piece in pieces:
            while piece:
                end = _LENGTH + int.from_bytes(piece[:_LENGTH], "big")
                yield piece[_LENGTH:end]
                piece = piece[end:]

    def _start(self, index, first, header):
        self._storage.remove(self._file(index))
        self._storage.append(self._file(index), cbor.encode([first, header]))
        return [first, header]

    def _header(self, index):
        records = self._storage.records(self._file(index))
        first = next(records, None)
        records.close()
        if first is None:
            return None
        header = cbor.decode(first)
        if not isinstance(header, list) or len(header) != 2:
            raise StorageError("storage-corrupt", self._file(index))
        return header
