"""A real site and registry, a device in this process, and a way between them that breaks where a test wants it to."""

import asyncio
import threading

from admit import admin
from admit.admin import Access
from admit_protocol.errors import TimedOut
from liars import Liar
from memory_ports import HandClock, Memory
from memory_ports import copied as copied_files
from rig import Rig
from sites import NOW, passphrase
from visitors import ROUTINES

LATER = NOW + 100  # what clocks show


class Vouching:
    """The site's authority as a Rig wants one; it commissions at LATER."""

    def __init__(self, site):
        self.site, self.anchor = site, site.anchor

    def vouch(self, device_id, public, seal_public=None):
        return admin.commission(self.site, self.site.authority(passphrase), device_id, public, seal_public, NOW)


def new_device(site, rig_type=Rig):
    """A Rig that is kiosk-1 of the site; its clock shows LATER."""
    rig = rig_type(ROUTINES, Vouching(site))
    rig.clock = HandClock(LATER)
    rig.boot()
    site.wallet("admin").add_device(rig.credential)
    return rig


def give_door(site, user):
    """A new user, who may open the door."""
    admin.add_user(site, user, None, NOW)
    admin.give(site, site.authority(passphrase), user, Access(["kiosk-1"], [("/r/open", 3, {})]), NOW)
    return site.wallet(user)


class Torn(Liar):
    """An honest way, which breaks for good at request number `cut`: before the device hears it, or after.

    The device loses its power at that moment, too, and starts again.
    """

    def __init__(self, rig, count, cut, heard):
        super().__init__(rig)
        self._rig, self._count, self._cut, self._heard = rig, count, cut, heard

    def answer(self, request):
        number, self._count[0] = self._count[0], self._count[0] + 1
        if number != self._cut:
            return self.truth(request)
        if self._heard:
            self.truth(request)
        starting = threading.Thread(target=self._rig.boot)  # it runs a loop of its own
        starting.start()
        starting.join()
        raise TimedOut("link-lost")

    async def send(self, data):
        try:
            await super().send(data)
        except TimedOut:
            self.values.put_nowait(None)
            raise


def run(work):
    async def main():
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(main())


def copied(rig):
    """What its key store and storage hold, to make another Rig of."""
    return [copied_files(store.files) for store in (rig.storage, rig.keystore)]


def restored(rig, files):
    """The rig as it was when `files` were copied."""
    rig.storage, rig.keystore = Memory(), Memory()
    rig.storage.files, rig.keystore.files = map(copied_files, files)
    rig.boot()
    return rig
