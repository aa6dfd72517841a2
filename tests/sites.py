"""Sites for tests: whole, real, and quick to make, because their keys are encrypted at scrypt's lowest cost."""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

from admit import admin, keyfiles
from admit.site import Site

PASSPHRASE = "correct horse battery"
NOW = 1_800_000_000  # 2027-01-15 08:00 UTC, a Friday


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


def passphrase() -> str:
    """What unlocks the authority."""
    return PASSPHRASE
