"""AIF under hypothesis: refused, or an allow-list of known methods with one encoding."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import aif, cbor
from fuzz.strategies import FUZZ, hostile, parsed, texts, values

KNOWN = 0x7F | 0x7F << 32

paths = texts.map("/{}".format)
masks = st.integers(1, KNOWN).map(lambda mask: mask & KNOWN or 1)
entries = st.lists(st.tuples(paths, masks), max_size=6)
nearly = st.lists(st.lists(paths | texts | masks | st.integers(-1, 2**64 - 1) | values, max_size=3), max_size=3)


@FUZZ
@given(hostile(entries.map(aif.encode)) | nearly.map(cbor.encode))
def test_an_item_is_refused_or_has_no_other_encoding(data):
    found = parsed(aif.decode, data)
    if found is not None:
        assert aif.encode(found) == data
        assert all(path.startswith("/") and 0 < mask and not mask & ~KNOWN for path, mask in found)


@FUZZ
@given(entries)
def test_what_is_granted_is_the_union_of_what_was_said(some):
    found = aif.decode(aif.encode(some))
    assert len({path for path, _ in found}) == len(found)
    for path, mask in found:
        union = 0
        for said_path, said_mask in some:
            union |= said_mask if said_path == path else 0
        assert mask == union
    assert {path for path, _ in some} == {path for path, _ in found}
