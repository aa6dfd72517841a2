"""A release as a file: signed manifest, list of files, and each file compressed, in one CBOR array.

Owns: that form (docs/SPEC.md "Releases") and the proof that what stands in it belongs together. The manifest and the
list are admit_protocol.release's.
Rules: nothing of a file is handed on before all of it was proven: signature, list, each content by its hash. Every bit
of it counts. Contents are compressed one by one, so that a device takes the few that it lacks.
Must not know: who builds it (releasing.py), and how it gets to a device (updating.py).
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from admit.suite import HostSuite
from admit_protocol import cbor, release
from admit_protocol.anchor import Anchor
from admit_protocol.errors import LocalError, Malformed, RemoteError, TooLarge, Unverified

SUFFIX = ".admit"
MAX_LENGTH = 32 << 20  # bytes of a file
WINDOW = 12  # bits: how far back deflate may point; a board has that much to spare while it unpacks
_FORMAT, _PARTS = 1, 5
_UINT, _BYTES, _ARRAY = 0, 2, 4  # major types: RFC 8949 section 3.1

Row = tuple[str, int, bytes]  # name, size, SHA-256


@dataclass(frozen=True)
class Release:
    """A release whose parts belong together. `data`: the manifest's bytes; `blobs`: by SHA-256 of the content, the
    content compressed, MicroPython's image among them if there is one.
    """

    data: bytes
    manifest: release.Manifest
    rows: tuple[Row, ...]
    blobs: Mapping[bytes, bytes]

    @property
    def list_data(self) -> bytes:
        """The file list's bytes."""
        return release.encode_list(self.rows)

    def item(self, number: int) -> bytes:
        """What is sent as item `number`, from 1 on: file by file; the image as it is. Raises Malformed release-item."""
        if number == release.IMAGE and self.manifest.image:
            return zlib.decompress(self.blobs[self.manifest.image[1]], -WINDOW)
        if not 0 < number <= len(self.rows):
            raise Malformed("release-item", "the device wants a file that is not in the release")
        return self.blobs[self.rows[number - 1][2]]

    def encode(self) -> bytes:
        """The file."""
        blobs = [self.blobs[digest] for digest in _digests(self.manifest, self.rows)]
        return cbor.encode([_FORMAT, self.data, self.list_data, blobs, _check(blobs)])


def pack(data: bytes, files: Mapping[str, bytes], image: bytes | None = None) -> Release:
    """The release of a signed manifest and its files' contents. Raises Unverified release-damaged if they are not its
    own.
    """
    contents = [*files.values(), *([image] if image is not None else [])]
    blobs = {hashlib.sha256(each).digest(): compress(each) for each in contents}
    made = Release(data, release.parse(data), rows_of(files), blobs)
    _check_rows(made.manifest, made.rows)
    return made


def rows_of(files: Mapping[str, bytes]) -> tuple[Row, ...]:
    """The file list of a set, from its contents by name."""
    return tuple(sorted((name, len(content), hashlib.sha256(content).digest()) for name, content in files.items()))


def list_of(files: Mapping[str, bytes]) -> bytes:
    """The same as bytes: what `Registry.keep_set` remembers."""
    return release.encode_list(rows_of(files))


def compress(content: bytes) -> bytes:
    """As a device unpacks it: raw deflate (RFC 1951) with a small window. The same content gives the same bytes."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -WINDOW, 9)
    return squeezer.compress(content) + squeezer.flush()


def load(path: Path, anchor: Anchor) -> Release:
    """The release in a file, verified as `read` does. Raises LocalError file-missing too."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LENGTH + 1)
    except OSError as error:
        raise LocalError("file-missing", f"{path}: {error.strerror}") from None
    return read(data, anchor)


def read(data: bytes, anchor: Anchor) -> Release:
    """The release in `data`, of the anchor's authority, whole and unchanged.

    Raises Malformed release-file, TooLarge release-file-too-large; Untrusted release-other-site; Unverified
    release-signature, release-damaged.
    """
    if len(data) > MAX_LENGTH:
        raise TooLarge("release-file-too-large", f"it has more than {MAX_LENGTH >> 20} MB")
    manifest_data, list_data, blobs = _parts(data)
    manifest = _manifest(manifest_data, anchor)
    if hashlib.sha256(list_data).digest() != manifest.list_hash:
        raise Unverified("release-damaged", "its list of files is not the one that was signed")
    rows = tuple(release.parse_list(list_data))
    _check_rows(manifest, rows)
    wanted = _digests(manifest, rows)
    if len(blobs) != len(wanted):
        raise Malformed("release-file", "it has more or fewer files than its list")
    for digest, (name, size), blob in zip(wanted, wanted.values(), blobs, strict=True):
        if _unpacked(blob, size) != digest:
            raise Unverified("release-damaged", f"{name} is not the one that was signed")
    return Release(manifest_data, manifest, rows, dict(zip(wanted, blobs, strict=True)))


def _parts(data: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """Manifest, list and blobs, of which nothing is proven yet but that they were not damaged by accident."""
    reader = _Reader(data)
    if reader.head(_ARRAY) != _PARTS:
        raise Malformed("release-file", "it is no release")
    if (form := reader.head(_UINT)) != _FORMAT:
        raise Malformed("release-file", f"it is a release of format {form}; this admit knows {_FORMAT}")
    manifest, rows, count = reader.string(), reader.string(), reader.head(_ARRAY)
    if count > release.MAX_FILES + 1:
        raise Malformed("release-file", "it has more files than a release may have")
    blobs = [reader.string() for _ in range(count)]
    check = reader.string()
    if cbor.encode([_FORMAT, manifest, rows, blobs, check]) != data:
        raise Malformed("release-file", "it goes on, or was written by nobody of ours")
    if check != _check(blobs):
        raise Unverified("release-damaged", "its files are not what they were when it was written")
    return manifest, rows, blobs


class _Reader:
    """The CBOR that a release is made of, and no other: whatever somebody wrote into a file, it takes no more memory
    than the file. What stands in it in another form shows as it is encoded again.
    """

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def head(self, major: int) -> int:
        """The argument of the next item, which is of this major type."""
        first = self._take(1)[0]
        if first >> 5 != major or first & 31 > 27:
            raise Malformed("release-file", "it is no release")
        return first & 31 if first & 31 < 24 else int.from_bytes(self._take(1 << (first & 31) - 24), "big")

    def string(self) -> bytes:
        """The next item, a byte string."""
        return self._take(self.head(_BYTES))

    def _take(self, length: int) -> bytes:
        taken = self._data[self._at : self._at + length]
        if len(taken) < length:
            raise Malformed("release-file", "it is not the whole of a release")
        self._at += length
        return taken


def _manifest(data: bytes, anchor: Anchor) -> release.Manifest:
    try:
        manifest = release.parse(data)
    except RemoteError:
        raise Malformed("release-file", "its manifest cannot be read") from None
    try:
        release.verify(manifest, anchor, HostSuite())
    except Unverified:
        raise Unverified("release-signature", f"nobody of {anchor.name} signed it as it is now") from None
    return manifest


def _check_rows(manifest: release.Manifest, rows: tuple[Row, ...]) -> None:
    """Are these the rows that the manifest speaks of, in all its words?"""
    files = release.FileList()
    for row in rows:
        files.add(row)
    told = (manifest.set_hash, manifest.list_hash, manifest.total)
    if told != (files.set_hash(), files.list_hash(), files.total):
        raise Unverified("release-damaged", "manifest and list of files do not belong together")


def _digests(manifest: release.Manifest, rows: tuple[Row, ...]) -> dict[bytes, tuple[str, int]]:
    """SHA-256 → (name, size) of each content, in the order in which they stand in the file."""
    found = {digest: (name, size) for name, size, digest in rows}
    if manifest.image:
        found[manifest.image[1]] = ("MicroPython's image", manifest.image[0])
    return found


def _unpacked(blob: bytes, size: int) -> bytes | None:
    """SHA-256 of what a blob unpacks to, if that has exactly so many bytes and nothing is behind it."""
    unpacker = zlib.decompressobj(-WINDOW)
    try:
        content = unpacker.decompress(blob, size + 1)
    except zlib.error:
        return None
    ends = unpacker.eof and not unpacker.unused_data and len(content) == size
    return hashlib.sha256(content).digest() if ends else None


def _check(blobs: list[bytes]) -> bytes:
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in blobs)).digest()
