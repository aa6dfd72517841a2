"""What an authority signs can be read again, or it is not signed. What it means is told by the tests of each kind."""

from admit_protocol import bundle, cbor, cose_encrypt, credential, grant, issuing, rule
from admit_protocol.errors import LocalError, Malformed
from admit_protocol.suite import Suite
from support import raises

suite = Suite(lambda length: bytes(range(length)))
authority, alice = suite.private_key(bytes(31) + b"\x05"), suite.private_key(bytes(31) + b"\x06")
SITE = bytes(16)
NOW = 1_800_000_000
GOOD = {"grant_id": b"grant id", "subject": "alice", "audience": ["kiosk-1"], "rules": [("/r/open", 3, {})]}


def issue_grant(**changes):
    fields = dict(GOOD)
    fields.update(changes)
    return issuing.grant(authority, SITE, public=alice.public, issued_at=NOW, **fields)


def issue_credential(kid, device_id="kiosk-1"):
    return issuing.credential(authority, SITE, device_id, alice.public, kid, NOW, authority.public)


def issue_bundle(revoked):
    return issuing.bundle(authority, SITE, "kiosk-1", 1, revoked, NOW)


def test_what_is_issued_can_be_read():
    kid = credential.kid(alice.public)
    assert credential.parse(issue_credential(kid)).issued_at == NOW
    assert grant.parse(issue_grant()).rules == (("/r/open", 3, {}),)
    assert bundle.parse(issue_bundle([b"grant--1"])).added == b"grant--1"


def test_no_grant_is_issued_that_would_not_parse():
    for wrong, reason in (
        ({"subject": ""}, "grant-subject"),
        ({"audience": ["a*b"]}, "grant-audience"),
        ({"grant_id": b""}, "grant-id"),
        ({"rules": [("open", 1, {})]}, "aif-path"),
        ({"rules": [("/a", 128, {rule.WINDOWS: [[31, 480, 1080]]})]}, "rule-methods"),
        ({"rules": [("/a", 1, {rule.WINDOWS: []})]}, "rule-window"),
    ):
        with raises(Malformed, reason):
            issue_grant(**wrong)


def test_no_credential_is_issued_that_would_not_parse():
    for device_id, kid, reason in (
        ("", b"\x05", "credential-claims"),
        ("k" * 65, b"\x05", "credential-claims"),
        ("kiosk-1", b"\x18", "credential-kid"),
        ("kiosk-1", None, "credential-kid"),
    ):
        with raises(Malformed, reason):
            issue_credential(kid, device_id)


def test_a_bundle_names_each_grant_once_and_in_order():
    assert issue_bundle([b"grant--2", b"grant--1", b"grant--2"]) == issue_bundle([b"grant--1", b"grant--2"])


def test_some_four_hundred_revocations_fit_a_bundle_even_sealed():
    revoked = [i.to_bytes(8, "big") for i in range(470)]
    data = issue_bundle(revoked)
    assert bundle.split(bundle.parse(data).added) == revoked
    assert len(cose_encrypt.seal(suite, alice.public, data)) <= cbor.MAX_LENGTH
    with raises(LocalError, "bundle-too-long"):
        issue_bundle([i.to_bytes(8, "big") for i in range(490)])
