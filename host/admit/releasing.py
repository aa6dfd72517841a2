"""Making a release: which number it gets, what it says, and that the same input gives the same bytes.

Owns: that order. The registry remembers each release under its version; whoever builds a version again gets the very
one that was signed, if the files and all that is said of them are the same, and a refusal if they are not.
Must not know: how files are compiled, and who asks for the passphrase.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admit import releases
from admit.authority import Authority
from admit.registry import Registry
from admit.releases import Release
from admit.rollout_models import ReleaseRow
from admit.suite import HostSuite
from admit_protocol import release
from admit_protocol.errors import Conflict, LocalError, NotFound, Unverified

YEAR_S = 366 * 86400
# littlefs on a board: blocks of so many bytes, of which some lead to others; what folders and the device itself need.
_BLOCK, _POINTERS, _FOLDER_BLOCKS, _RESERVE_BLOCKS = 4096, 8, 2, 8


@dataclass(frozen=True)
class Wish:
    """What a release shall be. `floor`: the version below which nothing may run afterwards, None for the floor that
    there is; `expires` in unix seconds, None for a year from now; `image`: MicroPython's own, or None. The rest as in
    admit_protocol.release.Manifest.
    """

    version: str
    boards: Sequence[str]
    port: str
    bytecode: int
    floor: str | None = None
    expires: int | None = None
    image: bytes | None = None


def build(registry: Registry, signer: Authority, wish: Wish, files: Mapping[str, bytes], now: int) -> Release:
    """The release of these files. Only one that is new is signed.

    Raises Conflict release-taken if the version is taken by another one, or was signed with a key before; NotFound
    release-unknown for the floor's; LocalError release-version, release-expires.
    """
    if not 0 < len(wish.version.encode()) <= release.MAX_VERSION or not wish.version.isprintable():
        raise LocalError("release-version", f"a version has 1 to {release.MAX_VERSION} characters, like 1.4.0")
    known = registry.releases()
    before = next((row for row in known if row.version == wish.version), None)
    if before:
        made = releases.pack(_same(before, wish, files, known), files, wish.image)
        _check_key(made, signer)
        return made
    if wish.expires is not None and wish.expires <= now:
        raise LocalError("release-expires", "it would end before it begins")
    sequence = max((row.sequence for row in known), default=0) + 1
    said = (_floor(wish, known, sequence), wish.boards, wish.port, wish.bytecode, room(files))
    data = signer.issue_release(wish.version, sequence, releases.rows_of(files), said, now, _end(wish, now), _of(wish))
    made = releases.pack(data, files, wish.image)
    keep(registry, made)
    return made


def _check_key(made: Release, signer: Authority) -> None:
    try:
        release.verify(made.manifest, signer.anchor, HostSuite())
    except Unverified:
        why = f"version {made.manifest.version} was signed with the authority's key before, which no device takes"
        raise Conflict("release-taken", why) from None


def keep(registry: Registry, made: Release) -> None:
    """Remember a release, wherever it was built. Raises Conflict release-taken."""
    found = made.manifest
    row = ReleaseRow(sequence=found.sequence, version=found.version, set_hash=found.set_hash)
    row.manifest, row.issued_at = made.data, found.issued_at
    registry.add_release(row, made.list_data)


def room(files: Mapping[str, bytes]) -> int:
    """Bytes of a board's flash that a set takes, beside what the device itself needs."""
    folders = {name.rpartition("/")[0] for name in files}
    blocks = sum(len(content) // (_BLOCK - _POINTERS) + 1 for content in files.values())
    return (blocks + _FOLDER_BLOCKS * len(folders) + _RESERVE_BLOCKS) * _BLOCK


def _same(row: ReleaseRow, wish: Wish, files: Mapping[str, bytes], known: list[ReleaseRow]) -> bytes:
    """The manifest of a release that was built before, if it says what is wished now."""
    old = release.parse(row.manifest)
    now_said = (sorted(set(wish.boards)), wish.port, wish.bytecode, room(files), _end(wish, old.issued_at))
    files_hash = release.FileList()
    for each in releases.rows_of(files):
        files_hash.add(each)
    if files_hash.set_hash() != old.set_hash:
        raise Conflict("release-taken", f"version {wish.version} was built before, of other files")
    before = (old.boards, old.port, old.bytecode, old.room, old.expires)
    is_same = (now_said, _of(wish)) == (before, old.image and tuple(old.image))
    if not is_same or (wish.floor is not None and _floor(wish, known, old.sequence) != old.floor):
        raise Conflict("release-taken", f"{wish.version} was built before, with other boards, floor, end or image")
    return row.manifest


def _floor(wish: Wish, known: list[ReleaseRow], sequence: int) -> int:
    """The number below which nothing may run afterwards: it never falls."""
    before = max((release.parse(row.manifest).floor for row in known), default=1)
    if wish.floor is None:
        return before
    numbers = {row.version: row.sequence for row in known} | {wish.version: sequence}
    if wish.floor not in numbers:
        raise NotFound("release-unknown", f"no release has the version {wish.floor}")
    return max(before, numbers[wish.floor])


def _of(wish: Wish) -> tuple[int, bytes] | None:
    """The image, as a manifest has it."""
    return (len(wish.image), hashlib.sha256(wish.image).digest()) if wish.image is not None else None


def _end(wish: Wish, issued_at: int) -> int:
    return wish.expires if wish.expires is not None else issued_at + YEAR_S
