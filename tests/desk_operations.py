"""What an admin does from a desk: brings a release, exchanges a key, keeps or fetches a device, ends one.

Each is told to a real site (but for the release, which needs none) and a device of memory, in a folder of its own; and
can be told again, which ends it wherever it broke. `check()` raises operations.Third unless device and site are as they
were before or as they were to be, `over()` unless they are as they were to be. Broken by desk_cuts.py.
"""

import asyncio
import contextlib
import threading
from unittest import mock

from admit import ending, fetching, ownership, releases, rotating, syncing
from admit.client import Holder, Session
from admit.connection import Connection
from admit.updating import Patience, Update
from admit.visit import visit
from admit_device import trial
from admit_device.journal import Journal
from admit_device.releases import FLOOR, stored
from admit_protocol import cbor, coap
from admit_protocol.errors import AdmitError, NotFound
from cli_kiosk import another_site
from liars import Liar
from operations import hold, holds
from rotating_site import LATER, give_door, new_device
from sites import new_site, passphrase
from update_bench import Nobody
from update_work import NEW, OLD, Board, manifest, read_set, restart, set_hash
from visitors import SITE, grant_of, key_of

AT_ONCE = Patience(back=5, pause=0, leaves=0)
OPEN = cbor.encode({1: b"12345678", 2: {"seconds": 5}})


def in_a_thread(work):
    """Of what runs an event loop of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def run(work):
    async def main():
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(main())


class Operation:
    """One operation on `rig`. `do(reach)`: all of it, or what is left of it; `reach()` is a way to the device."""

    def __init__(self, folder):
        self.wrote = []  # (count, head) as of the last record that the device's journal wrote
        self.begin(folder)
        write = Journal.record

        def record(journal, *arguments):
            write(journal, *arguments)
            if journal is self.rig.device.journal:
                self.wrote = [(journal.count, journal.head)]

        self._patch = mock.patch.object(Journal, "record", record)
        self._patch.start()

    def close(self):
        self._patch.stop()

    def reach(self):
        return Liar(self.rig)

    def restart(self):
        """The device loses its power, and has it again."""
        self.rig.boot()

    def settle(self):
        """What the device does once its answer is out."""
        self.rig.pass_s(1)
        if self.rig.restarted is not None:
            self.rig.restarted = None
            self.restart()

    def lost(self):
        """Has the device forgotten a record?"""
        return any(not holds(self.rig.device.journal, *each) for each in self.wrote)


class Desk(Operation):
    """One for which there is a site, with Alice, who may open the door."""

    def begin(self, folder):
        self.site = new_site(folder / "site")
        self.rig = new_device(self.site)
        self.old, self.signer = self.rig.public, self.site.authority(passphrase)
        self.alice = give_door(self.site, "alice")
        assert self.opened()

    def close(self):
        super().close()
        self.site.registry.close()

    def opened(self):
        """Does Alice get in?"""

        async def go():
            async with visit(self.reach(), self.alice, "kiosk-1") as session:
                return (await session.request(coap.POST, "/r/open", OPEN)).code == coap.CHANGED

        try:
            return run(go())
        except AdmitError:
            return False


class Rotation(Desk):
    name = "rotation"

    def do(self, reach):
        wallet = self.site.wallet("admin")
        run(rotating.exchange(reach, self.site, self.signer, wallet, "kiosk-1", LATER, lambda words: None))

    def check(self):
        hold(self.opened(), "no key works")
        hold(self.rig.device.identity.key.public in self.site.registry.device_keys("kiosk-1"), "a key nobody knows")

    def over(self):
        keys = self.site.registry.device_keys("kiosk-1")
        hold(keys[-1] == self.rig.device.identity.key.public != keys[0] == self.old, "not the new key")
        hold(self.site.registry.rotation("kiosk-1") is None and self.opened(), "not ended")


class Decommission(Desk):
    name = "decommission"

    def do(self, reach):
        if any(each.id == "kiosk-1" for each in self.site.registry.devices()):
            wallet = self.site.wallet("admin")
            said = run(ending.end(reach, self.site, wallet, "kiosk-1", "sold", LATER, lambda words: None))
            ending.keep(self.site, self.signer, "kiosk-1", said, LATER)

    def check(self):
        state = self.rig.device.identity.state
        hold(state == "factory" or state == "commissioned" and self.opened(), "neither alive nor gone")

    def lost(self):
        return self.rig.device.identity.state == "commissioned" and super().lost()

    def over(self):
        hold(self.rig.device.identity.state == "factory" and not self.rig.keystore.files, "not wiped")
        proven = ending.prove(ending.known(self.site, "kiosk-1"), self.site.anchor.site_id)
        hold(all(proven.said.count >= count for count, _ in self.wrote), "its last word knows less than it did")


class Transfer(Desk):
    name = "transfer"

    def begin(self, folder):
        super().begin(folder)
        self.other = another_site(folder, "other")
        self.parcel = ownership.give(self.site, self.signer, "kiosk-1", self.other.anchor, LATER)

    def close(self):
        super().close()
        self.other.registry.close()

    def do(self, reach):
        with contextlib.suppress(NotFound):  # taken back already
            ownership.take_back(self.site, self.signer, "kiosk-1", LATER)

        async def go():
            async with visit(reach(), self.site.wallet("admin"), "kiosk-1") as session:
                await syncing.deliver(session, self.site.registry, "kiosk-1", self.site.wallet("admin"))

        run(go())

    def check(self):
        hold(self.opened(), "it serves nobody")
        row = self.site.registry.device("kiosk-1")
        hold(row.held_epoch <= self.rig.device.access.epoch <= row.epoch, "another policy than was made")

    def over(self):
        hold(self.parcel.vouchers[0].hash[:8] in self.rig.device.access.revoked, "the promise holds")
        hold(not self.site.registry.pending_bundles(), "something waits")


class Adoption(Transfer):
    name = "adoption"

    def do(self, reach):
        async def go():
            async with Connection(reach()) as connection:
                desk = self.other, self.other.authority(passphrase), self.other.wallet("admin")
                return await fetching.fetch(connection, *desk, self.parcel, "kiosk-1", lambda words: None)

        told = run(go())
        ownership.accept_receipt(self.site, self.signer, told.receipt, LATER)

    def owner(self):
        """Whose it is by its own word; the old site's people get in while it is the old one's."""
        anchor = self.rig.device.identity.anchor
        return anchor and anchor.site_id

    def check(self):
        old, new = self.site.anchor.site_id, self.other.anchor.site_id
        hold(self.owner() in (old, new) and self.opened() == (self.owner() == old), "a third owner")

    def lost(self):
        return self.owner() == self.site.anchor.site_id and super().lost()

    def over(self):
        hold(self.owner() == self.other.anchor.site_id, "not fetched")
        hold(not self.site.registry.devices(), "the old site lists it")
        hold([each.id for each in self.other.registry.devices()] == ["kiosk-1"], "the new one does not")


class Bringing(Operation):
    """An update. A release that was switched proves itself before anybody speaks to the board again."""

    name = "update"

    def begin(self, folder):
        self._board = Board().__enter__()
        self.rig, self._made = self._board.rig, releases.pack(manifest(), NEW)

    def close(self):
        super().close()
        self._board.__exit__()

    def restart(self):
        restart(self.rig)

    def settle(self):
        super().settle()
        if self.rig.trial == "on":
            trial.prove(self.rig.device)

    def do(self, reach):
        @contextlib.asynccontextmanager
        async def session():
            in_a_thread(self.settle)
            async with Connection(reach()) as connection:
                holder = Holder(key_of("admin"), grant_of("admin"), SITE.anchor)
                made = Session(connection, holder, self.rig.credential)
                await made.start()
                yield made

        run(Update(session, self._made, Nobody(), patience=AT_ONCE).run())

    def check(self):
        hold(self.rig.set_hash in (set_hash(OLD), set_hash(NEW)), "a set that is none")

    def over(self):
        hold(self.rig.set_hash == set_hash(NEW) and self.rig.trial is None, "not updated")
        hold(read_set(self._board.root, "b") == NEW and stored(self.rig.device)[FLOOR] == 1, "not confirmed")


OPERATIONS = (Bringing, Rotation, Transfer, Adoption, Decommission)
