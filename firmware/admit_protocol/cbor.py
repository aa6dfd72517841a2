"""CBOR, deterministic only: RFC 8949 section 4.2.1, and exactly one encoding of every value.

Owns: the bytes of data items and of sequences (RFC 8742), and the limits that no peer may exceed.
Rules: definite lengths, shortest heads, map keys in bytewise order and each once, valid UTF-8, no floats, nothing after
the end; so `encode(decode(x)) == x` for every x that `decode` accepts.
Must not know: what any item means. Tags are carried, never interpreted.
"""

from .const import const
from .errors import LocalError, Malformed

_MAX_DEPTH = const(8)  # arrays, maps and tags inside one another
MAX_LENGTH = const(4096)  # bytes

_SIMPLE = const((False, True, None))  # 0xf4, 0xf5, 0xf6
_SMALLEST = const((24, 0x100, 0x10000, 0x100000000))  # of an argument in 1, 2, 4, 8 bytes


class Tag:
    """A tagged value: `number` 0..2^64-1, `value` any item."""

    def __init__(self, number, value):
        self.number = number
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Tag) and self.number == other.number and self.value == other.value

    def __repr__(self):
        return "Tag({}, {!r})".format(self.number, self.value)


def encode(value):
    """The one encoding of `value`.

    Takes int -2^64..2^64-1, bytes, bytearray, memoryview, str, bool, None, list, tuple, dict (keys int, str, bytes)
    and Tag, nested _MAX_DEPTH deep. Raises LocalError cbor-type, cbor-utf8 or cbor-too-deep.
    """
    out = bytearray()
    _encode(value, out, _MAX_DEPTH)
    return bytes(out)


def encode_sequence(values):
    """The encodings of `values` one after the other. RFC 8742."""
    return b"".join([encode(value) for value in values])


def decode(data, limit=MAX_LENGTH):
    """The one item that `data` (bytes-like, at most `limit` bytes) holds. Raises Malformed.

    Arrays become lists, maps dicts, byte strings bytes.
    """
    data = _bounded(data, limit)
    value, end = _decode(data, 0, _MAX_DEPTH)
    if end != len(data):
        raise Malformed("cbor-trailing")
    return value


def decode_sequence(data, limit=MAX_LENGTH):
    """The list of the items that `data` (at most `limit` bytes) holds, perhaps none. RFC 8742. Raises Malformed."""
    data = _bounded(data, limit)
    values = []
    at = 0
    while at < len(data):
        value, at = _decode(data, at, _MAX_DEPTH)
        values.append(value)
    return values


def decode_first(data, offset=0):
    """The item that begins at `offset`, and the offset behind it. Raises Malformed."""
    value, end = _decode(data if isinstance(data, bytes) else bytes(data), offset, _MAX_DEPTH)
    if end - offset > MAX_LENGTH:
        raise Malformed("cbor-too-long")
    return value, end


def expect(value, kind, reason):
    """`value` if its type is `kind` (a type, or a tuple of types), else raises Malformed(reason).

    Types are compared exactly, so that a bool never passes for an int.
    """
    if type(value) not in (kind if isinstance(kind, tuple) else (kind,)):
        raise Malformed(reason)
    return value


def _encode(value, out, depth):
    if isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif value is None:
        out.append(0xF6)
    elif isinstance(value, int):
        _head(out, 0x00, value) if value >= 0 else _head(out, 0x20, -1 - value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _string(out, 0x40, bytes(value))
    elif isinstance(value, str):
        _string(out, 0x60, _utf8(value))
    elif depth == 0:
        raise LocalError("cbor-too-deep" if isinstance(value, (list, tuple, dict, Tag)) else "cbor-type")
    elif isinstance(value, (list, tuple)):
        _head(out, 0x80, len(value))
        for item in value:
            _encode(item, out, depth - 1)
    elif isinstance(value, dict):
        _encode_map(value, out, depth - 1)
    elif isinstance(value, Tag):
        _encode_tag(value, out, depth - 1)
    else:
        raise LocalError("cbor-type")


def _encode_map(value, out, depth):
    pairs = []
    for key in value:
        if type(key) not in (int, str, bytes):
            raise LocalError("cbor-type", "map key")
        pairs.append((encode(key), key))
    pairs.sort()
    _head(out, 0xA0, len(pairs))
    for raw, key in pairs:
        out.extend(raw)
        _encode(value[key], out, depth)


def _encode_tag(tag, out, depth):
    if type(tag.number) is not int or tag.number < 0:
        raise LocalError("cbor-type", "tag number")
    _head(out, 0xC0, tag.number)
    _encode(tag.value, out, depth)


def _string(out, major, raw):
    _head(out, major, len(raw))
    out.extend(raw)


def _head(out, major, argument):
    if argument < 24:
        out.append(major | argument)
        return
    for step in range(4):
        size = 1 << step
        if argument >> (8 * size) == 0:
            out.append(major | 24 + step)
            out.extend(argument.to_bytes(size, "big"))
            return
    raise LocalError("cbor-type", "integer out of range")


def _utf8(text):
    try:
        raw = text.encode()
    except UnicodeError:
        raise LocalError("cbor-utf8")
    if not _is_utf8(raw, text):
        raise LocalError("cbor-utf8")
    return raw


def _bounded(data, limit):
    if len(data) > limit:
        raise Malformed("cbor-too-long")
    return data if isinstance(data, bytes) else bytes(data)


def _decode(data, at, depth):
    """The item at `at` with at most `depth` levels below, and the offset behind it."""
    if at >= len(data):
        raise Malformed("cbor-truncated")
    first = data[at]
    at += 1
    if first >= 0xE0:
        if not 0xF4 <= first <= 0xF6:
            raise Malformed("cbor-indefinite" if first == 0xFF else "cbor-type")
        return _SIMPLE[first - 0xF4], at
    n = first & 31
    if n > 23:
        n, at = _argument(data, at, n)
    major = first >> 5
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major == 2 or major == 3:
        return _decode_string(data, at, at + n, major)
    if depth == 0:
        raise Malformed("cbor-too-deep")
    if major == 4:
        return _decode_array(data, at, n, depth - 1)
    if major == 5:
        return _decode_map(data, at, n, depth - 1)
    value, at = _decode(data, at, depth - 1)
    return Tag(n, value), at


def _argument(data, at, info):
    if info > 27:
        raise Malformed("cbor-indefinite" if info == 31 else "cbor-type")
    end = at + (1 << info - 24)
    if end > len(data):
        raise Malformed("cbor-truncated")
    value = int.from_bytes(data[at:end], "big")
    if value < _SMALLEST[info - 24]:
        raise Malformed("cbor-not-shortest")
    return value, end


def _decode_string(data, at, end, major):
    if end > len(data):
        raise Malformed("cbor-truncated")
    raw = data[at:end]
    if major == 2:
        return raw, end
    try:
        text = raw.decode()
    except UnicodeError:
        raise Malformed("cbor-utf8")
    if not _is_utf8(raw, text):
        raise Malformed("cbor-utf8")
    return text, end


def _is_utf8(raw, text):
    """MicroPython's codec lets overlong forms, surrogates and numbers above U+10FFFF through; this does not."""
    if not raw or max(raw) < 0x80:
        return True
    size = len(raw)
    for character in text:
        n = ord(character)
        if 0xD800 <= n < 0xE000 or n > 0x10FFFF:
            return False
        size -= 1 + (n > 0x7F) + (n > 0x7FF) + (n > 0xFFFF)
    return size == 0


def _decode_array(data, at, count, depth):
    items = []
    for _ in range(count):
        item, at = _decode(data, at, depth)
        items.append(item)
    return items, at


def _decode_map(data, at, count, depth):
    items = {}
    previous = b""
    for _ in range(count):
        start = at
        if at < len(data) and data[at] >= 0x80:
            raise Malformed("cbor-key-type")
        key, at = _decode(data, at, 0)
        raw = data[start:at]
        if raw <= previous:
            raise Malformed("cbor-duplicate-key" if key in items else "cbor-key-order")
        previous = raw
        items[key], at = _decode(data, at, depth)
    return items, at
