"""A link of memory between our client and a real device on ports of memory, with somebody in between who may lie."""

import asyncio

from admit.connection import Connection
from admit_protocol import coap
from admit_protocol.gatt import GattLayer
from rig import Phone, Rig
from visitors import ROUTINES, SITE

MTU = 515


class Liar:
    """A transport whose other end is `answer(request) -> response`; by default the kiosk of `rig` itself."""

    description = "a link of memory"

    def __init__(self, rig):
        self.kiosk = Phone(rig)
        self.seen = []  # every request that the client sent
        self.told = []  # and what it was told

    async def open(self):
        self.layer, self.other = GattLayer(False, MTU), GattLayer(True, MTU)
        self.values = asyncio.Queue()

    async def close(self):
        pass

    async def receive(self):
        return await self.values.get()

    async def send(self, data):
        for request in self.other.receive(data, 0):
            self.seen.append(request.copy())
            response = self.answer(request)
            if response is not None:
                self.tell(response, request.token)
        self.flush()

    def tell(self, response, token):
        response.token = token
        self.told.append(response.copy())
        self.other.send(response, 0)

    def flush(self):
        while (value := self.other.outgoing(0)) is not None:
            self.values.put_nowait(value)
            self.other.confirmed(0)

    def answer(self, request):
        return self.truth(request)

    def truth(self, request):
        """What the kiosk says."""
        return self.kiosk.send(request.copy())


def lie(about, answer, rig=None):
    """A liar that answers requests of one kind, ("GET", "/id"), by `answer(liar, request)`, and is honest otherwise."""

    class One(Liar):
        def answer(self, request):
            return answer(self, request) if kind(request) == about else self.truth(request)

    return One(rig or kiosk())


def kind(request):
    if request.option(coap.OSCORE) is not None:
        return "protected"
    return {coap.GET: "GET", coap.POST: "POST", coap.PUT: "PUT"}[request.code], "/" + "/".join(request.path)


def kiosk():
    return Rig(ROUTINES, SITE)


def run(liar, visit):
    """Run `visit(connection)` over that link."""

    async def main():
        async with Connection(liar) as connection, asyncio.timeout(20):
            return await visit(connection)

    return asyncio.run(main())
