"""aiocoap as the client of a virtual kiosk under MicroPython, over UDP: plain CoAP, OSCORE, and its own EDHOC.

Where aiocoap 0.4.17 (with lakers 0.6.2) does not do what we would expect of it, and what that means here:
- EDHOC messages come without Content-Format, and message_1 with a non-critical EAD item of its own: both are ignored.
- It runs EDHOC anew for each request to a URI, unless the request is given the `remote` of an earlier response.
- Without RFC 9668 it insists on message_4, which we do not send: lakers panics on the empty answer to message_3. So its
  separate message_3 is sent here by hand, with lakers and with aiocoap's own context.
- It never tells anybody that an observation under OSCORE is over.
"""

import asyncio
import contextlib
import json
import socket

import aiocoap
import aiocoap.error
import aiocoap.oscore
import cbor2
import lakers
import pytest
from aiocoap.edhoc import CoseKeyForEdhoc, EdhocInitiatorContext, OwnCredStyle
from aiocoap.util import linkformat

from admit.suite import HostSuite
from admit_protocol import credential, journal_reader
from aiocoap_peers import IDENTITY, KIOSK_CCS, USER, USER_CCS, encoded, introduces_itself
from wired_kiosk import HOST, NAME, wired_kiosk

LIMIT_S = 60
SECRET, SALT = bytes(range(16)), bytes(range(8))
KIOSK_ID, PEER_ID = b"\x01", b"\x77\x02"
SHARED = {
    "contexts": [
        {"secret": SECRET.hex(), "salt": SALT.hex(), "sender": PEER_ID.hex(), "recipient": KIOSK_ID.hex()}
        | {"rules": [["/r/open", 3], ["/journal", 1]]}
    ]
}


def run(story, folder, identity=SHARED):
    """Run `story(kiosk, client)` with a kiosk that has these test identities."""

    async def main():
        async with asyncio.timeout(LIMIT_S), wired_kiosk(folder, identity) as kiosk, aiocoap_client() as client:
            await story(kiosk, client)

    asyncio.run(main())


@contextlib.asynccontextmanager
async def aiocoap_client():
    client = await aiocoap.Context.create_client_context(transports=["oscore", "simple6"])
    try:
        yield client
    finally:
        await client.shutdown()


def shared_context(folder):
    """aiocoap's end of the preshared context."""
    settings = {"secret_hex": SECRET.hex(), "salt_hex": SALT.hex()}
    settings |= {"sender-id_hex": KIOSK_ID.hex(), "recipient-id_hex": PEER_ID.hex()}
    (folder / "context").mkdir()
    (folder / "context/settings.json").write_text(json.dumps(settings))
    return aiocoap.oscore.FilesystemSecurityContext(str(folder / "context"))


def knows(client, kiosk, folder):
    """From now on the client protects what it sends to the kiosk, but for discovery."""
    client.client_credentials[kiosk.uri + "/*"] = context = shared_context(folder)
    return context


def get(kiosk, path, **options):
    return aiocoap.Message(code=aiocoap.GET, uri=kiosk.uri + path, **options)


def post(kiosk, path, payload):
    return aiocoap.Message(code=aiocoap.POST, uri=kiosk.uri + path, payload=payload)


def open_door(kiosk, identifier=b"12345678", seconds=1):
    return post(kiosk, "/r/open", cbor2.dumps({1: identifier, 2: {"seconds": seconds}}))


async def ask(client, request):
    """The response to a request, however many blocks either takes."""
    return await client.request(request).response


def door(response):
    return cbor2.loads(response.payload)["outputs"]["door"]["value"]


def test_discovery_needs_no_keys_and_what_it_lists_does(tmp_path):
    async def story(kiosk, client):
        response = await ask(client, get(kiosk, "/.well-known/core"))
        assert response.opt.content_format == 40
        links = {link.href: link for link in linkformat.parse(response.payload.decode()).links}
        assert {"/.well-known/edhoc", "/id", "/r"} <= links.keys()
        assert links["/.well-known/edhoc"].rt == ["core.edhoc"]
        assert ["osc", None] in links["/r"].attr_pairs
        assert ["osc", None] not in links["/id"].attr_pairs
        assert cbor2.loads((await ask(client, get(kiosk, "/id"))).payload)[1] == "commissioned"
        for path in ("/r", "/r/open", "/journal", "/nowhere"):
            assert (await ask(client, get(kiosk, path))).code == aiocoap.UNAUTHORIZED, path

    run(story, tmp_path)


def test_plain_blocks_may_be_as_small_as_the_client_likes(tmp_path):
    async def story(kiosk, client):
        whole = await ask(client, get(kiosk, "/.well-known/core"))
        again = await ask(client, get(kiosk, "/.well-known/core", block2=(0, False, 1)))
        assert again.opt.block2.size_exponent == 1
        assert again.payload == whole.payload

    run(story, tmp_path)


def test_options_of_a_stranger_are_honoured_ignored_or_refused(tmp_path):
    async def story(kiosk, client):
        knows(client, kiosk, tmp_path)
        for options, code in (
            ({"accept": 60}, aiocoap.CONTENT),
            ({"accept": 0}, aiocoap.NOT_ACCEPTABLE),
            ({"etags": [b"old"]}, aiocoap.CONTENT),
            ({"no_response": 0}, aiocoap.CONTENT),
            ({"if_match": [b"old"]}, aiocoap.BAD_OPTION),
            ({"_mtype": aiocoap.NON}, aiocoap.CONTENT),
        ):
            assert (await ask(client, get(kiosk, "/r", **options))).code == code, options
        client.client_credentials["coap://kiosk.example*"] = client.client_credentials[kiosk.uri + "/*"]
        by_name = get(kiosk, "/r", uri_host="kiosk.example")  # it stands outside OSCORE
        assert (await ask(client, by_name)).code == aiocoap.CONTENT
        assert (await ask(client, get(kiosk, "/.well-known/core", accept=60))).code == aiocoap.NOT_ACCEPTABLE

    run(story, tmp_path)


def test_aiocoap_opens_the_door(tmp_path):
    async def story(kiosk, client):
        knows(client, kiosk, tmp_path)
        listed = await ask(client, get(kiosk, "/r"))
        assert (listed.code, listed.opt.content_format) == (aiocoap.CONTENT, 60)
        assert list(cbor2.loads(listed.payload)) == ["open"]
        assert door(await ask(client, get(kiosk, "/r/open"))) == "closed"
        opened = await ask(client, open_door(kiosk))
        assert (opened.code, cbor2.loads(opened.payload)) == (aiocoap.CHANGED, {1: 1, 2: 1})
        await kiosk.board.expect("door open")
        assert door(await ask(client, get(kiosk, "/r/open"))) == "open"
        await kiosk.board.expect("door closed")
        denied = await ask(client, post(kiosk, "/r/calibrate", cbor2.dumps({1: b"22345678", 2: {"grams": 1}})))
        assert (denied.code, denied.opt.content_format) == (aiocoap.FORBIDDEN, 257)
        assert cbor2.loads(denied.payload)[-1] == "rule-none"

    run(story, tmp_path)


def test_a_journal_of_several_blocks_is_one_journal(tmp_path):
    """Each GET of it adds a record and signs anew: blocks of two answers would not fit together."""

    async def story(kiosk, client):
        knows(client, kiosk, tmp_path)
        for _ in range(100):
            await ask(client, get(kiosk, "/r/open"))
        records, signed = [], None
        while signed is None or journal_reader.parse_head(signed).count > len(records):
            response = await ask(client, get(kiosk, f"/journal?from={len(records)}"))
            page, signed = cbor2.loads(response.payload)[3], cbor2.loads(response.payload)[4]
            assert records or len(response.payload) > 3 * 1024
            records += page
        device = credential.parse(kiosk.credential)
        told = journal_reader.verify(records, signed, device.public, NAME, HostSuite())
        assert [each.what for each in told][1:101] == ["GET /r/open"] * 100
        assert {each.what for each in told[101:]} == {"GET /journal"}

    run(story, tmp_path)


def test_observe_tells_when_the_door_opens_and_when_it_closes(tmp_path):
    async def story(kiosk, client):
        knows(client, kiosk, tmp_path)
        request = client.request(get(kiosk, "/r/open", observe=0))
        seen = [door(await request.response)]
        changes = aiter(request.observation)
        await ask(client, open_door(kiosk))
        seen += [door(await anext(changes)), door(await anext(changes))]
        assert seen == ["closed", "open", "closed"]

    run(story, tmp_path)


def test_a_long_bundle_goes_up_in_blocks(tmp_path):
    async def story(kiosk, client):
        knows(client, kiosk, tmp_path)
        revoked = [number.to_bytes(8, "big") for number in range(1000, 1400)]
        policy = kiosk.site.bundle(1, revoked, device_id=NAME, to=credential.parse(kiosk.credential).seal_public)
        assert len(policy) > 3 * 1024
        assert (await ask(client, post(kiosk, "/bundle", policy))).code == aiocoap.CHANGED
        damaged = await ask(client, post(kiosk, "/bundle", policy[:999] + bytes([policy[999] ^ 1]) + policy[1000:]))
        assert (damaged.code, cbor2.loads(damaged.payload)[-1]) == (aiocoap.BAD_REQUEST, "cose-unsealed")
        endless = await ask(client, post(kiosk, "/bundle", policy + bytes(1024)))
        assert (endless.code, endless.opt.size1) == (aiocoap.REQUEST_ENTITY_TOO_LARGE, 4096)

    run(story, tmp_path)


def test_a_replayed_request_opens_nothing(tmp_path):
    async def story(kiosk, client):
        context = shared_context(tmp_path)
        outer, _ = context.protect(open_door(kiosk))
        outer.mtype, outer.mid, outer.token = aiocoap.CON, 1, b"\x01"
        first = await over_a_new_socket(kiosk, outer.encode())
        assert (first.code, first.opt.oscore) == (aiocoap.CHANGED, b"")
        await kiosk.board.expect("door closed")
        outer.mid, outer.token = 2, b"\x02"
        second = await over_a_new_socket(kiosk, outer.encode())
        assert (second.code, second.opt.oscore, second.payload) == (aiocoap.UNAUTHORIZED, None, b"")
        forged = outer.payload[:-1] + bytes([outer.payload[-1] ^ 1])
        outer.opt.oscore = b"\x09\x05" + KIOSK_ID
        outer.payload = forged
        assert (await over_a_new_socket(kiosk, outer.encode())).code == aiocoap.BAD_REQUEST
        outer.opt.oscore = b"\x09\x05nobody"
        assert (await over_a_new_socket(kiosk, outer.encode())).code == aiocoap.UNAUTHORIZED
        assert list(kiosk.board.console).count("door open") == 1

    run(story, tmp_path)


async def over_a_new_socket(kiosk, datagram):
    """The answer to a datagram that comes from a port that the kiosk has never seen."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
        plug.setblocking(False)
        plug.bind((HOST, 0))
        await loop.sock_sendto(plug, datagram, kiosk.address)
        return aiocoap.Message.decode(await loop.sock_recv(plug, 2048))


# EDHOC


@pytest.mark.parametrize("style", ["by-key-id", "by-value"])
def test_aiocoap_runs_edhoc_and_sends_message_3_with_its_first_request(tmp_path, style):
    async def story(kiosk, client):
        introduces_itself(client, kiosk.uri + "/*", style)
        opened = await ask(client, open_door(kiosk))
        assert (opened.code, cbor2.loads(opened.payload)) == (aiocoap.CHANGED, {1: 1, 2: 1})
        assert isinstance(opened.remote.security_context, EdhocInitiatorContext)
        await kiosk.board.expect("door open")
        again = get(kiosk, "/r/open")
        again.remote = opened.remote
        response = await ask(client, again)
        assert door(response) == "open"
        assert response.remote.security_context is opened.remote.security_context

    run(story, tmp_path, IDENTITY)


def test_a_session_of_aiocoap_observes(tmp_path):
    async def story(kiosk, client):
        introduces_itself(client, kiosk.uri + "/*")
        request = client.request(get(kiosk, "/r/open", observe=0))
        first = await request.response
        changes = aiter(request.observation)
        await ask(client, open_door(kiosk))  # in another session: it runs EDHOC anew
        assert [door(first), door(await anext(changes)), door(await anext(changes))] == ["closed", "open", "closed"]

    run(story, tmp_path, IDENTITY)


def test_more_handshakes_than_the_kiosk_keeps_sessions(tmp_path):
    async def story(kiosk, client):
        introduces_itself(client, kiosk.uri + "/*")
        for _ in range(20):
            assert (await ask(client, get(kiosk, "/r/open"))).code == aiocoap.CONTENT

    run(story, tmp_path, IDENTITY)


def test_a_separate_message_3_is_answered_by_nothing(tmp_path):
    async def story(kiosk, client):
        initiator, c_i = lakers.EdhocInitiator(), b"\x0e"
        edhoc = "/.well-known/edhoc"
        message_2 = await ask(client, post(kiosk, edhoc, b"\xf5" + initiator.prepare_message_1(c_i)))
        assert (message_2.code, message_2.opt.content_format) == (aiocoap.CHANGED, 64)
        c_r, _, _ = initiator.parse_message_2(message_2.payload)
        initiator.verify_message_2(USER.d, encoded(USER_CCS), encoded(KIOSK_CCS))
        context = EdhocInitiatorContext(initiator, c_i, c_r, OwnCredStyle.ByKeyId, client.log)
        answer = await ask(client, post(kiosk, edhoc, c_r + context.message_3_to_include()))
        assert (answer.code, answer.payload) == (aiocoap.CHANGED, b"")
        context.complete_without_message_4()
        client.client_credentials[kiosk.uri + "/r/*"] = context
        assert (await ask(client, open_door(kiosk))).code == aiocoap.CHANGED

    run(story, tmp_path, IDENTITY)


def test_a_user_whom_nobody_knows_is_told_so_by_an_edhoc_error(tmp_path):
    async def story(kiosk, client):
        stranger = CoseKeyForEdhoc.generate()
        introduces_itself(client, kiosk.uri + "/*", key=stranger, own=stranger.as_ccs(b"\x2c", "stranger"))
        with pytest.raises(aiocoap.oscore.NotAProtectedMessage) as refused:
            await ask(client, open_door(kiosk))
        answer = refused.value.plain_message
        assert (answer.code, answer.opt.content_format) == (aiocoap.BAD_REQUEST, 64)
        assert answer.payload == bytes([3]) + cbor2.dumps(True)

    run(story, tmp_path, IDENTITY)


def test_neither_takes_an_impostor(tmp_path):
    async def story(kiosk, client):
        other = CoseKeyForEdhoc.generate()
        introduces_itself(client, kiosk.uri + "/*", key=other)  # the user's credential, but not the key in it
        with pytest.raises(aiocoap.oscore.NotAProtectedMessage) as refused:
            await ask(client, open_door(kiosk))
        assert cbor2.loads(refused.value.plain_message.payload[1:]) == "edhoc-mac-3"
        introduces_itself(client, kiosk.uri + "/*", peer=other.as_ccs(b"\x05", "kiosk"))
        with pytest.raises(ValueError, match="MacVerificationFailed"):
            await ask(client, open_door(kiosk))
        introduces_itself(client, kiosk.uri + "/*")
        assert (await ask(client, open_door(kiosk))).code == aiocoap.CHANGED
        assert list(kiosk.board.console).count("door open") == 1

    run(story, tmp_path, IDENTITY)
