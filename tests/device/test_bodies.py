"""Bodies too long for one message: their code comes with the first one, and goes when nobody has any."""

from admit_device.bodies import Bodies
from admit_protocol import coap
from admit_protocol.block import encode
from memory_ports import HandClock


class Call:
    """A call of a session, or of a link without one."""

    def __init__(self, message, session=None, key="link", size=64):
        self.message, self.session, self.key, self._size = message, session, key, size

    def block_size(self):
        return self._size


def asked(number=None, size=2):
    options = [] if number is None else [(coap.BLOCK2, encode(number, False, size))]
    return coap.request(coap.GET, "/r", options=options)


def test_a_short_exchange_needs_none_of_it():
    bodies = Bodies(HandClock())
    call = Call(asked())
    assert bodies.whole(call) is call.message
    result = coap.response(coap.CONTENT, b"short")
    assert bodies.cut(call, call.message, result) is result and bodies._blocks is None


def test_a_long_response_is_cut_and_fetched_to_its_end():
    bodies, body = Bodies(HandClock()), bytes(range(150))
    call = Call(asked())
    first = bodies.cut(call, bodies.whole(call), coap.response(coap.CONTENT, body))
    got = first.payload
    for number in (1, 2):
        got += bodies.whole(Call(asked(number))).payload
    assert got == body


def test_it_goes_when_nobody_is_there_or_whoever_had_it_is_gone():
    bodies = Bodies(HandClock())
    call = Call(asked())
    bodies.cut(call, bodies.whole(call), coap.response(coap.CONTENT, bytes(150)))
    bodies.rest(False)
    assert bodies._blocks is not None
    bodies.forget("link")
    bodies.rest(False)
    assert bodies._blocks is None
