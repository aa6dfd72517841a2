"""What of OSCORE anybody sees: its option (RFC 8613 section 6.1), and the combined request of RFC 9668.

Must not know: keys. What it tells is believed only after the message has verified.
"""

from . import cbor, coap
from .errors import Malformed, Unauthenticated, Unsupported


def parse_option(value):
    """(partial_iv, kid, kid_context) of an OSCORE option value, each bytes or None. RFC 8613 section 6.1.

    Raises Unsupported("oscore-option"), which a server answers with 4.02 (section 8.2).
    """
    if not value:
        return None, None, None
    flags = value[0]
    length = flags & 7
    at = 1 + length
    partial_iv = value[1:at] or None
    if not 0 < flags < 0x20 or length > 5 or (length > 1 and value[1:2] == b"\x00"):
        raise Unsupported("oscore-option")
    kid_context = None
    if flags & 0x10:
        start = at + 1
        at = start + (value[at] if at < len(value) else 0)
        kid_context = value[start:at]
    kid = value[at:] if flags & 8 else None
    if at > len(value) or (kid is None and at < len(value)):
        raise Unsupported("oscore-option")
    return partial_iv, kid, kid_context


def encode_option(partial_iv, kid, kid_context):
    """The value of which `parse_option` makes these three. RFC 8613 section 6.1."""
    flags = len(partial_iv) if partial_iv else 0
    value = partial_iv or b""
    if kid_context is not None:
        flags |= 0x10
        value += bytes((len(kid_context),)) + kid_context
    if kid is not None:
        flags |= 8
        value += kid
    return bytes((flags,)) + value if flags else b""


def option_of(outer):
    """`parse_option` of the one OSCORE option of a message; Unauthenticated("oscore-unprotected") if it has none."""
    values = outer.all(coap.OSCORE)
    if not values:
        raise Unauthenticated("oscore-unprotected")
    if len(values) > 1:
        raise Unsupported("oscore-option", "repeated")
    return parse_option(values[0])


def split_combined(outer):
    """(message_3, the OSCORE request that came with it) of a request with the EDHOC option. RFC 9668 section 3.3.1.

    A value of the EDHOC option is ignored. Raises Malformed("oscore-combined") and those of `cbor.decode_first`.
    """
    if outer.option(coap.EDHOC) is None or outer.option(coap.OSCORE) is None:
        raise Malformed("oscore-combined")
    ciphertext_3, end = cbor.decode_first(outer.payload)
    if type(ciphertext_3) is not bytes or end == len(outer.payload):
        raise Malformed("oscore-combined")
    request = outer.with_option(coap.EDHOC, None)
    request.payload = outer.payload[end:]
    return outer.payload[:end], request
