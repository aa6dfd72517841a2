"""OSCORE messages as RFC 8613 and RFC 9668 want them: the vectors of appendix C, what is seen, what is refused."""

from admit_protocol import block, coap, coap_numbers, oscore_client, oscore_option
from admit_protocol.block_client import Transfer
from admit_protocol.errors import LocalError, Malformed, Replayed, Unauthenticated, Unsupported, Unverified
from oscore_peers import CLIENT, SALT, SECRET, SERVER, Suite, content, contexts, get, partial_iv, same
from support import raises, vectors

HIDDEN_NUMBERS = (1, 4, 5, 8, 11, 12, 14, 15, 17, 20, 23, 27, 28, 60, 252, 258, 292, 2048, 65001)

# Appendix C


def vector(section):
    found = [v for v in vectors("rfc8613_oscore.json")["vectors"] if v["section"] == section][0]
    return {name: bytes.fromhex(v) if name not in ("section", "title") else v for name, v in found.items()}


def vector_context(section):
    v = vector(section)
    id_context = v.get("id_context")
    salt = v.get("master_salt", b"")
    return oscore_client.ClientContext(Suite(), v["master_secret"], salt, v["sender_id"], v["recipient_id"], id_context)


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
        assert oscore_option.parse_option(bytes.fromhex(value)) == parts, value
        assert oscore_option.encode_option(*parts) == bytes.fromhex(value), value


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

    response = coap.response(coap_numbers.FORBIDDEN, b"reason", coap.CONTENT_PROBLEM)
    response.token = inner.token
    outer = server.protect_response(response, ref)
    assert (outer.code, outer.token, outer.options) == (coap.CHANGED, b"tk", [(coap.OSCORE, b"")])
    assert same(client.unprotect_response(outer, asked), response)


def test_both_ends_may_ask():
    client, server = contexts(store=None)
    outer, asked = server.protect_request(get())
    inner, ref = client.unprotect_request(outer)
    assert inner.path == ("r",)
    assert server.unprotect_response(client.protect_response(content(), ref), asked).payload == b"yes"


def test_ids_of_any_length_up_to_seven():
    for one, other in ((b"", b"\x00"), (b"1234567", b"7654321"), (b"\x00", b"\x00\x00")):
        client = oscore_client.ClientContext(Suite(), SECRET, b"", one, other)
        server = oscore_client.ClientContext(Suite(), SECRET, b"", other, one)
        outer, asked = client.protect_request(get())
        _, ref = server.unprotect_request(outer)
        assert client.unprotect_response(server.protect_response(content(), ref), asked).payload == b"yes"
    for one, other in ((b"12345678", b""), (b"", b"12345678"), (b"\x05", b"\x05")):
        with raises(LocalError, "oscore-id"):
            oscore_client.ClientContext(Suite(), SECRET, b"", one, other)


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
    client, server = contexts(store=None)
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
        stranger = oscore_client.ClientContext(Suite(), secret, salt, CLIENT, SERVER)
        with raises(Unverified, "ccm-tag"):
            server.unprotect_request(stranger.protect_request(get())[0])
    stranger = oscore_client.ClientContext(Suite(), SECRET, SALT, CLIENT, SERVER, b"another id context")
    with raises(Unauthenticated, "oscore-context"):
        server.unprotect_request(stranger.protect_request(get())[0])
    stranger = oscore_client.ClientContext(Suite(), SECRET, SALT, b"\x18", SERVER)
    with raises(Unauthenticated, "oscore-context"):
        server.unprotect_request(stranger.protect_request(get())[0])
    server.unprotect_request(client.protect_request(get())[0])


def test_an_id_context_may_be_left_out():
    client = oscore_client.ClientContext(Suite(), SECRET, SALT, CLIENT, SERVER, b"room 5")
    server = oscore_client.ClientContext(Suite(), SECRET, SALT, SERVER, CLIENT, b"room 5")
    outer, _ = client.protect_request(get())
    assert oscore_option.parse_option(outer.option(coap.OSCORE)) == (b"\x00", CLIENT, b"room 5")
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
    outer.code = coap_numbers.NOT_FOUND
    for number in (coap.ETAG, coap.OBSERVE, coap_numbers.MAX_AGE, coap.BLOCK2, coap_numbers.ECHO):
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
        ref = oscore_client.ClientReference(client, CLIENT, partial, False)
        plaintext = b"\x01" + coap.encode_body(inside, b"")
        outer = client._seal(get(), [], plaintext, client._nonce(CLIENT, partial), ref)
        outer.add_option(coap.OSCORE, oscore_option.encode_option(partial, CLIENT, None))
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
    combined = oscore_client.combine(message_3, outer)
    assert combined.options == outer.options + [(coap.EDHOC, b"")]
    assert combined.payload == message_3 + outer.payload
    for value in (b"", b"whatever"):  # section 3.1: a value is ignored
        found, rest = oscore_option.split_combined(combined.with_option(coap.EDHOC, value))
        assert found == message_3 and same(rest, outer)
    inner, ref = server.unprotect_request(rest)
    assert inner.path == ("r",)
    assert client.unprotect_response(server.protect_response(content(), ref), asked).payload == b"yes"


def test_what_is_no_combined_request():
    client, _ = contexts()
    outer, _ = client.protect_request(get())
    combined = oscore_client.combine(b"\x41\x00", outer)
    for message_3 in (b"\x18\x20", b"\x61a"):
        with raises(LocalError, "oscore-combined"):
            oscore_client.combine(message_3, outer)
    with raises(LocalError, "oscore-combined"):
        oscore_client.combine(b"\x41\x00", get())
    for wrong in (
        combined.with_option(coap.OSCORE, None),
        combined.with_option(coap.EDHOC, None),
        with_payload(combined, b"\x41\x00"),
        with_payload(combined, b"\x61a" + outer.payload),
        with_payload(combined, b"\x05" + outer.payload),
    ):
        with raises(Malformed, "oscore-combined"):
            oscore_option.split_combined(wrong)
    for payload, reason in (
        (b"", "cbor-truncated"),
        (b"\x45abc", "cbor-truncated"),
        (b"\x58\x01ab", "cbor-not-shortest"),
    ):
        with raises(Malformed, reason):
            oscore_option.split_combined(with_payload(combined, payload))


def with_payload(message, payload):
    twin = message.copy()
    twin.payload = payload
    return twin
