"""What happens once: a start is counted and recorded, and a device that joins a site opens it."""

from admit_device import opening
from admit_protocol import cbor
from admit_protocol import journal as records
from memory_ports import Memory
from rig import Rig, Site


def kinds(rig):
    found = [cbor.decode(data) for data in rig.device.journal.kept().all()]
    return [record[2] for record in found]


def test_each_start_is_counted_and_recorded_once():
    rig = Rig(site=Site())
    assert (rig.device.boots, kinds(rig)) == (1, [records.COMMISSIONED])
    rig.boot()
    assert (rig.device.boots, kinds(rig)) == (2, [records.COMMISSIONED, records.BOOT])


def test_a_factory_device_opens_no_site():
    device = Rig().device
    assert (device.sessions, device.journal, device.access) == (None, None, None)


def test_joining_opens_the_site_and_joining_again_changes_nothing():
    rig = Rig(site=Site())
    sessions, count = rig.device.sessions, rig.device.journal.count
    opening.join(rig.device)
    assert rig.device.sessions is sessions and rig.device.journal.count == count
    assert rig.radio.name == "kiosk-1"


def test_a_start_that_could_not_be_counted_has_no_number():
    storage = Memory()
    storage.full = True
    assert opening._count_boot(storage) == 0
    storage.full = False
    assert [opening._count_boot(storage), opening._count_boot(storage)] == [1, 2]
