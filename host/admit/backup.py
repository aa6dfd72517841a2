"""A backup of a site: all that its folder and its registry hold, as one archive.

Owns: which files those are, and what the manifest tells of the site. The registry goes as one SQLite file, whatever
database it is in; keys go as they are, encrypted where they are.
Rules: registry and files are of one moment. What is packed is read back before it is handed out. That a backup was
made is noted in the registry once it is in its place: whatever is restored of it is told the same.
Must not know: how an archive is encrypted and where it is kept; how a site is made of one (restoring.py).
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from admit import archive, registry_saving
from admit.archive import Entry
from admit.registry import SCHEMA, create_registry, is_newer
from admit.site import Site, registry_url
from admit_protocol.errors import LocalError, Malformed, Unsupported

FORM = "admit-backup"
REGISTRY = "registry.sqlite"  # in an archive; a site's own files stand below:
FOLDER = "site/"
MADE = "backup"  # as what the registry notes that there is one

_BESIDE_SQLITE = ("", "-journal", "-wal", "-shm")


@dataclass(frozen=True)
class Backup:
    """What a backup holds: of which site (its name and its id, 16 bytes), made when (unix seconds), its files, its
    registry as SQLite wrote it.
    """

    site: str
    site_id: bytes
    made_at: int
    files: list[Entry]
    registry: bytes


def make(site: Site, now: int) -> bytes:
    """A site's backup, not encrypted yet. Raises LocalError backup-link, Busy registry-busy."""
    with tempfile.TemporaryDirectory(prefix="admit-backup-") as folder:
        snapshot = Path(folder) / REGISTRY
        with site.registry.held() as connection:
            registry_saving.save(connection, snapshot, create_registry)
            files = list(_files(site))
        entries = [*files, Entry(REGISTRY, snapshot.read_bytes())]
    told = {"site": site.name, "site_id": site.anchor.site_id.hex(), "made_at": now, "schema": SCHEMA}
    data = archive.pack(FORM, told, entries)
    parse(data)
    return data


def parse(data: bytes) -> Backup:
    """What is in a backup. Raises what archive.unpack does, Unsupported archive-newer for a newer registry too."""
    told, entries = archive.unpack(FORM, data)
    files = [entry for entry in entries if entry.name.startswith(FOLDER)]
    others = [entry for entry in entries if not entry.name.startswith(FOLDER)]
    if [entry.name for entry in others] != [REGISTRY] or len({entry.name for entry in entries}) != len(entries):
        raise Malformed("archive-damaged", "its files are not those of a site")
    site, site_id, made_at, schema = (told.get(name) for name in ("site", "site_id", "made_at", "schema"))
    try:
        day(made_at)  # type: ignore[arg-type]
        found = Backup(str(site), bytes.fromhex(str(site_id)), int(made_at), files, others[0].data)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        raise Malformed("archive-damaged", "its manifest does not say what it is a backup of") from None
    if is_newer(str(schema)):
        raise Unsupported("archive-newer", f"its registry has schema {schema}, this admit knows {SCHEMA}")
    return found


def note(site: Site, made_at: int, file: str) -> None:
    """There is a backup, made at that moment (unix seconds), in a file of this name. Raises Busy registry-busy."""
    site.registry.note(made_at, site.setting("user") or "admin", MADE, file)


def last(site: Site) -> int | None:
    """When the newest backup that this site knows of was made (unix seconds), or None."""
    return site.registry.last_done(MADE)


def day(moment: int) -> str:
    """A moment (unix seconds) as people read it, in UTC."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _files(site: Site) -> Iterator[Entry]:
    """Each file of the site's folder but the registry's; what begins with a dot was being written when it was cut."""
    left_out = _registry_files(site)
    for path in sorted(site.folder.rglob("*")):
        name = path.relative_to(site.folder)
        if any(step.startswith(".") for step in name.parts) or path.resolve() in left_out:
            continue
        if path.is_symlink() and path.is_dir() or not path.is_dir() and not path.is_file():
            raise LocalError("backup-link", f"{path} is neither a file nor a folder")
        if path.is_file():
            state = path.stat()
            is_secret = not state.st_mode & 0o004
            yield Entry(FOLDER + name.as_posix(), path.read_bytes(), is_secret, state.st_mtime_ns)


def _registry_files(site: Site) -> set[Path]:
    """The files of a registry that is in the site's folder."""
    url = make_url(registry_url(site.folder, site.setting("registry")))
    if not url.drivername.startswith("sqlite") or not url.database:
        return set()
    return {Path(url.database + end).resolve() for end in _BESIDE_SQLITE}
