"""Public keys of P-256 looked at by themselves. A device never does: whatever uses a point checks it first."""

from .errors import Malformed
from .p256_curve import parse_point


def check_public(public):
    """Raise Malformed p256-point unless `public` is 64 bytes x || y of a point of the curve. SEC 1 section 3.2.2.1."""
    if len(public) != 64:
        raise Malformed("p256-point")
    parse_point(public)


def decompress(x32):
    """x || y, 64 bytes, of the point with this x (32 bytes) and an even y. SEC 1 section 2.3.4.

    Raises Malformed p256-point if there is none.
    """
    if len(x32) != 32:
        raise Malformed("p256-point")
    x, y = parse_point(x32)
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")
