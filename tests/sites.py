"""Sites for tests: whole, real, and quick to make, because their keys are encrypted at scrypt's lowest cost."""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

from admit import admin, keyfiles
from admit.site import Site
from admit.suite import HostSuite
from admit_protocol import bundle

PASSPHRASE = "correct horse battery"
NOW = 1_800_000_000  # 2027-01-15 08:00 UTC, a Friday
SEALED = HostSuite().private_key(bytes(31) + b"\x09").public  # to which bundles for a device are sealed


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="admit-test-")) / "site"
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        admin.create_site(folder, "Test site", PASSPHRASE, "admin", {"tz": "Europe/Berlin"}, NOW)
    return folder


def new_site(folder: Path) -> Site:
    """A new site in `folder`, with the user `admin`; every test's has the same keys."""
    shutil.copytree(_template(), folder)
    return Site(folder)


def site_on(folder: Path, url: str) -> Site:
    """A new site whose registry is at `url`."""
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        admin.create_site(folder, "Test site", PASSPHRASE, "admin", {"tz": "Europe/Berlin", "registry": url}, NOW)
    return Site(folder)


def forget_settings(monkeypatch, home: Path) -> None:
    """No setting of whoever runs the tests counts in them; `home` is where a test may put its own."""
    for name in ("SITE", "REGISTRY", "TZ", "PASSPHRASE_FILE", "KEYRING", "USER", "VIA", "WALLET", "PAGE"):
        monkeypatch.delenv(f"ADMIT_{name}", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))


def passphrase() -> str:
    """What unlocks the authority."""
    return PASSPHRASE


def opened(row):
    """The bundle that a registry's row holds sealed, as a device commissioned with SEALED reads it."""
    key = HostSuite().private_key(bytes(31) + b"\x09")
    return bundle.parse(bundle.open_sealed(row.data, key, HostSuite()))


def told(site, device_id, epoch=0, state=bundle.NOTHING):
    """The policy, as bundle.NOTHING has it, of a device at `epoch` that takes whatever waits for it."""
    for row in site.registry.bundles_after(device_id, epoch):
        made = opened(row)
        bundle.verify(made, site.anchor, device_id, HostSuite())
        assert made.epoch == row.epoch
        state = bundle.merge(state, made)
    return state
