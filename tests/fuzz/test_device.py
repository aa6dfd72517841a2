"""A whole device under garbage: nothing that a peer sends makes it raise, change state, or stop serving others."""

from hypothesis import given
from hypothesis import strategies as st

from admit.suite import HostSuite
from admit_device.routines import Integer, routine
from admit_protocol import cbor, coap, gatt
from admit_protocol.coap_udp import CON, encode_datagram
from fuzz.strategies import FEWER, FUZZ
from rig import Phone, Rig, Site

SITE = Site()
KEY = HostSuite().generate()
GRANT = SITE.grant(KEY.public, [("*", 127, {})])
PATHS = ("/id", "/.well-known/core", "/.well-known/edhoc", "/identity", "/login", "/r", "/r/count", "/bundle")
PATHS += ("/journal", "/health", "/nowhere", "/r/a/b")


@routine("Count.", number=Integer(0, 9, default=1))
def count(kiosk, number):
    return number


def device():
    return Rig({"count": count}, SITE)


def alive(rig):
    """Does it answer somebody else?"""
    phone = Phone(rig)
    answered = phone.plain(coap.GET, "/id").code == coap.CONTENT
    rig.radio.listener.closed(phone.number)
    return answered


def visitor(rig):
    phone = Phone(rig, KEY, GRANT)
    phone.suite = HostSuite()
    phone.start()
    assert phone.request(coap.GET, "/r").code == coap.CONTENT
    return phone


RIG = device()
VISITOR = visitor(RIG)

messages = st.builds(
    lambda code, token, options, payload: coap.Message(code, token, sorted(options, key=lambda each: each[0]), payload),
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 0x45, 0x84]),
    st.binary(max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from([1, 3, 4, 5, 6, 7, 9, 11, 12, 15, 17, 21, 23, 27, 28, 35, 60, 252, 292, 2049]),
            st.binary(max_size=12),
        ),
        max_size=5,
    ),
    st.binary(max_size=80),
)


@FUZZ
@given(st.lists(st.binary(max_size=100), max_size=6))
def test_random_values_over_the_radio(values):
    for value in values:
        RIG.radio.listener.received(VISITOR.number, value)
    RIG.radio.sent.pop(VISITOR.number, None)
    assert alive(RIG)


@FUZZ
@given(messages)
def test_well_formed_requests_that_make_no_sense(message):
    number = RIG.next_link
    RIG.next_link += 1
    RIG.cable.listener.opened(number, 0)
    RIG.cable.listener.received(number, encode_datagram(CON, 7, message))
    RIG.cable.listener.closed(number)
    assert alive(RIG)


@FEWER
@given(
    st.sampled_from([coap.GET, coap.POST, coap.PUT, coap.DELETE, coap.FETCH]),
    st.sampled_from(PATHS),
    st.one_of(st.binary(max_size=200), st.dictionaries(st.integers(0, 3), st.binary(max_size=9)).map(cbor.encode)),
)
def test_whoever_may_do_everything_cannot_break_it_either(method, path, body):
    rig = device()
    phone = visitor(rig)
    response = phone.request(method, path, body)
    assert response.code >= 0x40
    assert rig.device.identity.device_id == "kiosk-1"
    assert alive(rig)
    assert visitor(rig).request(coap.GET, "/r").code == coap.CONTENT


@FEWER
@given(st.binary(max_size=300))
def test_the_inside_of_a_protected_request_may_be_anything(payload):
    rig = device()
    phone = visitor(rig)
    outer, _ = phone.context.protect_request(coap.request(coap.POST, "/r/count", payload))
    phone.send(outer)
    value = gatt.encode_value(gatt.CONFIRM | gatt.MESSAGE_ID, outer)
    rig.radio.listener.received(phone.number, value)
    assert alive(rig)
