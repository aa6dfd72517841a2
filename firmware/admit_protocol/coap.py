"""CoAP messages apart from any transport: code, token, options, payload. RFC 7252 sections 3.1, 5.4, 5.10 and 12.

Owns the numbers that a device names (`coap_numbers` has the others), and the one encoding of options and payload, which
UDP, GATT and OSCORE share. Message types, message ids and acknowledgements belong to the message layers (`coap_udp`,
`gatt`); this file must not know them, nor any resource.
"""

from .const import const
from .errors import LocalError, Malformed, Unsupported

EMPTY = const(0x00)
GET = const(0x01)
POST = const(0x02)
PUT = const(0x03)
DELETE = const(0x04)
FETCH = const(0x05)

CREATED = const(0x41)
DELETED = const(0x42)
CHANGED = const(0x44)
CONTENT = const(0x45)
CONTINUE = const(0x5F)
BAD_REQUEST = const(0x80)
NOT_ACCEPTABLE = const(0x86)

URI_HOST = const(3)
ETAG = const(4)
OBSERVE = const(6)
URI_PORT = const(7)
OSCORE = const(9)
URI_PATH = const(11)
CONTENT_FORMAT = const(12)
URI_QUERY = const(15)
ACCEPT = const(17)
EDHOC = const(21)
BLOCK2 = const(23)
BLOCK1 = const(27)
SIZE2 = const(28)
PROXY_URI = const(35)
PROXY_SCHEME = const(39)
SIZE1 = const(60)

CONTENT_LINK = const(40)
CONTENT_CBOR = const(60)
CONTENT_EDHOC = const(64)
CONTENT_PROBLEM = const(257)

MAX_TOKEN = const(8)
MAX_QUEUE = const(8)

# Critical options: number -> shortest, longest value, whether it may repeat. RFC 7252 table 4, RFC 7959 table 1,
# RFC 8613 section 2; RFC 9668 section 3.1 says that a value of the EDHOC option is ignored, so any length will do.
_CRITICAL = {
    URI_HOST: (1, 255, False),
    URI_PORT: (0, 2, False),
    OSCORE: (0, 255, False),
    URI_PATH: (0, 255, True),
    URI_QUERY: (0, 255, True),
    ACCEPT: (0, 2, False),
    EDHOC: (0, 65535, False),
    BLOCK2: (0, 3, False),
    BLOCK1: (0, 3, False),
}


class Message:
    """One request or response: `code` (int, 0x45 is 2.05), `token` (0 to 8 bytes), `options` (list of (number, bytes),
    ascending, equal numbers in the order given), `payload` (bytes).

    `confirmable` only tells a message layer that has a choice how to send it.
    """

    def __init__(self, code, token=b"", options=(), payload=b""):
        self.code = code
        self.token = token
        self.options = []
        self.payload = payload
        self.confirmable = True
        for number, value in options:
            self.add_option(number, value)

    def __repr__(self):
        # Paths and payloads may be private; a code, a token and sizes are not.
        return "<%s token=%s options=%s payload=%d bytes>" % (
            code_text(self.code),
            self.token.hex(),
            [number for number, _ in self.options],
            len(self.payload),
        )

    @property
    def is_request(self):
        return 0 < self.code < 0x20

    def option(self, number):
        """Value of the first option `number`, or None."""
        for found, value in self.options:
            if found == number:
                return value
        return None

    def all(self, number):
        """Values of every option `number`, in order."""
        return [value for found, value in self.options if found == number]

    def uint(self, number):
        """The first option `number` as an unsigned integer, or None."""
        value = self.option(number)
        return None if value is None else decode_uint(value)

    def add_option(self, number, value):
        """Put one more option behind those of the same or a lower number. Value: bytes, int (uint) or str (UTF-8)."""
        at = len(self.options)
        while at and self.options[at - 1][0] > number:
            at -= 1
        self.options.insert(at, (number, _option_bytes(value)))

    def set_option(self, number, value):
        """Make this the only option `number`; None only removes."""
        self.options = [item for item in self.options if item[0] != number]
        if value is not None:
            self.add_option(number, value)

    def copy(self):
        """A message that may be changed without changing this one."""
        twin = Message(self.code, self.token, (), self.payload)
        twin.options = self.options[:]
        twin.confirmable = self.confirmable
        return twin

    def with_option(self, number, value):
        """A copy on which `set_option` was called."""
        twin = self.copy()
        twin.set_option(number, value)
        return twin

    @property
    def path(self):
        """Uri-Path as a tuple of str: ("r", "open"). Raises Malformed("coap-utf8")."""
        return self._texts(URI_PATH)

    @property
    def queries(self):
        """Uri-Query as a tuple of str. Raises Malformed("coap-utf8")."""
        return self._texts(URI_QUERY)

    def _texts(self, number):
        try:
            return tuple(str(value, "utf-8") for value in self.all(number))
        except UnicodeError:
            raise Malformed("coap-utf8", "option %d" % number)


def request(code, path, payload=b"", content_format=None, options=()):
    """A request without token. `path` is "/r/open" or a tuple of segments; `options` as for Message."""
    segments = [part for part in path.split("/") if part] if isinstance(path, str) else path
    message = Message(code, b"", options, payload)
    for segment in segments:
        message.add_option(URI_PATH, segment)
    if content_format is not None:
        message.add_option(CONTENT_FORMAT, content_format)
    return message


def response(code, payload=b"", content_format=None, options=()):
    """A response without token: the sender gives it the token of its request."""
    message = Message(code, b"", options, payload)
    if content_format is not None:
        message.add_option(CONTENT_FORMAT, content_format)
    return message


def code_text(code):
    """0x45 -> "2.05"."""
    return "%d.%02d" % (code >> 5, code & 0x1F)


def check_code(code):
    """Raise Malformed("coap-code") for a reserved class: 1, 6 or 7. RFC 7252 section 12.1."""
    if code >> 5 in (1, 6, 7):
        raise Malformed("coap-code", code_text(code))


def encode_uint(value):
    """Shortest big-endian bytes of 0 <= value < 2^32; 0 is no bytes at all. RFC 7252 section 3.2."""
    if not 0 <= value < 1 << 32:
        raise LocalError("coap-uint")
    return value.to_bytes(4, "big").lstrip(b"\x00")


def decode_uint(data):
    """Unsigned integer of big-endian bytes; leading zeros are allowed, RFC 7252 section 3.2."""
    return int.from_bytes(data, "big")


def is_critical(number):
    """An option that may not be ignored when unknown: RFC 7252 section 5.4.6."""
    return bool(number & 1)


def check_critical(options, known):
    """Raise Unsupported("coap-critical-option") unless every critical option is in `known` and well-formed.

    A wrong length, or a repetition of what must not repeat, counts as unknown: RFC 7252 sections 5.4.3 and 5.4.5.
    """
    previous = None
    for number, value in options:
        if is_critical(number):
            shortest, longest, repeatable = _CRITICAL.get(number, (0, 65535, True))
            repeated = number == previous and not repeatable
            if number not in known or repeated or not shortest <= len(value) <= longest:
                raise Unsupported("coap-critical-option", "option %d" % number)
        previous = number


def queue_up(queue, message, data):
    """Append (message, data) to a list of what waits to be sent; a slow peer cannot make it grow beyond MAX_QUEUE.

    A notification takes the place of an older one of its observation: RFC 7641 section 4.5.2. Returns the token of the
    oldest message if that had to go, else None.
    """
    if not message.is_request and message.option(OBSERVE) is not None:
        for at, (older, _) in enumerate(queue):
            if older.token == message.token and not older.is_request and older.option(OBSERVE) is not None:
                queue[at] = (message, data)
                return None
    queue.append((message, data))
    return queue.pop(0)[0].token if len(queue) > MAX_QUEUE else None


def encode_body(options, payload):
    """Options in ascending order, then 0xFF and the payload if there is one. RFC 7252 section 3.

    Raises LocalError("coap-option-order") or LocalError("coap-option-length").
    """
    out = bytearray()
    previous = 0
    for number, value in options:
        delta, length = number - previous, len(value)
        if delta < 0 or number > 65535:
            raise LocalError("coap-option-order")
        if length > 65535:
            raise LocalError("coap-option-length")
        out.append(_nibble(delta) << 4 | _nibble(length))
        out.extend(_extension(delta))
        out.extend(_extension(length))
        out.extend(value)
        previous = number
    if payload:
        out.append(0xFF)
        out.extend(payload)
    return bytes(out)


def decode_body(data):
    """(options, payload) of what `encode_body` makes; nothing else is accepted.

    Malformed: "coap-truncated"; "coap-option-reserved" (a nibble 15 that is not the payload marker);
    "coap-option-number" (above 65535); "coap-empty-payload" (marker with nothing behind it).
    """
    options = []
    at = number = 0
    while at < len(data):
        head = data[at]
        at += 1
        if head == 0xFF:
            if at == len(data):
                raise Malformed("coap-empty-payload")
            return options, bytes(data[at:])
        delta, at = _extended(data, head >> 4, at)
        length, at = _extended(data, head & 15, at)
        number += delta
        if number > 65535:
            raise Malformed("coap-option-number")
        if at + length > len(data):
            raise Malformed("coap-truncated")
        options.append((number, bytes(data[at : at + length])))
        at += length
    return options, b""


def _option_bytes(value):
    if isinstance(value, int):
        return encode_uint(value)
    return value.encode() if isinstance(value, str) else bytes(value)


def _nibble(value):
    return value if value < 13 else 13 if value < 269 else 14


def _extension(value):
    if value < 13:
        return b""
    return bytes((value - 13,)) if value < 269 else (value - 269).to_bytes(2, "big")


def _extended(data, nibble, at):
    """Value of a delta or length nibble with its extension bytes at `at`, and where the next thing starts."""
    if nibble < 13:
        return nibble, at
    if nibble == 15:
        raise Malformed("coap-option-reserved")
    end = at + nibble - 12
    if end > len(data):
        raise Malformed("coap-truncated")
    return decode_uint(data[at:end]) + (13 if nibble == 13 else 269), end
