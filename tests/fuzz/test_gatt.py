"""The message layer over GATT under hypothesis: hostile values, and any mixture of them with honest ones."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol.coap import EMPTY, GET, Message
from admit_protocol.gatt import CONFIRM, GattLayer, decode_value, encode_value
from fuzz.strategies import FUZZ, hostile, parsed
from fuzz.test_coap import messages

first_bytes = st.integers(0, 7).map(lambda bits: bits << 4)
values = st.builds(encode_value, first_bytes, messages | st.just(Message(EMPTY)))


@FUZZ
@given(hostile(values))
def test_a_value_is_refused_or_has_no_other_encoding(data):
    found = parsed(decode_value, data)
    if found is not None:
        assert encode_value(*found) == data


events = st.lists(
    st.tuples(st.just("receive"), hostile(values))
    | st.tuples(st.just("send"), st.binary(max_size=3))
    | st.tuples(st.just("confirm"), st.none())
    | st.tuples(st.just("wait"), st.integers(1, 7000)),
    max_size=30,
)


@FUZZ
@given(events, st.booleans())
def test_no_peer_can_make_a_layer_raise_or_spin_or_speak_out_of_turn(story, server):
    layer = GattLayer(server, 128)
    now_ms = 0
    unconfirmed = False
    confirmable = 0
    sent = 0
    for what, value in story:
        if what == "receive":
            assert len(layer.receive(value, now_ms)) <= 1
        elif what == "send":
            layer.send(Message(GET, value), now_ms)
            sent += 1
        elif what == "confirm":
            layer.confirmed(now_ms)
            unconfirmed = False
        else:
            now_ms += value
        for _ in range(3):
            out = layer.outgoing(now_ms)
            if out is None:
                break
            assert not unconfirmed and len(out) <= layer.max_payload
            unconfirmed = server
            bits, message = decode_value(out)
            assert bool(bits & CONFIRM) == (message.code != EMPTY)
            confirmable += message.code != EMPTY
        assert layer.outgoing(now_ms) is None
        assert layer.deadline() is None or layer.deadline() > now_ms
    assert confirmable + len(layer.failed()) + len(layer._queue) >= sent >= confirmable
