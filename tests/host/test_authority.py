"""The authority's keys at rest, and what it issues."""

import base64
import os
import stat

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from admit import authority, keyfiles
from admit.authority import Authority
from admit.suite import HostSuite
from admit_protocol import bundle, cose_encrypt, credential, grant, notice, time_answer
from admit_protocol.errors import LocalError, Malformed, NotFound, Unverified
from sites import NOW, PASSPHRASE, SEALED, passphrase

suite = HostSuite()
DEVICE, USER = suite.generate(), suite.generate()


def states(epoch, *revoked):
    """From nothing to a policy that names those grants."""
    return bundle.NOTHING, (epoch, NOW, b"".join(sorted(revoked)), [], [], None)


def test_keys_are_encrypted_and_for_their_owner_only(site):
    for name in ("authority.pem", "authority-ecdh.pem"):
        file = site.folder / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"ENCRYPTED PRIVATE KEY" in file.read_bytes()
        with pytest.raises(TypeError):
            load_pem_private_key(file.read_bytes(), None)


def test_foreign_tools_read_the_encrypted_key_at_its_real_cost(tmp_path):
    made = authority.create(tmp_path, "Site", PASSPHRASE)
    pem = (tmp_path / "authority.pem").read_bytes()
    numbers = load_pem_private_key(pem, PASSPHRASE.encode()).public_key().public_numbers()
    assert numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big") == made.anchor.sign_public
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    scrypt = bytes.fromhex("06092b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11, RFC 7914 section 7
    cost = bytes.fromhex("02024000 020108 020105 020120")  # N = 16384, r = 8, p = 5, 32 bytes
    assert scrypt in der and cost in der


def test_a_wrong_passphrase_is_said_to_be_wrong(site):
    for wrong in ("", "wrong horse battery", PASSPHRASE + " "):
        with pytest.raises(LocalError) as caught:
            Authority(site.folder, lambda wrong=wrong: wrong).unlock()
        assert caught.value.reason == "key-passphrase"
        assert "horse" not in str(caught.value)


def test_the_passphrase_is_asked_for_once_and_only_to_sign(site):
    asked = []
    signer = Authority(site.folder, lambda: asked.append(1) or PASSPHRASE)
    assert signer.anchor.name == "Test site"
    assert not asked
    signer.issue_credential("kiosk-1", DEVICE.public, SEALED, NOW)
    signer.issue_bundle("kiosk-1", states(1))
    assert signer.unseal(cose_encrypt.seal(suite, signer.anchor.ecdh_public, b"a journal")) == b"a journal"
    assert asked == [1]


def test_what_it_issues_is_believed(signer):
    device = credential.parse(signer.issue_credential("kiosk-1", DEVICE.public, SEALED, NOW))
    credential.verify(device, signer.anchor, suite)
    assert (device.device_id, device.public, device.kid) == ("kiosk-1", DEVICE.public, credential.kid(DEVICE.public))
    data = signer.issue_grant("alice", ["kiosk-*"], [("/r/open", 2, {})], USER.public, NOW, expires=NOW + 1)
    given = grant.parse(data)
    grant.verify_issuer(given, signer.anchor.sign_public, signer.anchor.site_id, suite)
    assert (given.subject, given.key, given.expires, given.not_before) == ("alice", USER.public, NOW + 1, None)
    policy = bundle.parse(signer.issue_bundle("kiosk-1", states(3, given.id)))
    bundle.verify(policy, signer.anchor, "kiosk-1", suite)
    assert (policy.epoch, policy.added) == (3, given.id)
    told = notice.parse(signer.issue_notice(2, [notice.fingerprint(DEVICE.public)], NOW))
    notice.verify(told, signer.anchor, suite)
    answer = time_answer.parse(signer.answer_time("kiosk-1", b"question", NOW))
    time_answer.verify(answer, signer.anchor, "kiosk-1", b"question", suite)
    assert answer.now == NOW


def test_what_is_sealed_to_others_it_cannot_open(signer):
    with pytest.raises(Unverified) as caught:
        signer.unseal(cose_encrypt.seal(suite, SEALED, b"a bundle"))
    assert caught.value.reason == "cose-unsealed"


def test_an_invite_is_a_grant_to_the_key_of_its_secret(signer):
    fields = {"expires": NOW + 1, "selectors": ["role:guest"], "delegate": 1, "enrol": 2}
    data = signer.issue_grant("guest", ["lobby-1"], [("/r/open", 2, {})], USER.public, NOW, **fields)
    given = grant.parse(data)
    assert (given.enrol, given.delegate, given.selectors) == (2, 1, ("role:guest",))


def test_each_grant_has_an_id_of_its_own(signer):
    grants = [grant.parse(signer.issue_grant("alice", ["*"], [], USER.public, NOW)) for _ in range(20)]
    assert len({given.id for given in grants}) == 20


def test_nothing_is_issued_that_a_device_would_not_read(signer):
    with pytest.raises(Malformed):
        signer.issue_grant("alice", [], [("/r/open", 2, {})], USER.public, NOW)
    with pytest.raises(Malformed):
        signer.issue_credential("k" * 65, DEVICE.public, SEALED, NOW)
    with pytest.raises(LocalError) as caught:
        signer.issue_bundle("kiosk-1", states(1, *(n.to_bytes(8, "big") for n in range(1000))))
    assert caught.value.reason == "bundle-too-long"


def test_a_short_passphrase_makes_nothing(tmp_path):
    with pytest.raises(LocalError) as caught:
        authority.create(tmp_path, "Site", "7 chars")
    assert caught.value.reason == "authority-passphrase"
    assert os.listdir(tmp_path) == []


def test_files_of_two_sites_are_not_mixed(site):
    keyfiles.make_private_file(site.folder / "authority.pem", PASSPHRASE)
    with pytest.raises(LocalError) as caught:
        site.authority(passphrase).unlock()
    assert caught.value.reason == "authority-other-key"


def test_a_key_that_others_may_read_is_not_used(site):
    (site.folder / "authority.pem").chmod(0o640)
    with pytest.raises(LocalError) as caught:
        site.authority(passphrase).unlock()
    assert caught.value.reason == "file-readable"


def test_a_missing_or_damaged_key_file_is_named(site):
    whole = (site.folder / "authority.pem").read_bytes()
    for damaged in (whole[:100], whole.replace(b"M", b"N", 1), b"", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"):
        keyfiles.write_file(site.folder / "authority.pem", damaged)
        with pytest.raises((LocalError, Malformed)) as caught:
            site.authority(passphrase).unlock()
        assert caught.value.reason in ("key-passphrase", "key-file")
    (site.folder / "authority.pem").unlink()
    with pytest.raises(NotFound) as missing:
        site.authority(passphrase).unlock()
    assert missing.value.reason == "file-missing"


def test_nothing_secret_shows(signer):
    signer.unlock()
    assert PASSPHRASE not in repr(signer) + repr(vars(signer)["_keys"])
    assert repr(signer) == f"<Authority of site {signer.anchor.site_id.hex()}>"
