"""aiocoap's OSCORE against ours, context to context: each end protects what the other unprotects."""

import json

import aiocoap
import aiocoap.oscore
import pytest
from aiocoap.message import Direction

from admit.suite import HostSuite
from admit_protocol import coap, coap_numbers, oscore_option, oscore_preshared
from admit_protocol.errors import Replayed, Unverified

SECRET = bytes(range(16))
SALT = bytes.fromhex("9e7ca92223786340")
IDS = [(b"\x01", b""), (b"", b"\x37"), (b"1234567", b"\x00\x00")]


def ours(mine, other, id_context=None, **rest):
    return oscore_preshared.PresharedContext(HostSuite(), SECRET, SALT, mine, other, id_context, **rest)


@pytest.fixture
def theirs(tmp_path):
    """Makes contexts of aiocoap, each in a folder of its own."""
    made = []

    def make(mine, other, id_context=None, folder=None):
        folder = folder or tmp_path / str(len(made))
        folder.mkdir(exist_ok=True)
        settings = {"secret_hex": SECRET.hex(), "salt_hex": SALT.hex()}
        settings |= {"sender-id_hex": mine.hex(), "recipient-id_hex": other.hex()}
        if id_context is not None:
            settings["id-context_hex"] = id_context.hex()
        (folder / "settings.json").write_text(json.dumps(settings))
        made.append(aiocoap.oscore.FilesystemSecurityContext(str(folder)))
        return made[-1]

    yield make
    for context in made:
        power_off(context)


def power_off(context):
    """End a context of aiocoap without letting it save what it knows."""
    if context.lockfile:
        context.lockfile.release()
    context.lockfile = None


def to_theirs(message):
    """Our message as aiocoap parses it from a datagram."""
    head = bytes([0x40 | len(message.token), message.code, 0, 1])
    return aiocoap.Message.decode(head + message.token + coap.encode_body(message.options, message.payload))


def to_ours(message):
    """A message of aiocoap as we parse it."""
    body = message.opt.encode() + (b"\xff" + message.payload if message.payload else b"")
    return coap.Message(int(message.code), message.token, *coap.decode_body(body))


def outgoing(message):
    """Our message as an application of aiocoap would make it."""
    twin = to_theirs(message)
    twin.direction = Direction.OUTGOING
    return twin


def same(one, other):
    """Equal but for the token, which aiocoap adds elsewhere."""
    return (one.code, one.options, one.payload) == (other.code, other.options, other.payload)


def get(path="/r", options=(), token=b"\x07"):
    message = coap.request(coap.GET, path, options=options)
    message.token = token
    return message


MESSAGES = [
    get(),
    get("/a/b/c", ((coap.URI_QUERY, "x=1"), (coap.URI_QUERY, "y"), (coap.ACCEPT, coap.CONTENT_CBOR))),
    get("/host", ((coap.URI_HOST, "kiosk"),)),
    get("/blocks", ((coap.BLOCK2, b"\x16"), (coap.BLOCK1, b"\x0e"), (coap.SIZE1, 1000))),
    get(
        "/other",
        (
            (coap_numbers.NO_RESPONSE, 26),
            (coap_numbers.ECHO, b"echo"),
            (coap_numbers.IF_MATCH, b"tag"),
            (65001, b"unknown"),
        ),
    ),
    coap.Message(coap.POST, b"", ((coap.URI_PATH, b"r"), (coap.CONTENT_FORMAT, b"\x3c")), bytes(1000)),
    coap.Message(coap.DELETE, b"12345678", ((coap.URI_PATH, b"login"),)),
]
RESPONSES = [
    coap.Message(
        coap.CONTENT, b"\x07", ((coap.CONTENT_FORMAT, b"\x3c"), (coap.ETAG, b"e"), (coap_numbers.MAX_AGE, b"")), b"x"
    ),
    coap.Message(coap.CHANGED, b"\x07"),
    coap.Message(coap.CONTENT, b"\x07", ((coap.BLOCK2, b"\x0e"), (coap.SIZE2, b"\x03\xe8")), bytes(1024)),
    coap.Message(coap_numbers.NOT_FOUND, b"\x07", (), b"nothing here"),
]


@pytest.mark.parametrize(("client", "server"), IDS)
@pytest.mark.parametrize("id_context", [None, b"", b"a room"])
def test_both_derive_the_same_keys(theirs, client, server, id_context):
    mine, other = ours(client, server, id_context), theirs(client, server, id_context)
    assert mine._sender_key == other.sender_key
    assert mine._recipient_key == other.recipient_key
    assert mine._common_iv.to_bytes(13, "big") == other.common_iv


@pytest.mark.parametrize(("client", "server"), IDS)
@pytest.mark.parametrize("id_context", [None, b"a room"])
def test_both_protect_a_message_into_the_same_bytes(theirs, client, server, id_context):
    mine, other = ours(client, server, id_context), theirs(client, server, id_context)
    for number in (0, 1, 255, 256, 65536, 2**32, 2**40 - 2):
        for request in MESSAGES:
            mine.sequence = other.sender_sequence_number = other.sequence_number_persisted = number
            assert same(mine.protect_request(request)[0], to_ours(other.protect(outgoing(request))[0]))


@pytest.mark.parametrize(("client", "server"), IDS)
@pytest.mark.parametrize("id_context", [None, b"a room"])
def test_our_client_and_their_server(theirs, client, server, id_context):
    mine, other = ours(client, server, id_context), theirs(server, client, id_context)
    for request in MESSAGES:
        for response in RESPONSES:
            outer, asked = mine.protect_request(request)
            inner, ref = other.unprotect(to_theirs(outer))
            assert same(to_ours(inner), request.with_option(coap.URI_HOST, None))  # which it leaves outside
            protected, _ = other.protect(outgoing(response), ref)
            assert same(mine.unprotect_response(to_ours(protected), asked), response)


@pytest.mark.parametrize(("client", "server"), IDS)
@pytest.mark.parametrize("id_context", [None, b"a room"])
def test_their_client_and_our_server(theirs, client, server, id_context):
    other, mine = theirs(client, server, id_context), ours(server, client, id_context)
    for request in MESSAGES:
        for response in RESPONSES:
            protected, asked = other.protect(outgoing(request))
            inner, ref = mine.unprotect_request(to_ours(protected))
            assert same(inner, request)
            outer = mine.protect_response(response, ref)
            back, _ = other.unprotect(to_theirs(outer), asked)
            assert same(to_ours(back), response)


def test_our_client_observes_their_server(theirs):
    mine, other = ours(b"\x01", b""), theirs(b"", b"\x01")
    outer, asked = mine.protect_request(get("/state", ((coap.OBSERVE, 0),)))
    inner, ref = other.unprotect(to_theirs(outer))
    assert inner.opt.observe == 0
    sent = []
    for number in range(4):
        state = coap.Message(coap.CONTENT, b"\x07", ((coap.OBSERVE, b""),), b"state %d" % number)
        sent.append(to_ours(other.protect(outgoing(state), ref)[0]))
    partial_ivs = [oscore_option.parse_option(outer.option(coap.OSCORE))[0] for outer in sent]
    assert partial_ivs == [None, b"\x00", b"\x01", b"\x02"]
    found = [mine.unprotect_response(sent[number], asked) for number in (0, 1, 3)]
    assert [inner.payload for inner in found] == [b"state 0", b"state 1", b"state 3"]
    assert [inner.uint(coap.OBSERVE) for inner in found] == [0, 0, 2]
    for late in sent:
        with pytest.raises(Replayed):
            mine.unprotect_response(late, asked)


def test_their_client_observes_our_server(theirs):
    other, mine = theirs(b"\x01", b""), ours(b"", b"\x01")
    protected, asked = other.protect(outgoing(get("/state", ((coap.OBSERVE, 0),))))
    outer = to_ours(protected)
    assert (outer.code, outer.uint(coap.OBSERVE)) == (coap.FETCH, 0)
    inner, ref = mine.unprotect_request(outer)
    assert inner.uint(coap.OBSERVE) == 0
    for number in range(3):
        state = coap.Message(coap.CONTENT, b"\x07", ((coap.OBSERVE, number),), b"state %d" % number)
        arrived = to_theirs(mine.protect_response(state, ref))
        assert arrived.opt.observe == number  # aiocoap takes a response for a notification by this alone
        back, _ = other.unprotect(arrived, asked)
        assert (back.payload, back.opt.observe) == (b"state %d" % number, number)
    last = to_theirs(mine.protect_response(coap.response(coap_numbers.NOT_FOUND), ref, observe=True))
    back, _ = other.unprotect(last, asked)
    assert (back.code, back.opt.observe) == (aiocoap.NOT_FOUND, None)


def test_each_refuses_what_the_other_sent_before(theirs):
    mine, other = ours(b"\x01", b""), theirs(b"", b"\x01")
    outers = [mine.protect_request(get())[0] for _ in range(40)]
    for outer in outers[1:]:
        other.unprotect(to_theirs(outer))
    for outer in outers:
        with pytest.raises(aiocoap.oscore.ReplayError):
            other.unprotect(to_theirs(outer))
    outers = [to_ours(other.protect(outgoing(get()))[0]) for _ in range(40)]
    for outer in outers[1:]:
        mine.unprotect_request(outer)
    for outer in outers:
        with pytest.raises(Replayed):
            mine.unprotect_request(outer)


def test_each_refuses_a_forgery_of_the_other(theirs):
    mine, other = ours(b"\x01", b""), theirs(b"", b"\x01")
    outer, asked = mine.protect_request(get())
    bad = outer.copy()
    bad.payload = outer.payload[:-1] + bytes([outer.payload[-1] ^ 1])
    with pytest.raises(aiocoap.oscore.ProtectionInvalid):
        other.unprotect(to_theirs(bad))
    _, ref = other.unprotect(to_theirs(outer))
    answer = to_ours(other.protect(outgoing(RESPONSES[0]), ref)[0])
    bad = answer.copy()
    bad.payload = answer.payload[:-1] + bytes([answer.payload[-1] ^ 1])
    with pytest.raises(Unverified):
        mine.unprotect_response(bad, asked)
    mine.unprotect_response(answer, asked)


def test_their_server_lost_power_and_challenges_us(theirs, tmp_path):
    mine, other = ours(b"\x01", b""), theirs(b"", b"\x01", folder=tmp_path / "one")
    old, _ = mine.protect_request(get("/old"))
    other.unprotect(to_theirs(old))
    power_off(other)
    other = theirs(b"", b"\x01", folder=tmp_path / "one")
    outer, asked = mine.protect_request(get("/new"))
    with pytest.raises(aiocoap.oscore.ReplayErrorWithEcho) as challenged:
        other.unprotect(to_theirs(outer))
    challenge = mine.unprotect_response(to_ours(challenged.value.to_message()), asked)
    assert challenge.code == coap_numbers.UNAUTHORIZED
    outer, _ = mine.protect_request(get("/new", ((coap_numbers.ECHO, challenge.option(coap_numbers.ECHO)),)))
    inner, _ = other.unprotect(to_theirs(outer))
    assert inner.opt.uri_path == ("new",)
    with pytest.raises(aiocoap.oscore.ReplayError):
        other.unprotect(to_theirs(old))


def test_our_server_lost_power_and_challenges_them(theirs):
    other, mine = theirs(b"\x01", b""), ours(b"", b"\x01", needs_echo=True)
    old = to_ours(other.protect(outgoing(get("/old")))[0])
    protected, asked = other.protect(outgoing(get("/new")))
    with pytest.raises(Replayed) as challenged:
        mine.unprotect_request(to_ours(protected))
    back, _ = other.unprotect(to_theirs(challenged.value.response), asked)
    assert back.code == aiocoap.UNAUTHORIZED
    protected, asked = other.protect(outgoing(get("/new", ((coap_numbers.ECHO, back.opt.echo),))))
    inner, ref = mine.unprotect_request(to_ours(protected))
    assert inner.path == ("new",)
    other.unprotect(to_theirs(mine.protect_response(RESPONSES[0], ref)), asked)
    with pytest.raises(Replayed):
        mine.unprotect_request(old)
