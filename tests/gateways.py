"""What tests of the gateway need: kiosks of memory behind it, and somebody in front of it who speaks byte by byte."""

import asyncio
import contextlib
import functools

from websockets.asyncio.client import connect

from admit.coap_ws import CSM, PATH, decode_message, encode_message
from admit.gateway.kiosks import Kiosk, SharedKiosk
from admit.gateway.limits import Limits
from admit.gateway.server import Gateway
from admit_protocol import coap, problem
from admit_protocol.errors import TimedOut
from admit_protocol.gatt import GattLayer

MTU = 515
GET = encode_message(coap.Message(coap.GET, b"\x01", [(coap.URI_HOST, b"desk"), (coap.URI_PATH, b"id")]))
HELLO = encode_message(coap.Message(CSM))


def run(story, limit_s=20):
    """Run a test's coroutine."""

    async def main():
        async with asyncio.timeout(limit_s):
            return await story

    return asyncio.run(main())


def watchable(request, link):
    """How a desk answers that can be watched."""
    options = [(coap.OBSERVE, b"")] if request.uint(coap.OBSERVE) == 0 else []
    return coap.response(coap.CONTENT, b"first", options=options)


def title(response):
    """What the gateway says is wrong."""
    assert response.uint(coap.CONTENT_FORMAT) == coap.CONTENT_PROBLEM
    return problem.decode(response.payload)[problem.TITLE]


async def until(condition):
    """Wait until it holds."""
    while not condition():
        await asyncio.sleep(0.005)


class Desk:
    """A kiosk behind the gateway, without secrets: `answer(request, link)` is a response, or None for one that comes
    later by `link.tell`. Every link that the gateway opened is in `links`.
    """

    def __init__(self, answer=None):
        self.links = []
        self.asked = []
        self.fails = None  # what opening a link raises
        self.came = asyncio.Event()
        self.answer = answer or (lambda request, link: coap.response(coap.CONTENT, request.payload or b"yes"))

    def __call__(self):
        return DeskLink(self)

    def kiosk(self, name="desk", limits=None, places=None, shared=False):
        """As the gateway knows it."""
        limits = limits or Limits()
        if shared:
            return SharedKiosk(name, self, limits)
        return Kiosk(name, self, limits, places or limits.links)

    @property
    def open_links(self):
        return [link for link in self.links if not link.closed]

    async def until(self, count):
        """Wait until so many requests have been asked."""
        while len(self.asked) < count:
            self.came.clear()
            await self.came.wait()


class DeskLink:
    """A transport to a Desk."""

    description = "a desk of memory"

    def __init__(self, desk):
        self.desk = desk
        self.closed = False

    async def open(self):
        if self.desk.fails:
            raise self.desk.fails
        self.layer, self.other = GattLayer(False, MTU), GattLayer(True, MTU)
        self.values = asyncio.Queue()
        self.desk.links.append(self)

    async def close(self):
        self.closed = True

    async def receive(self):
        value = await self.values.get()
        if value is None:
            raise TimedOut("link-dropped", "the desk is gone")
        return value

    async def send(self, data):
        for request in self.other.receive(data, 0):
            self.desk.asked.append(request)
            self.desk.came.set()
            response = self.desk.answer(request, self)
            if response is not None:
                self.tell(response, request.token)
        self._flush()

    def tell(self, response, token):
        """A response, now or later."""
        twin = response.copy()
        twin.token = token
        self.other.send(twin, 0)
        self._flush()

    def drop(self):
        """The link breaks."""
        self.values.put_nowait(None)

    def _flush(self):
        while (value := self.other.outgoing(0)) is not None:
            self.values.put_nowait(value)
            self.other.confirmed(0)


class Knocker:
    """A visitor who decides each message: the CSM too."""

    def __init__(self, socket):
        self.socket = socket

    async def say(self, message, host=None):
        """Send one message, to a kiosk if `host` names one."""
        if host is not None:
            message = message.with_option(coap.URI_HOST, host)
        await self.socket.send(encode_message(message))

    async def get(self, host, path="/id", token=b"\x01", **more):
        """Send a GET."""
        message = coap.request(coap.GET, path, **more)
        message.token = token
        await self.say(message, host)

    async def hear(self):
        """The next message."""
        return decode_message(await self.socket.recv())

    async def ask(self, host, path="/id", token=b"\x01", **more):
        """The response to a GET."""
        await self.get(host, path, token, **more)
        return await self.hear()


@contextlib.asynccontextmanager
async def knock(gateway, greet=True, **more):
    """A WebSocket to the gateway; CSMs are exchanged unless `greet` is False."""
    options = {"subprotocols": ["coap"], "proxy": None, "compression": None, "ping_interval": None} | more
    async with connect(f"ws://127.0.0.1:{gateway.port}{PATH}", **options) as socket:
        knocker = Knocker(socket)
        knocker.csm = await knocker.hear()
        if greet:
            await socket.send(HELLO)
        yield knocker


@contextlib.asynccontextmanager
async def gateway_to(*kiosks, limits=None, kind=Gateway, **more):
    """A gateway on a free port of this machine."""
    async with kind(kiosks, limits=limits, **more) as running:
        yield running


def story(function):
    """Make a test of a coroutine function."""

    @functools.wraps(function)
    def test(*arguments, **named):
        run(function(*arguments, **named))

    return test
