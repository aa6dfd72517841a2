"""CBOR under hypothesis: nothing but Malformed leaves the decoder, one encoding of everything, and cbor2 agrees."""

import math

import cbor2
from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import cbor
from admit_protocol.cbor import Tag
from admit_protocol.errors import Malformed
from fuzz.strategies import FUZZ, hostile, integers, mutations, scalars, texts, values

encodings = values.map(cbor.encode)


def decoded(decode, data):
    """(value,) or None, if it was refused by a Malformed; anything else is a fault."""
    try:
        return (decode(data),)
    except Malformed:
        return None


@FUZZ
@given(values)
def test_what_is_encoded_decodes_to_the_same_value(value):
    data = cbor.encode(value)
    assert cbor.decode(data) == value
    assert cbor.encode(cbor.decode(data)) == data


@FUZZ
@given(st.binary(max_size=64) | mutations(encodings))
def test_whatever_decodes_has_no_other_encoding(data):
    found = decoded(cbor.decode, data)
    if found:
        assert cbor.encode(found[0]) == data


@FUZZ
@given(st.binary(max_size=64) | mutations(st.lists(values, max_size=4).map(cbor.encode_sequence)))
def test_whatever_sequence_decodes_has_no_other_encoding(data):
    found = decoded(cbor.decode_sequence, data)
    if found:
        assert cbor.encode_sequence(found[0]) == data


@FUZZ
@given(st.lists(values, max_size=5))
def test_a_sequence_read_item_by_item_is_the_sequence(items):
    data = cbor.encode_sequence(items)
    at, found = 0, []
    while at < len(data):
        item, at = cbor.decode_first(data, at)
        found.append(item)
    assert found == items == cbor.decode_sequence(data)


@FUZZ
@given(encodings, st.data())
def test_a_buffer_that_is_cut_short_or_longer_is_refused(data, draw):
    assert decoded(cbor.decode, data[: draw.draw(st.integers(0, len(data) - 1))]) is None
    assert decoded(cbor.decode, data + draw.draw(st.binary(min_size=1, max_size=3))) is None


# cbor2 as a stranger. Its canonical form is RFC 7049's, which sorts longer keys behind shorter ones first: the same for
# keys of one type and, for integers, one sign.


def uniform_maps(inner):
    keys = st.sampled_from((st.integers(0, 2**64 - 1), st.integers(-(2**64), -1), texts, st.binary(max_size=30)))
    return st.lists(inner, max_size=5) | keys.flatmap(lambda key: st.dictionaries(key, inner, max_size=5))


@FUZZ
@given(st.recursive(scalars, uniform_maps, max_leaves=20))
def test_cbor2_makes_the_same_bytes(value):
    assert cbor2.dumps(value, canonical=True) == cbor.encode(value)


@FUZZ
@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(integers | texts, inner)))
def test_cbor2_reads_what_we_write(value):
    assert cbor2.loads(cbor.encode(value)) == value


@FUZZ
@given(hostile(encodings))
def test_what_we_accept_cbor2_understands_in_the_same_way(data):
    found = decoded(cbor.decode, data)
    if found and not has_tag(found[0]):
        assert cbor2.loads(data) == found[0]


@FUZZ
@given(st.floats() | st.sampled_from((math.inf, math.nan, cbor2.undefined, cbor2.CBORSimpleValue(99))))
def test_what_cbor2_writes_beyond_our_subset_is_refused(value):
    assert decoded(cbor.decode, cbor2.dumps(value)) is None
    assert decoded(cbor.decode, cbor2.dumps([{"x": value}])) is None


def has_tag(value):
    if isinstance(value, dict):
        return any(has_tag(item) for item in value.values())
    return isinstance(value, Tag) or (isinstance(value, list) and any(has_tag(item) for item in value))
