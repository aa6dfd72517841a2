"""A factory device joins a site once, over its cable, whatever is torn on the way."""

from admit_device.device import VERSION
from admit_protocol import cbor, coap, coap_numbers, cose
from memory_ports import WEDNESDAY
from rig import Phone, Rig, Site
from visitors import ROUTINES, SITE, Visitor, new_kiosk, reason

HOSTS_BYTES = bytes(32)
STATE, CREDENTIAL, VERSIONS, MAX_VALUE, BOARD_ID = 1, 2, 3, 4, 5  # what /id tells, by its key


def factory():
    """(rig of a factory device, the host at its cable)."""
    rig = Rig(ROUTINES)
    return rig, Phone(rig, server=rig.cable)


def make_key(cable, contribution=HOSTS_BYTES):
    response = cable.plain(coap.POST, "/identity", cbor.encode({1: contribution}))
    assert response.code == coap.CHANGED, response
    answer = cbor.decode(response.payload)
    return [cose.decode_key(answer[number])[0] for number in (1, 3)]


def papers(keys, site=SITE, now=WEDNESDAY):
    return {1: site.vouch("kiosk-1", *keys), 2: site.anchor.encode(), 3: now}


def put(cable, body):
    return cable.plain(coap.PUT, "/identity", body if isinstance(body, bytes) else cbor.encode(body))


def described(phone):
    return cbor.decode(phone.plain(coap.GET, "/id").payload)


def test_the_device_tells_anyone_who_it_is():
    rig, cable = factory()
    radio = Phone(rig)
    assert described(radio) == {STATE: "factory", VERSIONS: {"admit": VERSION}, MAX_VALUE: 512, BOARD_ID: rig.board_id}
    assert described(Phone(rig, mtu=200))[MAX_VALUE] == 197
    body = papers(make_key(cable))
    assert put(cable, body).code == coap.CHANGED
    assert described(radio)[STATE] == "commissioned"
    assert described(radio)[CREDENTIAL] == body[1]
    assert described(cable)[MAX_VALUE] == 1152


def test_the_key_is_made_once_however_often_the_host_asks():
    rig, cable = factory()
    public = make_key(cable)
    assert make_key(cable, b"other" * 8) == public
    rig.boot()
    assert make_key(Phone(rig, server=rig.cable)) == public


def test_what_the_host_adds_to_the_randomness_makes_another_key():
    assert make_key(factory()[1]) != make_key(factory()[1], b"other" * 8)


def test_a_torn_answer_may_be_asked_for_again():
    rig, cable = factory()
    body = papers(make_key(cable))
    for _ in range(2):
        assert put(cable, body).code == coap.CHANGED
    assert rig.device.journal.count == 1


def test_a_commissioned_device_keeps_its_key_and_its_site():
    rig = new_kiosk()
    cable = Phone(rig, server=rig.cable)
    again = cable.plain(coap.POST, "/identity", cbor.encode({1: HOSTS_BYTES}))
    assert (again.code, reason(again)) == (coap_numbers.CONFLICT, "identity-commissioned")
    other = put(cable, papers((rig.public, rig.seal_public), Site("other", b"other")))
    assert (other.code, reason(other)) == (coap_numbers.CONFLICT, "identity-commissioned")
    assert described(cable)[CREDENTIAL] == rig.credential


def test_the_radio_commissions_nobody():
    rig, cable = factory()
    radio = Phone(rig)
    refused = radio.plain(coap.POST, "/identity", cbor.encode({1: HOSTS_BYTES}))
    assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "commissioning-cable-only")
    body = papers(make_key(cable))
    assert put(radio, body).code == coap_numbers.FORBIDDEN
    assert described(radio)[STATE] == "factory"


def test_bodies_that_are_not_what_they_should_be_are_refused_by_name():
    rig, cable = factory()
    for body, why in (
        (b"", "cbor-truncated"),
        (b"\x80", "commissioning-body"),
        (b"\xa0", "commissioning-contribution"),
        (cbor.encode({1: "text"}), "commissioning-contribution"),
        (cbor.encode({1: bytes(31)}), "commissioning-contribution"),
    ):
        refused = cable.plain(coap.POST, "/identity", body)
        assert (refused.code, reason(refused)) == (coap.BAD_REQUEST, why)
    assert rig.keystore.changes == 0
    whole = papers(make_key(cable))
    for key, value, why in (
        (1, None, "commissioning-credential"),
        (2, 5, "commissioning-anchor"),
        (3, True, "commissioning-time"),
        (3, "noon", "commissioning-time"),
    ):
        body = dict(whole)
        body[key] = value
        assert reason(put(cable, body)) == why
    assert described(cable)[STATE] == "factory"


def test_papers_must_fit_each_other_and_the_key():
    rig, cable = factory()
    early = put(cable, papers([SITE.key.public]))
    assert (early.code, reason(early)) == (coap_numbers.INTERNAL_SERVER_ERROR, "identity-no-key")
    public, seal_public = keys = make_key(cable)
    other = Site("other", b"other")
    for body, why in (
        (papers([SITE.key.public, seal_public]), "identity-other-key"),
        (papers([public, SITE.key.public]), "identity-other-key"),  # what is sealed to that the device could not open
        (papers([seal_public, public]), "identity-other-key"),
        ({1: other.vouch("kiosk-1", *keys), 2: SITE.anchor.encode(), 3: WEDNESDAY}, "credential-other-site"),
    ):
        assert reason(put(cable, body)) == why
    assert described(cable)[STATE] == "factory"
    assert put(cable, papers(keys)).code == coap.CHANGED


def test_a_device_that_knows_no_time_takes_the_hosts_and_one_that_does_keeps_its_own():
    for knows, expected in ((None, WEDNESDAY + 7), (WEDNESDAY, WEDNESDAY)):
        rig, cable = factory()
        rig.clock.seconds = knows
        body = papers(make_key(cable), now=WEDNESDAY + 7)
        assert put(cable, body).code == coap.CHANGED
        told = (rig.device.clock.now(), rig.device.clock.source)
        assert told == (expected, "rtc" if knows else "answer")
        body[3] = WEDNESDAY + 8  # what anybody with the cable could send later
        put(cable, body)
        assert told == (rig.device.clock.now(), rig.device.clock.source)
        rig.clock.seconds = None
        rig.boot()
        assert (rig.device.clock.now(), rig.device.clock.source) == (None, "floor")


def fill_after(storage, changes):
    """Let so many changes more succeed, and none from then on."""
    change = storage._change

    def counted():
        if storage.changes >= last:
            storage.full = True
        change()

    last = storage.changes + changes
    storage._change = counted
    return change


def test_storage_that_fills_up_on_the_way_does_not_leave_half_a_kiosk():
    changes, done = 0, False
    while not done:
        rig, cable = factory()
        body = papers(make_key(cable))
        mended = fill_after(rig.storage, changes)
        first = put(cable, body)
        done = first.code == coap.CHANGED
        assert done or reason(first) == "storage-full"
        rig.storage._change, rig.storage.full = mended, False
        assert put(cable, body).code == coap.CHANGED
        rig.credential = body[1]
        assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
        assert rig.radio.name == "kiosk-1"
        assert rig.device.journal.count == 1  # commissioned
        changes += 1
    assert changes >= 4
