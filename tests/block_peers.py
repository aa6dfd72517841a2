"""A server of block-wise transfers as a device is one, and messages for it: for the tests, on both runtimes."""

from admit_protocol import block, coap
from admit_protocol.problem import TITLE, decode

BODY = bytes([i * 7 & 0xFF for i in range(1000)])
ALICE, BOB = "alice", "bob"


def part(number, more, szx, payload, path="/r/open", options=()):
    """A POST that carries one Block1 part."""
    message = coap.request(coap.POST, path, payload, coap.CONTENT_CBOR, options)
    message.set_option(coap.BLOCK1, block.encode(number, more, szx))
    message.token = bytes([number & 0xFF])
    return message


def fetch(number, szx, method=coap.GET, path="/journal"):
    """A request for one Block2 part."""
    message = coap.request(method, path)
    message.set_option(coap.BLOCK2, block.encode(number, False, szx))
    return message


def block1(message):
    return block.parse(message.option(coap.BLOCK1))


def block2(message):
    return block.parse(message.option(coap.BLOCK2))


def reason(response):
    return decode(response.payload)[TITLE]


def refused(response, code, why):
    assert (response.code, reason(response)) == (code, why), (response, reason(response))
    return True


class Server:
    """What a device does with a request: assemble, serve, slice. `serve` maps a whole request to a response."""

    def __init__(self, serve, max_size=64, limit=4096):
        self.serve = serve
        self.max_size = max_size
        self.assembler = block.Assembler(limit, max_size=max_size)
        self.slicer = block.Slicer(limit)
        self.served = []
        self.parts = []
        self.answers = []

    def answer(self, request, key=ALICE, now_ms=0):
        self.parts.append(request)
        self.answers.append(self._answer(request, key, now_ms))
        return self.answers[-1]

    def _answer(self, request, key, now_ms):
        whole = self.assembler.accept(request, key, now_ms)
        if not whole.is_request:
            return self.slicer.slice(key, request, whole, self.max_size)
        later = self.slicer.next(key, request)
        if later is not None:
            return later
        self.served.append(whole)
        return self.slicer.slice(key, request, self.serve(whole), self.max_size)


def echo(request):
    return coap.response(coap.CHANGED, request.payload)


def run(transfer, server, key=ALICE):
    """Carry a transfer to its end; the response."""
    for _ in range(200):
        message = transfer.next()
        if message is None:
            return transfer.response
        transfer.answer(server.answer(message, key))
    raise AssertionError("endless")
