"""Exchanges: standing requests, long bodies both ways, answers that come late, and errors that tell strangers nothing."""

import asyncio

from admit_device.exchange import MAX_BODY, MAX_OBSERVERS
from admit_protocol import cbor, coap, credential, edhoc, journal
from admit_protocol.errors import LocalError
from visitors import OPEN, SITE, Visitor, door_in, gate, grant_of, new_kiosk, reason, revocation

UNOBSERVE = ((coap.OBSERVE, 1),)


def watched_kiosk():
    """(rig, Alice who watches the door, Bob who may open it)."""
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice", OPEN), Visitor(rig, "bob")
    assert alice.watch().code == coap.CONTENT
    assert bob.ask(coap.GET, "/r").code == coap.CONTENT
    return rig, alice, bob


def test_who_watches_the_door_hears_it_open_and_close_by_itself():
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice", OPEN), Visitor(rig, "bob")
    first = alice.watch()
    assert (first.code, door_in(first)) == (coap.CONTENT, "closed")
    numbers = [first.uint(coap.OBSERVE)]
    bob.invoke("open", seconds=3)
    rig.pass_s(3)
    bob.invoke("open", b"87654321", seconds=3)
    told = alice.hear()
    assert [door_in(each) for each in told] == ["open", "open"]  # the newest state takes the place of one in the queue
    rig.pass_s(3)
    told += alice.hear()
    assert door_in(told[-1]) == "closed"
    numbers += [each.uint(coap.OBSERVE) for each in told]
    assert numbers == sorted(set(numbers)) and None not in numbers


def test_nobody_hears_of_outputs_that_the_routine_does_not_move():
    rig, alice, bob = watched_kiosk()
    bob.watch("/r/broken")
    rig.device.kiosk.set("lamp", True)
    assert alice.hear() == bob.hear() == []
    rig.device.kiosk.set("door", "open")
    assert [door_in(each) for each in alice.hear()] == ["open"]
    assert bob.hear() == []


def test_observe_1_ends_it():
    rig, alice, bob = watched_kiosk()
    again = alice.watch()
    last = alice.ask(coap.GET, "/r/open", options=UNOBSERVE)  # of another token: it ends nothing
    assert last.option(coap.OBSERVE) is None
    assert again.option(coap.OBSERVE) is not None
    bob.invoke("open")
    assert len(alice.hear()) == 2
    for token in (1, 2):
        alice.tokens, newest = token - 1, alice.tokens
        assert alice.ask(coap.GET, "/r/open", options=UNOBSERVE).option(coap.OBSERVE) is None
        alice.tokens = newest
    rig.pass_s(5)
    assert alice.hear() == []


def test_registering_twice_with_one_token_is_one_observation():
    rig, alice, bob = watched_kiosk()
    alice.tokens -= 1
    assert alice.watch().code == coap.CONTENT
    bob.invoke("open")
    assert len(alice.hear()) == 1


def test_it_ends_with_the_link():
    rig, alice, bob = watched_kiosk()
    rig.radio.listener.closed(alice.number)
    before = rig.device.journal.count
    bob.invoke("open")
    assert rig.radio.sent.get(alice.number) is None
    assert rig.device.journal.count == before + 2  # Bob's decision and invocation, and nothing that Alice asked


def test_it_ends_with_the_session():
    rig, alice, bob = watched_kiosk()
    assert alice.ask(coap.DELETE, "/login").code == coap.DELETED
    bob.invoke("open")
    assert alice.hear() == []


def test_whoever_may_no_longer_read_is_told_why_once():
    rig, alice, bob = watched_kiosk()
    assert bob.ask(coap.POST, "/bundle", revocation(1, grant_of("alice", OPEN))).code == coap.CHANGED
    bob.invoke("open")
    (last,) = alice.hear()
    assert (last.code, reason(last), last.option(coap.OBSERVE)) == (coap.FORBIDDEN, "grant-revoked", None)
    rig.pass_s(5)
    assert alice.hear() == []


def test_one_more_observer_takes_the_place_of_the_oldest():
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice", OPEN), Visitor(rig, "bob")
    for _ in range(MAX_OBSERVERS // 2):
        alice.watch()
        bob.watch()
    assert alice.watch().option(coap.OBSERVE) is not None
    rig.device.kiosk.set("door", "open")
    told, told_bob = alice.hear(), bob.hear()
    assert (len(told), len(told_bob)) == (MAX_OBSERVERS // 2, MAX_OBSERVERS // 2)
    assert bytes([alice.number, 2]) not in [each.token for each in told]


def test_an_observer_whose_link_breaks_does_not_keep_the_door_open():
    rig, alice, bob = watched_kiosk()
    send = rig.radio.send

    def breaking(link, data):
        if link == alice.number:
            raise LocalError("radio-stuck")
        send(link, data)

    rig.radio.send = breaking
    assert cbor.decode(bob.invoke("open", seconds=5).payload) == {1: 1, 2: 5}
    rig.pass_s(5)
    assert rig.outputs.get("door") == "closed"
    rig.radio.send = send
    rig.device.kiosk.set("door", "open")
    assert alice.hear() == []


def test_without_a_session_nothing_is_observed():
    rig = new_kiosk()
    stranger = Visitor(rig)
    request = coap.request(coap.GET, "/id", options=((coap.OBSERVE, 0),))
    response = stranger.send(request)
    assert (response.code, response.option(coap.OBSERVE)) == (coap.CONTENT, None)


def test_a_long_journal_comes_in_blocks_of_one_moment():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob", OPEN)
    for number in range(20):
        bob.ask(coap.GET, "/nowhere/%d" % number)
    asked = rig.device.journal.count
    request = coap.request(coap.GET, "/journal")
    part = alice.put(request.with_option(coap.BLOCK2, b"\x04"))
    assert (part.code, len(part.payload), part.option(coap.BLOCK2)) == (coap.CONTENT, 256, b"\x0c")
    bob.ask(coap.GET, "/nowhere")  # another record, and the one of the decision on this very request, come later
    body = cbor.decode(alice.carry(request).payload)
    assert rig.device.journal.count == asked + 3
    public = credential.parse(rig.credential).public
    records = journal.verify(body[3], body[4], public, "kiosk-1", SITE.suite)
    assert [each.what for each in records[-2:]] == ["GET /nowhere", "GET /journal"]


def test_a_long_bundle_goes_in_blocks_and_is_taken_whole():
    rig = new_kiosk()
    alice = Visitor(rig)
    policy = revocation(3, *[grant_of("alice", OPEN)] * 1) + b""
    long = SITE_bundle(80)
    assert len(policy) < 256 < len(long)
    response = alice.carry(coap.request(coap.POST, "/bundle", long), 128)
    assert response.code == coap.CHANGED
    assert rig.device.journal.count and rig.device._resources._access.epoch == 7
