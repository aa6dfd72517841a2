"""Bundles under hypothesis: refused, or exactly what would be issued again."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import bundle, cbor, cose, issuing
from fuzz.strategies import FUZZ, Signer, hostile, names, parsed, sites, times, values

KEY = Signer()

revocations = st.lists(st.binary(min_size=8, max_size=8), max_size=5)
bundles = st.builds(issuing.bundle, st.just(KEY), sites, names, times, revocations, times)
payloads = st.dictionaries(st.sampled_from((1, 2, 3, 4, 5)), values | names | sites | revocations, max_size=6)


@FUZZ
@given(hostile(bundles) | payloads.map(lambda payload: cose.sign1(KEY, cbor.encode(payload), cose.BUNDLE)))
def test_a_bundle_is_refused_or_would_be_issued_with_the_same_payload(data):
    found = parsed(bundle.parse, data)
    if found:
        again = issuing.bundle(KEY, found.site_id, found.device_id, found.epoch, found.revoked, found.issued_at)
        assert bundle.parse(again).sign1.payload == found.sign1.payload and found.data == data


@FUZZ
@given(sites, names, times, revocations, times)
def test_a_bundle_comes_back_as_it_went(site, device_id, epoch, revoked, issued_at):
    found = bundle.parse(issuing.bundle(KEY, site, device_id, epoch, revoked, issued_at))
    assert found[:5] == (site, device_id, epoch, sorted(set(revoked)), issued_at)
