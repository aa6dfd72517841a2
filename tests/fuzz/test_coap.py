"""CoAP messages under hypothesis: one encoding each, no error but RemoteErrors, and aiocoap reads and writes alike."""

import warnings

import aiocoap
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.optiontypes import OpaqueOption
from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import coap, linkformat, problem
from admit_protocol.coap import Message
from admit_protocol.coap_udp import decode_datagram, encode_datagram
from admit_protocol.errors import AdmitError
from fuzz.strategies import FUZZ, hostile, parsed, texts

numbers = st.integers(0, 300) | st.integers(0, 65535)
lengths = st.integers(0, 14) | st.sampled_from((268, 269, 270, 400))
opaque = lengths.flatmap(lambda length: st.binary(min_size=length, max_size=length))
option_lists = st.lists(st.tuples(numbers, opaque), max_size=6).map(lambda options: sorted(options, key=lambda o: o[0]))
bodies = st.builds(coap.encode_body, option_lists, st.binary(max_size=30))
codes = st.integers(1, 31) | st.integers(0x40, 0xBF)
messages = st.builds(Message, codes, st.binary(max_size=8), option_lists, st.binary(max_size=30))
datagrams = st.builds(encode_datagram, st.integers(0, 3), st.integers(0, 65535), st.none() | messages)

# aiocoap gives many options a type of its own; the rest it keeps as bytes, as we do.
opaque_numbers = st.sampled_from((1, 4, 9, 21, 252, 292, 2000, 2001, 65000, 65535))
opaque_lists = st.lists(st.tuples(opaque_numbers, opaque), max_size=6)


@FUZZ
@given(hostile(bodies))
def test_a_body_is_refused_or_has_no_other_encoding(data):
    found = parsed(coap.decode_body, data)
    if found is not None:
        assert coap.encode_body(*found) == data


@FUZZ
@given(hostile(datagrams))
def test_a_datagram_is_refused_or_has_no_other_encoding(data):
    found = parsed(decode_datagram, data)
    if found is not None:
        assert encode_datagram(*found) == data


@FUZZ
@given(messages)
def test_a_message_survives_its_way(message):
    kind, mid, found = decode_datagram(encode_datagram(1, 0xBEEF, message))
    assert (kind, mid, found.code, found.token) == (1, 0xBEEF, message.code, message.token)
    assert (found.options, found.payload) == (message.options, message.payload)


@FUZZ
@given(st.lists(st.tuples(numbers, opaque), max_size=8))
def test_options_are_sorted_and_stable_in_whatever_order_they_come(options):
    message = Message(coap.GET, options=options)
    assert message.options == sorted(options, key=lambda option: option[0])


@FUZZ
@given(hostile(datagrams))
def test_what_we_accept_aiocoap_accepts_and_reads_alike(data):
    found = parsed(decode_datagram, data)
    if found is None:
        return
    kind, mid, message = found
    try:
        theirs = aiocoap.Message.decode(data)
    except UnicodeDecodeError:  # aiocoap decodes texts at once; we do when they are asked for
        return
    assert (int(theirs.mtype), theirs.mid, int(theirs.code)) == (kind, mid, message.code)
    assert (theirs.token, theirs.payload) == (message.token, message.payload)
    assert [int(option.number) for option in theirs.opt.option_list()] == [number for number, _ in message.options]


@FUZZ
@given(st.integers(0, 3), st.integers(0, 65535), codes, st.binary(max_size=8), opaque_lists, st.binary(max_size=30))
def test_aiocoap_writes_the_same_bytes(kind, mid, code, token, options, payload):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        theirs = aiocoap.Message(mtype=kind, mid=mid, code=code, token=token, payload=payload)
    for number, value in options:
        theirs.opt.add_option(OpaqueOption(OptionNumber(number), value))
    assert encode_datagram(kind, mid, Message(code, token, options, payload)) == theirs.encode()


@FUZZ
@given(st.integers(0, 2**32 - 1))
def test_unsigned_integers_come_back(number):
    data = coap.encode_uint(number)
    assert coap.decode_uint(data) == number
    assert data[:1] != b"\0"


errors = st.builds(AdmitError, texts, texts)
problems = st.builds(problem.encode, errors, st.none() | st.dictionaries(st.integers(2, 9), texts, max_size=2))


@FUZZ
@given(hostile(problems))
def test_problem_details_are_refused_or_plain(data):
    found = parsed(problem.decode, data)
    if found is not None:
        assert isinstance(found.get(problem.TITLE, ""), str) and isinstance(found.get(problem.DETAIL, ""), str)
        assert isinstance(found.get(problem.CODE, 0), int)
        assert all(isinstance(key, int) and key >= problem.DETAIL for key in found)


names = st.text("abcdefgh-", min_size=1, max_size=6)
attributes = st.lists(st.tuples(names, st.none() | texts), max_size=3)
links = st.lists(st.tuples(st.text("abc/.", max_size=8).map("/{}".format), attributes), max_size=4)


@FUZZ
@given(links)
def test_links_come_back(some):
    assert linkformat.parse(linkformat.encode(some)) == some
    assert linkformat.select(some, ()) == some


@FUZZ
@given(st.text('</>;="\\, ab*', max_size=30))
def test_any_text_is_refused_or_a_list_of_links(text):
    parsed(linkformat.parse, text)
