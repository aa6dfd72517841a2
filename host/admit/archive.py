"""A folder's files as one: a POSIX tar whose first entry is a manifest of all the others.

Owns: the form. `manifest.json` says what the archive is ("format", "version") and of each file its name, size, SHA-256,
mode and time; the files follow in that order. Any tar can take it apart.
Rules: what is read is exactly what the manifest says, in its order, and nothing more; no name leads out of a folder.
Whoever cannot read a newer version says so before looking at anything else.
Must not know: whose files they are, and that somebody encrypts them.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

from admit_protocol.errors import Malformed, Unsupported

MANIFEST = "manifest.json"
VERSION = 1

_SECRET, _PUBLIC = 0o600, 0o644  # the two modes that a file can have
_STEP = re.compile(r"[^/\\\0]+")
_MAX_MANIFEST = 16 * 1024 * 1024
_END_NS = 1 << 63  # what a file system can keep


@dataclass(frozen=True)
class Entry:
    """A file: its name, with slashes; what is in it; whether only its owner may read it; when it was written."""

    name: str
    data: bytes
    secret: bool = True
    mtime_ns: int = 0


def pack(form: str, told: dict, entries: Iterable[Entry]) -> bytes:
    """An archive of the form `form`; `told` is what else its manifest says."""
    entries = list(entries)
    manifest = {"format": form, "version": VERSION} | told | {"files": [_row(entry) for entry in entries]}
    head = Entry(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in [head, *entries]:
            tar.addfile(_header(entry), io.BytesIO(entry.data))
    return written.getvalue()


def unpack(form: str, data: bytes) -> tuple[dict, list[Entry]]:
    """What an archive's manifest tells, and its files.

    Raises Malformed archive-file if it is no archive of this form, Unsupported archive-newer, or Malformed
    archive-damaged.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            manifest = _manifest(form, tar)
            return manifest, [_entry(row, tar) for row in manifest["files"]] + _no_more(tar)
    except (tarfile.TarError, EOFError, ValueError, RecursionError):  # headers, or JSON, nested without end
        raise Malformed("archive-damaged", "it is not whole") from None


def _row(entry: Entry) -> dict:
    digest = hashlib.sha256(entry.data).hexdigest()
    mode = f"{_mode(entry):04o}"
    return {"name": entry.name, "size": len(entry.data), "sha256": digest, "mode": mode, "mtime_ns": entry.mtime_ns}


def _mode(entry: Entry) -> int:
    return _SECRET if entry.secret else _PUBLIC


def _header(entry: Entry) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.name)
    header.size, header.mode, header.mtime = len(entry.data), _mode(entry), entry.mtime_ns // 10**9
    return header


def _manifest(form: str, tar: tarfile.TarFile) -> dict:
    """The manifest, which is the first entry. What a newer version says after the form and version is not looked at."""
    first = tar.next()
    if first is None or first.name != MANIFEST or first.size > _MAX_MANIFEST:
        raise Malformed("archive-file", "there is no manifest in it")
    manifest = json.loads(_content(first, tar))
    if not isinstance(manifest, dict) or manifest.get("format") != form:
        raise Malformed("archive-file", f"it is no {form}")
    version = manifest.get("version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(version)
    if version > VERSION:
        raise Unsupported("archive-newer", f"it has version {version}, this admit knows {VERSION}")
    if not isinstance(manifest.get("files"), list):
        raise ValueError("files")
    return manifest


def _entry(row, tar: tarfile.TarFile) -> Entry:
    """The next file, which must be the one that the manifest's row describes."""
    member = tar.next()
    if member is None:
        raise EOFError
    data = _content(member, tar)
    if not _is_safe(member.name):
        raise ValueError(member.name)
    told = row if isinstance(row, dict) else {}
    entry = Entry(member.name, data, told.get("mode") == f"{_SECRET:04o}", told.get("mtime_ns", -1))
    if type(entry.mtime_ns) is not int or not 0 <= entry.mtime_ns < _END_NS or told != _row(entry):
        raise ValueError(member.name)
    return entry


def _no_more(tar: tarfile.TarFile) -> list[Entry]:
    """Nothing follows the last file."""
    if tar.next() is not None:
        raise ValueError("more than the manifest says")
    return []


def _content(member: tarfile.TarInfo, tar: tarfile.TarFile) -> bytes:
    is_file = member.isreg() and not member.issparse()  # holes cost nothing until they are read
    found = tar.extractfile(member) if is_file else None
    if found is None:
        raise ValueError(member.name)
    data = found.read()
    if len(data) != member.size:
        raise EOFError
    return data


def _is_safe(name: str) -> bool:
    """Whether a name stays below the folder that it is put into, on any system."""
    return all(_STEP.fullmatch(step) and step not in (".", "..") and ":" not in step for step in name.split("/"))
