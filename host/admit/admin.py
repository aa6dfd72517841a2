"""What an admin does: each function is one act on a site, done whole or not at all.

Owns: the order of steps between authority, registry and wallets, so that an act cut short can be repeated.
Rules: what needs the authority is signed before the registry changes; the registry's transaction is what counts.
Must not know: how an act was asked for, and how the result is shown.
"""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from admit import authority, wallet
from admit.authority import Authority
from admit.registry import Registry, create_registry
from admit.registry_models import GrantRow, Key
from admit.site import Site, registry_url, wallet_folder, write_config
from admit_protocol import bundle, grant, rule, standing
from admit_protocol.errors import Conflict, LocalError

EVERYTHING: list[tuple[str, int, dict]] = [("*", rule.ALL_METHODS, {})]
EVERYWHERE = ["*"]

_NAME = re.compile(r"\w[\w.@+-]*")


@dataclass(frozen=True)
class Access:
    """What a grant is to allow: rules, on devices whose names match a pattern, within a life (unix seconds or None)."""

    audience: list[str]
    rules: list[tuple[str, int, dict]]
    not_before: int | None = None
    expires: int | None = None


def check_name(name: str) -> str:
    """`name` if it can name a user or a device. Raises LocalError admin-name."""
    if not _NAME.fullmatch(name) or len(name.encode()) > 64:
        raise LocalError("admin-name", f"'{name}' is no name: letters, digits and . _ @ + - after the first, 64 bytes")
    return name


def check_new_site(folder: Path, admin: str) -> None:
    """Whether a site can be made in `folder`. Raises Conflict site-exists, LocalError admin-name."""
    check_name(admin)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict("site-exists", f"{folder} is not an empty folder")


def create_site(folder: Path, name: str, passphrase: str, admin: str, config: dict[str, str], now: int) -> Site:
    """Make a site: authority, registry, and the first admin's wallet and grant. The folder appears whole or not at all.

    Raises Conflict site-exists, LocalError authority-passphrase, anchor-name or admin-name.
    """
    check_new_site(folder, admin)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _fill(building, name, passphrase, admin, config, now)
        os.replace(building, folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return Site(folder)


def _fill(folder: Path, name: str, passphrase: str, admin: str, config: dict[str, str], now: int) -> None:
    signer = authority.create(folder, name, passphrase)
    write_config(folder, config)
    registry = create_registry(registry_url(folder, Site(folder).setting("registry")))
    try:
        keys = wallet.create(wallet_folder(folder, admin), signer.anchor)
        registry.add_user(admin, keys.publics, now)
        data = _issue(signer, registry.keys(admin)[0], Access(EVERYWHERE, EVERYTHING), now)
        registry.add_grant(data, admin)
        keys.add_grant(data)
    finally:
        registry.close()


def add_user(site: Site, name: str, publics: list[bytes] | None, now: int) -> Key:
    """Add a user, with the public keys that they sent, or with a new wallet here. Raises Conflict registry-….

    A wallet that is there already, because an earlier attempt stopped half-way, is taken as it is.
    """
    check_name(name)
    if publics is None:
        if any(user.name == name for user in site.registry.users()):
            raise Conflict("registry-user-exists", f"there is a user {name} already")
        folder = wallet_folder(site.folder, name)
        whole = (folder / "public.pem").exists()
        publics = (wallet.Wallet(folder) if whole else wallet.create(folder, site.anchor)).publics
    return site.registry.add_user(name, publics, now)


def give(site: Site, signer: Authority, user: str, access: Access, now: int) -> GrantRow:
    """Issue a grant to a user's newest key; a local wallet gets it at once. Raises NotFound registry-no-user."""
    key = site.registry.keys(user)[0]
    data = _issue(signer, key, access, now)
    row = site.registry.add_grant(data, user)
    folder = wallet_folder(site.folder, user)
    if (folder / "public.pem").exists():
        keys = wallet.Wallet(folder)
        if keys.publics[0] == key.public:
            keys.add_grant(data)
    return row


def revoke(site: Site, signer: Authority, rows: list[GrantRow], now: int) -> list[str]:
    """Take grants back: a bundle with a new epoch for each device that one of them is for. Returns those devices' ids.

    The bundles then wait in `registry.pending_bundles()`; whoever delivers one reports `registry.bundle_held()`.
    """
    registry: Registry = site.registry
    before = registry.revoked()
    rows = [row for row in rows if row.id not in before]
    newly = [grant.parse(row.data) for row in rows]
    gone = newly + [grant.parse(row.data) for row in registry.revoked_grants(now)]
    bundles = []
    for device in registry.devices():
        if _ids_for(device.id, newly):
            bundles.append(signer.issue_bundle(device.id, device.epoch + 1, _ids_for(device.id, gone), now))
    registry.revoke([row.id for row in rows], bundles, now)
    return [bundle.parse(data).device_id for data in bundles]


def commission(site: Site, signer: Authority, device_id: str, public: bytes, now: int) -> bytes:
    """Take a device into the site: its credential. Revocations made before it came wait for it as its first bundle.

    Raises Conflict registry-device-exists if the name is taken by another key.
    """
    check_name(device_id)
    data = signer.issue_credential(device_id, public, now)
    is_new = all(device.id != device_id for device in site.registry.devices())
    site.registry.add_device(data, now, first_bundle(site, signer, device_id, now) if is_new else None)
    return data


def first_bundle(site: Site, signer: Authority, device_id: str, now: int) -> bytes | None:
    """What a new device must hear of: the revocations made before it came. None if there are none.

    Its epoch is above that of every bundle that a device of this name was sent before.
    """
    registry: Registry = site.registry
    gone = _ids_for(device_id, [grant.parse(row.data) for row in registry.revoked_grants(now)])
    epoch = registry.next_epoch(device_id)
    return signer.issue_bundle(device_id, epoch, gone, now) if gone or epoch > 1 else None


def _ids_for(device_id: str, grants: list[grant.Grant]) -> list[bytes]:
    """The ids of those grants that are for `device_id`."""
    return [given.id for given in grants if standing.is_for(given, device_id)]


def _issue(signer: Authority, key: Key, access: Access, now: int) -> bytes:
    return signer.issue_grant(
        key.user_name,
        access.audience,
        access.rules,
        key.public,
        now,
        key.sig_public,
        access.not_before,
        access.expires,
    )
