"""What is left when the power fails during a restore or a recovery: whether it is ever a third state.

A Counter: `writes`, the points at which it failed; `cuts`, how often it did; how many left `thirds`, or had `lost` what
admins had done.
"""

import os
import shutil
from collections import Counter
from contextlib import closing

from admit import authority, recovery, restoring
from admit.site import Site
from admit_protocol.errors import AdmitError, Conflict
from power_cuts import cut_everywhere


def of_restore(kept, folder, url=None, step=1, sixteenths=8):
    """Of restoring a backup: what is found in `folder` and beside it is all of it or nothing, and one more attempt
    succeeds.
    """
    found, acts = Counter(), []

    def check(number):
        is_third = folder.exists() == _restores(kept, folder, url) or os.listdir(folder.parent) != [folder.name]
        with closing(Site(folder).registry) as registry:
            here = [path for path in folder.rglob("*") if path.is_file() and path.name != "registry.sqlite"]
            is_third |= not registry.devices() or len(here) != len(kept.files)
            acts.append(len(registry.changes()))
        found.update(cuts=1, thirds=int(is_third))
        shutil.rmtree(folder)

    points = cut_everywhere(lambda number: restoring.restore(kept, folder, url), check, step, sixteenths)
    with closing(Site(folder).registry) as registry:
        found["lost"] = sum(count != len(registry.changes()) for count in acts)
    shutil.rmtree(folder)
    return found + Counter(writes=points)


def _restores(kept, folder, url):
    """Whether a restore succeeds; it is refused only because the site is there."""
    try:
        restoring.restore(kept, folder, url).registry.close()
    except Conflict as error:
        assert error.reason == "site-exists"
        return False
    return True


def of_recovery(site, found, secret, old, new, sixteenths=8):
    """Of putting the authority back: one of two passphrases opens both keys, and the recovery file goes with it."""
    told, seen = Counter(), set()

    def check(number):
        states = [_opens(site, phrase) for phrase in (old, new)]
        is_third = sorted(states) != [False, True] or (site.folder / recovery.FILE).exists() != states[1]
        if states[1]:
            is_third |= recovery.open_file((site.folder / recovery.FILE).read_bytes(), secret).passphrase != new
        seen.add(tuple(states))
        authority.replace_files(site.folder, found.key_files)  # back to where it began
        is_third |= bool(list(site.folder.glob(".*")))
        (site.folder / recovery.FILE).unlink(missing_ok=True)
        told.update(cuts=1, thirds=int(is_third))

    points = cut_everywhere(lambda number: recovery.put_back(site, found, secret, new), check, 1, sixteenths)
    assert len(seen) == 2
    return told + Counter(writes=points)


def _opens(site, phrase):
    try:
        site.authority(lambda: phrase).key_files()
        return True
    except AdmitError:
        return False
