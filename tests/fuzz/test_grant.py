"""Grants under any input: whatever parses is exactly what was signed, and AIF's reader never gets more than we do."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import subjects
from admit_protocol import aif, cbor, cose, cwt, grant, issuing
from admit_protocol.errors import AdmitError, Malformed, Unverified
from fuzz.strategies import FUZZ
from fuzz.test_rule import rules


class Signer:
    """Not a signature, but one value for each message: fast, and enough to test what surrounds it."""

    public = bytes(64)

    def sign(self, message):
        r_s = hashlib.sha512(message).digest()
        return r_s[:32] + b"\0" + r_s[33:]  # s is in the lower half, where cose would put it

    def verify(self, public, message, signature):
        return self.sign(message) == signature


signer = Signer()
SITE = bytes(16)


def make(some_rules):
    return issuing.grant(signer, SITE, b"grant id", "alice", ["kiosk-*"], some_rules, bytes(range(64)), 1_800_000_000)


@FUZZ
@given(rules)
def test_a_scope_goes_there_and_back(some_rules):
    scope = grant.encode_scope(some_rules)
    decoded = grant.decode_scope(scope)
    assert grant.encode_scope(decoded) == scope
    if any(r[2] or r[0].endswith("*") for r in some_rules):
        assert [list(r) for r in decoded] == some_rules
        with pytest.raises(Malformed):
            aif.decode(scope)


@FUZZ
@given(rules.map(lambda some: [[r[0].replace("*", ""), r[1], {}] for r in some if len(r[0]) > 1]))
def test_a_reader_of_aif_and_ours_agree_where_it_is_plain(some_rules):
    scope = grant.encode_scope(some_rules)
    entries = aif.decode(scope)
    ours = grant.decode_scope(scope)
    assert [(r.pattern, r.methods) for r in ours] == entries
    for path in ("/r/open", "/r/", "/health", "/"):
        for method in (1, 2, 64):
            allowed = subjects.ask(ours, (method, path, None), None).allowed
            assert allowed is any(r[0] == path and r[1] & method for r in some_rules)


@FUZZ
@given(st.binary(max_size=60))
def test_any_bytes_as_scope(data):
    try:
        assert grant.encode_scope(grant.decode_scope(data)) == data
    except AdmitError as error:
        assert error.reason


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_as_grant(data):
    with pytest.raises(AdmitError):
        grant.parse(data)


@FUZZ
@given(rules, st.data())
def test_a_changed_grant_never_counts(some_rules, data):
    good = make(some_rules)
    changed = bytearray(good)
    at = data.draw(st.integers(0, len(good) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = grant.parse(bytes(changed))
    except AdmitError:
        return
    with pytest.raises(Unverified) as caught:
        cwt.verify(cwt.parse(parsed.data), signer.public, cose.GRANT, signer)
    assert caught.value.reason == "cose-signature"
    assert cbor.encode(cbor.decode(bytes(changed))) == bytes(changed)
