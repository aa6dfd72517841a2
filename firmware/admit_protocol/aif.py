"""AIF, the Authorization Information Format for REST: RFC 9237. Which methods on which paths, and nothing more.

Owns: the bytes of an AIF-REST item, and the mask of methods.
Rules: an allow-list; one entry a path; an item with a method that RFC 9237 does not know is refused as a whole.
Must not know: patterns and conditions (our own scope format, grant.py), and who asks.
"""

from . import cbor
from .const import const
from .errors import Malformed, Unsupported

# Methods in a mask, RFC 9237 section 3: bit = CoAP method code - 1; these and iPATCH, PATCH.
GET = const(1)
POST = const(2)
PUT = const(4)
DELETE = const(8)
FETCH = const(16)

_DYNAMIC = const(32)  # GET << _DYNAMIC is Dynamic-GET: on what a request to this path created. RFC 9237 section 2.3

_METHODS = const(0x7F | 0x7F << _DYNAMIC)


def encode(entries):
    """The AIF item of `entries`, a list of (path, mask); entries with the same path become one. RFC 9237 section 3."""
    paths = []
    masks = {}
    for path, mask in entries:
        if path not in masks:
            paths.append(path)
        masks[path] = masks.get(path, 0) | mask
    return cbor.encode([[path, masks[path]] for path in paths])


def decode(data):
    """The list of (path, mask) in `data`, in its order.

    Raises Malformed cbor-…, aif-structure, aif-path, aif-duplicate-path, aif-methods; Unsupported aif-methods.
    """
    entries = []
    seen = set()
    for entry in cbor.expect(cbor.decode(data), list, "aif-structure"):
        if len(cbor.expect(entry, list, "aif-structure")) != 2:
            raise Malformed("aif-structure")
        path, mask = entry
        _check(path, mask)
        if path in seen:
            raise Malformed("aif-duplicate-path")
        seen.add(path)
        entries.append((path, mask))
    return entries


def _check(path, mask):
    if not cbor.expect(path, str, "aif-path").startswith("/"):
        raise Malformed("aif-path")
    if cbor.expect(mask, int, "aif-methods") <= 0:
        raise Malformed("aif-methods")
    if mask & ~_METHODS:
        raise Unsupported("aif-methods")
