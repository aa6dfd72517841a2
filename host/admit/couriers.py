"""A courier's file: sealed bundles for some devices, in the order in which each takes them.

Owns: the bytes of the file: CBOR, {device: [bundle, ...]} (docs/SPEC.md).
Rules: nothing in it is readable or believed; a device decides by what it unseals.
Must not know: who carries it.
"""

import cbor2

from admit_protocol import cbor
from admit_protocol.errors import Malformed

_MAX_LENGTH = 16 * 1024 * 1024
_MAX_BUNDLES = 64  # of one device


def encode(bundles: dict[str, list[bytes]]) -> bytes:
    """The file."""
    return cbor2.dumps(bundles, canonical=True)


def decode(data: bytes) -> dict[str, list[bytes]]:
    """What is in a file. Raises Malformed courier-file."""
    try:
        found = cbor2.loads(data) if len(data) <= _MAX_LENGTH else None
        if isinstance(found, dict) and encode(found) == data and all(map(_is_entry, found.items())):
            return found
    except (cbor2.CBORError, ValueError, RecursionError):
        pass
    raise Malformed("courier-file", "this is no courier's file, or not the whole of one")


def _is_entry(entry: tuple) -> bool:
    return isinstance(entry[0], str) and _is_way(entry[1])


def _is_way(way) -> bool:
    return (
        isinstance(way, list)
        and 0 < len(way) <= _MAX_BUNDLES
        and all(isinstance(each, bytes) and len(each) <= cbor.MAX_LENGTH for each in way)
    )
