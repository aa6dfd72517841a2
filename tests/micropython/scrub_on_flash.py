"""What is left of a site on a real littlefs once its device was wiped: nothing that reads the flash finds any of it.

    MICROPYPATH=firmware:tests:tests/micropython:.frozen micropython tests/micropython/scrub_on_flash.py

Prints one line of JSON: how often each secret stands on the flash while the device lives, once its files are removed,
once the flash was scrubbed, and once that was cut by a loss of power and gone on with at the next start.
"""

import json

import vfs
from journal_on_flash import Flash, PowerCut

from admit_protocol import cbor, coap, grant
from memory_ports import Dice, HandClock, Memory
from ports.esp32.scrub import NOTE, scrub
from ports.folder import FolderStorage, make_folder
from rig import Rig
from visitors import ROUTINES, SITE, Visitor, grant_of, id_of

ROOT, BLOCKS = "/flash", 64
DATA = ROOT + "/data"


class Kiosk(Rig):
    """One whose storage is on a flash; its key store is another thing, as an ESP32's NVS is."""

    def __init__(self, flash):
        self.site, self.namespace, self.profile = SITE, ROUTINES, None
        self.clock, self.dice, self.keystore = HandClock(), Dice(b"device"), Memory()
        self.storage = mounted(flash)
        self.boot()
        self.commission(SITE, "kiosk-1")


def mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    return FolderStorage(make_folder(DATA))


def live(kiosk):
    """People come, one is revoked, much is journalled."""
    for name in ("alice", "bob"):
        assert Visitor(kiosk, name).invoke("open").code == coap.CHANGED
    bundle = SITE.bundle(1, [id_of(grant_of("bob"))], to=kiosk.seal_public)
    alice = Visitor(kiosk)
    assert alice.ask(coap.POST, "/bundle", bundle).code == coap.CHANGED
    for number in range(45):
        alice.invoke("open", b"%08d" % number)


def secrets():
    given = grant_of("alice")
    return {
        "user": b"alice",
        "grant": given[40:80],
        "grant's file": grant.kid_of(given).hex().encode(),
        "record": b"/r/open",
        "journal's file": b"journal-",
    }


def found(image):
    """How often each stands there."""
    return {name: count(image, each) for name, each in secrets().items()}


def count(image, wanted):
    number, at = 0, image.find(wanted)
    while at >= 0:
        number, at = number + 1, image.find(wanted, at + 1)
    return number


def scrubbed(image, cut=None):
    """What is found once a flash was scrubbed; power goes at a write, and the next start goes on."""
    flash = Flash(BLOCKS, image)
    storage = mounted(flash)
    flash.dies_at = cut
    try:
        scrub(storage, DATA, lambda: None, True)
    except PowerCut:
        pass
    vfs.umount(ROOT)
    flash = Flash(BLOCKS, flash.image) if cut else flash
    if cut:
        storage = mounted(flash)
        assert NOTE in storage.names(), "nobody knows that it was under way"
        scrub(storage, DATA, lambda: None, True)
        vfs.umount(ROOT)
    storage = mounted(flash)
    assert storage.names() == ["boots", "time-floor", "wiped"], storage.names()
    vfs.umount(ROOT)
    return found(flash.image), flash.writes


def main():
    flash = Flash(BLOCKS)
    vfs.VfsLfs2.mkfs(flash)
    kiosk = Kiosk(flash)
    live(kiosk)
    told = {"alive": found(flash.image)}
    assert Visitor(kiosk, "admin").ask(coap.POST, "/identity", cbor.encode({4: 3, 6: "sold"})).code == coap.CHANGED
    kiosk.pass_s(1)
    assert kiosk.scrubbed is True
    vfs.umount(ROOT)
    told["removed"] = found(flash.image)
    told["scrubbed"], writes = scrubbed(bytes(flash.image))
    told["cut"] = [scrubbed(bytes(flash.image), at)[0] for at in range(60, writes, writes // 3)]
    print(json.dumps(told))


main()
