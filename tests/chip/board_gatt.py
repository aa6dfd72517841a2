"""UUIDs, values and the table of services for the stand-in of `bluetooth` (modbluetooth.c, "UUID object", "GATTS DB").

Owns: what a value holds (20 bytes unless it is enlarged; what is longer is cut in silence) and which handles attributes
get. Must not know of links.
"""

from micropython import const

FLAG_NOTIFY, FLAG_INDICATE = const(0x0010), const(0x0020)
_DEFAULT_BUFFER = const(20)  # MP_BLUETOOTH_DEFAULT_ATTR_LEN
_FIRST_HANDLE = const(16)  # behind NimBLE's own services


class UUID:
    """A UUID from an int of 16 bits, a string of 32 digits, or 2, 4 or 16 bytes (the lowest first)."""

    def __init__(self, value):
        if isinstance(value, int):
            if not 0 <= value <= 0xFFFF:
                raise ValueError("invalid UUID")
            self._data = bytes((value & 255, value >> 8))
        elif isinstance(value, str):
            self._data = _parsed(value)
        else:
            self._data = bytes(value)
            if len(self._data) not in (2, 4, 16):
                raise ValueError("invalid UUID")

    def __iter__(self):  # so that bytes(uuid) works: on the chip it is a buffer
        return iter(self._data)

    def __len__(self):
        return len(self._data)

    def __eq__(self, other):
        return isinstance(other, UUID) and self._data == other._data

    def __hash__(self):
        return hash(self._data)

    def __repr__(self):
        return "UUID(%s)" % bytes(reversed(self._data)).hex()


def _parsed(text):
    digits = text.replace("-", "").lower()
    if any(digit not in "0123456789abcdef" for digit in digits):
        raise ValueError("invalid char in UUID")
    if len(digits) != 32:
        raise ValueError("UUID too long" if len(digits) > 32 else "UUID too short")
    return bytes(int(digits[at : at + 2], 16) for at in range(30, -1, -2))


class Value:
    """An attribute's value in MicroPython's own table (modbluetooth.c, "GATTS DB")."""

    def __init__(self, flags):
        self.flags = flags
        self.size = _DEFAULT_BUFFER
        self.append = False
        self.data = b""

    def write(self, data):
        """By the program: it may enlarge the buffer."""
        self.size = max(self.size, len(data))
        self.data = bytes(data)

    def written(self, data):
        """By a central: it is cut to the buffer, in silence."""
        start = self.data if self.append else b""
        self.data = (start + data)[: self.size]

    def read(self):
        data = self.data
        if self.append:
            self.data = b""
        return data


class Table:
    """Services as a program defines them, turned into handles, and into what the world needs to build them."""

    def __init__(self, values):
        self.told = []
        self._values = values
        self._next = _FIRST_HANDLE

    def service(self, uuid, characteristics):
        self._next += 1  # its declaration
        handles, told = [], []
        for characteristic in characteristics:
            if not 2 <= len(characteristic) <= 3:
                raise ValueError("invalid characteristic tuple")
            flags = characteristic[1]
            self._next += 1  # its declaration
            handle = self._attribute(characteristic[0], flags, "characteristic")
            handles.append(handle)
            told.append([_told(characteristic[0], "characteristic"), flags, handle])
            if flags & (FLAG_NOTIFY | FLAG_INDICATE):
                self._next += 1  # NimBLE's own descriptor, of which MicroPython says nothing
            for descriptor in characteristic[2] if len(characteristic) == 3 else ():
                handles.append(self._attribute(*descriptor, "descriptor"))
        self.told.append([_told(uuid, "service"), told])
        return tuple(handles)

    def _attribute(self, uuid, flags, kind):
        _told(uuid, kind)
        handle, self._next = self._next, self._next + 1
        self._values[handle] = Value(flags)
        return handle


def _told(uuid, kind):
    if not isinstance(uuid, UUID):
        raise ValueError("invalid %s UUID" % kind)
    return bytes(uuid).hex()
