"""Device credentials under hypothesis: refused, or exactly what would be issued again."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import cbor, cose, credential, cwt, issuing
from fuzz.strategies import FUZZ, Signer, hostile, keys, names, parsed, publics, sites, times, values

KEY = Signer()

kids = publics.map(credential.kid)
credentials = st.builds(issuing.credential, st.just(KEY), sites, names, publics, kids, times, publics)
claim_sets = st.dictionaries(st.sampled_from((1, 2, 6, 8)) | keys, values | names | sites.map(bytes.hex), max_size=5)


@FUZZ
@given(hostile(credentials) | claim_sets.map(lambda claims: cwt.issue(KEY, claims, cose.DEVICE_CREDENTIAL)))
def test_a_credential_is_refused_or_has_every_part(data):
    found = parsed(credential.parse, data)
    if found:
        claims = {
            cwt.ISS: found.site_id.hex(),
            cwt.SUB: found.device_id,
            cwt.IAT: found.issued_at,
            cwt.CNF: cwt.cnf(found.public, found.kid),
            cwt.SEAL_KEY: cose.encode_key(found.seal_public),
        }
        assert cbor.encode(claims) == found.sign1.payload and found.data == data


@FUZZ
@given(sites, names, publics, kids, times, publics)
def test_a_credential_comes_back_as_it_went(site, device_id, public, kid, issued_at, seal_public):
    found = credential.parse(issuing.credential(KEY, site, device_id, public, kid, issued_at, seal_public))
    assert found[:5] == (device_id, public, kid, site, issued_at) and found.seal_public == seal_public
