"""The message layer over datagrams under hypothesis: hostile peers, and networks that do their worst."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol.coap import CONTENT, GET, OBSERVE, Message
from admit_protocol.coap_udp import UdpLayer
from fuzz.strategies import FUZZ, hostile
from fuzz.test_coap import datagrams
from limits import MAX_EXCHANGES

tokens = st.sampled_from((b"", b"a", b"b"))
outbound = st.builds(
    Message, st.sampled_from((GET, CONTENT)), tokens, st.sampled_from(((), ((OBSERVE, b""),))), st.binary(max_size=5)
)
# What may happen to one layer: bytes arrive, the application speaks or forgets, time passes.
events = st.lists(
    st.tuples(st.just("receive"), hostile(datagrams))
    | st.tuples(st.just("send"), outbound)
    | st.tuples(st.just("forget"), tokens)
    | st.tuples(st.just("wait"), st.integers(1, 100000)),
    max_size=30,
)


def random(length):
    return b"\x12\x34"[:length]


def drain(layer, now_ms):
    found = []
    while (datagram := layer.outgoing(now_ms)) is not None:
        found.append(datagram)
    return found


@FUZZ
@given(events, st.booleans())
def test_no_peer_can_make_a_layer_raise_grow_or_spin(story, often):
    layer = UdpLayer(random)
    now_ms = 0
    for what, value in story:
        if what == "receive":
            assert len(layer.receive(value, now_ms)) <= 1
        elif what == "send":
            layer.send(value, now_ms)
        elif what == "forget":
            layer.forget(value)
        else:
            now_ms += value
        if often:
            drain(layer, now_ms)
    for _ in range(400):  # left alone, it comes to rest
        drain(layer, now_ms)
        due_ms = layer.deadline()
        if due_ms is None:
            break
        assert due_ms > now_ms
        now_ms = due_ms
    assert layer.deadline() is None
    assert len(layer._exchanges) <= MAX_EXCHANGES
    assert set(layer.failed()) <= {b"", b"a", b"b"}


# For each datagram: how often it arrives, and after how long.
fates = st.lists(st.lists(st.integers(0, 5000), max_size=2), min_size=60, max_size=60)


@FUZZ
@given(fates, st.lists(st.integers(0, 3000), min_size=3, max_size=3), st.booleans())
def test_each_request_is_executed_at_most_once_and_answered_or_given_up(fates, delays_ms, both):
    layers = UdpLayer(random), UdpLayer(random)
    agenda = []  # (time, number, what, side, value)
    executed, answered = [], []
    fates = list(fates)

    def plan(now_ms, what, side, value):
        agenda.append((now_ms, len(executed) + len(agenda), what, side, value))

    for number, delay_ms in enumerate(delays_ms):
        plan(delay_ms, "send", number % 2 if both else 0, Message(GET, bytes((number,))))
    now_ms = 0
    while agenda or any(layer.deadline() is not None for layer in layers):
        dues = [item[0] for item in agenda] + [due for due in (layer.deadline() for layer in layers) if due is not None]
        now_ms = max(now_ms, min(dues))
        for item in sorted([item for item in agenda if item[0] <= now_ms], key=lambda item: item[:2]):
            agenda.remove(item)
            _, _, what, side, value = item
            if what == "send":
                layers[side].send(value, now_ms)
                continue
            for message in layers[side].receive(value, now_ms):
                if message.is_request:
                    executed.append(message.token)
                    plan(now_ms + delays_ms[len(executed) % 3], "send", side, Message(CONTENT, message.token))
                else:
                    answered.append(message.token)
        for side, layer in enumerate(layers):
            for datagram in drain(layer, now_ms):
                for delay_ms in fates.pop(0) if fates else [10]:
                    plan(now_ms + delay_ms, "receive", 1 - side, datagram)
    assert len(executed) == len(set(executed))
    assert len(answered) == len(set(answered))
    given_up = set(layers[0].failed() + layers[1].failed())
    assert set(answered) | given_up == {bytes((number,)) for number in range(3)}
