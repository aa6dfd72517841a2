"""Attacks with papers, keys and identifiers: the wrong kind, another's, altered, or one's own used twice."""

from admit_device.journal_page import page
from admit_protocol import cbor, coap, coap_numbers, cose, edhoc, edhoc_client, grant, issuing, journal, journal_reader
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import EntropyError
from attackers import (
    ALICE,
    ALICES,
    BOB,
    BOBS,
    NAMES,
    OTHER,
    SITE,
    dressed,
    edhoc_post,
    invoke,
    kiosk,
    refused,
    title,
    upload,
    visitor,
)
from memory_ports import WEDNESDAY
from rig import Phone, Rig, sealed

# One's own randomness, keys and identifiers


def test_y_is_never_used_twice_whatever_becomes_of_the_handshake():
    rig = kiosk()
    seen = []
    for step in range(4):
        rig.prepare()
        prepared = rig.device.preparation._ephemeral.public[:32]
        phone = Phone(rig, ALICE, ALICES, seed=bytes((step,)))
        off_the_curve = edhoc_client.encode_message_1(2, [2], b"\xff" * 32, b"\x00")
        if step % 2:
            assert refused(edhoc_post(phone, None, off_the_curve)) == "p256-point"
        g_y = cbor.decode(phone.start().payload)[:32]
        assert (g_y == prepared) == (step % 2 == 0)
        seen += [prepared, g_y] if step % 2 else [g_y]
        if step == 2:
            rig.boot()
        else:
            rig.radio.listener.closed(phone.number)
    assert len(set(seen)) == len(seen) == 6


def test_a_stuck_random_source_lets_nobody_in_and_kills_nothing():
    rig = kiosk()
    alice = visitor(rig)
    assert invoke(alice).code == coap.CHANGED
    healthy = rig.dice.random
    rig.dice.random = stuck
    rig.device.suite.random = stuck
    rig.device.suite.__init__(stuck)
    bob = Phone(rig, BOB, BOBS, seed=b"bobs")
    for _ in range(3):
        assert refused(bob.start()) == "entropy-stuck"
    assert rig.device.sessions.busy() is False
    assert alice.request(coap.GET, "/r").code == coap.CONTENT
    rig.device.suite.__init__(healthy)
    assert bob.start().code == coap.CHANGED


def stuck(length):
    raise EntropyError("entropy-stuck")


def test_c_r_is_never_the_peers_c_i_nor_anybody_elses():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, rig.cable, b"bobs")
    invoke(alice)
    taken = {alice.context.sender_id, bob.context.sender_id}
    assert len(taken) == 2
    for number in range(24):
        third = Phone(rig, ALICE, ALICES, seed=b"third")
        assert third.start(c_i=bytes((number,))).code == coap.CHANGED
        assert third.context.sender_id not in taken and third.context.sender_id != bytes((number,))
        rig.radio.listener.closed(third.number)


def test_other_methods_and_suites_are_refused_before_anything_is_computed():
    rig = kiosk()
    rig.prepare()
    prepared = rig.device.preparation._ephemeral
    phone = Phone(rig)
    x = ALICE.public[:32]
    for method in (0, 1, 3, 4, -1):
        assert (
            refused(edhoc_post(phone, None, edhoc_client.encode_message_1(method, [2], x, b"\x00"))) == "edhoc-method"
        )
    for suites in ([2, 3], [24], [0, 1], [3, 24]):  # a preferred one is supported, or the selected one is not
        assert refused(edhoc_post(phone, None, edhoc_client.encode_message_1(2, suites, x, b"\x00"))) == [2, 3]
    critical = edhoc_client.encode_message_1(2, [2], x, b"\x00", [(-7, b"")])
    assert refused(edhoc_post(phone, None, critical)) == "edhoc-critical-ead"
    assert rig.device.preparation._ephemeral is prepared


# Credentials in the wrong place


def finish_with(rig, data, key=ALICE, id_cred=None):
    """Run EDHOC as the holder of `key`, presenting `data` (a CWT) by value, or `id_cred`; the device's refusal."""
    phone = Phone(rig, key, ALICES)
    phone.start()
    own = edhoc.cwt_credential(ALICES)
    phone.initiator.erase()
    one = Initiator(phone.suite, 2, [2], key, id_cred or edhoc.by_value(data[1:]), own, b"\x17")
    response = edhoc_post(phone, None, one.message_1())
    c_r = one.parse_message_2(response.payload)[0]
    one.verify_message_2(edhoc.cwt_credential(rig.credential))
    return refused(edhoc_post(phone, c_r, one.message_3()))


def test_no_other_signed_thing_of_the_site_passes_for_a_grant():
    rig = kiosk()
    policy = issuing.bundle(SITE.key, SITE.anchor.site_id, "kiosk-1", 1, [], WEDNESDAY)
    relabelled = cose.sign1(SITE.key, cose.parse_sign1(ALICES).payload, cose.JOURNAL_HEAD)
    by_the_device = cose.sign1(ALICE, cose.parse_sign1(ALICES).payload, cose.GRANT)
    for data, reason in (
        (rig.credential, "grant-id"),
        (SITE.vouch("alice", ALICE.public), "grant-id"),
        (policy, "cwt-claims"),
        (relabelled, "cose-signature"),
        (by_the_device, "cose-signature"),
    ):
        assert finish_with(rig, data) == reason
    raw_key = {14: {8: {1: cose.encode_key(ALICE.public)}}}
    assert finish_with(rig, None, id_cred=raw_key) == "edhoc-mac-3"  # it proves a key, and no grant


def test_the_holder_of_a_name_alone_is_asked_for_the_grant():
    rig = kiosk()
    invoke(visitor(rig))
    rig.storage.read = short_names(rig.storage.read)
    for kid in (b"", b"\x05", b"12345678", bytes(7), bytes(64), bytes(300), grant.kid_of(ALICES)[:7]):
        assert finish_with(rig, None, id_cred={edhoc.KID: kid}) is True  # error 3
    assert finish_with(rig, None, BOB, {edhoc.KID: grant.kid_of(ALICES)}) == "edhoc-mac-3"


def short_names(read):
    """A storage's names have 40 characters at most, the memory's too then."""

    def read_short(name):
        assert len(name) <= 40
        return read(name)

    return read_short


def test_nothing_but_a_bundle_for_this_device_is_a_bundle():
    rig = kiosk()
    alice = visitor(rig)
    invoke(alice)
    site = SITE.anchor.site_id
    payload = cose.parse_sign1(issuing.bundle(SITE.key, site, "kiosk-1", 1, [], WEDNESDAY)).payload
    for data, reason in (
        (sealed(ALICES), "bundle-structure"),
        (sealed(rig.credential), "bundle-structure"),
        (sealed(cose.sign1(SITE.key, payload, cose.GRANT)), "cose-signature"),
        (sealed(cose.sign1(ALICE, payload, cose.BUNDLE)), "cose-signature"),
        (sealed(b""), "cbor-truncated"),
        (cose.sign1(SITE.key, payload, cose.BUNDLE), "succession-structure"),
        (b"", "cbor-truncated"),
    ):
        assert title(alice.request(coap.POST, "/bundle", data)) == reason


# Commissioning


def test_a_device_belongs_to_the_first_site_until_it_is_reset():
    rig = kiosk()
    cable, radio = Phone(rig, server=rig.cable), Phone(rig)
    again = cbor.encode({1: rig.credential, 2: SITE.anchor.encode(), 3: WEDNESDAY + 99999})
    theirs = OTHER.vouch("kiosk-1", rig.public)
    taken_over = cbor.encode({1: theirs, 2: OTHER.anchor.encode(), 3: WEDNESDAY})
    new_key = cbor.encode({1: bytes(32)})
    alice = visitor(rig)
    assert alice.request(coap.GET, "/r").code == coap.CONTENT
    changes, kept = rig.storage.changes + rig.keystore.changes, rig.keystore.changes
    assert cable.plain(coap.PUT, "/identity", again).code == coap.CHANGED
    assert title(cable.plain(coap.PUT, "/identity", taken_over)) == "identity-commissioned"
    assert title(cable.plain(coap.POST, "/identity", new_key)) == "identity-commissioned"
    for method, body in ((coap.PUT, again), (coap.PUT, taken_over), (coap.POST, new_key)):
        assert title(radio.plain(method, "/identity", body)) == "commissioning-cable-only"
    assert rig.storage.changes + rig.keystore.changes == changes
    for method, body in ((coap.PUT, again), (coap.PUT, taken_over), (coap.POST, new_key)):
        assert title(alice.request(method, "/identity", body)) == "rule-none"
    assert rig.keystore.changes == kept
    assert rig.clock.now() == WEDNESDAY


def test_a_factory_device_takes_no_credential_that_is_not_its_own_and_whole():
    rig = Rig(NAMES)
    cable = Phone(rig, server=rig.cable)
    own = SITE.anchor.encode()
    early = cbor.encode({1: SITE.vouch("kiosk-1", ALICE.public), 2: own, 3: WEDNESDAY})
    assert title(cable.plain(coap.PUT, "/identity", early)) == "identity-no-key"
    assert title(cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(31)}))) == "commissioning-contribution"
    made = cbor.decode(cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)})).payload)
    public, seal_public = [cose.decode_key(made[number])[0] for number in (1, 3)]
    good = SITE.vouch("kiosk-1", public, seal_public)
    forged = cose.sign1(OTHER.key, cose.parse_sign1(good).payload, cose.DEVICE_CREDENTIAL)
    for body, reason in (
        ({1: SITE.vouch("kiosk-1", ALICE.public), 2: own, 3: WEDNESDAY}, "identity-other-key"),
        ({1: SITE.vouch("kiosk-1", public), 2: own, 3: WEDNESDAY}, "identity-other-key"),  # another's seal key
        ({1: OTHER.vouch("kiosk-1", public, seal_public), 2: own, 3: WEDNESDAY}, "credential-other-site"),
        ({1: forged, 2: own, 3: WEDNESDAY}, "cose-signature"),
        ({1: ALICES, 2: own, 3: WEDNESDAY}, "credential-claims"),
        ({1: dressed(good, bytes(3000)), 2: own, 3: WEDNESDAY}, "cose-form"),
        ({1: good, 2: own}, "commissioning-time"),
        ({1: good, 2: own + b"\0", 3: WEDNESDAY}, "cbor-trailing"),
        ([], "commissioning-body"),
    ):
        assert title(upload(cable, coap.PUT, "/identity", cbor.encode(body))) == reason
        rig.boot()
        cable = Phone(rig, server=rig.cable)
        assert rig.device.identity.state == "factory"
    assert cable.plain(coap.PUT, "/identity", cbor.encode({1: good, 2: own, 3: WEDNESDAY})).code == coap.CHANGED


# What a stranger learns


def test_a_stranger_cannot_tell_a_resource_from_none_nor_a_grant_from_none():
    rig = kiosk()
    invoke(visitor(rig))
    stranger = Phone(rig)
    answers = set()
    for path in ("/r", "/r/open", "/r/nothing", "/journal", "/health", "/login", "/nowhere", "/rules", "/reset"):
        for method in (coap.GET, coap.POST, coap.PUT, coap.DELETE):
            response = stranger.plain(method, path)
            answers.add((response.code, response.payload))
    assert len(answers) == 1
    for kid in range(24):
        garbled = coap.Message(coap.POST, b"", ((coap.OSCORE, bytes((9, 0, kid))),), bytes(20))
        response = stranger.send(garbled)
        assert response.payload == b"" and response.code in (coap_numbers.UNAUTHORIZED, coap.BAD_REQUEST)
    assert [each.who for each in map(journal_reader.parse_record, page(rig.device.journal, 0, 4000)[2])][1:] == [
        journal.person(ALICE.public)
    ] * 2
