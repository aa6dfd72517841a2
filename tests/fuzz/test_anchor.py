"""Anchors, device credentials and bundles under hypothesis: refused, or exactly what would be issued again."""

import hashlib

from admit_protocol import anchor, bundle, cbor, cose, credential, cwt
from hypothesis import given
from hypothesis import strategies as st

from fuzz.strategies import FUZZ, hostile, keys, parsed, texts, values

publics = st.binary(min_size=64, max_size=64)
names = texts.filter(bool)
sites = st.binary(min_size=16, max_size=16)
times = st.integers(0, 2**64 - 1)
kids = publics.map(credential.kid)
revocations = st.lists(st.binary(min_size=8, max_size=8), max_size=5)


class Signer:
    """Signs without secrecy: the same message, the same 64 bytes."""

    def sign(self, message):
        return hashlib.sha512(message).digest()


KEY = Signer()

anchors = st.builds(lambda *parts: anchor.Anchor(*parts).encode(), publics, publics, names)
credentials = st.builds(credential.issue, st.just(KEY), sites, names, publics, kids, times)
bundles = st.builds(bundle.issue, st.just(KEY), sites, names, times, revocations, times)

nearly_claims = st.dictionaries(st.sampled_from((1, 2, 6, 8)) | keys, values | names | sites.map(bytes.hex), max_size=5)
nearly_payloads = st.dictionaries(st.sampled_from((1, 2, 3, 4, 5)), values | names | sites | revocations, max_size=6)


def signed(payload, label):
    return cose.sign1(KEY, cbor.encode(payload), label)


@FUZZ
@given(hostile(anchors) | anchors)
def test_an_anchor_is_refused_or_has_no_other_encoding(data):
    found = parsed(anchor.decode, data)
    if found:
        assert found.encode() == data and anchor.parse_issuer(anchor.issuer(found.site_id)) == found.site_id


@FUZZ
@given(hostile(credentials) | nearly_claims.map(lambda claims: signed(claims, cose.DEVICE_CREDENTIAL)))
def test_a_credential_is_refused_or_has_every_part(data):
    found = parsed(credential.parse, data)
    if found:
        claims = {
            cwt.ISS: found.site_id.hex(),
            cwt.SUB: found.device_id,
            cwt.IAT: found.issued_at,
            cwt.CNF: cwt.cnf(found.public, found.kid),
        }
        assert cbor.encode(claims) == found.sign1.payload and found.data == data


@FUZZ
@given(sites, names, publics, kids, times)
def test_a_credential_comes_back_as_it_went(site, device_id, public, kid, issued_at):
    found = credential.parse(credential.issue(KEY, site, device_id, public, kid, issued_at))
    assert found[:5] == (device_id, public, kid, site, issued_at)


@FUZZ
@given(hostile(bundles) | nearly_payloads.map(lambda payload: signed(payload, cose.BUNDLE)))
def test_a_bundle_is_refused_or_would_be_issued_with_the_same_payload(data):
    found = parsed(bundle.parse, data)
    if found:
        again = bundle.issue(KEY, found.site_id, found.device_id, found.epoch, found.revoked, found.issued_at)
        assert bundle.parse(again).sign1.payload == found.sign1.payload and found.data == data


@FUZZ
@given(sites, names, times, revocations, times)
def test_a_bundle_comes_back_as_it_went(site, device_id, epoch, revoked, issued_at):
    found = bundle.parse(bundle.issue(KEY, site, device_id, epoch, revoked, issued_at))
    assert found[:5] == (site, device_id, epoch, sorted(set(revoked)), issued_at)
