"""OSCORE over time: replay and order, observation, restarts. RFC 8613 sections 7 and 4.1.3.5, appendix B.1."""

from admit_protocol import coap, coap_numbers, oscore_preshared
from admit_protocol.errors import LocalError, Malformed, Replayed, Unverified
from oscore_peers import CLIENT, SALT, SECRET, SERVER, Suite, content, contexts, forged, get, partial_iv
from support import raises

# Replay


def requests(client, count):
    return [client.protect_request(get())[0] for _ in range(count)]


def test_a_replayed_request_is_refused_whenever_it_comes():
    client, server = contexts()
    sent = requests(client, 40)
    for number, outer in enumerate(sent):
        server.unprotect_request(outer)
        with raises(Replayed, "oscore-replayed"):
            server.unprotect_request(outer)
        if number >= 32:
            with raises(Replayed, "oscore-too-old"):
                server.unprotect_request(sent[number - 32])
            with raises(Replayed, "oscore-replayed"):
                server.unprotect_request(sent[number - 31])


def test_reordered_requests_inside_the_window_of_32_are_taken_once():
    client, server = contexts()
    sent = requests(client, 41)
    order = (32, 5, 31, 1, 17, 40, 34, 39, 9)
    for number in order:
        server.unprotect_request(sent[number])
        if number == 17:
            with raises(Replayed, "oscore-too-old"):
                server.unprotect_request(sent[0])
    for number in order:
        with raises(Replayed, "oscore-replayed" if number >= 9 else "oscore-too-old"):
            server.unprotect_request(sent[number])


def test_a_great_leap_forgets_the_whole_window():
    client, server = contexts()
    sent = requests(client, 2)
    server.unprotect_request(sent[0])
    client.sequence = (1 << 40) - 1
    server.unprotect_request(requests(client, 1)[0])
    with raises(Replayed, "oscore-too-old"):
        server.unprotect_request(sent[1])


def test_a_forged_message_leaves_the_window_untouched():
    client, server = contexts()
    sent = requests(client, 2)
    client.sequence = 1000
    far = requests(client, 1)[0]
    server.unprotect_request(sent[0])
    for bad in (forged(far), forged(sent[1])):
        with raises(Unverified, "ccm-tag"):
            server.unprotect_request(bad)
    server.unprotect_request(sent[1])
    server.unprotect_request(far)


def test_what_verified_is_spent_even_if_it_makes_no_sense():
    client, server = contexts()
    outer, _ = client.protect_request(coap.response(coap.CONTENT))
    with raises(Malformed, "oscore-code"):
        server.unprotect_request(outer)
    with raises(Replayed, "oscore-replayed"):
        server.unprotect_request(outer)


# Observe, section 4.1.3.5


def observation():
    """Client and server contexts, and the refs of both of an observation."""
    client, server = contexts()
    outer, asked = client.protect_request(get("/state", ((coap.OBSERVE, 0),)))
    assert (outer.code, outer.option(coap.OBSERVE)) == (coap.FETCH, b"")
    inner, ref = server.unprotect_request(outer)
    assert (inner.code, inner.uint(coap.OBSERVE)) == (coap.GET, 0)
    return client, server, asked, ref


def notification(server, ref, number):
    return server.protect_response(content(b"state %d" % number, ((coap.OBSERVE, number),)), ref)


def test_notifications_bring_fresh_partial_ivs_and_the_client_keeps_their_order():
    client, server, asked, ref = observation()
    sent = [notification(server, ref, number) for number in range(5)]
    assert [partial_iv(outer) for outer in sent] == [b"\x00", b"\x01", b"\x02", b"\x03", b"\x04"]
    assert [outer.code for outer in sent] == [coap.CONTENT] * 5
    assert [outer.uint(coap.OBSERVE) for outer in sent] == [0, 1, 2, 3, 4]
    for number in (0, 1, 3):
        inner = client.unprotect_response(sent[number], asked)
        assert (inner.uint(coap.OBSERVE), inner.payload) == (number, b"state %d" % number)
    for number in (3, 2, 0):
        with raises(Replayed, "oscore-replayed"):
            client.unprotect_response(sent[number], asked)
    assert client.unprotect_response(sent[4], asked).payload == b"state 4"


def test_the_observe_value_outside_means_nothing():
    client, server, asked, ref = observation()
    for outside in (5, 1, None):
        outer = notification(server, ref, 7).with_option(coap.OBSERVE, outside)
        assert client.unprotect_response(outer, asked).uint(coap.OBSERVE) == server.sequence - 1
    outer = notification(server, ref, 8)
    with raises(Unverified, "ccm-tag"):
        client.unprotect_response(forged(outer), asked)
    client.unprotect_response(outer, asked)  # a failure does not end the observation


def test_a_first_notification_on_the_nonce_of_the_request_is_the_oldest_and_comes_once():
    """aiocoap sends such; ours always bring a Partial IV."""
    for late in (False, True):
        client, server, asked, ref = observation()
        first = server._seal(content(), [], b"\x45\x60\xffold", server._nonce(ref.kid, ref.partial_iv), ref)
        first.add_option(coap.OSCORE, b"")
        if late:
            client.unprotect_response(notification(server, ref, 1), asked)
        else:
            assert client.unprotect_response(first, asked).payload == b"old"
        with raises(Replayed, "oscore-replayed"):
            client.unprotect_response(first, asked)
        client.unprotect_response(notification(server, ref, 2), asked)


def test_an_error_ends_an_observation():
    client, server, asked, ref = observation()
    client.unprotect_response(notification(server, ref, 0), asked)
    last = server.protect_response(coap.response(coap_numbers.NOT_FOUND), ref, observe=True)
    assert partial_iv(last) == b"\x01"
    late = notification(server, ref, 2)
    assert client.unprotect_response(last, asked).code == coap_numbers.NOT_FOUND
    with raises(Replayed, "oscore-replayed"):
        client.unprotect_response(late, asked)


def test_a_server_may_decline_to_be_observed():
    client, server, asked, ref = observation()
    outer = server.protect_response(content(), ref)
    assert (outer.code, partial_iv(outer)) == (coap.CHANGED, None)
    assert client.unprotect_response(outer, asked).option(coap.OBSERVE) is None


def test_notifications_that_nobody_asked_for_are_refused():
    client, server = contexts()
    for options in ((), ((coap.OBSERVE, 1),)):  # a plain request, and a cancellation
        outer, asked = client.protect_request(get("/state", options))
        inner, ref = server.unprotect_request(outer)
        assert inner.all(coap.OBSERVE) == ([b"\x01"] if options else [])
        with raises(Malformed, "oscore-observe"):
            client.unprotect_response(notification(server, ref, 1), asked)


def test_a_notification_with_a_value_inside_is_refused():
    client, server, asked, ref = observation()
    outer = server._seal(content(), [], b"\x45\x61\x07", server._nonce(SERVER, b"\x05"), ref)
    outer.add_option(coap.OSCORE, b"\x01\x05")
    with raises(Malformed, "oscore-observe"):
        client.unprotect_response(outer, asked)


def test_removing_observe_outside_changes_nothing_inside():
    client, server = contexts()
    outer, _ = client.protect_request(get("/state", ((coap.OBSERVE, 0),)))
    inner, _ = server.unprotect_request(outer.with_option(coap.OBSERVE, None))
    assert inner.uint(coap.OBSERVE) == 0


# Preshared contexts, appendix B.1


class PowerCut(Exception):
    pass


class Store:
    """Keeps its number through a power cut, which comes at write number `dies_at`, before it or after it."""

    def __init__(self, dies_at=None, when=None):
        self.stored = 0
        self.writes = 0
        self.dies_at = dies_at
        self.when = when

    def reserve(self):
        start = self.stored
        self.writes += 1
        if self.writes == self.dies_at and self.when == "before":
            raise PowerCut
        self.stored = start + oscore_preshared.RESERVED
        if self.writes == self.dies_at and self.when == "after":
            raise PowerCut
        return start


def lives(store, messages):
    """Partial IVs of four lives of a client, each ended by switching it off or by the store's power cut."""
    used = []
    for _ in range(4):
        client = oscore_preshared.PresharedContext(Suite(), SECRET, SALT, CLIENT, SERVER, store=store)
        try:
            for _ in range(messages):
                used.append(partial_iv(client.protect_request(get())[0]))
        except PowerCut:
            pass
    return used


def test_a_power_cut_never_repeats_a_nonce():
    for when in ("before", "after"):
        for dies_at in range(1, 9):
            used = lives(Store(dies_at, when), 70)
            assert 3 * 70 <= len(used) < 4 * 70, (when, dies_at)
            assert len(set(used)) == len(used), (when, dies_at)


def test_numbers_are_stored_once_for_64_messages():
    store = Store()
    client = oscore_preshared.PresharedContext(Suite(), SECRET, SALT, CLIENT, SERVER, store=store)
    assert store.writes == 0
    requests(client, 64)
    assert store.writes == 1
    requests(client, 1)
    assert (store.writes, client.sequence) == (2, 65)


def test_a_store_that_goes_backwards_is_not_believed():
    store = Store()
    client = oscore_preshared.PresharedContext(Suite(), SECRET, SALT, CLIENT, SERVER, store=store)
    requests(client, 64)
    store.stored = 0
    with raises(LocalError, "oscore-store"):
        client.protect_request(get())


def test_responses_too_take_their_numbers_from_the_store():
    store = Store()
    store.stored = 4096
    client, server = contexts(store=store)
    _, ref = server.unprotect_request(client.protect_request(get())[0])
    assert partial_iv(server.protect_response(content(), ref)) is None
    assert partial_iv(server.protect_response(content(), ref)) == b"\x10\x00"


def test_after_a_restart_a_request_must_prove_its_freshness():
    client, server = contexts()
    old = [client.protect_request(get("/old"))[0] for _ in range(3)]
    server.unprotect_request(old[0])

    _, server = contexts(needs_echo=True)  # the power came back: the window is lost
    asked_at = client.sequence
    for outer in old:  # one that had come and two that had not: nobody can tell
        with raises(Replayed, "oscore-echo") as refused:
            server.unprotect_request(outer)
        assert partial_iv(refused.error.response) is not None
    outer, asked = client.protect_request(get("/new", token=b"\x07"))
    with raises(Replayed, "oscore-echo") as refused:
        server.unprotect_request(outer)
    challenge = client.unprotect_response(refused.error.response, asked)
    assert (challenge.code, challenge.token, challenge.payload) == (coap_numbers.UNAUTHORIZED, b"\x07", b"")
    assert [number for number, _ in challenge.options] == [coap_numbers.ECHO]

    early = client.protect_request(get("/early"))[0]
    outer, asked = client.protect_request(get("/new", ((coap_numbers.ECHO, challenge.option(coap_numbers.ECHO)),)))
    inner, ref = server.unprotect_request(outer)
    assert inner.path == ("new",)
    assert client.unprotect_response(server.protect_response(content(), ref), asked).payload == b"yes"

    for late in (old[2], early, outer):  # its Partial IV is the new lower limit
        with raises(Replayed, "oscore-replayed"):
            server.unprotect_request(late)
    assert client.sequence == asked_at + 3
    server.unprotect_request(client.protect_request(get())[0])


def test_a_wrong_echo_or_a_forged_one_proves_nothing():
    client, server = contexts(needs_echo=True)
    for value in (b"", b"\x02" * 8, b"\x01" * 7):
        with raises(Replayed, "oscore-echo"):
            server.unprotect_request(client.protect_request(get(options=((coap_numbers.ECHO, value),)))[0])
    good = client.protect_request(get(options=((coap_numbers.ECHO, b"\x01" * 8),)))[0]
    with raises(Unverified, "ccm-tag"):
        server.unprotect_request(forged(good))
    with raises(Replayed, "oscore-echo"):
        server.unprotect_request(client.protect_request(get())[0])
    server.unprotect_request(good)


def test_exhausted_sequence_numbers_are_an_error():
    client, server = contexts()
    outer, asked = client.protect_request(get("/state", ((coap.OBSERVE, 0),)))
    _, ref = server.unprotect_request(outer)
    client.sequence = server.sequence = (1 << 40) - 1
    last = client.protect_request(get())[0]
    assert last.option(coap.OSCORE) == b"\x0d\xff\xff\xff\xff\xff" + CLIENT
    server.unprotect_request(last)
    assert client.unprotect_response(notification(server, ref, 1), asked).uint(coap.OBSERVE) == 0xFFFFFF
    for _ in range(2):
        with raises(LocalError, "oscore-exhausted"):
            client.protect_request(get())
        with raises(LocalError, "oscore-exhausted"):
            notification(server, ref, 2)
