"""Firmware images: where they come from, and whether one is whole and for this board.

Owns: downloading (newest release of the board's page, pinned by sha256 at its first use), the cache, and what
an image consists of: bootloader, partition table, program, each with its own check.
Rules: nothing is believed that is not checked; a download that does not check out is thrown away and never pinned. A
local file needs no network. Formats: ESP-IDF Programming Guide, "App Image Format" and "Partition Tables".
Must not know: how an image gets onto a board.
"""

import hashlib
import http.client
import os
import re
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import platformdirs

from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound, TimedOut, TooLarge, Unsupported
from admit_provisioning.boards import Board

CHIP_IDS = {0: "esp32", 2: "esp32s2", 5: "esp32c3", 9: "esp32s3", 12: "esp32c2", 13: "esp32c6", 16: "esp32h2"}
MAX_IMAGE = 32 << 20

_MAGIC, _TABLE_MAGIC, _TABLE_END = 0xE9, b"\xaa\x50", b"\xeb\xeb" + b"\xff" * 14
_TABLE_OFFSET, _TABLE_SIZE = 0x8000, 0xC00
_HEADER = 24  # bytes, the extended header included
_TIMEOUT_S = 30
_LOCAL = {"127.0.0.1", "::1", "localhost"}

Tell = Callable[[str], None]


class Pins(Protocol):
    """Where images are pinned: admit.registry.Registry."""

    def pin_image(self, name: str, sha256: str, now: int, source: str | None = None) -> None:
        """Pin at first use; raises Unverified image-changed ever after."""

    def images(self) -> list:
        """What is pinned: rows with name and sha256."""


@dataclass(frozen=True)
class Image:
    """What is in an image: its size, its partitions as name → (offset, size), and where in flash the last one ends."""

    size: int
    partitions: dict[str, tuple[int, int]]
    end: int


# Where it comes from


def resolve(
    board: Board, file: Path | None, registry: Pins | None, tell: Tell = lambda words: None, now: int | None = None
) -> Path:
    """The image to flash: `file`, else the newest release, out of the cache if it was downloaded before.

    Raises NotFound file-missing; TimedOut image-offline if there is no network and nothing in the cache; Unverified
    image-changed if a pinned image is not what it was.
    """
    if file is not None:
        if not file.is_file():
            raise NotFound("file-missing", str(file))
        return file
    if registry is None:
        raise LocalError("image-site", "a downloaded image is pinned in a site, and there is none")
    pinned = {row.name: row.sha256 for row in registry.images()}
    try:
        url = newest(board)
    except TimedOut:
        if kept := _kept(board, pinned):
            tell(f"no network: using {kept.name}, which was downloaded before")
            return kept
        raise
    name = url.rpartition("/")[2]
    cached = cache() / name
    if not (cached.is_file() and sha256(cached) == pinned.get(name)):
        tell(f"downloading {name}")
        _download(url, cached, board, lambda digest: registry.pin_image(name, digest, now or int(time.time()), url))
    return cached


def cache() -> Path:
    """The folder of downloaded images."""
    return Path(platformdirs.user_cache_dir("admit", appauthor=False)) / "images"


def newest(board: Board) -> str:
    """The URL of the newest stable image that the board's download page names."""
    page = _fetch(board.download, board, 4 << 20).decode("utf-8", "replace")
    links = {urllib.parse.urljoin(board.download, link) for link in re.findall(r'href="([^"]+\.bin)"', page)}
    host = urllib.parse.urlsplit(board.download)[:2]
    fitting = [link for link in links if release(board, link) and urllib.parse.urlsplit(link)[:2] == host]
    if not fitting:
        raise NotFound("image-none", f"{board.download} names no image {board.image}-DATE-vVERSION.bin")
    return max(fitting, key=lambda link: release(board, link) or ())


def release(board: Board, name: str) -> tuple[int, ...] | None:
    """(1, 25, 0) of …/ESP32_GENERIC-20250415-v1.25.0.bin; None for another board's, a variant's or a preview's name."""
    found = re.fullmatch(rf"(?:.*/)?{re.escape(board.image)}-\d{{8}}-v(\d+)\.(\d+)(?:\.(\d+))?\.bin", name)
    return tuple(int(each or 0) for each in found.groups()) if found else None


def _kept(board: Board, pinned: dict[str, str]) -> Path | None:
    """The newest image of the board in the cache that is still what was pinned."""
    names = sorted((release(board, name) or (), name) for name in pinned if release(board, name))
    kept = [cache() / name for _, name in reversed(names)]
    return next((file for file in kept if file.is_file() and sha256(file) == pinned[file.name]), None)


def _download(url: str, target: Path, board: Board, pin: Callable[[str], None]) -> None:
    """Fetch, read through, pin, and only then keep."""
    data = _fetch(url, board, MAX_IMAGE)
    parse(data, board)
    pin(hashlib.sha256(data).hexdigest())
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, target)


def _fetch(url: str, board: Board, limit: int) -> bytes:
    """What `url` gives, whole. Over https, or from this machine itself."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise LocalError("image-insecure", f"{url} is not https")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            if urllib.parse.urlsplit(answer.url)[:2] != parts[:2]:
                raise LocalError("image-insecure", f"{url} leads elsewhere: {answer.url}")
            data = answer.read(limit + 1)
            expected = int(answer.headers.get("Content-Length") or len(data))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TimedOut("image-offline", f"{url}: {getattr(error, 'reason', error)}") from error
    if len(data) > limit:
        raise TooLarge("image-too-large", f"{url} is over {limit >> 20} MB")
    if len(data) != expected:
        raise TimedOut("image-offline", f"{url} broke off after {len(data)} of {expected} bytes")
    return data


def sha256(file: Path) -> str:
    """The sha256 of a file, in hex."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# What is in it


def check(file: Path, board: Board) -> Image:
    """Read through an image file. Raises NotFound file-missing and what `parse` does."""
    try:
        data = file.read_bytes() if file.stat().st_size <= MAX_IMAGE else b""
    except FileNotFoundError:
        raise NotFound("file-missing", str(file)) from None
    if not data:
        raise TooLarge("image-too-large", f"{file} is empty, or over {MAX_IMAGE >> 20} MB")
    version = release(board, file.name)
    if version and version < tuple(map(int, board.minimum_version.split("."))):
        raise Unsupported("image-too-old", f"{file.name}; {board.name} needs {board.minimum_version} or newer")
    return parse(data, board)


def parse(data: bytes, board: Board) -> Image:
    """What is in an image for `board`, every check of its own verified.

    Raises Malformed image-not-firmware, image-incomplete, image-damaged; Conflict image-other-chip, image-partitions;
    TooLarge image-too-large.
    """
    _verify_program(data, board, "bootloader")
    partitions = _table(data, board)
    for name, (offset, least) in board.partitions.items():
        if partitions.get(name, (0, 0))[0] != offset or partitions[name][1] < least:
            wanted = f"{name} at {offset:#x}, with {least:#x} bytes or more"
            raise Conflict("image-partitions", f"{board.name} wants {wanted}")
    place = partitions.get("factory") or partitions.get("ota_0")
    if place is None:
        raise Malformed("image-incomplete", "its partition table has no place for a program")
    offset, size = place
    app = data[offset - board.image_offset :]
    if len(app) > size:
        raise TooLarge("image-too-large", f"its program has {len(app):#x} bytes, its partition {size:#x}")
    _verify_program(app, board, "program")
    return Image(len(data), partitions, max(offset + size for offset, size in partitions.values()))


def program(file: Path, board: Board) -> bytes:
    """MicroPython's own image for `board` as it lies in an OTA partition: out of a whole image, or out of a file that
    holds nothing else (MicroPython's .app-bin).

    Raises Conflict release-image if the board has no second place for one, and what `check` does.
    """
    places = [board.partitions[name][1] for name in ("ota_0", "ota_1") if name in board.partitions]
    if len(places) != 2 or "otadata" not in board.partitions:
        raise Conflict("release-image", f"{board.name} has no second place for an image of MicroPython")
    data = file.read_bytes() if file.stat().st_size <= MAX_IMAGE else b""
    start = _TABLE_OFFSET - board.image_offset
    if data[start : start + 2] == _TABLE_MAGIC:
        check(file, board)
        data = data[board.partitions["ota_0"][0] - board.image_offset :]
    length = _verify_program(data, board, "program")
    if length > min(places):
        raise TooLarge("image-too-large", f"its program has {length:#x} bytes, its partition {min(places):#x}")
    return data[:length]


def _verify_program(data: bytes, board: Board, what: str) -> int:
    """One bootable program: its magic, chip, segments, their checksum, and the sha256 after them. Its length."""
    if len(data) < _HEADER or data[0] != _MAGIC:
        raise Malformed("image-not-firmware", f"there is no {what} where one should be")
    chip = int.from_bytes(data[12:14], "little")
    if CHIP_IDS.get(chip) != board.chip:
        raise Conflict("image-other-chip", f"its {what} is for {CHIP_IDS.get(chip, f'chip {chip}')}, not {board.chip}")
    end, checksum = _HEADER, 0xEF
    for _ in range(data[1]):
        start, end = end + 8, end + 8 + int.from_bytes(data[end + 4 : end + 8], "little")
        for byte in _folded(data[start:end]):
            checksum ^= byte
    end += 16 - end % 16  # the checksum is the last byte of a line of 16
    digest = data[end : end + 32] if data[23] else b""
    if end > len(data) or data[end - 1] != checksum:
        raise Malformed("image-damaged", f"the checksum of its {what} does not hold")
    if data[23] and digest != hashlib.sha256(data[:end]).digest():
        raise Malformed("image-damaged", f"the sha256 of its {what} does not hold")
    return end + len(digest)


def _folded(data: bytes) -> bytes:
    """256 bytes or fewer with the same sum by exclusive or: half and half, since a loop over a megabyte is slow."""
    number, length = int.from_bytes(data, "little"), len(data)
    while length > 256:
        length = (length + 1) // 2
        number = number >> 8 * length ^ number & (1 << 8 * length) - 1
    return number.to_bytes(length, "little")


def _table(data: bytes, board: Board) -> dict[str, tuple[int, int]]:
    """The partitions in an image: name → (offset, size). The MD5 that ends the table must be there, and hold."""
    start = _TABLE_OFFSET - board.image_offset
    table = data[start : start + _TABLE_SIZE]
    found: dict[str, tuple[int, int]] = {}
    if table[:2] != _TABLE_MAGIC:
        raise Malformed("image-incomplete", "it has no partition table: it is a part of an image, an update maybe")
    for at in range(0, len(table) - 31, 32):
        entry = table[at : at + 32]
        if entry[:16] == _TABLE_END and entry[16:] == hashlib.md5(table[:at], usedforsecurity=False).digest():
            return found
        place = int.from_bytes(entry[4:8], "little"), int.from_bytes(entry[8:12], "little")
        found[entry[12:28].rstrip(b"\0").decode("ascii", "replace")] = place
    raise Malformed("image-damaged", "the check of its partition table does not hold")
