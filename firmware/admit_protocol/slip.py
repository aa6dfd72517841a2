"""CoAP and diagnostic text on one serial line: slipmux (draft-bormann-t2trg-slipmux-04) in SLIP frames (RFC 1055).

Owns framing, escapes and the frame check sequence. Bytes may come in any pieces; what is damaged is dropped and
counted, and the next 0xC0 starts afresh. It must not know CoAP: a datagram is bytes here.
"""

from .const import const

_END = const(b"\xc0")
_ESC = const(b"\xdb")
_COAP = const(0xA9)
_DIAGNOSTIC = const(0x0A)

_ESCAPED = {0xDC: _END, 0xDD: _ESC}
_GOOD_FCS = const(0xF0B8)  # of a frame with its FCS: RFC 1662 appendix C.2

_POLYNOMIAL = const(0x1081)  # x^16 + x^12 + x^5 + 1 bit-reversed, as it acts on four bits at once


def fcs16(data):
    """The 16-bit FCS register over `data`, not yet complemented. RFC 1662 appendix C.2."""
    fcs = 0xFFFF
    for byte in data:
        fcs = fcs >> 4 ^ ((fcs ^ byte) & 15) * _POLYNOMIAL
        fcs = fcs >> 4 ^ ((fcs ^ byte >> 4) & 15) * _POLYNOMIAL
    return fcs


def encode_coap(datagram):
    """The frame of one CoAP datagram, with its delimiters."""
    body = bytes((_COAP,)) + datagram
    fcs = fcs16(body) ^ 0xFFFF
    return _frame(body + bytes((fcs & 0xFF, fcs >> 8)))


def encode_diagnostic(text):
    """The frame of a text for people; it had better end with a newline (section 4 of the draft)."""
    return _frame(bytes((_DIAGNOSTIC,)) + text.encode())


def _frame(body):
    return _END + body.replace(_ESC, b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END


def _unescape(raw):
    """The frame without escapes, or None: a wrong escape, or an _ESC at the end, which aborts a frame (section 6)."""
    first, *rest = raw.split(_ESC)
    pieces = [first]
    for piece in rest:
        plain = _ESCAPED.get(piece[0]) if piece else None
        if plain is None:
            return None
        pieces.append(plain)
        pieces.append(piece[1:])
    return b"".join(pieces)


class Decoder:
    """Turns a stream of bytes into frames. `limit`: bytes of the longest datagram or text; longer ones are dropped.

    `dropped` counts frames that were damaged, aborted or too long.
    """

    def __init__(self, limit):
        self.dropped = 0
        self._limit = limit + 3  # the first byte and the FCS
        self._raw = b""

    def feed(self, data):
        """Frames that end in `data`: a list of ("coap", datagram), ("diagnostic", str) or ("other", whole frame).

        "other" is what slipmux does not name: an IP packet, or text of a program that knows no frames.
        """
        pieces = (self._raw + data).split(_END)
        # One byte more than the longest frame can take, all escaped, keeps a too long one too long and no longer.
        self._raw = pieces.pop()[: 2 * self._limit + 1]
        frames = [self._parse(raw) for raw in pieces if raw]
        self.dropped += frames.count(None)
        return [frame for frame in frames if frame]

    def _parse(self, raw):
        frame = _unescape(raw)
        if frame is None or len(frame) > self._limit:
            return None
        if frame[0] == _COAP:
            return ("coap", frame[1:-2]) if fcs16(frame) == _GOOD_FCS else None
        if frame[0] == _DIAGNOSTIC:
            try:
                return "diagnostic", str(frame[1:], "utf-8")
            except UnicodeError:
                pass
        return "other", frame
