"""Device credentials: what an authority vouches for, and each way in which a credential is not one."""

from admit_protocol import cbor, cose, credential, cwt, issuing
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, Untrusted, Unverified
from admit_protocol.suite import Suite
from support import raises

SUITE = Suite(lambda length: bytes(range(length)))
AUTHORITY = SUITE.private_key(bytes(31) + b"\x05")
ECDH = SUITE.private_key(bytes(31) + b"\x06")
DEVICE = SUITE.private_key(bytes(31) + b"\x07")
SEAL = SUITE.private_key(bytes(31) + b"\x08")
SITE = Anchor(AUTHORITY.public, ECDH.public, "North")
KID = credential.kid(DEVICE.public)


def issue(key=AUTHORITY, kid=KID):
    return issuing.credential(key, SITE.site_id, "kiosk-1", DEVICE.public, kid, 1700000000, SEAL.public)


def signed(claims):
    return cwt.issue(AUTHORITY, claims, cose.DEVICE_CREDENTIAL)


def claims(**changes):
    """The claims of a good credential, changed; None leaves one out."""
    changed = {"iss": SITE.site_id.hex(), "sub": "kiosk-1", "iat": 1700000000, "cnf": cwt.cnf(DEVICE.public, KID)}
    changed["seal"] = cose.encode_key(SEAL.public)
    changed.update(changes)
    numbers = {"iss": cwt.ISS, "sub": cwt.SUB, "iat": cwt.IAT, "cnf": cwt.CNF, "exp": cwt.EXP, "aud": cwt.AUD}
    numbers["seal"] = cwt.SEAL_KEY
    return {numbers[name]: value for name, value in changed.items() if value is not None}


def test_a_credential_says_which_key_is_which_device_of_which_site():
    data = issue()
    parsed = credential.parse(data)
    assert (parsed.device_id, parsed.public, parsed.kid) == ("kiosk-1", DEVICE.public, KID)
    assert (parsed.site_id, parsed.issued_at, parsed.data) == (SITE.site_id, 1700000000, data)
    assert parsed.seal_public == SEAL.public
    credential.verify(parsed, SITE, SUITE)


def test_a_credential_of_another_site_or_signature_is_refused():
    mallory = Anchor(DEVICE.public, ECDH.public, "North")
    with raises(Untrusted, "credential-other-site"):
        credential.verify(credential.parse(issue()), mallory, SUITE)
    with raises(Unverified, "cose-signature"):  # Mallory signs in our site's name
        credential.verify(credential.parse(issue(key=DEVICE)), SITE, SUITE)
    for label in (cose.GRANT, cose.BUNDLE, cose.WIPE_CERTIFICATE):
        with raises(Unverified, "cose-signature"):
            credential.verify(credential.parse(cwt.issue(AUTHORITY, claims(), label)), SITE, SUITE)


def test_a_credential_whose_claims_were_changed_is_refused():
    data = issue()
    at = data.index(b"kiosk-1")
    parsed = credential.parse(data[:at] + b"kiosk-2" + data[at + 7 :])
    assert parsed.device_id == "kiosk-2"
    with raises(Unverified, "cose-signature"):
        credential.verify(parsed, SITE, SUITE)


def test_the_kid_of_a_key_is_one_of_the_48_one_byte_integers_of_cbor():
    kids = set()
    for i in range(256):
        kid = credential.kid(bytes((i,)) * 64)
        assert len(kid) == 1 and -24 <= cbor.decode(kid) <= 23
        kids.add(kid)
    assert len(kids) > 40 and credential.kid(DEVICE.public) == KID


def test_another_kid_is_refused():
    for kid in (b"\x00", b"\x17", b"\x20", b"\x37"):
        assert credential.parse(issue(kid=kid)).kid == kid
    for kid in (b"\x18", b"\x1f", b"\x38", b"\x40", b"\xff", b"", b"\x01\x02", None):
        with raises(Malformed, "credential-kid"):
            credential.parse(issue(kid=kid))


def test_claims_that_are_missing_too_many_or_wrong_are_refused():
    assert credential.parse(signed(claims())).device_id == "kiosk-1"
    for wrong, reason in (
        (claims(iss=None), "credential-claims"),
        (claims(sub=None), "credential-claims"),
        (claims(iat=None), "credential-claims"),
        (claims(iat=None, exp=1), "credential-claims"),
        (claims(exp=2000000000), "credential-claims"),
        (claims(cnf=None), "credential-claims"),
        (claims(cnf=None, aud="kiosk-1"), "cwt-cnf"),
        (claims(sub=""), "credential-claims"),
        (claims(sub="x" * 65), "credential-claims"),
        (claims(sub=b"kiosk-1"), "cwt-claims"),
        (claims(iss="North"), "cwt-issuer"),
        (claims(iss=SITE.site_id.hex().upper()), "cwt-issuer"),
        (claims(cnf={}), "cwt-cnf"),
        (claims(cnf={1: {}}), "cose-key"),
        (claims(seal=None), "credential-claims"),
        (claims(seal=None, aud="kiosk-1"), "credential-claims"),
        (claims(seal=SEAL.public), "cwt-claims"),
        (claims(seal={}), "cose-key"),
        (claims(seal=cose.encode_key(SEAL.public, b"\x05")), "credential-claims"),
    ):
        with raises(Malformed, reason):
            credential.parse(signed(wrong))


def test_the_credential_of_a_key_without_a_hardware_source_says_so_in_one_way():
    assert not credential.parse(issue()).test_only
    more = (1700000000, SEAL.public, True)
    data = issuing.credential(AUTHORITY, SITE.site_id, "kiosk-1", DEVICE.public, KID, *more)
    parsed = credential.parse(data)
    assert parsed.test_only and len(parsed.sign1.payload) > len(credential.parse(issue()).sign1.payload)
    credential.verify(parsed, SITE, SUITE)
    for value in (False, 1, None, b"\x01", "true"):
        wrong = claims()
        wrong[cwt.TEST_ONLY] = value
        with raises(Malformed, "credential-claims"):
            credential.parse(signed(wrong))
    one_more = claims(exp=2000000000)
    one_more[cwt.TEST_ONLY] = True
    with raises(Malformed, "credential-claims"):
        credential.parse(signed(one_more))
