"""Power cuts and broken links in everything that changes what a device is or whose: how many, and what they left.

At every write to the flash of a device (a real littlefs), torn in 16 ways; again at every write of the start that
follows; at every message, which is lost, or unanswered, or comes twice, while the device lives on or goes down with it;
and at everything that the admin's own disk is asked, restores too.
"""

import os
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from unittest import mock

from figures import figure
from rich.console import Console
from rich.table import Table

import age_peer
import desk_cuts
import desk_operations
import flash_cuts
import restore_cuts
from admit import admin, age_file, backup, keyfiles, recovery, restoring, shares
from sites import NOW, PASSPHRASE, SEALED, new_site, passphrase

LEAST = 20_000
TORN = range(16)  # sixteenths of a write to a flash that are there
TORN_AGAIN = (0, 5, 10, 15)
TORN_AT_DESK = (0, 8)
USERS = 4  # each with a wallet of its own in the site's folder
NEW = "another passphrase"
COLUMNS = ("writes", "messages", "cuts", "bricks", "thirds", "lost")
HEADINGS = ("operation", "writes", "messages", "cuts", "bricks", "third states", "lost records")


def main():
    """All of it in one table, and the figures."""
    rows = {name: Counter() for name in (*flash_cuts.STORIES, *flash_cuts.OPERATIONS, "restore", "recovery")}
    for name, found in [*on_flash(), *at_desks(), *at_restores()]:
        rows[name] += found
    show(rows)
    total = sum(rows.values(), Counter())
    yield figure("power cuts and broken messages", total["cuts"], least=LEAST)
    for kind, name in (("bricks", "bricks"), ("thirds", "third states"), ("lost", "lost records")):
        yield figure(name, total[kind], 0)


def show(rows):
    """The table."""
    table = Table(title=f"cuts; a write to a flash is torn in {len(TORN)} ways, one at a desk in {len(TORN_AT_DESK)}")
    for each in HEADINGS:
        table.add_column(each, justify="left" if each == "operation" else "right")
    for name, found in rows.items():
        table.add_row(name, *(f"{found[each]:,}" for each in COLUMNS))
    Console().print(table)


def on_flash():
    """(operation, Counter) of the devices' flashes."""
    names = [*flash_cuts.STORIES, *flash_cuts.OPERATIONS]
    work = [(name, how, parts) for name in names for how, parts in (("again", TORN_AGAIN), ("state", TORN))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = pool.map(lambda each: flash_cuts.cuts(each[0], 1, *each[1:]), work)
        for (name, how, _), found in zip(work, map(Counter, told), strict=True):
            del found["states"]
            if how == "again":
                del found["writes"]  # the same ones
            yield name, found


def at_desks():
    """(operation, Counter) of messages, and of the disk of whoever sends them."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in desk_operations.OPERATIONS:
            yield kind.name, desk_cuts.of_messages(kind, Path(folder))
            if kind is not desk_operations.Bringing:  # its desk writes nothing
                for number, part in enumerate(TORN_AT_DESK):
                    yield kind.name, once(number, desk_cuts.of_writes(kind, Path(folder), 1, part))


def at_restores():
    """(operation, Counter) of the disk of whoever restores a site, or the authority."""
    with tempfile.TemporaryDirectory() as name, no_work():
        folder = Path(name)
        kept = filled(folder / "site")
        for number, part in enumerate(TORN_AT_DESK):
            url = f"sqlite:///{folder}/other-{part}.sqlite"
            yield "restore", once(number, restore_cuts.of_restore(kept, folder / "inside/site", None, 1, part))
            yield "restore", once(number, restore_cuts.of_restore(kept, folder / "outside/site", url, 1, part))
            yield "recovery", once(number, recovering(restoring.restore(kept, folder / f"recovered-{part}"), part))


def once(number, found):
    """The writes are the same ones each time."""
    return found - Counter(writes=found["writes"] if number else 0)


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


def recovering(site, part):
    with closing(site.registry), mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        data, words = recovery.create(site, PASSPHRASE, 5, 3)
        secret = shares.combine(words[:3])
        found = recovery.open_file(data, secret)
        return restore_cuts.of_recovery(site, found, secret, PASSPHRASE, NEW, part)
