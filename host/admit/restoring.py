"""A site made of its backup, on a machine that has nothing else of it.

Owns: the order of steps, and where the registry goes: into the folder, or into the database that a setting names.
Rules: the folder appears whole or not at all, by one rename at the end. A restore that was cut short is done again from
the beginning, and finds in its way neither its own leavings nor a registry that it has filled.
Must not know: how a backup was encrypted.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from admit import keyfiles
from admit.admin import check_folder
from admit.backup import FOLDER, Backup
from admit.registry import create_registry, open_registry
from admit.site import Site, read_toml, registry_url, write_config
from admit_protocol.errors import AdmitError, Conflict, Malformed

_SCRATCH = ".registry.sqlite"


def restore(backup: Backup, folder: Path, registry: str | None = None, change=lambda site: None) -> Site:
    """Make the site of `backup` in `folder`; its registry where `registry` says, or the site's own setting.

    `change` is called with the site while nobody sees it yet. Raises Conflict site-exists, registry-exists,
    restore-elsewhere, Malformed archive-damaged if it is no site, and what open_registry and create_registry do.
    """
    check_folder(folder)
    with _building(folder) as building:
        _write(backup, building)
        if registry:
            write_config(building, read_toml(building / "site.toml") | {"registry": registry})
        site = _site(backup, building)
        if not registry and "ADMIT_REGISTRY" not in os.environ:
            _check_place(site)
        _put_registry(backup.registry, site)
        change(site)
        os.replace(building, folder)
        _sync_folder(folder.parent)
    return Site(folder)


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder`, locked while it is ours; what others of its kind left that died goes first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.restore-"
    for left in folder.parent.glob(f"{prefix}*"):
        with _lock(left) as ours:
            if ours:
                shutil.rmtree(left, ignore_errors=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=prefix))
    with _lock(building):
        try:
            yield building
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Whether nobody else has locked the folder; we have, then."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _write(backup: Backup, building: Path) -> None:
    for entry in backup.files:
        path = building / entry.name.removeprefix(FOLDER)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keyfiles.write_file(path, entry.data, entry.secret)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))  # a wallet's newest grant is its newest file


def _site(backup: Backup, building: Path) -> Site:
    """The site that was written, if it is the one that the manifest names."""
    try:
        site = Site(building)
        if site.anchor.site_id == backup.site_id:
            return site
    except AdmitError:
        pass
    raise Malformed("archive-damaged", "its files are not those of a site")


def _check_place(site: Site) -> None:
    """No backup says where else on this machine a file is made: whoever restores it does. A database has its own say.

    Raises Conflict restore-elsewhere.
    """
    own = read_toml(site.folder / "site.toml").get("registry")
    if own and not _is_inside(own) and registry_url(site.folder, own).startswith("sqlite"):
        raise Conflict("restore-elsewhere", f"its registry was in {own}, outside of its folder")


def _put_registry(data: bytes, site: Site) -> None:
    """The registry, brought up to this version, to where the site looks for it."""
    setting = site.setting("registry")
    url = registry_url(site.folder, setting)
    if not _is_inside(setting):
        scratch = site.folder / _SCRATCH
        keyfiles.write_file(scratch, data)
        _fill(f"sqlite:///{scratch}", url)
        scratch.unlink()
        return
    file = Path(url.removeprefix("sqlite:///"))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyfiles.write_file(file, data)
    open_registry(url).close()


def _is_inside(setting: str | None) -> bool:
    """Whether a registry is a file in the site's folder."""
    return not setting or "://" not in setting and not Path(setting).is_absolute() and ".." not in Path(setting).parts


def _fill(source_url: str, url: str) -> None:
    source = open_registry(source_url)
    try:
        target = _open_or_create(url)
        try:
            with source.reading() as session:
                target.fill(session.connection())
        finally:
            target.close()
    finally:
        source.close()


def _open_or_create(url: str):
    try:
        return create_registry(url)
    except Conflict:
        return open_registry(url)


def _sync_folder(folder: Path) -> None:
    """The rename itself is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
