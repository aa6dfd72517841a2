"""A gateway that is not what it says: it keeps all that it sees, and a script of a test alters what passes through.

Behind it stands a real device on ports of memory (rig.py), in front of it our own client over a real WebSocket.
"""

import asyncio
import contextlib
import os

import attackers
from admit.client import Holder, Session
from admit.coap_ws import decode_message, encode_message
from admit.connection import Connection
from admit.gateway.kiosks import Kiosk
from admit.gateway.limits import Limits
from admit.gateway.server import Gateway
from admit.gateway.visitor import Visitor
from admit.suite import HostSuite
from admit.transport import open_transport
from admit_protocol import cbor, coap
from admit_protocol.errors import TimedOut
from liars import Liar

LIMITS = Limits(answer_s=0.3, datagram_links=64, rate=1e6, burst=10**6)
PATIENCE_S = 0.4
ALICE, BOB = HostSuite().generate(), HostSuite().generate()
ALICES = Holder(ALICE, attackers.SITE.grant(ALICE.public, attackers.RULES), attackers.SITE.anchor)
BOBS = Holder(BOB, attackers.SITE.grant(BOB.public, attackers.RULES, subject="bob", number=2), attackers.SITE.anchor)


class Script:
    """What the gateway does with what passes through: nothing, but for keeping all of it."""

    def __init__(self):
        self.seen = []  # bytes of every message, from either side
        self.asked = []  # requests as they came

    async def ask(self, visitor, request):
        """The requests that go to the kiosk in the place of this one."""
        return [request]

    async def tell(self, visitor, data):
        """The messages that go to the visitor in the place of this one, as bytes."""
        return [data]


class LyingVisitor(Visitor):
    """A visitor of that gateway."""

    def __init__(self, script, socket, *arguments):
        super().__init__(Tap(self, script, socket), *arguments)
        self.script = script

    async def _forward(self, kiosk, request, exchange):
        self.script.asked.append(request)
        for each in await self.script.ask(self, request):
            each = each.copy()
            each.token = request.token
            await super()._forward(kiosk, each, exchange)


class Tap:
    """The WebSocket, as the gateway sees it."""

    def __init__(self, visitor, script, socket):
        self._visitor, self._script, self._socket = visitor, script, socket

    def __getattr__(self, name):
        return getattr(self._socket, name)

    async def recv(self):
        data = await self._socket.recv()
        self._script.seen.append(data)
        return data

    async def send(self, data):
        self._script.seen.append(data)
        for each in await self._script.tell(self._visitor, data):
            await self._socket.send(each)


class RigLink(Liar):
    """A link to the device on memory ports; it may fall silent."""

    async def close(self):
        self.kiosk.rig.radio.listener.closed(self.kiosk.number)


class Hasty(Connection):
    """A client that waits less long, so that tests do."""

    async def exchange(self, request, timeout_s=PATIENCE_S):
        return await super().exchange(request, timeout_s)


@contextlib.asynccontextmanager
async def lying(rigs, script):
    """A lying gateway to devices by name."""
    kiosks = [Kiosk(name, lambda rig=rig: RigLink(rig), LIMITS, LIMITS.datagram_links) for name, rig in rigs.items()]
    gateway = Gateway(kiosks, limits=LIMITS)
    gateway.visitor_class = lambda *arguments: LyingVisitor(script, *arguments)
    async with gateway:
        yield gateway


def way(gateway, name="kiosk-1"):
    """A client's connection to a kiosk through it."""
    return Hasty(open_transport(f"ws://127.0.0.1:{gateway.port}#{name}"))


async def invoke(session, identifier=None, name="open"):
    """[state, result] of an invocation, with an id of its own unless it is given one."""
    body = cbor.encode({1: identifier or os.urandom(8)})
    response = await session.request(coap.POST, "/r/" + name, body, coap.CONTENT_CBOR)
    outcome = cbor.decode(response.payload)
    return [outcome[1], outcome.get(2)]


async def repeat_visit(connection, credential, holder=ALICES):
    """A session with a kiosk that knows the grant."""
    session = Session(connection, holder, credential, known=True)
    await session.start()
    return session


async def teach(gateway, credential, *holders):
    """A first visit of each: the kiosk knows their grants from now on."""

    async def visit(holder):
        async with way(gateway) as connection:
            session = Session(connection, holder, credential)
            await session.start()
            await invoke(session)

    for holder in holders:
        await at_last(lambda holder=holder: visit(holder))


async def at_last(visit, tries=5):
    """What an honest visit ends in: on a busy machine it may take longer than the test's impatience, and is asked for
    again.
    """
    for left in reversed(range(tries)):
        try:
            return await visit()
        except TimedOut:
            if not left:
                raise


def flipped(data, at, mask=0x10):
    """The bytes with one of them altered."""
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def flipped_request(request, at):
    """The request with byte `at` of what the gateway forwards altered: code, options, payload; None if no message is
    left of it.
    """
    data = encode_message(request)
    start = 1 if at == 0 else 1 + len(request.token)
    try:
        return decode_message(flipped(data, start + at))
    except Exception:
        return None


def forwarded_length(request):
    """How many bytes of a request can be altered so."""
    return len(encode_message(request)) - 1 - len(request.token)


async def settle():
    """Let what is on its way arrive."""
    for _ in range(20):
        await asyncio.sleep(0)
