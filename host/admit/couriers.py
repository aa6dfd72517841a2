"""A courier's files: sealed bundles for some devices, in the order in which each takes them; and sealed pages home.

Owns: the bytes of the files: CBOR, {device: [bundle, ...]} out, [page, ...] home (docs/SPEC.md).
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


def encode_home(pages: list[bytes]) -> bytes:
    """The file that a courier brings home: sealed pages of journals."""
    return cbor2.dumps(pages, canonical=True)


def decode_home(data: bytes) -> list[bytes]:
    """The pages in a file. Raises Malformed courier-file."""
    try:
        found = cbor2.loads(data) if len(data) <= _MAX_LENGTH else None
        if isinstance(found, list) and encode_home(found) == data and all(map(_is_page, found)):
            return found
    except (cbor2.CBORError, ValueError, RecursionError):
        pass
    raise Malformed("courier-file", "nothing that a courier brings home, or not the whole of it")


def _is_page(page) -> bool:
    return isinstance(page, bytes) and len(page) <= 2 * cbor.MAX_LENGTH


def _is_entry(entry: tuple) -> bool:
    return isinstance(entry[0], str) and _is_way(entry[1])


def _is_way(way) -> bool:
    return (
        isinstance(way, list)
        and 0 < len(way) <= _MAX_BUNDLES
        and all(isinstance(each, bytes) and len(each) <= cbor.MAX_LENGTH for each in way)
    )
