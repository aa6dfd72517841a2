"""Power cuts on the host: at each thing that a restore and a recovery ask of the file system, torn writes included."""

import tempfile
from contextlib import closing
from pathlib import Path
from unittest import mock

from figures import figure

import age_peer
import restore_cuts
from admit import admin, age_file, backup, keyfiles, recovery, restoring, shares
from sites import NOW, PASSPHRASE, SEALED, new_site, passphrase

USERS = 4  # each with a wallet of its own in the site's folder
NEW = "another passphrase"


def main():
    with tempfile.TemporaryDirectory() as name, no_work():
        folder = Path(name)
        kept = filled(folder / "site")
        inside = restore_cuts.of_restore(kept, folder / "inside/site")
        outside = restore_cuts.of_restore(kept, folder / "outside/site", f"sqlite:///{folder}/other.sqlite")
        recovered = recovering(restoring.restore(kept, folder / "recovered"))
    points, thirds = zip(inside, outside, recovered, strict=True)
    return [
        figure("power cuts in restores into a folder", points[0], unit="points"),
        figure("… with the registry in a database of its own", points[1], unit="points"),
        figure("… in recoveries of the authority", points[2], unit="points"),
        figure("third states", sum(map(len, thirds)), 0, "states"),
    ]


def no_work():
    """What protects passphrases costs nothing here."""
    return mock.patch.multiple(age_file, seal=age_peer.seal)


def filled(folder):
    """The backup of a site with a device and users."""
    site = new_site(folder)
    with closing(site.registry):
        admin.commission(site, site.authority(passphrase), "kiosk-1", bytes(range(64)), SEALED, NOW)
        for number in range(USERS):
            admin.add_user(site, f"u{number}", None, NOW)
        return backup.parse(backup.make(site, NOW))


def recovering(site):
    with closing(site.registry), mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        data, words = recovery.create(site, PASSPHRASE, 5, 3)
        secret = shares.combine(words[:3])
        found = recovery.open_file(data, secret)
        return restore_cuts.of_recovery(site, found, secret, PASSPHRASE, NEW)
