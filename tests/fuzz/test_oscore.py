"""OSCORE under hypothesis: any message arrives as it was, no change of one passes, and the window is a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import cbor, ccm, coap, oscore, oscore_client, oscore_option
from admit_protocol.errors import RemoteError, Replayed, Unsupported, Unverified
from fuzz.strategies import FUZZ, mutations

CLIENT, SERVER = b"\x01", b""
OUTSIDE = (coap.URI_HOST, coap.URI_PORT, 16, coap.EDHOC, coap.PROXY_SCHEME)
SPECIAL = (coap.OSCORE, coap.PROXY_URI, coap.OBSERVE)


class Suite:
    encrypt = staticmethod(ccm.encrypt)
    decrypt = staticmethod(ccm.decrypt)
    random = bytes


def contexts():
    sides = ((CLIENT, SERVER), (SERVER, CLIENT))
    return [oscore_client.ClientContext(Suite(), b"secret", b"salt", *ids, id_context=b"room") for ids in sides]


numbers = st.integers(0, 65535).filter(lambda number: number not in SPECIAL)
options = st.lists(st.tuples(numbers | st.sampled_from(OUTSIDE), st.binary(max_size=20)), max_size=8)
tokens = st.binary(max_size=8)
requests = st.builds(coap.Message, st.integers(0x01, 0x1F), tokens, options, st.binary(max_size=100))
responses = st.builds(coap.Message, st.integers(0x41, 0xBF), tokens, options, st.binary(max_size=100))
ids = st.none() | st.binary(max_size=10)
partial_ivs = st.none() | st.integers(0, 2**40 - 1).map(lambda n: n.to_bytes(5, "big").lstrip(b"\0") or b"\0")


def parts(message):
    return message.code, message.token, message.options, message.payload


@FUZZ
@given(requests, responses)
def test_any_message_arrives_as_it_was(request, response):
    client, server = contexts()
    outer, asked = client.protect_request(request)
    assert all(number in OUTSIDE + (coap.OSCORE,) for number, _ in outer.options)
    inner, ref = server.unprotect_request(outer)
    assert parts(inner) == (request.code, request.token, reordered(request.options), request.payload)
    outer = server.protect_response(response, ref)
    inner = client.unprotect_response(outer, asked)
    assert parts(inner) == (response.code, response.token, reordered(response.options), response.payload)


def reordered(options):
    """By number, those of one number in their order: no number is both inside and outside."""
    return sorted(options, key=lambda item: item[0])


@FUZZ
@given(partial_ivs, ids, ids)
def test_what_is_encoded_parses_to_the_same_option(partial_iv, kid, kid_context):
    value = oscore_option.encode_option(partial_iv, kid, kid_context)
    assert oscore_option.parse_option(value) == (partial_iv, kid, kid_context)


@FUZZ
@given(st.binary(max_size=16) | mutations(st.builds(oscore_option.encode_option, partial_ivs, ids, ids)))
def test_whatever_parses_has_no_other_encoding(value):
    try:
        found = oscore_option.parse_option(value)
    except Unsupported as error:
        assert error.reason == "oscore-option"
    else:
        assert oscore_option.encode_option(*found) == value


@FUZZ
@given(requests, st.data())
def test_no_changed_message_passes_nor_spends_a_number(request, data):
    client, server = contexts()
    outer, _ = client.protect_request(request)
    bad = outer.copy()
    bad.payload = data.draw(mutations(st.just(outer.payload)))
    bad.set_option(coap.OSCORE, data.draw(mutations(st.just(outer.option(coap.OSCORE))) | st.just(b"\x09\x00\x01")))
    changed = oscore_option.parse_option(outer.option(coap.OSCORE))[:2] != parsed(bad) or bad.payload != outer.payload
    try:
        server.unprotect_request(bad)
    except RemoteError:
        server.unprotect_request(outer)
    else:
        assert not changed


def parsed(message):
    try:
        return oscore_option.parse_option(message.option(coap.OSCORE))[:2]
    except Unsupported:
        return None


@FUZZ
@given(st.binary(max_size=12), st.binary(max_size=40))
def test_rubbish_is_refused_by_name(option, payload):
    client, server = contexts()
    _, asked = client.protect_request(coap.request(coap.GET, "/"))
    rubbish = coap.Message(coap.POST, b"", ((coap.OSCORE, option),), payload)
    for step in (lambda: server.unprotect_request(rubbish), lambda: client.unprotect_response(rubbish, asked)):
        try:
            step()
        except RemoteError as error:
            assert error.reason.startswith(("oscore-", "ccm-"))
        else:
            raise AssertionError("accepted")


@FUZZ
@given(st.binary(max_size=60))
def test_any_plaintext_of_an_authentic_peer_is_a_message_or_refused_by_name(plaintext):
    """Who holds the key may still be hostile."""
    client, server = contexts()
    partial_iv = client._next_partial_iv()
    ref = oscore_client.ClientReference(client, CLIENT, partial_iv, False)
    outer = client._seal(coap.Message(coap.POST), [], plaintext, client._nonce(CLIENT, partial_iv), ref)
    outer.add_option(coap.OSCORE, oscore_option.encode_option(partial_iv, CLIENT, b"room"))
    try:
        inner, _ = server.unprotect_request(outer)
    except RemoteError as error:
        assert error.reason.startswith(("oscore-", "coap-"))
    else:
        assert bytes([inner.code]) + coap.encode_body(inner.options, inner.payload) == plaintext


@FUZZ
@given(st.lists(st.integers(0, 80) | st.integers(0, 2**40 - 1), max_size=60))
def test_the_window_is_a_set_of_the_32_latest_numbers(arrivals):
    window = oscore.ReplayWindow()
    seen = set()
    for number in arrivals:
        fresh = number not in seen and number > max(seen, default=-1) - oscore.WINDOW
        try:
            window.check(number)
        except Replayed:
            assert not fresh
        else:
            assert fresh
            window.mark(number)
            seen.add(number)


@FUZZ
@given(st.binary(max_size=60) | st.binary(max_size=30).map(cbor.encode).flatmap(lambda m: st.binary().map(m.__add__)))
def test_a_combined_payload_splits_in_one_way_or_not_at_all(payload):
    outer = coap.Message(coap.POST, b"", ((coap.OSCORE, b"\x09\x00\x01"), (coap.EDHOC, b"")), payload)
    try:
        message_3, request = oscore_option.split_combined(outer)
    except RemoteError as error:
        assert error.reason == "oscore-combined" or error.reason.startswith("cbor-")
    else:
        assert parts(oscore_client.combine(message_3, request)) == parts(outer)


@FUZZ
@given(requests, st.binary(min_size=1, max_size=16), st.binary(max_size=16))
def test_no_other_secret_opens_a_message(request, secret, salt):
    client, _ = contexts()
    outer, _ = client.protect_request(request)
    stranger = oscore_client.ClientContext(Suite(), secret, salt, SERVER, CLIENT, id_context=b"room")
    if (secret, salt.rstrip(b"\0")) == (b"secret", b"salt"):
        return
    try:
        stranger.unprotect_request(outer)
    except Unverified:
        return
    raise AssertionError("opened")
