"""What is left when the power fails during a restore or a recovery: whether it is ever a third state."""

import os
import shutil
from contextlib import closing

from admit import authority, recovery, restoring
from admit.site import Site
from admit_protocol.errors import AdmitError, Conflict
from power_cuts import cut_everywhere


def of_restore(kept, folder, url=None, step=1):
    """(points, third states) of restoring a backup: what is found in `folder` and beside it is all of it or nothing,
    and one more attempt succeeds.
    """
    thirds = []

    def check(number):
        if folder.exists() == _restores(kept, folder, url) or os.listdir(folder.parent) != [folder.name]:
            thirds.append(number)
        with closing(Site(folder).registry) as registry:
            here = [path for path in folder.rglob("*") if path.is_file() and path.name != "registry.sqlite"]
            if not registry.devices() or len(here) != len(kept.files):
                thirds.append(number)
        shutil.rmtree(folder)

    points = cut_everywhere(lambda number: restoring.restore(kept, folder, url), check, step)
    shutil.rmtree(folder)
    return points, thirds


def _restores(kept, folder, url):
    """Whether a restore succeeds; it is refused only because the site is there."""
    try:
        restoring.restore(kept, folder, url).registry.close()
    except Conflict as error:
        assert error.reason == "site-exists"
        return False
    return True


def of_recovery(site, found, secret, old, new):
    """(points, third states) of putting the authority back: one of two passphrases opens both keys, and the recovery
    file goes with it.
    """
    thirds, seen = [], set()

    def check(number):
        states = [_opens(site, phrase) for phrase in (old, new)]
        if sorted(states) != [False, True] or (site.folder / recovery.FILE).exists() != states[1]:
            thirds.append(number)
        if states[1] and recovery.open_file((site.folder / recovery.FILE).read_bytes(), secret).passphrase != new:
            thirds.append(number)
        seen.add(tuple(states))
        authority.replace_files(site.folder, found.key_files)  # back to where it began
        if list(site.folder.glob(".*")):
            thirds.append(number)
        (site.folder / recovery.FILE).unlink(missing_ok=True)

    points = cut_everywhere(lambda number: recovery.put_back(site, found, secret, new), check)
    assert len(seen) == 2
    return points, thirds


def _opens(site, phrase):
    try:
        site.authority(lambda: phrase).key_files()
        return True
    except AdmitError:
        return False
