"""Our client against a server of aiocoap, over UDP: bodies in blocks either way, Observe, late answers, OSCORE, EDHOC.

The server is aiocoap's own: its message layer, its site of resources, its OSCORE wrapper, lakers as its Responder.
Where aiocoap 0.4.17 does not do what we would expect of it: its EDHOC messages come without Content-Format, and it
answers a separate message_3 with message_4 whether or not the Initiator wants one.
"""

import asyncio
import contextlib
import json
import socket

import aiocoap
import aiocoap.error
import aiocoap.oscore
import aiocoap.resource
import cbor2
import pytest
from aiocoap.credentials import CredentialsMap
from aiocoap.edhoc import CoseKeyForEdhoc
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper
from aiocoap.transports.oscore import OSCOREAddress

from admit.connection import Connection, block_wise
from admit.suite import HostSuite
from admit.transport.udp import UdpTransport
from admit_protocol import ccs, coap, coap_numbers, edhoc, edhoc_client, oscore_client
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import Replayed, TimedOut, Unverified

HOST = "127.0.0.1"
LIMIT_S = 60
LATE_S = 0.4  # aiocoap acknowledges after 0.1 s
LONG = bytes(number * number % 251 for number in range(5000))
SECRET, SALT = bytes(range(16)), bytes(range(8))
CLIENT_ID, SERVER_ID = b"\x01", b"\x55"


class Long(aiocoap.resource.Resource):
    async def render_get(self, request):
        return aiocoap.Message(payload=LONG, content_format=42, etag=b"long")


class Kept(aiocoap.resource.ObservableResource):
    """What was PUT last; whoever observes is told."""

    value = b"nothing yet"

    async def render_get(self, request):
        return aiocoap.Message(payload=self.value)

    async def render_put(self, request):
        self.value = request.payload
        self.updated_state()
        return aiocoap.Message(code=aiocoap.CHANGED)


class Echo(aiocoap.resource.Resource):
    async def render_post(self, request):
        return aiocoap.Message(code=aiocoap.CHANGED, payload=request.payload[::-1])


class Late(aiocoap.resource.Resource):
    asked = 0

    async def render_get(self, request):
        self.asked += 1
        await asyncio.sleep(LATE_S)
        return aiocoap.Message(payload=b"late")


class Private(aiocoap.resource.Resource):
    async def render_get(self, request):
        if not isinstance(request.remote, OSCOREAddress):
            raise aiocoap.error.Unauthorized
        return aiocoap.Message(payload=b"who: " + request.remote.authenticated_claims[0].encode())


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Server:
    """A server of aiocoap on a port of its own, and our ways to it."""

    def __init__(self, site, credentials):
        self.site = site
        self.credentials = credentials
        self.port = free_port()

    @property
    def origin(self):
        return f"coap://{HOST}:{self.port}"

    def connect(self):
        return Connection(UdpTransport(HOST, self.port))


@contextlib.asynccontextmanager
async def aiocoap_server(credentials=None):
    site = aiocoap.resource.Site()
    resources = {"long": Long(), "kept": Kept(), "echo": Echo(), "late": Late(), "private": Private()}
    for name, resource in resources.items():
        site.add_resource([name], resource)
    credentials = credentials or CredentialsMap()
    server = Server(resources, credentials)
    context = await aiocoap.Context.create_server_context(
        OscoreSiteWrapper(site, credentials), bind=(HOST, server.port), transports=["simplesocketserver"]
    )
    try:
        yield server
    finally:
        await context.shutdown()


def run(story, credentials=None):
    """Run `story(server, connection)`."""

    async def main():
        async with asyncio.timeout(LIMIT_S), aiocoap_server(credentials) as server, server.connect() as connection:
            await story(server, connection)

    asyncio.run(main())


def get(path, *options):
    return coap.request(coap.GET, path, options=options)


def test_a_long_answer_comes_down_in_blocks():
    async def story(server, connection):
        response = await connection.request(get("/long"))
        assert (response.code, response.payload, response.uint(coap.CONTENT_FORMAT)) == (coap.CONTENT, LONG, 42)
        assert connection.flights == 2 * 5  # 1024 bytes each

    run(story)


def test_a_long_body_goes_up_in_blocks_and_both_may_be_long():
    async def story(server, connection):
        response = await connection.request(coap.request(coap.PUT, "/kept", LONG))
        assert (response.code, server.site["kept"].value) == (coap.CHANGED, LONG)
        response = await connection.request(coap.request(coap.POST, "/echo", LONG))
        assert (response.code, response.payload) == (coap.CHANGED, LONG[::-1])

    run(story)


@pytest.mark.parametrize("size", [16, 64, 1024])
def test_blocks_of_any_size(size):
    async def story(server, connection):
        request = coap.request(coap.POST, "/echo", LONG[:700])
        assert (await block_wise(request, size, connection.exchange)).payload == LONG[:700][::-1]

    run(story)


def test_an_observer_is_told_of_every_change():
    async def story(server, connection):
        seen = connection.observe(get("/kept", (coap.OBSERVE, b"")))
        assert (await anext(seen)).payload == b"nothing yet"
        for value in (b"one", b"two", b"three"):
            await connection.request(coap.request(coap.PUT, "/kept", value))
            assert (await anext(seen)).payload == value
        await seen.aclose()
        await connection.request(coap.request(coap.PUT, "/kept", b"unseen"))  # its notification is reset by us
        assert (await connection.request(get("/kept"))).payload == b"unseen"

    run(story)


def test_an_answer_may_come_long_after_its_acknowledgement():
    async def story(server, connection):
        both = await asyncio.gather(connection.request(get("/late")), connection.request(get("/late")))
        assert [each.payload for each in both] == [b"late", b"late"]
        assert server.site["late"].asked == 2
        with pytest.raises(TimedOut, match="request-timeout"):
            await connection.exchange(get("/late"), timeout_s=LATE_S / 4)
        await asyncio.sleep(LATE_S)
        assert (await connection.request(get("/kept"))).payload == b"nothing yet"

    run(story)


def test_errors_are_answers():
    async def story(server, connection):
        assert (await connection.request(get("/nowhere"))).code == coap_numbers.NOT_FOUND
        assert (await connection.request(coap.request(coap.DELETE, "/kept"))).code == coap_numbers.METHOD_NOT_ALLOWED
        assert (await connection.request(get("/private"))).code == coap_numbers.UNAUTHORIZED

    run(story)


def test_a_server_that_is_not_there_is_noticed_at_once():
    async def story(server, connection):
        async with Connection(UdpTransport(HOST, free_port())) as nobody:
            with pytest.raises(TimedOut, match="link-dropped"):
                await nobody.request(get("/kept"))

    run(story)


# OSCORE with a preshared secret


class Protected:
    """Requests over a connection under an OSCORE context of ours; blocks are cut inside it."""

    def __init__(self, connection, context):
        self.connection = connection
        self.context = context
        self.message_3 = None

    async def request(self, message, block_size=1024):
        return await block_wise(message, block_size, self._exchange)

    async def observe(self, message):
        outer, reference = self.context.protect_request(message)
        async for response in self.connection.observe(outer):
            yield self.context.unprotect_response(response, reference)

    async def _exchange(self, message):
        outer, reference = self.context.protect_request(message)
        if self.message_3:
            outer, self.message_3 = oscore_client.combine(self.message_3, outer), None
        response = await self.connection.exchange(outer)
        assert (response.code, len(response.payload) > 8) == (coap.CHANGED, True), response
        return self.context.unprotect_response(response, reference)


def shared(folder):
    """The preshared context as credentials of an aiocoap server."""
    settings = {"secret_hex": SECRET.hex(), "salt_hex": SALT.hex()}
    settings |= {"sender-id_hex": SERVER_ID.hex(), "recipient-id_hex": CLIENT_ID.hex()}
    (folder / "settings.json").write_text(json.dumps(settings))
    credentials = CredentialsMap()
    credentials.load_from_dict({":alice": {"oscore": {"basedir": str(folder)}}})
    return credentials


def ours(sender_id=CLIENT_ID, secret=SECRET):
    return oscore_client.ClientContext(HostSuite(), secret, SALT, sender_id, SERVER_ID)


def test_everything_again_under_oscore(tmp_path):
    async def story(server, connection):
        alice = Protected(connection, ours())
        assert (await alice.request(get("/private"))).payload == b"who: :alice"
        assert (await alice.request(get("/long"))).payload == LONG
        assert (await alice.request(coap.request(coap.PUT, "/kept", LONG))).code == coap.CHANGED
        assert server.site["kept"].value == LONG
        assert (await alice.request(coap.request(coap.POST, "/echo", LONG), 256)).payload == LONG[::-1]
        assert (await alice.request(get("/late"))).payload == b"late"
        assert (await alice.request(get("/nowhere"))).code == coap_numbers.NOT_FOUND

    run(story, shared(tmp_path))


def test_an_observer_under_oscore(tmp_path):
    async def story(server, connection):
        alice = Protected(connection, ours())
        seen = alice.observe(get("/kept", (coap.OBSERVE, b"")))
        assert (await anext(seen)).payload == b"nothing yet"
        for value in (b"one", b"two", b"three"):
            await alice.request(coap.request(coap.PUT, "/kept", value))
            assert (await anext(seen)).payload == value
        await seen.aclose()
        assert (await alice.request(get("/kept"))).payload == b"three"

    run(story, shared(tmp_path))


def test_replays_forgeries_and_strangers_are_refused(tmp_path):
    async def story(server, connection):
        context = ours()
        outer, reference = context.protect_request(get("/private"))
        response = await connection.exchange(outer.copy())
        assert context.unprotect_response(response, reference).payload == b"who: :alice"
        with pytest.raises(Replayed):
            context.unprotect_response(response, reference)
        outer.token = b""
        assert (await connection.exchange(outer)).code == coap_numbers.UNAUTHORIZED
        outer, _ = ours(secret=bytes(16)).protect_request(get("/private"))
        outer.set_option(coap.OSCORE, b"\x09\x20" + CLIENT_ID)
        assert (await connection.exchange(outer)).code == coap.BAD_REQUEST
        outer, _ = ours(b"\x33").protect_request(get("/private"))
        assert (await connection.exchange(outer)).code == coap_numbers.UNAUTHORIZED
        other = ours()
        other.sequence = 100
        outer, reference = other.protect_request(get("/private"))
        response = await connection.exchange(outer)
        response.payload = response.payload[:-1] + bytes([response.payload[-1] ^ 1])
        with pytest.raises(Unverified):
            other.unprotect_response(response, reference)

    run(story, shared(tmp_path))


# EDHOC: we are the Initiator, lakers inside aiocoap is the Responder; method 3, suite 2, raw keys in CCS


def edhoc_credentials(origin, server_key, server_style, user_ccs):
    """An aiocoap server's credentials: its own key, and the one user it knows."""
    own = {"own_cred": server_key.as_ccs(b"\x05", "server"), "private_key": server_key.secret_to_map()}
    own |= {"suite": 2, "method": 3, "own_cred_style": server_style}
    user = {"suite": 2, "method": 3, "peer_cred": user_ccs}
    return {origin + "/*": {"edhoc-oscore": own}, ":user": {"edhoc-oscore": user}}


def credential_of(kccs):
    return ccs.credential(cbor2.dumps(kccs[14], canonical=True))


async def handshake(connection, key, user, server, by_value):
    """message_1 and message_2; (the initiator, message_3), once the server has proven itself."""
    suite = HostSuite()
    id_cred_i = edhoc.by_value(user.data) if by_value else user.id_cred
    initiator = Initiator(suite, 3, [2], suite.private_key(key.d), id_cred_i, user, b"\x0b")
    response = await edhoc_post(connection, edhoc_client.encode_prefixed(None, initiator.message_1()))
    _, id_cred_r, _ = initiator.parse_message_2(response.payload)
    assert id_cred_r == (edhoc.by_value(server.data) if by_value else server.id_cred)
    initiator.verify_message_2(server)
    return initiator, initiator.message_3()


async def edhoc_post(connection, payload):
    request = coap.request(coap.POST, "/.well-known/edhoc", payload, coap_numbers.CONTENT_CID_EDHOC)
    response = await connection.request(request)
    assert response.code == coap.CHANGED
    return response


@pytest.mark.parametrize("combined", [True, False], ids=["combined", "apart"])
@pytest.mark.parametrize("by_value", [True, False], ids=["kccs", "kid"])
def test_edhoc_opens_a_session_with_aiocoap(by_value, combined):
    user_key, server_key = CoseKeyForEdhoc.generate(), CoseKeyForEdhoc.generate()
    user_ccs, server_ccs = user_key.as_ccs(b"\x2b", "user"), server_key.as_ccs(b"\x05", "server")

    async def story(server, connection):
        style = "by-value" if by_value else "by-key-id"
        server.credentials.load_from_dict(edhoc_credentials(server.origin, server_key, style, user_ccs))
        user, device = credential_of(user_ccs), credential_of(server_ccs)
        initiator, message_3 = await handshake(connection, user_key, user, device, by_value)
        secret, salt = initiator.oscore()
        context = oscore_client.ClientContext(HostSuite(), secret, salt, initiator.c_r, initiator.c_i)
        session = Protected(connection, context)
        if combined:
            session.message_3 = message_3
        else:
            response = await edhoc_post(connection, edhoc_client.encode_prefixed(initiator.c_r, message_3))
            assert initiator.verify_message_4(response.payload) == []
        assert (await session.request(get("/private"))).payload == b"who: :user"
        assert (await session.request(get("/long"))).payload == LONG

    run(story)
