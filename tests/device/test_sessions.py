"""Sessions: who may finish a handshake, which session makes room for another, and what a login costs the device."""

from admit_device.grants_resource import adopt
from admit_protocol import cbor, coap, coap_numbers, edhoc_client, oscore_client, p256_curve
from admit_protocol.errors import Untrusted
from newcomers import Newcomer
from rig import ALL, Phone
from support import raises
from visitors import OPEN, Visitor, key_of, new_kiosk, reason

PEOPLE = ["p%d" % number for number in range(9)]
HANDSHAKE_S, IDLE_S, NEWCOMER_IDLE_S, MAX_SESSIONS = 10, 600, 60, 8


def arrive(rig, name="alice", **how):
    """A visitor who has a session."""
    visitor = Visitor(rig, name, ALL, **how)
    assert visitor.ask(coap.GET, "/r").code == coap.CONTENT
    return visitor


def finish(phone, message_3, c_r):
    """Send message_3 apart; the EDHOC error's text, or None if it went well."""
    response = phone.plain(coap.POST, "/.well-known/edhoc", edhoc_client.encode_prefixed(c_r, message_3))
    if response.code == coap.CHANGED:
        return None
    assert (response.code, response.uint(coap.CONTENT_FORMAT)) == (coap.BAD_REQUEST, coap.CONTENT_EDHOC)
    return edhoc_client.parse_error(response.payload)[1]


def refused(response):
    assert (response.code, response.payload) == (coap_numbers.UNAUTHORIZED, b""), response
    return True


def come_new(rig, name, server=None):
    """A newcomer who has a session, and may do nothing in it."""
    newcomer = Newcomer(rig, name, server)
    assert reason(newcomer.ask(coap.GET, "/r")) == "grant-needed"
    return newcomer


def test_c_r_is_neither_the_peers_c_i_nor_in_use():
    rig = new_kiosk()
    live = []
    for name in PEOPLE[:5]:
        visitor = Visitor(rig, name, OPEN, server=rig.cable if name == PEOPLE[4] else None)
        live.append(visitor)
        visitor.ask(coap.GET, "/r")
    ids = [each.context.sender_id for each in live]
    assert len(set(ids)) == 5
    assert b"\x17" not in ids  # the phones' own
    waiting = Phone(rig, key_of("alice"), live[0].grant)
    for c_i in (0, 1, 5, 6, 7):
        assert waiting.start(c_i=bytes([c_i])).code == coap.CHANGED
        assert waiting.initiator.c_r != waiting.initiator.c_i
        assert waiting.initiator.c_r not in ids


def test_the_session_that_was_silent_longest_makes_room():
    rig = new_kiosk()
    early = []
    for name in PEOPLE[:MAX_SESSIONS]:
        early.append(arrive(rig, name, server=rig.cable))
        rig.pass_s(1)
    assert early[0].ask(coap.GET, "/r").code == coap.CONTENT
    late = arrive(rig, PEOPLE[MAX_SESSIONS], server=rig.cable)
    answers = [each.ask(coap.GET, "/r").code for each in early]
    assert answers == [coap.CONTENT, coap_numbers.UNAUTHORIZED] + [coap.CONTENT] * (MAX_SESSIONS - 2)
    assert late.ask(coap.GET, "/r").code == coap.CONTENT


def test_one_key_has_two_sessions_at_most():
    rig = new_kiosk()
    bob = arrive(rig, "bob")
    alices = []
    for _ in range(3):
        alices.append(arrive(rig, server=rig.cable))
        rig.pass_s(1)
    assert refused(alices[0].ask(coap.GET, "/r"))
    for each in (bob, alices[1], alices[2]):
        assert each.ask(coap.GET, "/r").code == coap.CONTENT


def test_a_session_that_makes_room_takes_its_turn_and_its_observations_along():
    rig = new_kiosk()
    alice = arrive(rig, server=rig.cable)
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    assert alice.watch().code == coap.CONTENT
    for name in PEOPLE[:MAX_SESSIONS]:
        rig.pass_s(1)
        arrive(rig, name, server=rig.cable)
    assert rig.outputs.get("status") == "ready"
    rig.device.kiosk.set("door", "open")
    assert alice.hear() == []


def test_ten_silent_minutes_end_a_session_and_any_word_begins_them_anew():
    rig = new_kiosk()
    alice, bob = arrive(rig), arrive(rig, "bob")
    rig.pass_s(IDLE_S - 1)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    assert bob.plain(coap.GET, "/id").code == coap.CONTENT  # a word, but none of the session's
    rig.pass_s(1)
    assert refused(bob.ask(coap.GET, "/r"))
    assert rig.device.sessions.deadline() == rig.clock.ms + 1000 * (IDLE_S - 1)
    rig.pass_s(IDLE_S - 2)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT


def test_a_session_does_not_hang_on_its_link():
    rig = new_kiosk()
    alice = arrive(rig)
    elsewhere = Phone(rig, server=rig.cable)
    outer, reference = alice.context.protect_request(coap.request(coap.GET, "/r"))
    rig.radio.listener.closed(alice.number)
    response = alice.context.unprotect_response(elsewhere.send(outer), reference)
    assert response.code == coap.CONTENT


def test_a_link_to_which_a_session_moves_is_a_proven_one():
    rig = new_kiosk()
    alice, stranger = arrive(rig), Phone(rig)
    rig.radio.listener.closed(alice.number)
    moved = Phone(rig)
    outer, _ = alice.context.protect_request(coap.request(coap.GET, "/r"))
    assert moved.send(outer).option(coap.OSCORE) is not None
    rig.pass_s(60)
    assert rig.radio.closed == [stranger.number]


def test_a_session_ends_with_a_reset():
    rig = new_kiosk()
    alice = arrive(rig)
    rig.boot()
    again = Phone(rig)
    outer, _ = alice.context.protect_request(coap.request(coap.GET, "/r"))
    assert refused(again.send(outer))


def test_a_handshake_waits_ten_seconds_for_its_message_3():
    for waited_s, outcome in ((HANDSHAKE_S - 0.001, None), (HANDSHAKE_S, "edhoc-unexpected")):
        rig = new_kiosk()
        alice = Visitor(rig, server=rig.cable)
        assert rig.device.sessions.deadline() == rig.clock.ms + 1000 * HANDSHAKE_S
        rig.pass_s(waited_s)
        assert rig.device.sessions.busy() == (outcome is None)
        assert finish(alice, alice.message_3, alice.context.sender_id) == outcome


def test_a_link_has_one_handshake_and_the_newest_counts():
    rig = new_kiosk()
    alice = Visitor(rig)
    old = alice.message_3
    alice.start()
    assert finish(alice, old, alice.context.sender_id) == "ccm-tag"  # the old one is gone
    assert not rig.device.sessions.busy()
    alice.start()
    assert finish(alice, alice.message_3, alice.context.sender_id) is None


def test_message_3_finishes_the_handshake_of_its_own_link_alone():
    rig = new_kiosk()
    alice, mallory = Visitor(rig), Visitor(rig, "mallory")
    stolen, c_r = alice.message_3, alice.context.sender_id
    for thief in (Phone(rig), mallory):  # without a handshake, and with one
        assert finish(thief, stolen, c_r) == "edhoc-unexpected"
    assert finish(mallory, mallory.message_3, mallory.context.sender_id) == "edhoc-unexpected"  # hers is over
    assert finish(alice, stolen, c_r) is None
    assert finish(alice, stolen, c_r) == "edhoc-unexpected"


def test_a_link_that_goes_takes_its_handshake_along():
    rig = new_kiosk()
    alice = Visitor(rig)
    rig.radio.listener.closed(alice.number)
    assert not rig.device.sessions.busy()


def test_a_combined_request_works_once():
    rig = new_kiosk()
    alice = Visitor(rig)
    body = cbor.encode({1: b"12345678"})
    outer, reference = alice.context.protect_request(coap.request(coap.POST, "/r/open", body))
    combined = oscore_client.combine(alice.message_3, outer)
    alice.message_3 = None
    first = alice.context.unprotect_response(alice.send(combined.copy()), reference)
    assert first.code == coap.CHANGED
    rig.pass_s(5)
    again = alice.send(combined.copy())
    assert edhoc_client.parse_error(again.payload) == (1, "edhoc-unexpected")
    assert refused(alice.send(outer.copy()))  # nor without message_3
    assert rig.outputs.get("door") == "closed"
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT  # and the session lives on


def test_a_visitor_who_is_asked_for_the_grant_itself_has_not_failed():
    rig = new_kiosk()
    counted = []
    rig.device.journal.count_failure = lambda reason: counted.append(1)
    arrive(rig, server=rig.cable)
    unknown = Visitor(rig, "stranger", OPEN, by_value=False, server=rig.cable)
    assert finish(unknown, unknown.message_3, unknown.context.sender_id) is True
    assert counted == []
    garbled = Visitor(rig, server=rig.cable)
    finish(garbled, b"\x54" + bytes(20), garbled.context.sender_id)
    assert counted == [1]


def test_every_ephemeral_key_is_wiped_whatever_became_of_its_handshake():
    rig = new_kiosk()
    made = []
    generate = rig.device.suite.generate

    def watched():
        made.append(generate())
        return made[-1]

    rig.device.suite.generate = watched
    arrive(rig, server=rig.cable)
    unknown = Visitor(rig, "stranger", OPEN, by_value=False, server=rig.cable)
    assert finish(unknown, unknown.message_3, unknown.context.sender_id) is True  # unknown credential
    garbled = Visitor(rig, server=rig.cable)
    assert finish(garbled, b"\x54" + bytes(20), garbled.context.sender_id) == "ccm-tag"
    Visitor(rig, server=rig.cable).start()  # a second message_1 on one link
    rig.pass_s(HANDSHAKE_S)
    rig.radio.listener.closed(Visitor(rig).number)
    assert len(made) == 6
    for key in made:
        try:
            key.shared_secret(key_of("alice").public)
        except Exception as error:
            assert error.reason == "p256-erased"
        else:
            raise AssertionError("an ephemeral key still works")


def work_of(rig, name, by_value=False):
    """[variable-base products, verifications, fixed-base products] of the device while it answers a visitor."""
    spent = dict(p256_curve.counts)
    for kind in spent:
        spent[kind] = 0
    received = rig.radio.listener.received

    def metered(link, value):
        before = dict(p256_curve.counts)
        received(link, value)
        for kind in spent:
            spent[kind] += p256_curve.counts[kind] - before[kind]

    rig.radio.listener.received = metered
    try:
        arrive(rig, name, by_value=by_value)
    finally:
        rig.radio.listener.received = received
    return [spent[kind] for kind in ("variable_base", "verify", "fixed_base")]


def test_a_prepared_device_multiplies_once_for_a_recent_peer_and_twice_for_another():
    rig = new_kiosk()
    rig.prepare()
    assert work_of(rig, "alice", by_value=True) == [2, 1, 0]
    rig.prepare()
    assert work_of(rig, "alice") == [1, 0, 0]
    for name in PEOPLE[:4]:  # the four latest peers are remembered, so Alice no longer is
        arrive(rig, name)
    rig.prepare()
    assert work_of(rig, "alice") == [2, 0, 0]
    rig.boot()
    rig.prepare()
    assert work_of(rig, "alice") == [2, 0, 0]
    rig.prepare()
    assert work_of(rig, "alice") == [1, 0, 0]


def test_a_device_that_had_no_rest_makes_its_key_and_its_nonce_while_the_visitor_waits():
    rig = new_kiosk()
    arrive(rig)
    assert work_of(rig, "alice") == [2, 0, 2]


# Newcomers: keys without a grant, which anybody can make


def test_a_newcomer_has_a_session_and_no_rights_and_both_ends_know_what_binds_it():
    rig = new_kiosk()
    zoe = come_new(rig, "zoe")
    (session,) = rig.device.sessions.newcomers()
    assert session.newcomer and session.subject.rules == () and session.binding == zoe.binding
    assert len(zoe.binding) == 32 and session.binding != come_new(rig, "yan").binding
    for path in ("/r", "/bundle", "/time", "/health", "/journal", "/presence", "/approvals", "/nowhere"):
        assert reason(zoe.ask(coap.GET, path)) == "grant-needed", path
    assert reason(zoe.ask(coap.POST, "/login")) == reason(zoe.invoke("open")) == "grant-needed"
    alice = arrive(rig)
    (session,) = [each for each in rig.device.sessions._sessions.values() if not each.newcomer]
    assert session.subject.key == alice.key.public and len(session.binding) == 32


def test_who_has_come_is_not_waited_for_with_a_handshake_newcomer_or_not():
    rig = new_kiosk()
    zoe = come_new(rig, "zoe")
    rig.pass_s(0.2)
    rig.prepare()
    assert rig.device.sessions._handshakes is None
    assert reason(zoe.ask(coap.GET, "/r")) == "grant-needed"


def test_there_are_two_newcomers_at_most_and_the_longest_silent_goes():
    rig = new_kiosk()
    rig.cable.max_links = 20
    first, second = come_new(rig, "zoe", rig.cable), come_new(rig, "yan", rig.cable)
    rig.pass_s(1)
    assert reason(first.ask(coap.GET, "/r")) == "grant-needed"
    come_new(rig, "xia", rig.cable)
    assert refused(second.ask(coap.GET, "/r"))
    assert reason(first.ask(coap.GET, "/r")) == "grant-needed"


def test_newcomers_make_room_for_everybody_and_nobody_for_them():
    rig = new_kiosk()
    rig.cable.max_links = 20
    newcomers = [come_new(rig, name, rig.cable) for name in ("zoe", "yan")]
    people = [arrive(rig, name, server=rig.cable) for name in PEOPLE[: MAX_SESSIONS - 2]]
    rig.pass_s(1)
    for each in newcomers:
        assert reason(each.ask(coap.GET, "/r")) == "grant-needed"
    people += [arrive(rig, name, server=rig.cable) for name in PEOPLE[MAX_SESSIONS - 2 : MAX_SESSIONS]]
    assert [each.ask(coap.GET, "/r").payload for each in newcomers] == [b"", b""]  # 4.01, or 4.00 by who has its id now
    rig.pass_s(1)
    for each in people[1:]:
        each.ask(coap.GET, "/r")
    for number in range(4):  # one of them takes the place of whom was silent longest, and the others its own
        come_new(rig, "late%d" % number, rig.cable)
    assert [each.ask(coap.GET, "/r").code for each in people[1:]] == [coap.CONTENT] * (MAX_SESSIONS - 1)


def test_a_minute_of_silence_ends_a_newcomers_session():
    rig = new_kiosk()
    rig.cable.max_links = 20
    zoe, alice = come_new(rig, "zoe", rig.cable), arrive(rig, server=rig.cable)
    assert rig.device.sessions.deadline() == rig.clock.ms + 1000 * NEWCOMER_IDLE_S
    rig.pass_s(NEWCOMER_IDLE_S)
    assert refused(zoe.ask(coap.GET, "/r"))
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT


def test_a_newcomer_leaves_nothing_in_storage_and_pushes_nobody_out_of_what_is_prepared():
    rig = new_kiosk()
    arrive(rig)
    names = rig.storage.names()
    for number in range(6):
        come_new(rig, "n%d" % number, rig.cable)
    assert [name for name in rig.storage.names() if name not in names and not name.startswith("journal")] == []
    rig.prepare()
    assert work_of(rig, "alice") == [1, 0, 0]


def test_many_newcomers_fill_no_journal():
    rig = new_kiosk()
    before = rig.device.journal.count
    for number in range(40):
        come_new(rig, "n%d" % number, rig.cable)
    assert rig.device.journal.count - before <= 32


def test_a_newcomers_radio_link_goes_as_a_strangers():
    rig = new_kiosk()
    zoe = come_new(rig, "zoe")
    for _ in range(11):
        rig.pass_s(2.5)
        zoe.ask(coap.GET, "/r")
    rig.pass_s(2.5)
    assert rig.radio.closed == [zoe.number]
    moved = Phone(rig)
    outer, _ = zoe.context.protect_request(coap.request(coap.GET, "/r"))
    assert moved.send(outer).option(coap.OSCORE) is not None  # the session goes on, for a minute


def test_a_session_adopts_a_grant_of_its_own_key_alone():
    rig = new_kiosk()
    come_new(rig, "zoe")
    arrive(rig)
    (session,) = rig.device.sessions.newcomers()
    alices = [each for each in rig.device.sessions._sessions.values() if not each.newcomer][0].subject
    with raises(Untrusted, "grant-other-key"):
        adopt(alices, session)
    assert session.newcomer


def test_who_has_logged_out_keeps_no_place_on_the_air():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    rig.pass_s(2.5)
    for _ in range(12):
        alice.plain(coap.GET, "/.well-known/core")
        rig.pass_s(2.5)
    assert rig.radio.closed == []
    assert alice.ask(coap.DELETE, "/login").code == coap.DELETED
    rig.pass_s(0)
    assert rig.radio.closed == []  # the answer has time to go out
    for _ in range(12):
        alice.plain(coap.GET, "/.well-known/core")
        rig.pass_s(2.5)
    assert rig.radio.closed == [alice.number]
