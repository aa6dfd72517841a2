"""CWT and CCS under hypothesis: refused, or with one encoding and claims of the right types."""

import os

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import cbor, ccs, cose, cwt
from admit_protocol.suite import Suite
from fuzz.strategies import FUZZ, hostile, keys, mutations, parsed, texts, values

KEY = Suite(os.urandom).private_key(bytes(31) + b"\x05")
TOKEN = cwt.issue(KEY, {cwt.ISS: "site", cwt.SUB: "alice", cwt.EXP: 2000, cwt.CNF: cwt.cnf(KEY.public)}, cose.GRANT)

cnfs = st.builds(cwt.cnf, st.binary(min_size=64, max_size=64), st.none() | st.binary(max_size=8))
names = st.sampled_from((*range(cwt.ISS, cwt.SCOPE + 1), cwt.SIG_KEY))
claim_sets = st.dictionaries(names | keys, values | cnfs | st.lists(texts, max_size=3), max_size=5).map(cbor.encode)
ccs_bytes = st.builds(ccs.encode, st.none() | texts, st.binary(min_size=64, max_size=64), st.binary(max_size=8))


def token(claims):
    return cbor.encode(cbor.Tag(18, [b"\xa1\x01\x26", {}, claims, bytes(64)]))


def assert_types(claims):
    for name in (cwt.EXP, cwt.NBF, cwt.IAT):
        assert type(claims.get(name, 0)) is int and claims.get(name, 0) >= 0
    for name in (cwt.ISS, cwt.SUB):
        assert type(claims.get(name, "")) is str
    assert type(claims.get(cwt.CTI, b"")) is bytes
    assert type(claims.get(cwt.SCOPE, b"")) in (bytes, str)
    assert all(type(one) is str for one in claims.get(cwt.AUD, ["one"]))


@FUZZ
@given(hostile(st.just(TOKEN)) | claim_sets.map(token) | mutations(claim_sets).map(token))
def test_a_token_is_refused_or_has_typed_claims_and_no_other_encoding(data):
    found = parsed(cwt.parse, data)
    if found:
        assert_types(found.claims)
        assert found.data == data and cbor.encode(found.claims) == found.sign1.payload


@FUZZ
@given(hostile(ccs_bytes) | claim_sets)
def test_a_ccs_is_refused_or_has_a_key_and_no_other_encoding(data):
    found = parsed(ccs.parse, data)
    if found:
        public, kid, claims = found
        assert_types(claims)
        assert cwt.cnf_key(claims) == (public, kid) and len(public) == 64
        assert cbor.encode(claims) == data


@FUZZ
@given(st.none() | texts, st.binary(min_size=64, max_size=64), st.none() | st.binary(max_size=8))
def test_a_ccs_comes_back_as_it_went(subject, public, kid):
    found_public, found_kid, claims = ccs.parse(ccs.encode(subject, public, kid))
    assert (found_public, found_kid, claims.get(cwt.SUB)) == (public, kid, subject)
