"""Which keys an invite has let in: as many as it was made for, for good, and one write each."""

from admit_device.enrolled import enrol, is_enrolled
from admit_protocol import cbor
from admit_protocol.errors import Busy, Denied, StorageError
from memory_ports import Memory, PowerCut
from support import raises

KEYS = [bytes([number]) * 64 for number in range(1, 6)]
FLOOR = 1000


class Invite:
    """As much of a standing.Grant as counts here."""

    def __init__(self, number=1, enrol=2, expires=5000):
        self.id, self.enrol, self.expires = number.to_bytes(8, "big"), enrol, expires


def let_in(storage, invite, key, floor=FLOOR):
    noted = []
    enrol(storage, invite, key, floor, lambda: noted.append(storage.changes))
    return noted


def test_as_many_as_it_is_for_each_written_down_first_and_once():
    storage, invite = Memory(), Invite()
    assert not is_enrolled(storage, invite.id, KEYS[0])
    assert let_in(storage, invite, KEYS[0]) == [0]
    assert let_in(storage, invite, KEYS[0]) == [] and storage.changes == 1
    assert let_in(storage, invite, KEYS[1]) == [1]
    with raises(Denied, "invite-used"):
        let_in(storage, invite, KEYS[2])
    assert [is_enrolled(storage, invite.id, key) for key in KEYS[:3]] == [True, True, False]
    assert not is_enrolled(storage, Invite(2).id, KEYS[0])
    assert let_in(storage, invite, KEYS[0]) == []  # who is in stays in, though it is used up


def test_what_cannot_be_noted_or_stored_lets_nobody_in():
    storage, invite = Memory(), Invite()

    def refuse():
        raise StorageError("storage-full")

    with raises(StorageError, "storage-full"):
        enrol(storage, invite, KEYS[0], FLOOR, refuse)
    assert not storage.files
    storage.cut_after = 0
    with raises(PowerCut):
        let_in(storage, invite, KEYS[0])
    storage.cut_after = None
    assert not is_enrolled(storage, invite.id, KEYS[0])
    storage.damaged = ["invite-" + invite.id.hex()]
    with raises(StorageError, "storage-corrupt"):  # nobody knows whether it was used: it counts as used
        let_in(storage, invite, KEYS[0])


def test_only_what_has_ended_for_certain_makes_room():
    storage = Memory()
    for number in range(64):
        let_in(storage, Invite(number, expires=2000 + number if number else None), KEYS[0])
    with raises(Busy, "invite-full"):
        let_in(storage, Invite(64), KEYS[0], 2000)
    with raises(Busy, "invite-full"):
        let_in(storage, Invite(64), KEYS[0], None)
    assert let_in(storage, Invite(0, expires=None), KEYS[1])  # one that is there already needs no room
    assert let_in(storage, Invite(64), KEYS[0], 2001)
    assert len(storage.files) == 64
    kept = [cbor.decode(each)[0] for each in storage.files.values()]
    assert 2001 not in kept and None in kept and 2002 in kept
