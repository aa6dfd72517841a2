"""Anchors under hypothesis: refused, or with one encoding."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import anchor
from fuzz.strategies import FUZZ, hostile, names, parsed, publics
from support import vectors

plain = st.builds(lambda *parts: anchor.Anchor(*parts).encode(), publics, publics, names)
anchors = plain | st.sampled_from([bytes.fromhex(each["anchor"]) for each in vectors("succession.json")["good"]])


@FUZZ
@given(hostile(anchors))
def test_an_anchor_is_refused_or_has_no_other_encoding(data):
    found = parsed(anchor.decode, data)
    if found:
        assert found.encode() == data


@FUZZ
@given(publics, publics, names)
def test_an_anchor_comes_back_as_it_went(sign_public, ecdh_public, name):
    found = anchor.decode(anchor.Anchor(sign_public, ecdh_public, name).encode())
    assert (found.sign_public, found.ecdh_public, found.name) == (sign_public, ecdh_public, name)
    assert found.site_id == anchor.site_id(sign_public, ecdh_public)
