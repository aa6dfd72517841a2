"""Ports of memory, for tests on both runtimes: they keep admit_device/ports.py's contract, and can lose their power."""

from admit_protocol.errors import StorageError
from admit_protocol.kdf import sha256

WEDNESDAY = 1795600800  # 2026-11-25 10:00 UTC


class PowerCut(BaseException):
    """The power is gone: nothing after this happens, so no `except Exception` may go on either."""


def copied(files):
    """What a Memory holds, for another one: its lists grow."""
    return {name: value[:] if isinstance(value, list) else value for name, value in files.items()}


class Memory:
    """A storage or key store. `cut_after`: how many more changes happen before the power goes; `full` refuses all;
    `damaged`: names whose checksum fails until they are written anew; with `tears` a value that was being put in its
    place when the power went is one of them.
    """

    def __init__(self):
        self.files = {}
        self.changes = 0
        self.cut_after = None
        self.full = self.tears = False
        self.damaged = []

    def read(self, name):
        if name in self.damaged:
            raise StorageError("storage-corrupt", name)
        value = self.files.get(name)
        return value if not isinstance(value, list) else None

    def write(self, name, data):
        self._change()
        self.files[name] = bytes(data)
        self._mend(name)

    def put(self, name, data):
        if self.tears and self.cut_after == 0 and name not in self.damaged:
            self.files[name] = b""
            self.damaged.append(name)
        self.write(name, data)

    def remove(self, name):
        if name in self.files:
            self._change()
            del self.files[name]
            self._mend(name)

    def names(self):
        return sorted(self.files)

    @property
    def writes(self):
        return self.changes

    def append(self, name, record):
        self._change()
        self.files.setdefault(name, []).append(bytes(record))

    def records(self, name):
        for record in list(self.files.get(name, [])):
            if name in self.damaged:
                raise StorageError("storage-corrupt", name)
            yield record

    def erase(self):
        self._change()
        self.files, self.damaged = {}, []

    def _mend(self, name):
        if name in self.damaged:
            self.damaged.remove(name)

    def _change(self):
        if self.full:
            raise StorageError("storage-full")
        if self.cut_after is not None:
            if self.cut_after == 0:
                raise PowerCut()
            self.cut_after -= 1
        self.changes += 1


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now=WEDNESDAY):
        self.ms = 1000
        self.seconds = now

    def monotonic_ms(self):
        return self.ms

    def now(self):
        return self.seconds

    def pass_s(self, seconds):
        self.ms += int(seconds * 1000)
        if self.seconds is not None:
            self.seconds += int(seconds)


class Dice:
    """Randomness that a test can repeat: a counter, hashed."""

    def __init__(self, seed=b"dice"):
        self.seed = seed
        self.count = 0

    def random(self, length):
        data = b""
        while len(data) < length:
            self.count += 1
            data += sha256(self.seed + self.count.to_bytes(8, "big"))
        return data[:length]


class Outputs:
    def __init__(self):
        self.values = {}
        self.lines = []

    def set(self, name, value):
        self.values[name] = value
        self.lines.append((name, value))

    def get(self, name):
        return self.values.get(name)


class Links:
    """A link server whose other end is a test."""

    def __init__(self, kind, max_links=4):
        self.kind = kind
        self.max_links = max_links
        self.listener = None
        self.sent = {}
        self.closed = []
        self.name = None

    async def start(self, listener, name):
        self.listener = listener
        self.name = name

    def advertise(self, name):
        self.name = name

    def send(self, link, data):
        self.sent.setdefault(link, []).append(bytes(data))

    def close(self, link):
        self.closed.append(link)
