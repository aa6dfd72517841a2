"""A release: what a set of firmware is, signed by the authority, and the list of its files, bound by a hash in it.

Owns: the bytes of the manifest (issuing.release signs it), of the file list and of a delta between two lists; which
names a file of a set may have. Lists are sequences of rows (RFC 8742), so a device reads and writes them row by row.
Rules: nothing in it names a device, so one release serves a fleet; one encoding of each list counts; a list is right
if its hash is, whatever it was made of.
Must not know: where files lie, which of them are there, and what runs.
"""

from collections import namedtuple
from hashlib import sha256

from . import cbor, cose, papers
from .const import const
from .errors import Malformed, Untrusted

MAX_VERSION = const(32)  # bytes of UTF-8
MAX_NAME = const(64)  # characters
MAX_FILES = const(240)
MAX_FILE = const(1 << 20)  # bytes of one file; an image of MicroPython may be larger
LONGEST_ROW = const(112)  # bytes of a row, or of a delta's entry
MAX_LIST = const(MAX_FILES * LONGEST_ROW)
LIST = const(0)  # the item on the wire that is the delta; item n is the n-th file of the list, from 1
IMAGE = const(241)  # the item that is the image: above that of any file

_MAX_BOARDS = const(16)
_HASH = const(32)
_NAME_CHARACTERS = const("abcdefghijklmnopqrstuvwxyz0123456789_-.")
_NONE = type(None)

# `site_id`: 16 bytes; `version`: text; `sequence`, `floor`: uint; `boards`: list of text; `port`: text; `bytecode`:
# uint; `set_hash`, `list_hash`: 32 bytes; `total`: bytes of all files; `room`: bytes that must be free before anything
# is sent; `issued_at`, `expires`: unix seconds; `image`: None or [size, SHA-256] of MicroPython's own image.
Manifest = namedtuple(
    "Manifest",
    (
        "site_id",
        "version",
        "sequence",
        "floor",
        "boards",
        "port",
        "bytecode",
        "set_hash",
        "list_hash",
        "total",
        "room",
        "issued_at",
        "expires",
        "image",
        "sign1",
    ),
)
_KINDS = (16, str, int, int, list, str, int, _HASH, _HASH, int, int, int, int, (list, _NONE))


def parse(data):
    """The Manifest in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed release-structure.
    """
    found = Manifest(*papers.read(data, _KINDS, "release-structure"))
    _check(0 < len(found.version.encode()) <= MAX_VERSION)
    _check(found.floor <= found.sequence > 0 and 0 < len(found.boards) <= _MAX_BOARDS)
    _check(found.issued_at < found.expires and 0 < found.total <= MAX_FILES * MAX_FILE)
    for board in found.boards:
        _check(type(board) is str)
    papers.check_order(found.boards, "release-structure")
    if found.image:
        _check([type(each) for each in found.image] == [int, bytes])
        _check(found.image[0] > 0 and len(found.image[1]) == _HASH)
    else:
        _check(found.image is None)
    return found


def verify(manifest, anchor, suite):
    """Returns if the anchor's authority signed it. Raises Untrusted release-other-site, Unverified cose-signature."""
    if manifest.site_id != anchor.site_id:
        raise Untrusted("release-other-site")
    cose.verify_sign1(manifest.sign1, anchor.sign_public, cose.RELEASE, suite)


class FileList:
    """Hashes the rows of a set, (name, size, SHA-256), given in the order of their names, and counts their bytes.

    After all of them `set_hash()` and `list_hash()` may each be asked for once.
    """

    def __init__(self):
        self.count = self.total = 0
        self._last = ""
        self._set, self._list = sha256(), sha256()

    def add(self, row):
        """Take one row; its bytes in the list. Raises Malformed release-list."""
        name, size, digest = row
        if not (is_name(name) and type(size) is int and type(digest) is bytes and name > self._last):
            raise Malformed("release-list")
        if not 0 <= size <= MAX_FILE or len(digest) != _HASH or self.count == MAX_FILES:
            raise Malformed("release-list")
        self._last = name
        self.count += 1
        self.total += size
        self._set.update(name.encode() + b"\x00" + digest)
        data = cbor.encode([name, size, digest])
        self._list.update(data)
        return data

    def set_hash(self):
        """The set hash, 32 bytes: docs/SPEC.md "Firmware set"."""
        return self._set.digest()

    def list_hash(self):
        """SHA-256 of the list."""
        return self._list.digest()


def encode_list(rows):
    """The list of a set: `rows`, (name, size, SHA-256), in any order. Raises Malformed release-list."""
    files = FileList()
    return b"".join([files.add(row) for row in sorted(rows)])


def parse_list(data):
    """The rows in `data`, tuples. Raises Malformed cbor-… or release-list."""
    rows = [_row(item) for item in cbor.decode_sequence(data, MAX_LIST)]
    if encode_list(rows) != bytes(data):
        raise Malformed("release-list")
    return rows


def delta(old, new, base=None):
    """How the list `new` comes of the list `old` (rows each), of the set with the hash `base`; without one, of none."""
    before = {row[0]: row for row in old} if base else {}
    after = {row[0]: row for row in new}
    entries = [list(row) for name, row in after.items() if before.get(name) != row]
    entries += [[name] for name in before if name not in after]
    return cbor.encode_sequence([base] + sorted(entries))


def apply_delta(old, base, data):
    """The rows that a delta makes of `old`, the rows of the set with the hash `base` (None: there is no such set).

    Raises Malformed cbor-…, release-list or release-delta; Untrusted release-base: it is for another set.
    """
    found = items(_reader(data))
    return list(merged(iter(old if is_based(found, base) else ()), found))


def is_based(found, base):
    """Is the delta whose items are `found` one for the set with the hash `base`? False: for none, it says all itself.

    Raises Malformed release-delta, Untrusted release-base.
    """
    wanted = next(found, False)
    if wanted is None:
        return False
    if type(wanted) is not bytes or len(wanted) != _HASH:
        raise Malformed("release-delta")
    if wanted != base:
        raise Untrusted("release-base", "the delta is for another set than the one that runs")
    return True


def merged(old, entries):
    """Yield the rows that `entries` of a delta make of the rows `old`: two iterators, both by name, each name once.

    Raises Malformed release-delta if it removes or leaves as it was what it has no reason to.
    """
    row = next(old, None)
    last = ""
    for entry in entries:
        name = cbor.expect(cbor.expect(entry, list, "release-delta")[0] if entry else None, str, "release-delta")
        if name <= last:
            raise Malformed("release-delta")
        last = name
        while row and row[0] < name:
            yield row
            row = next(old, None)
        is_there = row is not None and row[0] == name
        if len(entry) == 1:
            if not is_there:
                raise Malformed("release-delta")
        else:
            changed = _row(entry)
            if is_there and changed == row:
                raise Malformed("release-delta")
            yield changed
        if is_there:
            row = next(old, None)
    while row:
        yield row
        row = next(old, None)


def items(read):
    """Yield the items of a sequence that `read(n)` brings, b"" at its end. Raises Malformed cbor-…"""
    buffer, more = b"", True
    while True:
        while more and len(buffer) < LONGEST_ROW:
            piece = read(LONGEST_ROW)
            more = bool(piece)
            buffer += piece
        if not buffer:
            return
        item, end = cbor.decode_first(buffer)
        buffer = buffer[end:]
        yield item


def is_name(name):
    """May a file of a set be called so? Relative to the slot, lower case, no segment that begins with a dot."""
    if type(name) is not str or not 0 < len(name) <= MAX_NAME:
        return False
    for part in name.split("/"):
        if not part or part[0] == "." or any([each not in _NAME_CHARACTERS for each in part]):
            return False
    return True


def _row(item):
    if len(cbor.expect(item, list, "release-list")) != 3:
        raise Malformed("release-list")
    return tuple(item)


def _reader(data):
    pieces = [data[at : at + LONGEST_ROW] for at in range(0, len(data), LONGEST_ROW)]
    return lambda length: pieces.pop(0) if pieces else b""


def _check(holds):
    if not holds:
        raise Malformed("release-structure")
