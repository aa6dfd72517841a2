"""Exchanges: standing requests, long bodies both ways, late answers, and errors that tell strangers nothing."""

import asyncio

from admit_protocol import cbor, coap, coap_numbers, credential, edhoc_client, journal_reader
from admit_protocol.errors import LocalError
from limits import MAX_BODY, MAX_OBSERVED
from visitors import OPEN, SITE, Visitor, door_in, gate, grant_of, id_of, new_kiosk, reason, revocation

UNOBSERVE = ((coap.OBSERVE, 1),)


def watched_kiosk():
    """(rig, Alice who watches the door, Bob who may do anything)."""
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice", OPEN), Visitor(rig, "bob")
    assert alice.watch().code == coap.CONTENT
    assert bob.ask(coap.GET, "/r").code == coap.CONTENT
    return rig, alice, bob


def observers(rig):
    """How many places of observers are taken: one that hears nothing any more must not keep its place either."""
    observers = rig.device.front._exchange._observers
    return len(observers._observers) if observers else 0


def test_who_watches_the_door_sees_it_open_and_close_by_itself():
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice", OPEN), Visitor(rig, "bob")
    seen = [alice.watch()]
    for _ in range(2):
        bob.invoke("open", bytes([len(seen)]) * 8, seconds=3)
        seen += alice.hear()
        rig.pass_s(3)
        seen += alice.hear()
    assert [each.code for each in seen] == [coap.CONTENT] * 5
    assert [door_in(each) for each in seen] == ["closed", "open", "closed", "open", "closed"]
    numbers = [each.uint(coap.OBSERVE) for each in seen]
    assert numbers == sorted(set(numbers))


def test_nobody_hears_of_an_output_that_the_routine_does_not_move():
    rig, alice, bob = watched_kiosk()
    assert bob.watch("/r/broken").code == coap.CONTENT
    rig.device.kiosk.set("lamp", True)
    assert alice.hear() == bob.hear() == []
    rig.device.kiosk.set("door", "open")
    assert [door_in(each) for each in alice.hear()] == ["open"]
    assert bob.hear() == []


def test_observe_1_ends_the_observation_of_that_token_alone():
    rig, alice, bob = watched_kiosk()
    first_token = alice.tokens
    alice.watch()
    alice.tokens = first_token - 1
    last = alice.ask(coap.GET, "/r/open", options=UNOBSERVE)
    assert (last.code, last.option(coap.OBSERVE)) == (coap.CONTENT, None)
    bob.invoke("open")
    assert [each.token[1] for each in alice.hear()] == [first_token + 1]


def test_registering_twice_with_one_token_is_one_observation():
    rig, alice, bob = watched_kiosk()
    alice.tokens -= 1
    assert alice.watch().code == coap.CONTENT
    bob.invoke("open")
    assert len(alice.hear()) == 1


def test_an_observation_ends_with_its_link():
    rig, alice, bob = watched_kiosk()
    rig.radio.listener.closed(alice.number)
    bob.invoke("open")
    assert alice.number not in rig.radio.sent
    assert observers(rig) == 0


def test_an_observation_ends_with_its_session():
    rig, alice, bob = watched_kiosk()
    assert alice.ask(coap.DELETE, "/login").code == coap.DELETED
    bob.invoke("open")
    assert alice.hear() == []
    assert observers(rig) == 0


def test_whoever_may_no_longer_read_is_told_why_and_then_no_more():
    rig, alice, bob = watched_kiosk()
    taken_back = revocation(1, [id_of(grant_of("alice", OPEN))])
    assert bob.ask(coap.POST, "/bundle", taken_back).code == coap.CHANGED
    bob.invoke("open")
    (last,) = alice.hear()
    assert (last.code, reason(last), last.option(coap.OBSERVE)) == (coap_numbers.FORBIDDEN, "grant-revoked", None)
    rig.pass_s(5)
    assert alice.hear() == []
    assert observers(rig) == 0


def test_one_observation_too_many_ends_the_oldest_of_the_same_session_and_of_nobody_else():
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice", OPEN), Visitor(rig, "bob", OPEN)
    tokens = [alice.watch().token for _ in range(MAX_OBSERVED)]
    rig.device.kiosk.set("door", "open")
    assert len(alice.hear()) == MAX_OBSERVED
    bobs = [bob.watch().token for _ in range(MAX_OBSERVED + 3)]
    rig.device.kiosk.set("door", "closed")
    assert sorted(each.token for each in alice.hear()) == sorted(tokens)
    assert sorted(each.token for each in bob.hear()) == sorted(bobs[3:])


def test_an_observer_whose_link_breaks_does_not_keep_the_door_open():
    rig, alice, bob = watched_kiosk()
    send = rig.radio.send

    def breaking(link, data):
        if link == alice.number:
            raise LocalError("radio-stuck")
        send(link, data)

    rig.radio.send = breaking
    assert cbor.decode(bob.invoke("open", seconds=5).payload) == {1: 1, 2: 5}
    assert observers(rig) == 0
    rig.pass_s(5)
    assert rig.outputs.get("door") == "closed"


def test_without_a_session_nothing_is_observed():
    stranger = Visitor(new_kiosk())
    response = stranger.send(coap.request(coap.GET, "/id", options=((coap.OBSERVE, 0),)))
    assert (response.code, response.option(coap.OBSERVE)) == (coap.CONTENT, None)


def test_a_long_journal_comes_in_blocks_that_are_all_of_one_moment():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob")
    for _ in range(30):
        assert bob.ask(coap.GET, "/release").code == coap.CONTENT
    before = rig.device.journal.count
    put, parts = alice.put, []

    def put_while_others_visit(request):
        parts.append(put(request))
        assert bob.ask(coap.GET, "/r/open").code == coap.CONTENT
        return parts[-1]

    alice.put = put_while_others_visit
    body = cbor.decode(alice.carry(coap.request(coap.GET, "/journal")).payload)
    assert len(parts) > 4
    assert rig.device.journal.count == before + 1 + len(parts)  # one decision for all blocks
    public = credential.parse(rig.credential).public
    records = journal_reader.verify(body[3], body[4], public, "kiosk-1", SITE.suite)
    assert [each.what for each in records[-2:]] == ["GET /release", "GET /journal"]


def test_a_long_bundle_arrives_in_blocks_and_counts_when_it_is_whole():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    put, answers = alice.put, []

    def put_and_look(part):
        response = put(part)
        answers.append(response.code)
        assert ("policy" in rig.storage.names()) == (response.code == coap.CHANGED)
        return response

    alice.put = put_and_look
    policy = revocation(7, [bytes([n]) * 8 for n in range(100)])
    assert alice.carry(coap.request(coap.POST, "/bundle", policy)).code == coap.CHANGED
    assert answers == [coap.CONTINUE] * (len(policy) // 256) + [coap.CHANGED]
    assert rig.device.access.epoch == 7 and bytes([99]) * 8 in rig.device.access.revoked


def test_a_body_over_the_limit_is_refused_before_it_is_kept():
    alice = Visitor(new_kiosk())
    alice.ask(coap.GET, "/r")
    response = alice.carry(coap.request(coap.POST, "/bundle", bytes(MAX_BODY + 1)))
    assert (response.code, reason(response)) == (coap_numbers.REQUEST_ENTITY_TOO_LARGE, "block-too-large")


def test_an_answer_that_takes_time_comes_when_it_is_there():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob")

    async def story():
        assert alice.invoke("wait") is None
        assert bob.ask(coap.GET, "/r").code == coap.CONTENT  # nobody else waits for it
        assert alice.ask(coap.GET, "/r").code == coap.CONTENT
        assert alice.hear() == []
        await open_gate()
        return alice.hear()

    (answer,) = asyncio.run(story())
    assert (answer.code, cbor.decode(answer.payload)) == (coap.CHANGED, {1: 1, 2: "through"})


async def open_gate():
    gate.shut = False
    for _ in range(4):
        await asyncio.sleep(0)


def test_an_answer_to_a_link_that_is_gone_waits_for_the_next_visit():
    rig = new_kiosk()
    alice = Visitor(rig)

    async def story():
        assert alice.invoke("wait") is None
        rig.radio.listener.closed(alice.number)
        again = Visitor(rig, server=rig.cable)
        busy = again.invoke("wait")
        assert (busy.code, reason(busy)) == (coap_numbers.SERVICE_UNAVAILABLE, "routine-running")
        await open_gate()
        assert again.hear() == []
        assert cbor.decode(again.invoke("wait").payload) == {1: 1, 2: "through"}

    asyncio.run(story())
    assert alice.number not in rig.radio.sent
    assert gate.runs == 1


def test_a_late_error_is_told_like_an_early_one():
    rig = new_kiosk()
    alice = Visitor(rig)

    async def story():
        assert alice.invoke("wait") is None
        rig.storage.full = True
        await open_gate()
        return alice.hear()

    (answer,) = asyncio.run(story())
    assert (answer.code, reason(answer)) == (coap_numbers.INTERNAL_SERVER_ERROR, "storage-full")


def test_an_unknown_critical_option_is_refused_and_an_elective_one_is_not():
    alice = Visitor(new_kiosk())
    refused = alice.ask(coap.GET, "/r", options=((coap_numbers.IF_MATCH, b""),))
    assert (refused.code, reason(refused)) == (coap_numbers.BAD_OPTION, "coap-critical-option")
    assert alice.ask(coap.GET, "/r", options=((2048, b"?"),)).code == coap.CONTENT
    assert alice.send(coap.request(coap.GET, "/id", options=((2049, b"?"),))).code == coap_numbers.BAD_OPTION


def test_reasons_travel_under_encryption_alone():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", OPEN)
    outer = {}

    def listen(link, data, send=rig.radio.send):
        outer[link] = data
        send(link, data)

    rig.radio.send = listen
    denied = alice.invoke("broken")
    assert reason(denied) == "rule-none"
    for secret in (b"rule-none", b"broken"):
        assert secret not in outer[alice.number]
    garbled, _ = alice.context.protect_request(coap.request(coap.GET, "/r"))
    garbled.payload = garbled.payload[:-1] + bytes([garbled.payload[-1] ^ 1])
    response = alice.send(garbled)
    assert (response.code, response.payload, response.options) == (coap.BAD_REQUEST, b"", [])


def test_a_handshake_that_fails_is_answered_in_edhocs_own_words():
    alice = Visitor(new_kiosk())
    response = alice.plain(coap.POST, "/.well-known/edhoc", edhoc_client.encode_prefixed(None, b"\x02\x02\x40\x00"))
    assert (response.code, response.uint(coap.CONTENT_FORMAT)) == (coap.BAD_REQUEST, coap.CONTENT_EDHOC)
    assert edhoc_client.parse_error(response.payload) == (1, "edhoc-g-x")


def test_a_response_that_nobody_asked_for_is_not_answered():
    alice = Visitor(new_kiosk())
    assert alice.send(coap.response(coap.CONTENT, b"?")) is None
