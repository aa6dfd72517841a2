"""OSCORE as RFC 8613 and RFC 9668 want it: the vectors of appendix C, then what peers and attackers do with it."""

from admit_protocol import block, ccm, coap, oscore
from admit_protocol.block_client import Transfer
from admit_protocol.errors import LocalError, Malformed, Replayed, Unauthenticated, Unsupported, Unverified
from support import raises, vectors

SECRET = bytes(range(16))
SALT = b"salt"
CLIENT, SERVER = b"\x17", b"\x2a"
HIDDEN_NUMBERS = (1, 4, 5, 8, 11, 12, 14, 15, 17, 20, 23, 27, 28, 60, 252, 258, 292, 2048, 65001)


class Suite:
    """What a context asks of a suite."""

    encrypt = staticmethod(ccm.encrypt)
    decrypt = staticmethod(ccm.decrypt)

    def __init__(self):
        self.drawn = 0

    def random(self, length):
        self.drawn += 1
        return bytes([self.drawn]) * length


def contexts(**server):
    """Client and server of one security context."""
    client = oscore.Context(Suite(), SECRET, SALT, CLIENT, SERVER)
    return client, oscore.Context(Suite(), SECRET, SALT, SERVER, CLIENT, **server)


def get(path="/r", options=(), token=b"\x01"):
    message = coap.request(coap.GET, path, options=options)
    message.token = token
    return message


def content(payload=b"yes", options=()):
    return coap.response(coap.CONTENT, payload, options=options)


def forged(message):
    """`message` with its last bit changed."""
    twin = message.copy()
    twin.payload = message.payload[:-1] + bytes([message.payload[-1] ^ 1])
    return twin


def partial_iv(message):
    return oscore.parse_option(message.option(coap.OSCORE))[0]


def same(one, other):
    return (one.code, one.token, one.options, one.payload) == (other.code, other.token, other.options, other.payload)


# Appendix C


def vector(section):
    found = [v for v in vectors("rfc8613_oscore.json")["vectors"] if v["section"] == section][0]
    return {name: bytes.fromhex(v) if name not in ("section", "title") else v for name, v in found.items()}


def vector_context(section):
    v = vector(section)
    id_context = v.get("id_context")
    salt = v.get("master_salt", b"")
    return oscore.Context(Suite(), v["master_secret"], salt, v["sender_id"], v["recipient_id"], id_context)


def from_datagram(data):
    """A message of a CoAP over UDP datagram with a four-byte header."""
    token_end = 4 + (data[0] & 15)
    options, payload = coap.decode_body(data[token_end:])
    return coap.Message(data[1], data[4:token_end], options, payload)


def test_keys_and_nonces_of_appendix_c_1_to_c_3():
    for section in ("C.1.1", "C.1.2", "C.2.1", "C.2.2", "C.3.1", "C.3.2"):
        v = vector(section)
        context = vector_context(section)
        assert context._sender_key == v["sender_key"], section
        assert context._recipient_key == v["recipient_key"], section
        assert context._common_iv.to_bytes(13, "big") == v["common_iv"], section
        assert context._nonce(v["sender_id"], b"\x00") == v["sender_nonce"], section
        assert context._nonce(v["recipient_id"], b"\x00") == v["recipient_nonce"], section


def test_requests_of_appendix_c_4_to_c_6():
    for section, client, server in (("C.4", "C.1.1", "C.1.2"), ("C.5", "C.2.1", "C.2.2"), ("C.6", "C.3.1", "C.3.2")):
        v = vector(section)
        request, protected = from_datagram(v["unprotected"]), from_datagram(v["protected"])
        context = vector_context(client)
        context.sequence = 20
        outer, ref = context.protect_request(request)
        assert ref.aad() == v["aad"], section
        assert outer.option(coap.OSCORE) == v["option"], section
        assert outer.payload == v["ciphertext"], section
        assert same(outer, protected), section
        inner, _ = vector_context(server).unprotect_request(protected)
        assert same(inner, request), section


def test_responses_of_appendix_c_7_and_c_8():
    for section, fresh in (("C.7", False), ("C.8", True)):
        v = vector(section)
        response, protected = from_datagram(v["unprotected"]), from_datagram(v["protected"])
        client, server = vector_context("C.1.1"), vector_context("C.1.2")
        client.sequence = 20
        outer, asked = client.protect_request(from_datagram(vector("C.4")["unprotected"]))
        _, ref = server.unprotect_request(outer)
        assert same(server.protect_response(response, ref, observe=fresh), protected), section
        assert same(client.unprotect_response(protected, asked), response), section


def test_options_of_section_6_3():
    for value, parts in (
        ("090525", (b"\x05", b"\x25", None)),
        ("0900", (b"\x00", b"", None)),
        ("19050544616c656b", (b"\x05", b"", b"Dalek")),
        ("", (None, None, None)),
        ("0107", (b"\x07", None, None)),
    ):
        assert oscore.parse_option(bytes.fromhex(value)) == parts, value
        assert oscore._encode_option(*parts) == bytes.fromhex(value), value


# A request and its response


def test_a_request_and_its_response_arrive_and_show_nothing():
    client, server = contexts()
    request = coap.request(coap.POST, "/r/open", b"arguments", coap.CONTENT_CBOR)
    request.token = b"tk"
    outer, asked = client.protect_request(request)
    assert (outer.code, outer.token) == (coap.POST, b"tk")
    assert outer.options == [(coap.OSCORE, b"\x09\x00\x17")]
    assert len(outer.payload) == 1 + len(coap.encode_body(request.options, request.payload)) + 8
    inner, ref = server.unprotect_request(outer)
    assert same(inner, request)

    response = coap.response(coap.FORBIDDEN, b"reason", coap.CONTENT_PROBLEM)
    response.token = inner.token
    outer = server.protect_response(response, ref)
    assert (outer.code, outer.token, outer.options) == (coap.CHANGED, b"tk", [(coap.OSCORE, b"")])
    assert same(client.unprotect_response(outer, asked), response)


def test_both_ends_may_ask():
    client, server = contexts()
    outer, asked = server.protect_request(get())
    inner, ref = client.unprotect_request(outer)
    assert inner.path == ("r",)
    assert server.unprotect_response(client.protect_response(content(), ref), asked).payload == b"yes"


def test_ids_of_any_length_up_to_seven():
    for one, other in ((b"", b"\x00"), (b"1234567", b"7654321"), (b"\x00", b"\x00\x00")):
        client = oscore.Context(Suite(), SECRET, b"", one, other)
        server = oscore.Context(Suite(), SECRET, b"", other, one)
        outer, asked = client.protect_request(get())
        _, ref = server.unprotect_request(outer)
        assert client.unprotect_response(server.protect_response(content(), ref), asked).payload == b"yes"
    for one, other in ((b"12345678", b""), (b"", b"12345678"), (b"\x05", b"\x05")):
        with raises(LocalError, "oscore-id"):
            oscore.Context(Suite(), SECRET, b"", one, other)


def test_a_second_response_never_reuses_the_nonce_of_the_request():
    client, server = contexts()
    outer, _ = client.protect_request(get())
    _, ref = server.unprotect_request(outer)
    answers = [server.protect_response(content(), ref) for _ in range(3)]
    assert [partial_iv(answer) for answer in answers] == [None, b"\x00", b"\x01"]


def test_one_response_to_one_request():
    client, server = contexts()
    outer, asked = client.protect_request(get())
    _, ref = server.unprotect_request(outer)
    answers = [server.protect_response(content(), ref) for _ in range(2)]
    client.unprotect_response(answers[0], asked)
    for again in answers:
        with raises(Replayed, "oscore-replayed"):
            client.unprotect_response(again, asked)


def test_a_response_to_another_request_is_refused():
    client, server = contexts()
    asked, answers = [], []
    for path in ("/a", "/b"):
        outer, ref = client.protect_request(get(path))
        asked.append(ref)
        _, ref = server.unprotect_request(outer)
        answers.append((server.protect_response(content(), ref), server.protect_response(content(), ref)))
    for answer in answers[0]:
        with raises(Unverified, "ccm-tag"):
            client.unprotect_response(answer, asked[1])
    assert client.unprotect_response(answers[1][0], asked[1]).payload == b"yes"
    assert client.unprotect_response(answers[0][0], asked[0]).payload == b"yes"


def test_a_request_is_no_response_and_a_response_no_request():
    client, server = contexts()
    outer, asked = client.protect_request(get())
    with raises(Unauthenticated, "oscore-context"):  # reflected
        client.unprotect_response(outer, asked)
    _, ref = server.unprotect_request(outer)
    answer = server.protect_response(content(), ref)
    answer.code = coap.POST
    with raises(Unsupported, "oscore-option"):
        server.unprotect_request(answer)


def test_codes_that_are_neither_request_nor_response():
    for code in (0x00, 0x01, 0x1F, 0x20, 0x40, 0x41, 0xBF, 0xC0, 0xE1):
        client, server = contexts()
        outer, _ = client.protect_request(coap.Message(code))
        if 0x01 <= code <= 0x1F:
            assert server.unprotect_request(outer)[0].code == code
        else:
            with raises(Malformed, "oscore-code"):
                server.unprotect_request(outer)
        outer, asked = client.protect_request(get())
        _, ref = server.unprotect_request(outer)
        answer = server.protect_response(coap.Message(code), ref)
        if 0x41 <= code <= 0xBF:
            assert client.unprotect_response(answer, asked).code == code
        else:
            with raises(Malformed, "oscore-code"):
                client.unprotect_response(answer, asked)


def test_a_ref_serves_only_the_context_and_the_side_that_it_came_from():
    client, server = contexts()
    outer, asked = client.protect_request(get())
    _, ref = server.unprotect_request(outer)
    answer = server.protect_response(content(), ref)
    with raises(LocalError, "oscore-ref"):  # would encrypt again with the key and nonce of our own request
        client.protect_response(content(), asked)
    with raises(LocalError, "oscore-ref"):
        server.unprotect_response(answer, ref)
    later_client, later_server = contexts()
    with raises(LocalError, "oscore-ref"):
        later_server.protect_response(content(), ref)
    with raises(LocalError, "oscore-ref"):
        later_client.unprotect_response(answer, asked)


def test_unprotected_messages_are_not_taken_for_protected_ones():
    client, server = contexts()
    _, asked = client.protect_request(get())
    with raises(Unauthenticated, "oscore-unprotected"):
        server.unprotect_request(get())
    with raises(Unauthenticated, "oscore-unprotected"):
        client.unprotect_response(content(), asked)


def test_wrong_keys():
    client, server = contexts()
    for secret, salt in ((bytes(16), SALT), (SECRET, b"")):
        stranger = oscore.Context(Suite(), secret, salt, CLIENT, SERVER)
        with raises(Unverified, "ccm-tag"):
            server.unprotect_request(stranger.protect_request(get())[0])
    stranger = oscore.Context(Suite(), SECRET, SALT, CLIENT, SERVER, b"another id context")
    with raises(Unauthenticated, "oscore-context"):
        server.unprotect_request(stranger.protect_request(get())[0])
    stranger = oscore.Context(Suite(), SECRET, SALT, b"\x18", SERVER)
    with raises(Unauthenticated, "oscore-context"):
        server.unprotect_request(stranger.protect_request(get())[0])
    server.unprotect_request(client.protect_request(get())[0])


def test_an_id_context_may_be_left_out():
    client = oscore.Context(Suite(), SECRET, SALT, CLIENT, SERVER, b"room 5")
    server = oscore.Context(Suite(), SECRET, SALT, SERVER, CLIENT, b"room 5")
    outer, _ = client.protect_request(get())
    assert oscore.parse_option(outer.option(coap.OSCORE)) == (b"\x00", CLIENT, b"room 5")
    outer.set_option(coap.OSCORE, b"\x09\x00" + CLIENT)
    assert server.unprotect_request(outer)[0].path == ("r",)


def test_every_changed_byte_is_noticed():
    client, server = contexts()
    outer, _ = client.protect_request(get())
    for i in range(len(outer.payload)):
        bad = outer.copy()
        bad.payload = outer.payload[:i] + bytes([outer.payload[i] ^ 0x80]) + outer.payload[i + 1 :]
        with raises(Unverified, "ccm-tag"):
            server.unprotect_request(bad)
    for i in range(len(outer.payload)):
        bad = outer.copy()
        bad.payload = outer.payload[:i]
        with raises(*((Malformed, "oscore-too-short") if i < 9 else (Unverified, "ccm-tag"))):
            server.unprotect_request(bad)
    with raises(Unverified, "ccm-tag"):  # the Partial IV is authenticated too
        server.unprotect_request(outer.with_option(coap.OSCORE, b"\x09\x01" + CLIENT))
    server.unprotect_request(outer)


def test_hostile_oscore_options():
    client, server = contexts()
    outer, asked = client.protect_request(get())
    for value in (
        "00",  # all flags zero must be no byte at all
        "20",
        "490017",
        "8900",
        "e9",
        "0e010203040506",  # n = 6 and 7 are reserved
        "0f01020304050607",
        "09",  # truncated Partial IV
        "0b0102",
        "0100ff",  # something behind the end
        "11000155aa",
        "1900",  # no kid context
        "190005aabb",  # a kid context cut off
        "0a0005",  # a leading zero
        "0d0000000001",
    ):
        value = bytes.fromhex(value)
        with raises(Unsupported, "oscore-option"):
            server.unprotect_request(outer.with_option(coap.OSCORE, value))
        with raises(Unsupported, "oscore-option"):
            client.unprotect_response(outer.with_option(coap.OSCORE, value), asked)
    for value in (b"", b"\x01\x00", b"\x08" + CLIENT):  # a request names its Partial IV and its kid
        with raises(Unsupported, "oscore-option"):
            server.unprotect_request(outer.with_option(coap.OSCORE, value))
    twice = outer.copy()
    twice.add_option(coap.OSCORE, b"")
    with raises(Unsupported, "oscore-option"):
        server.unprotect_request(twice)
    with raises(Unauthenticated, "oscore-context"):
        server.unprotect_request(outer.with_option(coap.OSCORE, b"\x09\x00\x18"))
    server.unprotect_request(outer)


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
    client.sequence = oscore.MAX_SEQUENCE
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
    last = server.protect_response(coap.response(coap.NOT_FOUND), ref, observe=True)
    assert partial_iv(last) == b"\x01"
    late = notification(server, ref, 2)
    assert client.unprotect_response(last, asked).code == coap.NOT_FOUND
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


# Options, section 4.1


def test_options_for_proxies_stay_outside_and_all_others_go_inside():
    client, server = contexts()
    outside = [
        (coap.URI_HOST, b"kiosk"),
        (coap.URI_PORT, b"\x16\x33"),
        (16, b"\x08"),
        (coap.EDHOC, b""),
        (coap.PROXY_URI, b"coap://kiosk"),
        (coap.PROXY_SCHEME, b"coap"),
    ]
    inside = [(number, b"\x01") for number in HIDDEN_NUMBERS]
    request = coap.Message(coap.POST, b"", outside + inside, b"x")
    outer, _ = client.protect_request(request)
    assert [item for item in outer.options if item[0] != coap.OSCORE] == outside
    inner, _ = server.unprotect_request(outer)
    assert inner.options == sorted(outside + inside)


def test_what_a_stranger_adds_outside_is_dropped():
    client, server = contexts()
    outer, asked = client.protect_request(get())
    for number in HIDDEN_NUMBERS + (coap.OBSERVE,):
        outer.add_option(number, b"\x01")
    outer.code = coap.DELETE
    inner, ref = server.unprotect_request(outer)
    assert (inner.code, inner.options) == (coap.GET, [(coap.URI_PATH, b"r")])
    outer = server.protect_response(content(), ref)
    outer.code = coap.NOT_FOUND
    for number in (coap.ETAG, coap.OBSERVE, coap.MAX_AGE, coap.BLOCK2, coap.ECHO):
        outer.add_option(number, b"\x01")
    inner = client.unprotect_response(outer, asked)
    assert (inner.code, inner.options) == (coap.CONTENT, [])


def test_options_for_proxies_are_refused_inside():
    client, server = contexts()
    for inside in (
        [(coap.URI_HOST, b"h")],
        [(coap.OSCORE, b"")],
        [(coap.PROXY_SCHEME, b"coap")],
        [(coap.EDHOC, b"")],
    ):
        partial = client._next_partial_iv()
        ref = oscore.Reference(client, CLIENT, partial, False)
        plaintext = b"\x01" + coap.encode_body(inside, b"")
        outer = client._seal(get(), [], plaintext, client._nonce(CLIENT, partial), ref)
        outer.add_option(coap.OSCORE, oscore._encode_option(partial, CLIENT, None))
        with raises(Malformed, "oscore-inner-option"):
            server.unprotect_request(outer)


def test_a_proxy_uri_may_not_give_the_path_away():
    client, _ = contexts()
    for uri in (b"coap://kiosk/r/open", b"coap://kiosk?q=1", b"/r/open"):
        with raises(LocalError, "oscore-proxy-uri"):
            client.protect_request(get(options=((coap.PROXY_URI, uri),)))
    assert client.sequence == 0


def test_oscore_is_not_nested():
    client, server = contexts()
    outer, _ = client.protect_request(get())
    with raises(LocalError, "oscore-nested"):
        client.protect_request(outer)
    _, ref = server.unprotect_request(outer)
    with raises(LocalError, "oscore-nested"):
        server.protect_response(content(options=((coap.OSCORE, b""),)), ref)


# Blocks, section 4.1.3.4


def test_blocks_inside_are_protected_one_by_one():
    client, server = contexts()
    body = bytes(range(200))
    assembler, slicer = block.Assembler(4096), block.Slicer()
    transfer = Transfer(coap.request(coap.POST, "/r/open", body), 64)
    parts = 0
    while transfer.next() is not None:
        outer, asked = client.protect_request(transfer.next())
        assert [number for number, _ in outer.options] == [coap.OSCORE]
        assert len(outer.payload) < 64 + 40
        inner, ref = server.unprotect_request(outer)
        response = slicer.next(CLIENT, inner) or assembler.accept(inner, CLIENT, 0)
        if response.is_request:
            response = slicer.slice(CLIENT, inner, coap.response(coap.CHANGED, response.payload * 2), 64)
        outer = server.protect_response(response, ref)
        assert outer.options == [(coap.OSCORE, b"")]
        transfer.answer(client.unprotect_response(outer, asked))
        parts += 1
    assert transfer.response.payload == body + body
    assert parts == 4 + 6


def test_a_replayed_block_is_refused_before_it_is_assembled():
    client, server = contexts()
    transfer = Transfer(coap.request(coap.POST, "/r/open", bytes(200)), 64)
    outer, _ = client.protect_request(transfer.next())
    server.unprotect_request(outer)
    with raises(Replayed, "oscore-replayed"):
        server.unprotect_request(outer)


def test_blocks_outside_are_put_together_first():
    """A proxy, or a link with small values, may cut the protected message itself."""
    client, server = contexts()
    request = coap.request(coap.POST, "/r/open", bytes(range(200)))
    outer, asked = client.protect_request(request)
    transfer, assembler = Transfer(outer, 64), block.Assembler(256)
    whole = assembler.accept(transfer.next(), "link", 0)
    while not whole.is_request:
        transfer.answer(whole)
        whole = assembler.accept(transfer.next(), "link", 0)
    inner, ref = server.unprotect_request(whole)
    assert same(inner, request)

    outer = server.protect_response(content(bytes(200)), ref)
    first = block.slice_response(transfer.next(), outer, 128)
    transfer.answer(first)
    transfer.answer(block.slice_response(transfer.next(), outer, 128))
    assert client.unprotect_response(transfer.response, asked).payload == bytes(200)


# The combined request of RFC 9668


def test_message_3_travels_with_the_first_request():
    client, server = contexts()
    message_3 = b"\x52" + bytes(range(18))
    outer, asked = client.protect_request(get())
    combined = oscore.combine(message_3, outer)
    assert combined.options == outer.options + [(coap.EDHOC, b"")]
    assert combined.payload == message_3 + outer.payload
    for value in (b"", b"whatever"):  # section 3.1: a value is ignored
        found, rest = oscore.split_combined(combined.with_option(coap.EDHOC, value))
        assert found == message_3 and same(rest, outer)
    inner, ref = server.unprotect_request(rest)
    assert inner.path == ("r",)
    assert client.unprotect_response(server.protect_response(content(), ref), asked).payload == b"yes"


def test_what_is_no_combined_request():
    client, _ = contexts()
    outer, _ = client.protect_request(get())
    combined = oscore.combine(b"\x41\x00", outer)
    for message_3 in (b"\x18\x20", b"\x61a"):
        with raises(LocalError, "oscore-combined"):
            oscore.combine(message_3, outer)
    with raises(LocalError, "oscore-combined"):
        oscore.combine(b"\x41\x00", get())
    for wrong in (
        combined.with_option(coap.OSCORE, None),
        combined.with_option(coap.EDHOC, None),
        with_payload(combined, b"\x41\x00"),
        with_payload(combined, b"\x61a" + outer.payload),
        with_payload(combined, b"\x05" + outer.payload),
    ):
        with raises(Malformed, "oscore-combined"):
            oscore.split_combined(wrong)
    for payload, reason in (
        (b"", "cbor-truncated"),
        (b"\x45abc", "cbor-truncated"),
        (b"\x58\x01ab", "cbor-not-shortest"),
    ):
        with raises(Malformed, reason):
            oscore.split_combined(with_payload(combined, payload))


def with_payload(message, payload):
    twin = message.copy()
    twin.payload = payload
    return twin


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
        self.stored = start + oscore.RESERVED
        if self.writes == self.dies_at and self.when == "after":
            raise PowerCut
        return start


def lives(store, messages):
    """Partial IVs of four lives of a client, each ended by switching it off or by the store's power cut."""
    used = []
    for _ in range(4):
        client = oscore.Context(Suite(), SECRET, SALT, CLIENT, SERVER, store=store)
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
    client = oscore.Context(Suite(), SECRET, SALT, CLIENT, SERVER, store=store)
    assert store.writes == 0
    requests(client, 64)
    assert store.writes == 1
    requests(client, 1)
    assert (store.writes, client.sequence) == (2, 65)


def test_a_store_that_goes_backwards_is_not_believed():
    store = Store()
    client = oscore.Context(Suite(), SECRET, SALT, CLIENT, SERVER, store=store)
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
    assert (challenge.code, challenge.token, challenge.payload) == (coap.UNAUTHORIZED, b"\x07", b"")
    assert [number for number, _ in challenge.options] == [coap.ECHO]

    early = client.protect_request(get("/early"))[0]
    outer, asked = client.protect_request(get("/new", ((coap.ECHO, challenge.option(coap.ECHO)),)))
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
            server.unprotect_request(client.protect_request(get(options=((coap.ECHO, value),)))[0])
    good = client.protect_request(get(options=((coap.ECHO, b"\x01" * 8),)))[0]
    with raises(Unverified, "ccm-tag"):
        server.unprotect_request(forged(good))
    with raises(Replayed, "oscore-echo"):
        server.unprotect_request(client.protect_request(get())[0])
    server.unprotect_request(good)


def test_exhausted_sequence_numbers_are_an_error():
    client, server = contexts()
    outer, asked = client.protect_request(get("/state", ((coap.OBSERVE, 0),)))
    _, ref = server.unprotect_request(outer)
    client.sequence = server.sequence = oscore.MAX_SEQUENCE
    last = client.protect_request(get())[0]
    assert last.option(coap.OSCORE) == b"\x0d\xff\xff\xff\xff\xff" + CLIENT
    server.unprotect_request(last)
    assert client.unprotect_response(notification(server, ref, 1), asked).uint(coap.OBSERVE) == 0xFFFFFF
    for _ in range(2):
        with raises(LocalError, "oscore-exhausted"):
            client.protect_request(get())
        with raises(LocalError, "oscore-exhausted"):
            notification(server, ref, 2)
