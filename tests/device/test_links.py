"""One peer must not shut out others: silence, floods and dead links cost their own link and nothing else."""

from admit_protocol import cbor, coap
from admit_protocol.errors import EntropyError
from memory_ports import Dice
from rig import Phone, Rig, Site

SITE = Site()


def test_a_silent_radio_link_is_dropped_after_three_seconds():
    rig = Rig({}, SITE)
    phone = Phone(rig)
    rig.pass_s(2.9)
    assert rig.radio.closed == []
    rig.pass_s(0.2)
    assert rig.radio.closed == [phone.number]


def test_saying_something_valid_earns_three_more_seconds_and_garbage_does_not():
    rig = Rig({}, SITE)
    phone = Phone(rig)
    rig.pass_s(2)
    assert phone.plain(coap.GET, "/id").code == coap.CONTENT
    rig.pass_s(2)
    assert rig.radio.closed == []
    rig.radio.listener.received(phone.number, b"\xff\xff\xff")
    rig.pass_s(1.1)
    assert rig.radio.closed == [phone.number]


def test_the_last_place_is_made_free_by_the_oldest_link_that_proved_nothing():
    rig = Rig({}, SITE)
    key = SITE.suite.generate()
    alice = Phone(rig, key, SITE.grant(key.public, [("/r", 1, {})]))
    alice.login()
    strangers = [Phone(rig, seed=bytes([n])) for n in range(3)]
    assert rig.radio.closed == [strangers[0].number]
    late = Phone(rig, seed=b"late")
    assert rig.radio.closed == [strangers[0].number, strangers[1].number]
    assert late.plain(coap.GET, "/id").code == coap.CONTENT
    assert alice.request(coap.GET, "/r").code == coap.CONTENT


def test_over_datagrams_whoever_comes_next_pushes_out_no_handshake():
    rig = Rig({}, SITE)
    rig.cable.max_links = 2
    key = SITE.suite.generate()
    alice = Phone(rig, key, SITE.grant(key.public, [("/r", 1, {})]), server=rig.cable)
    alice.start()
    Phone(rig, seed=b"next", server=rig.cable)
    assert rig.cable.closed == []  # that is the port's to do, which knows who has been silent longest
    assert alice.request(coap.GET, "/r").code == coap.CONTENT


def test_a_flood_of_first_messages_lets_the_visitor_through_and_wears_no_flash():
    rig = Rig({}, SITE)
    key = SITE.suite.generate()
    data = SITE.grant(key.public, [("/r", 1, {})])
    flood = [Phone(rig, key, data, seed=bytes([n])) for n in range(3)]
    changes = rig.storage.changes
    for _ in range(20):
        for attacker in flood:
            if attacker.number not in rig.radio.closed:
                assert attacker.start().code == coap.CHANGED
    assert rig.storage.changes == changes
    alice = Phone(rig, key, data)
    alice.start()
    assert alice.request(coap.GET, "/r").code == coap.CONTENT


def test_abandoned_handshakes_end_after_ten_seconds_and_make_one_record():
    rig = Rig({}, SITE)
    key = SITE.suite.generate()
    changes = rig.storage.changes
    for _ in range(5):
        cable = Phone(rig, key, SITE.grant(key.public, [("/r", 1, {})]), server=rig.cable)
        cable.start()
        assert rig.device.sessions.busy()
        rig.pass_s(10)
        assert not rig.device.sessions.busy()
        assert cable.request(coap.GET, "/r").code >= 0x80
    assert rig.storage.changes == changes + 1


def test_failed_handshakes_make_one_record_an_hour():
    rig = Rig({}, SITE)

    def knock(times):
        phone = Phone(rig, server=rig.cable)
        for _ in range(times):
            assert phone.plain(coap.POST, "/.well-known/edhoc", b"\xf5\x02\x02\x40\x00").code == coap.BAD_REQUEST
            rig.pass_s(1)

    before = rig.device.journal.count
    knock(50)
    assert rig.device.journal.count == before + 1
    rig.pass_s(3600)
    assert rig.device.journal.count == before + 2
    rig.pass_s(3600)
    assert rig.device.journal.count == before + 2
    knock(2)
    assert rig.device.journal.count == before + 3


def test_a_link_below_the_smallest_mtu_is_refused():
    rig = Rig({}, SITE)
    try:
        Phone(rig, mtu=100)
    except Exception as error:
        assert error.reason == "gatt-mtu"
    else:
        raise AssertionError("accepted")


def test_values_for_a_link_that_is_gone_are_ignored():
    rig = Rig({}, SITE)
    phone = Phone(rig)
    rig.radio.listener.closed(phone.number)
    rig.radio.listener.received(phone.number, b"\x20\x01\xb2id")
    rig.radio.listener.confirmed(phone.number)
    assert rig.radio.sent == {}
    assert Dice().random(2)


def test_a_device_whose_randomness_is_stuck_says_so_over_its_cable():
    rig = Rig({})

    def stuck(length):
        raise EntropyError("entropy-stuck")

    rig.dice.random = stuck
    rig.boot()
    cable = Phone(rig, server=rig.cable)
    assert cable.plain(coap.GET, "/id").code == coap.CONTENT
    response = cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)}))
    assert response.code == 0xA0 and b"entropy-stuck" in response.payload
