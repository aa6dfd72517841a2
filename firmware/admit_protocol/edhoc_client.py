"""EDHOC, RFC 9528: what of its bytes only the side that begins makes or reads. In admit that is never the device.

Owns, rules, must not know: as `edhoc`, which has the rest.
"""

from . import cbor, edhoc
from .errors import Malformed

METHODS = (0, 1, 2, 3)


def encode_message_1(method, cipher_suites, g_x, c_i, ead=()):
    """METHOD, SUITES_I (the last one is selected), G_X (32 bytes), C_I, ? EAD_1."""
    fixed = cbor.encode_sequence((method, edhoc.encode_suites(cipher_suites), g_x))
    return fixed + edhoc.encode_identifier(c_i) + edhoc.encode_ead(ead)


def parse_message_2(data):
    """(g_y, ciphertext_2). Raises Malformed edhoc-message-2."""
    joined = edhoc.parse_bytes(data, "edhoc-message-2")
    if len(joined) <= 32:
        raise Malformed("edhoc-message-2")
    return joined[:32], joined[32:]


def parse_error(data):
    """(ERR_CODE, ERR_INFO), SUITES_R as a list; None if `data` is no error message. Nobody vouches for what it says."""
    try:
        code, info = cbor.decode_sequence(data)
        cbor.expect(code, int, "")
        if code == 2:
            info = edhoc.decode_suites(info)
        elif code == 1:
            cbor.expect(info, str, "")
        elif code == 3 and info is not True:
            return None
        return code, info
    except (Malformed, ValueError):  # ValueError: not two items
        return None


def encode_prefixed(c_x, message):
    """How a CoAP request carries `message`: behind the receiver's id, or behind true if it is message_1 (c_x None)."""
    return (b"\xf5" if c_x is None else edhoc.encode_identifier(c_x)) + message
