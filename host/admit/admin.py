"""What an admin does: each function is one act on a site, done whole or not at all.

Owns: the order of steps between authority, registry and wallets, so that an act cut short can be repeated.
Rules: what needs the authority is signed before the registry changes; the registry's transaction is what counts.
Must not know: how an act was asked for, and how the result is shown.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from admit import authority, groups, wallet
from admit.authority import Authority
from admit.editing import Edit, editing, first_bundle
from admit.granting import grant_access
from admit.names import check_name
from admit.registry import Registry, create_registry
from admit.registry_models import GrantRow, Key
from admit.registry_people import put_key, put_user, user_of
from admit.site import Site, registry_url, wallet_folder, write_config
from admit.statements import Statement
from admit.withdrawing import revoke_grant
from admit_protocol import rule
from admit_protocol.errors import Conflict

EVERYTHING: list[tuple[str, int, dict]] = [("*", rule.ALL_METHODS, {})]
EVERYWHERE = ["*"]

_ADMINS_MAY_PASS_ON = 2  # times: what an admin pairs by hand at a device, and what its owner passes on


@dataclass(frozen=True)
class Access:
    """What is granted: rules, those of a role too, on devices whose names match a pattern, within a life (unix seconds
    or None), on `conditions` that hold for each rule; it may be passed on `delegate` times.
    """

    audience: list[str]
    rules: list[tuple[str, int, dict]]
    not_before: int | None = None
    expires: int | None = None
    role: str | None = None
    conditions: dict = field(default_factory=dict)
    delegate: int = 0


def check_new_site(folder: Path, admin: str) -> None:
    """Whether a site can be made in `folder`. Raises Conflict site-exists, LocalError admin-name."""
    check_name(admin)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Whether there is room for a site in `folder`. Raises Conflict site-exists."""
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
    site = Site(folder)
    site.registry = create_registry(registry_url(folder, site.setting("registry")))
    try:
        keys = wallet.create(wallet_folder(folder, admin), signer.anchor)
        with editing(site, signer, now, who=admin) as edit:
            put_user(edit.session, admin, keys.publics, now)
            edit.note("init", name)
            everything = Access(EVERYWHERE, EVERYTHING, delegate=_ADMINS_MAY_PASS_ON)
            grant_access(edit, statement(groups.USER + admin, everything))
    finally:
        site.registry.close()


def add_user(site: Site, name: str, publics: list[bytes] | None, now: int) -> Key:
    """Add a user, with the public keys that they sent, or with a new wallet here. Raises Conflict registry-….

    A wallet that is there already, because an earlier attempt stopped half-way, is taken as it is.
    """
    check_name(name)
    registry: Registry = site.registry
    if publics is None:
        if any(user.name == name for user in registry.users()):
            raise Conflict("registry-user-exists", f"there is a user {name} already")
        folder = wallet_folder(site.folder, name)
        whole = (folder / "public.pem").exists()
        publics = (wallet.Wallet(folder) if whole else wallet.create(folder, site.anchor)).publics
    return registry.add_user(name, publics, now)


def add_key(edit: Edit, name: str, publics: list[bytes]) -> Key:
    """Give a user another key: they are granted with it what they are granted. Raises NotFound registry-no-user,
    Conflict user-revoked or registry-key-exists.
    """
    if user_of(edit.session, name).revoked_at is not None:
        raise Conflict("user-revoked", f"{name} was revoked")
    key = put_key(edit.session, name, publics, edit.now)
    edit.touch_users([name])
    edit.note("key", f"{key.fingerprint} of {name}")
    return key


def statement(subject: str, access: Access) -> Statement:
    """What `access` says of a subject, user:NAME or group:NAME."""
    return Statement(
        subject,
        tuple(access.audience),
        tuple((pattern, methods, conditions) for pattern, methods, conditions in access.rules),
        access.role,
        access.conditions,
        access.not_before,
        access.expires,
        access.delegate,
    )


def give(site: Site, signer: Authority, user: str, access: Access, now: int) -> GrantRow:
    """Grant something to a user; the grant for their newest key. A local wallet gets it at once.

    Raises NotFound registry-no-user, Conflict statement-exists, and as granting.grant_access does.
    """
    newest = site.registry.keys(user)[0].fingerprint
    with editing(site, signer, now) as edit:
        grant_access(edit, statement(groups.USER + user, access))
    return next(row for row in edit.changes.issued if row.fingerprint == newest)


def revoke(site: Site, signer: Authority, rows: list[GrantRow], now: int) -> list[str]:
    """Take grants back, and what they were issued for. Returns the ids of the devices that must hear of it.

    The bundles then wait in `registry.pending_bundles()`; whoever delivers one reports `registry.bundle_held()`.
    """
    with editing(site, signer, now) as edit:
        for row in rows:
            known = edit.session.get(GrantRow, row.id)
            if known and known.revoked_at is None:
                revoke_grant(edit, known)
    return edit.changes.devices


def commission(site: Site, signer: Authority, device_id: str, public: bytes, seal_public: bytes, now: int) -> bytes:
    """Take a device into the site: its credential. What it must hear of from the start waits as its first bundle.

    Raises Conflict registry-device-exists if the name is taken by another key.
    """
    check_name(device_id)
    data = signer.issue_credential(device_id, public, seal_public, now)
    site.registry.add_device(data, now, lambda session, device: first_bundle(signer, session, device, now))
    return data
