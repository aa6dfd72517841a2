"""CoAP's message layer over WebSockets: RFC 8323 sections 3 to 5."""

import pytest

from admit.coap_ws import (
    ABORT,
    CSM,
    OUR_MAX_MESSAGE,
    PING,
    PONG,
    RELEASE,
    WebSocketLayer,
    decode_message,
    encode_message,
)
from admit_protocol import coap
from admit_protocol.errors import Malformed, RemoteError, TimedOut, TooLarge, Unsupported

HELLO = bytes.fromhex("00e1")


def greeted(host=None):
    """A layer that has said its CSM and heard one."""
    layer = WebSocketLayer(host)
    assert layer.outgoing() is not None
    layer.receive(HELLO)
    return layer


def signal(code, options=(), payload=b"", token=b""):
    return encode_message(coap.Message(code, token, options, payload))


def test_the_first_message_is_a_csm_with_how_much_we_take_and_no_promise_of_bert():
    layer = WebSocketLayer()
    assert layer.deadline() == 0
    assert layer.outgoing() == bytes.fromhex("00e1221100")
    assert decode_message(bytes.fromhex("00e1221100")).uint(2) == OUR_MAX_MESSAGE >= 4096
    assert layer.outgoing() is None and layer.deadline() is None


@pytest.mark.parametrize(
    "data, code, token",
    [
        ("01437f", 0x43, b"\x7f"),  # figure 6: 2.03, token 7f, no options or payload
        ("01e242", PING, b"\x42"),  # section 5.4: a Ping and its Pong
        ("01e342", PONG, b"\x42"),
    ],
)
def test_the_examples_of_the_rfc(data, code, token):
    message = decode_message(bytes.fromhex(data))
    assert (message.code, message.token, message.options, message.payload) == (code, token, [], b"")
    assert encode_message(message).hex() == data


def test_a_ping_gets_its_pong_with_the_same_token():
    layer = greeted()
    assert layer.receive(bytes.fromhex("01e242")) == []
    assert layer.outgoing().hex() == "01e342"
    layer.receive(signal(PING, [(2, b""), (6, b"elective")], token=b"12345678"))
    assert layer.outgoing() == signal(PONG, token=b"12345678")
    assert layer.receive(signal(PONG, token=b"x")) == []


def test_requests_are_given_the_name_of_the_kiosk_and_nothing_else_is_touched():
    layer = greeted("lobby-1")
    request = coap.request(coap.GET, "/id")
    request.token = b"\x01"
    layer.send(request)
    told = decode_message(layer.outgoing())
    assert told.options == [(coap.URI_HOST, b"lobby-1"), (coap.URI_PATH, b"id")]
    assert request.option(coap.URI_HOST) is None
    layer.send(request.with_option(coap.URI_HOST, "other"))
    assert decode_message(layer.outgoing()).all(coap.URI_HOST) == [b"other"]
    layer.send(coap.response(coap.CONTENT))
    assert decode_message(layer.outgoing()).options == []


def test_a_message_comes_out_as_it_went_in():
    layer, message = (
        greeted(),
        coap.request(coap.POST, "/r/open", bytes(range(256)) * 4, 60, [(coap.OSCORE, b"\x09\x01")]),
    )
    message.token = b"abcdefgh"
    data = encode_message(message)
    (found,) = layer.receive(data)
    assert encode_message(found) == data


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "coap-truncated"),
        (b"\x00", "coap-truncated"),
        (b"\x10\x01", "ws-length"),
        (b"\xf0\x01", "ws-length"),
        (b"\x09\x01123456789", "coap-token-length"),
        (b"\x02\x01x", "coap-truncated"),
        (b"\x00\x21", "coap-code"),
        (b"\x00\xc1", "coap-code"),
        (b"\x00\x01\xff", "coap-empty-payload"),
        (b"\x00\x01\xf1", "coap-option-reserved"),
        (b"\x00\x01\xb9id", "coap-truncated"),
        (b"\x00\xff", "ws-signal"),
        ("text", "ws-text"),
    ],
)
def test_what_breaks_the_format_is_answered_by_an_abort_that_says_so(data, reason):
    layer = greeted()
    layer.send(coap.request(coap.GET, "/id"))
    with pytest.raises(Malformed, match=reason):
        layer.receive(data)
    abort = decode_message(layer.outgoing())
    assert abort.code == ABORT and abort.payload.decode().startswith(reason)
    assert layer.outgoing() is None


@pytest.mark.parametrize("first", [signal(PING), signal(0x01), signal(RELEASE), signal(ABORT)])
def test_what_comes_before_the_csm_ends_it(first):
    layer = WebSocketLayer()
    with pytest.raises(Malformed, match="ws-no-csm"):
        layer.receive(first)
    assert decode_message(layer.outgoing()).code == ABORT


def test_empty_messages_are_ignored_at_any_time():
    layer = WebSocketLayer()
    for data in ("0000", "0100aa"):
        assert layer.receive(bytes.fromhex(data)) == []
    assert not layer.greeted
    layer.receive(HELLO)
    assert layer.greeted and layer.receive(b"\x00\x00") == []


@pytest.mark.parametrize("options, bad", [([(1, b"")], 1), ([(2, b"12345")], 2), ([(2, b"")], 2), ([(2, b"\x40")], 2)])
def test_a_csm_that_we_cannot_do_with_is_named_in_the_abort(options, bad):
    layer = WebSocketLayer()
    layer.outgoing()
    with pytest.raises(Unsupported, match="ws-option"):
        layer.receive(signal(CSM, options))
    abort = decode_message(layer.outgoing())
    assert (abort.code, abort.uint(2)) == (ABORT, bad)


@pytest.mark.parametrize("code", [PING, PONG, RELEASE, ABORT])
def test_a_critical_option_of_any_signal_ends_it_and_an_elective_one_does_not(code):
    layer = greeted()
    with pytest.raises(Unsupported, match="ws-option"):
        layer.receive(signal(code, [(3, b"")]))
    assert decode_message(layer.outgoing()).options == []
    if code != ABORT:
        assert greeted().receive(signal(code, [(4, b"x")])) == []


def test_capabilities_add_up_and_a_later_csm_counts():
    layer = WebSocketLayer()
    layer.outgoing()
    layer.receive(signal(CSM, [(2, b"\x04\x00"), (4, b"")]))
    with pytest.raises(TooLarge, match="ws-too-large"):
        layer.send(coap.request(coap.POST, "/x", bytes(1100)))
    layer.receive(signal(CSM))
    with pytest.raises(TooLarge):
        layer.send(coap.request(coap.POST, "/x", bytes(1100)))
    layer.receive(signal(CSM, [(2, b"\x10\x00")]))
    layer.send(coap.request(coap.POST, "/x", bytes(1100)))
    assert len(layer.outgoing()) > 1100


def test_who_says_nothing_of_it_takes_1152_bytes():
    layer = greeted()
    message = coap.request(coap.POST, (), b"x")
    message.payload = bytes(1152 - len(encode_message(message)) + 1)
    layer.send(message)
    message.payload += b"x"
    with pytest.raises(TooLarge):
        layer.send(message)


def test_we_take_no_more_than_we_say():
    layer = greeted()
    message = coap.request(coap.POST, (), b"x")
    message.payload = bytes(OUR_MAX_MESSAGE - len(encode_message(message)) + 1)
    assert len(layer.receive(encode_message(message))) == 1
    message.payload += b"x"
    with pytest.raises(TooLarge):
        layer.receive(encode_message(message))
    assert decode_message(layer.outgoing()).code == ABORT


def test_a_release_is_remembered_and_an_abort_ends_it_without_answer():
    layer = greeted()
    layer.receive(signal(RELEASE, [(2, b"other.example"), (4, b"\x05")], b"bye"))
    assert layer.released
    with pytest.raises(TimedOut) as caught:
        layer.receive(signal(ABORT, [(2, b"\x02")], b"\x1b[2Jno\nmore\xff"))
    assert caught.value.reason == "ws-aborted" and caught.value.detail == "\ufffd[2Jno\ufffdmore\ufffd"
    assert layer.outgoing() is None


def test_no_bytes_at_all_make_it_fail_otherwise():
    for length in range(4):
        for value in range(256):
            for data in (bytes([value]) * length, bytes([0, value]) * length, bytes([0, 0xE1, value, 0])[: length + 1]):
                try:
                    greeted().receive(data)
                except RemoteError:
                    pass
