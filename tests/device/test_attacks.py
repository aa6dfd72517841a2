"""Attacks on a device over its links: what is replayed, moved, altered or asked out of turn gets nothing.

Each test plays one attacker and names the error that stops it, or what must be the same afterwards. Who comes with the
wrong papers is in test_attacks_papers.py; what wears the device out, or keeps others away, in test_attacks_wear.py.
"""

import asyncio

from admit_protocol import block, cbor, coap, coap_numbers, oscore_option
from admit_protocol.coap_udp import UdpLayer
from attackers import (
    ALICE,
    BOB,
    BOBS,
    NAMES,
    RULES,
    SITE,
    ask,
    edhoc_post,
    gate,
    invocation,
    invoke,
    kiosk,
    protected,
    refused,
    runs,
    title,
    visitor,
)
from memory_ports import Dice
from rig import Phone, Rig

# Replayed, moved to another link, out of order


def test_a_combined_request_opens_the_door_once_however_often_and_wherever_it_is_sent():
    rig = kiosk()
    alice = visitor(rig)
    outer, _ = protected(alice)
    twin = outer.copy()
    assert alice.send(outer).option(coap.OSCORE) is not None
    bob = visitor(rig, BOB, BOBS, seed=b"bobs")
    for phone in (alice, Phone(rig), Phone(rig, server=rig.cable), bob):
        assert refused(phone.send(twin.copy())) == "edhoc-unexpected"
    without = oscore_option.split_combined(twin)[1]
    assert Phone(rig).send(without).code == coap_numbers.UNAUTHORIZED
    rig.boot()
    assert refused(Phone(rig).send(twin.copy())) == "edhoc-unexpected"
    assert Phone(rig).send(without.copy()).code == coap_numbers.UNAUTHORIZED
    assert runs == ["open"]


def test_message_3_belongs_to_the_link_of_its_handshake():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, seed=b"bobs")
    assert refused(edhoc_post(bob, alice.context.sender_id, alice.message_3)) == "edhoc-unexpected"
    assert invoke(alice).code == coap.CHANGED


def test_message_3_of_an_older_handshake_does_not_finish_the_newer_one_on_the_same_link():
    rig = kiosk()
    alice = visitor(rig)
    old = alice.message_3
    alice.start()
    assert refused(edhoc_post(alice, alice.context.sender_id, old)) == "ccm-tag"
    assert refused(edhoc_post(alice, alice.context.sender_id, alice.message_3)) == "edhoc-unexpected"


def test_message_3_is_too_late_after_ten_seconds_even_if_nothing_else_has_happened_since():
    rig = kiosk()
    alice = visitor(rig, server=rig.cable)
    rig.clock.pass_s(10)
    assert refused(edhoc_post(alice, alice.context.sender_id, alice.message_3)) == "edhoc-unexpected"


def test_requests_may_overtake_each_other_but_none_counts_twice_nor_after_32_others():
    rig = kiosk()
    alice = visitor(rig)
    assert invoke(alice).code == coap.CHANGED
    held = [protected(alice, coap.GET, "/r", b"") for _ in range(40)]
    for outer, reference in (held[39], held[8]):
        response = alice.send(outer.copy())
        assert alice.context.unprotect_response(response, reference).code == coap.CONTENT
    for outer in (held[39][0], held[8][0], held[7][0]):
        response = alice.send(outer.copy())
        assert (response.code, response.options, response.payload) == (coap_numbers.UNAUTHORIZED, [], b"")


def test_a_request_under_the_kid_of_somebody_elses_session_does_nothing_to_that_session():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, seed=b"bobs")
    invoke(alice), invoke(bob)
    outer, reference = protected(bob, coap.GET, "/r", b"")
    moved = outer.copy()
    value = outer.option(coap.OSCORE)
    moved.set_option(coap.OSCORE, value[:-1] + alice.context.sender_id)
    response = alice.send(moved)
    assert (response.code, response.payload) == (coap.BAD_REQUEST, b"")
    assert bob.context.unprotect_response(alice.send(outer), reference).code == coap.CONTENT  # a session is no link's
    assert alice.request(coap.GET, "/r").code == coap.CONTENT


def test_any_bit_altered_on_the_way_costs_the_request_and_nothing_else():
    rig = kiosk()
    alice = visitor(rig)
    invoke(alice)
    outer, reference = protected(alice, payload=invocation(b"87654321"))
    for at in range(len(outer.payload)):
        altered = outer.copy()
        altered.payload = outer.payload[:at] + bytes((outer.payload[at] ^ 1,)) + outer.payload[at + 1 :]
        response = alice.send(altered)
        assert (response.code, response.payload) == (coap.BAD_REQUEST, b"")
        altered.payload = outer.payload[:at]
        assert alice.send(altered).code == coap.BAD_REQUEST
    assert runs == ["open"]
    assert alice.context.unprotect_response(alice.send(outer), reference).code == coap.CHANGED
    assert runs == ["open", "open"]


def test_a_request_for_another_device_is_nobodys_here():
    here, there = kiosk(), Rig(NAMES, SITE, "kiosk-2")
    alice = visitor(there, data=SITE.grant(ALICE.public, RULES, audience=("*",)))
    outer, _ = protected(alice)
    visitor(here, BOB, BOBS, seed=b"bobs")
    assert refused(Phone(here).send(outer)) == "edhoc-unexpected"
    assert runs == []


# Options and blocks in odd places


def test_critical_options_that_we_do_not_know_are_refused_inside_and_outside():
    rig = kiosk()
    alice = visitor(rig)
    for options in (
        ((9 + 2 * 1000, b""),),
        ((coap_numbers.IF_MATCH, b""),),
        ((coap_numbers.IF_NONE_MATCH, b""),),
        ((coap.ACCEPT, b""), (coap.ACCEPT, b"")),
        ((coap.BLOCK2, b"\0\0\0\0"),),
    ):
        outer = alice.send(coap.request(coap.GET, "/id", options=options))
        assert outer.code in (coap_numbers.BAD_OPTION, coap.BAD_REQUEST), options
        inner = ask(alice, coap.GET, "/r", options)
        assert inner.code == outer.code and title(inner) in ("coap-critical-option", "block-option")
    assert alice.send(coap.request(coap.GET, "/id", options=((coap.EDHOC, b""),))).code == coap_numbers.BAD_OPTION
    assert alice.send(coap.request(coap.GET, "/id", options=((coap.PROXY_URI, b"x"),))).code == coap_numbers.BAD_OPTION


def test_what_an_attacker_puts_around_a_protected_request_changes_nothing_in_it():
    rig = kiosk()
    alice = visitor(rig)
    invoke(alice)
    for number, value in (
        (coap.URI_PATH, b"health"),
        (coap.BLOCK1, block.encode(3, True, 0)),
        (coap.BLOCK2, block.encode(3, False, 0)),
        (coap.OBSERVE, b""),
        (coap_numbers.IF_MATCH, b""),
        (2001, b"x"),
    ):
        outer, reference = protected(alice, coap.GET, "/r", b"")
        outer.add_option(number, value)
        inner = alice.context.unprotect_response(alice.send(outer), reference)
        assert inner.code == coap.CONTENT and inner.option(coap.OBSERVE) is None
    outer, reference = protected(alice, coap.GET, "/r", b"")
    outer.add_option(coap.PROXY_URI, b"coap://elsewhere")
    assert alice.context.unprotect_response(alice.send(outer), reference).code == coap_numbers.BAD_OPTION
    outer, _ = protected(alice, coap.GET, "/r", b"")
    outer.add_option(coap.OSCORE, outer.option(coap.OSCORE))
    assert alice.send(outer).code == coap_numbers.BAD_OPTION


def test_blocks_out_of_turn_oversized_or_impossible_are_refused_by_name():
    rig = kiosk()
    alice = visitor(rig)
    for options, payload, reason in (
        (((coap.BLOCK1, block.encode(1, False, 2)),), b"late", "block-order"),
        (((coap.BLOCK1, b"\x0f"),), b"", "block-option"),
        (((coap.BLOCK1, block.encode(0, True, 2)),), b"short", "block-size"),
        (((coap.BLOCK1, block.encode(0, True, 0)), (coap.SIZE1, 1 << 20)), bytes(16), "block-too-large"),
        (((coap.BLOCK1, block.encode(0xFFFFF, False, 6)),), b"far", "block-too-large"),
        (((coap.BLOCK2, block.encode(7, False, 0)),), b"", "block-forgotten"),
    ):
        assert title(ask(alice, coap.POST, "/r/open", options, payload)) == reason
        plain = alice.send(coap.request(coap.POST, "/.well-known/edhoc", payload, None, options))
        assert title(plain) == reason
    assert title(ask(alice, coap.GET, "/r", ((coap.BLOCK2, block.encode(900, False, 6)),))) == "block-range"
    assert runs == []


def test_two_uploads_of_two_people_are_never_put_together():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, seed=b"bobs")
    first = ((coap.BLOCK1, block.encode(0, True, 0)),)
    last = ((coap.BLOCK1, block.encode(1, False, 0)),)
    assert ask(alice, coap.POST, "/bundle", first, bytes(16)).code == coap.CONTINUE
    assert title(ask(bob, coap.POST, "/bundle", last, b"tail")) == "block-order"
    assert title(alice.send(coap.request(coap.POST, "/bundle", b"tail", None, last))) == "block-order"
    assert title(ask(alice, coap.POST, "/bundle", last, b"tail")) == "cbor-trailing"


def test_only_get_post_put_and_delete_are_methods_here():
    rig = kiosk()
    alice = visitor(rig)
    for method in (coap.FETCH, coap_numbers.PATCH, coap_numbers.IPATCH, 0x1F):
        assert alice.plain(method, "/id").code == coap_numbers.METHOD_NOT_ALLOWED
        assert ask(alice, method, "/r/open").code == coap_numbers.METHOD_NOT_ALLOWED


def test_a_path_is_what_its_segments_are_and_not_what_they_look_like():
    rig = kiosk()
    alice = visitor(rig, data=SITE.grant(ALICE.public, [("/r/open", 127, {})]))
    for path in (
        ("r/open",),
        ("r", "open", ""),
        ("", "r", "open"),
        ("r", "Open"),
        ("r", "*"),
        ("r", ""),
        ("R", "open"),
    ):
        assert ask(alice, coap.POST, path, (), invocation()).code in (coap_numbers.FORBIDDEN, coap_numbers.NOT_FOUND), (
            path
        )
    bad_utf8 = coap.Message(coap.GET, b"", ((coap.URI_PATH, b"\xff"),))
    outer, reference = alice.context.protect_request(bad_utf8)
    assert title(alice.context.unprotect_response(alice.send(outer), reference)) == "coap-utf8"
    assert runs == []


# Observing


def watch(phone, token=b"watch"):
    """Observe /r/open under `token`; the first response."""
    outer, reference = protected(phone, coap.GET, "/r/open", b"", ((coap.OBSERVE, b""),))
    outer.token = token
    phone.layer.send(outer, phone.rig.clock.ms)
    phone.watching = reference
    return phone.context.unprotect_response(phone.pump()[0], reference)


def heard(phone):
    """The notifications that have come."""
    return [phone.context.unprotect_response(each, phone.watching) for each in phone.pump()]


def forge(rig, number, message, token=b"watch"):
    """A datagram from the address of link `number`, by somebody who hears nothing of the answer."""
    message.token = token
    layer = UdpLayer(Dice(b"forger").random)
    layer.send(message, rig.clock.ms)
    rig.cable.listener.received(number, layer.outgoing(rig.clock.ms))
    rig.cable.sent.pop(number)


def test_nobody_ends_or_sees_somebody_elses_observation():
    rig = kiosk()
    alice, bob = visitor(rig, server=rig.cable), visitor(rig, BOB, BOBS, seed=b"bobs")
    assert bob.request(coap.GET, "/r").code == coap.CONTENT
    assert watch(alice).option(coap.OBSERVE) is not None
    stop = ((coap.OBSERVE, b"\x01"),)
    for path in ("/id", "/r/open"):
        forge(rig, alice.number, coap.request(coap.GET, path, options=stop))
    forge(rig, alice.number, protected(bob, coap.GET, "/r/open", b"", stop)[0])
    bob.send(protected(bob, coap.GET, "/r/open", b"", stop)[0])
    invoke(bob)
    assert len(heard(alice)) == 1
    assert bob.pump() == []


def test_observing_needs_a_session_and_a_rule():
    rig = kiosk()
    phone = Phone(rig)
    response = phone.send(coap.request(coap.GET, "/id", options=((coap.OBSERVE, b""),)))
    assert response.code == coap.CONTENT and response.option(coap.OBSERVE) is None
    alice = visitor(rig, data=SITE.grant(ALICE.public, [("/r/slow", 1, {})]))
    response = ask(alice, coap.GET, "/r/open", ((coap.OBSERVE, b""),))
    assert title(response) == "rule-none" and response.option(coap.OBSERVE) is None


def test_who_was_revoked_is_told_so_once_and_hears_no_more():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, seed=b"bobs")
    watch(alice)
    policy = SITE.bundle(1, [(1).to_bytes(8, "big")])
    assert bob.request(coap.POST, "/bundle", policy).code == coap.CHANGED
    invoke(bob)
    assert [title(each) for each in heard(alice)] == ["grant-revoked"]
    rig.pass_s(5)
    assert alice.pump() == []


def test_an_observer_whose_link_is_broken_does_not_stop_a_routine_half_way():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, seed=b"bobs")
    watch(alice)
    send = rig.radio.send

    def broken(link, data):
        if link == alice.number:
            raise OSError("radio")
        send(link, data)

    rig.radio.send = broken
    assert cbor.decode(invoke(bob).payload) == {1: 1}
    assert rig.outputs.get("door") == "open"
    rig.pass_s(5)
    assert rig.outputs.get("door") == "closed"


# Twice


def test_one_invocation_on_two_links_at_once_runs_once():
    rig = kiosk()
    one, two = visitor(rig), visitor(rig, server=rig.cable, seed=b"other")
    gate.append("shut")

    async def both():
        assert invoke(one, "slow") is None
        assert title(invoke(two, "slow")) == "routine-running"
        gate.clear()
        for _ in range(5):
            await asyncio.sleep(0)
        return one.pump()

    assert len(asyncio.run(both())) == 1
    assert cbor.decode(invoke(two, "slow").payload) == {1: 1, 2: 1}
    assert runs == ["slow"]


def test_what_a_reset_interrupted_is_not_begun_again():
    rig = kiosk()
    alice = visitor(rig)
    gate.append("shut")

    async def begun():
        assert invoke(alice, "slow") is None

    asyncio.run(begun())
    rig.boot()  # with the gate shut still: under MicroPython a task of the life before would go on
    assert cbor.decode(invoke(visitor(rig), "slow").payload) == {1: 3}
    assert runs == ["slow"]
    gate.clear()


def test_an_id_is_spent_by_whoever_used_it_and_by_nobody_else():
    rig = kiosk()
    alice, bob = visitor(rig), visitor(rig, BOB, BOBS, seed=b"bobs")
    for phone in (alice, bob, alice, bob):
        assert invoke(phone).code == coap.CHANGED
    assert runs == ["open", "open"]


def test_a_routine_with_an_unspeakable_result_has_failed_and_is_over():
    rig = kiosk()
    alice = visitor(rig)
    for _ in range(2):
        assert cbor.decode(invoke(alice, "odd").payload)[1] == 2
    assert runs == ["odd"]


def test_invocations_that_do_not_parse_leave_their_id_unused():
    rig = kiosk()
    alice = visitor(rig)
    for body, reason in (
        (b"", "cbor-truncated"),
        (cbor.encode({}), "invocation-id"),
        (cbor.encode({1: b"short"}), "invocation-body"),
        (cbor.encode({1: b"12345678", 2: [], 3: 0}), "invocation-arguments"),
        (cbor.encode({1: b"12345678", 3: 0}), "invocation-body"),
        (cbor.encode({1: b"12345678", 2: {"force": True}}), "routine-argument"),
        (cbor.encode({1: b"12345678", 2: {b"force": 1, 7: 2}}), "routine-argument"),
    ):
        assert title(alice.request(coap.POST, "/r/open", body)) == reason
    assert runs == []
    assert invoke(alice).code == coap.CHANGED
