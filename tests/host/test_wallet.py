"""A wallet: a user's own keys, and what they may show where."""

import os
import stat

import pytest

from admit import keyfiles, wallet
from admit.suite import HostSuite
from admit.wallet import Wallet
from admit_protocol import anchor, grant, rule
from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound, Untrusted, Unverified
from sites import NOW, SEALED

suite = HostSuite()
DEVICE = suite.generate()


@pytest.fixture
def alice(tmp_path, site):
    return wallet.create(tmp_path / "alice", site.anchor)


def give(signer, owner, audience=("kiosk-1",), rules=(("/r/open", 2, {}),), **more):
    data = signer.issue_grant("alice", list(audience), list(rules), owner.publics[0], NOW, **more)
    owner.add_grant(data)
    return grant.parse(data)


def test_the_keys_are_made_here_and_for_the_owner_only(alice):
    for name in ("login.pem", "sign.pem"):
        assert stat.S_IMODE((alice.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(alice.folder.stat().st_mode) == 0o700
    assert alice.publics == [alice.login_key.public, alice.sign_key.public]
    assert alice.login_key.public != alice.sign_key.public
    assert repr(alice) == "<Wallet of alice>"


def test_a_key_that_others_may_read_is_not_used(alice):
    (alice.folder / "login.pem").chmod(0o644)
    with pytest.raises(LocalError) as caught:
        _ = alice.login_key
    assert caught.value.reason == "file-readable"


def test_a_wallet_is_never_made_over_another(alice):
    before = alice.publics
    with pytest.raises(Conflict):
        wallet.create(alice.folder)
    assert alice.publics == before


def test_a_wallet_whose_making_was_cut_short_is_made_anew(tmp_path, site):
    keyfiles.make_folder(tmp_path / "bob")
    keyfiles.make_private_file(tmp_path / "bob/login.pem")
    with pytest.raises(NotFound) as caught:
        Wallet(tmp_path / "bob")
    assert caught.value.reason == "wallet-missing"
    bob = wallet.create(tmp_path / "bob", site.anchor)
    assert bob.publics[0] == bob.login_key.public


def test_a_wallet_without_an_anchor_gets_it_later(tmp_path, site):
    bob = wallet.create(tmp_path / "bob")
    with pytest.raises(NotFound):
        _ = bob.anchor
    bob.trust(site.anchor)
    assert bob.anchor.site_id == site.anchor.site_id


def test_the_newest_grant_that_counts_is_shown(alice, signer):
    old = give(signer, alice)
    new = give(signer, alice, ["kiosk-*"])
    ended = give(signer, alice, expires=NOW)
    for age, given in ((3, old), (2, new), (1, ended)):
        file = alice.folder / "grants" / f"{given.id.hex()}.cwt"
        os.utime(file, (NOW - age, NOW - age))
    assert alice.grant_for("kiosk-1", NOW).id == new.id
    assert alice.grant_for("kiosk-1", NOW - 1).id == ended.id
    assert [given.id for given in alice.grants()] == [ended.id, new.id, old.id]
    alice.drop_grant(new.id)
    assert alice.grant_for("kiosk-1", NOW).id == old.id
    alice.drop_grant(new.id)


def test_for_one_request_those_grants_are_shown_that_allow_it(alice, signer):
    look = give(signer, alice, rules=[("/health", 1, {})])
    brief = give(signer, alice, rules=[("/r/open", 2, {rule.BOUNDS: {"seconds": [None, 5]}, rule.USES: 1})])
    often = give(signer, alice, rules=[("/r/*", 3, {rule.PRESENCE: rule.CODE})])
    for age, given in ((3, look), (2, brief), (1, often)):
        os.utime(alice.folder / "grants" / f"{given.id.hex()}.cwt", (NOW - age, NOW - age))

    def shown(*request):
        return [given.id for given in alice.grants_for("kiosk-1", NOW, request)]

    assert [given.id for given in alice.grants_for("kiosk-1", NOW)] == [often.id, brief.id, look.id]
    assert shown(2, "/r/open", {"seconds": 5}) == [often.id, brief.id]  # what is still to be done, can be
    assert shown(2, "/r/open", {"seconds": 9}) == [often.id]
    assert shown(1, "/health", None) == [look.id]
    assert shown(2, "/health", None) == [look.id]  # none allows that: the one that comes nearest
    assert alice.grant_for("kiosk-1", NOW, (1, "/health", None)).id == look.id


def test_why_there_is_no_grant_to_show(alice, signer):
    with pytest.raises(NotFound) as caught:
        alice.grant_for("kiosk-1", NOW)
    assert caught.value.reason == "wallet-no-grant"
    give(signer, alice, expires=NOW)
    with pytest.raises(Untrusted) as expired:
        alice.grant_for("kiosk-1", NOW)
    assert expired.value.reason == "grant-expired"
    with pytest.raises(NotFound):
        alice.grant_for("kiosk-2", NOW)


def test_only_grants_of_the_site_for_this_key_are_kept(alice, signer, tmp_path):
    bob = wallet.create(tmp_path / "bob", signer.anchor)
    data = signer.issue_grant("alice", ["*"], [], alice.publics[0], NOW)
    with pytest.raises(Untrusted) as other:
        bob.add_grant(data)
    assert other.value.reason == "wallet-other-key"
    with pytest.raises(Unverified):
        alice.add_grant(data[:-1] + bytes([data[-1] ^ 1]))
    key = suite.generate()
    alice.trust(anchor.Anchor(key.public, key.public, "Another"))
    with pytest.raises(Untrusted) as elsewhere:
        alice.add_grant(data)
    assert elsewhere.value.reason == "grant-other-site"
    assert alice.grants() == [] == bob.grants()


def test_devices_that_were_met_are_remembered(alice, signer):
    assert alice.device("kiosk-1") is None
    alice.add_device(signer.issue_credential("kiosk-1", DEVICE.public, SEALED, NOW))
    assert alice.device("kiosk-1").public == DEVICE.public
    assert alice.device("kiosk-2") is None
    alice.drop_device("kiosk-1")
    alice.drop_device("kiosk-1")
    assert alice.device("kiosk-1") is None


def test_a_devices_name_is_never_a_way_out_of_the_wallet(alice, signer):
    alice.add_device(signer.issue_credential("../../evil", DEVICE.public, SEALED, NOW))
    assert alice.device("../../evil").public == DEVICE.public
    assert [file.parent for file in alice.folder.rglob("*.cwt")] == [alice.folder / "devices"]


def test_a_credential_that_the_site_did_not_sign_is_not_kept(alice, signer):
    data = signer.issue_credential("kiosk-1", DEVICE.public, SEALED, NOW)
    with pytest.raises(Unverified):
        alice.add_device(data[:-1] + bytes([data[-1] ^ 1]))
    assert alice.device("kiosk-1") is None


def test_a_file_in_the_wallet_that_cannot_be_read_is_named(alice, signer):
    file = alice.folder / "grants" / f"{give(signer, alice).id.hex()}.cwt"
    file.write_bytes(b"\x00")
    with pytest.raises(Malformed) as damaged:
        alice.grants()
    assert damaged.value.reason == "wallet-damaged" and str(file) in damaged.value.detail


def test_an_invitation_is_taken_whole_or_not_at_all(tmp_path, site, signer, alice):
    bob = wallet.create(tmp_path / "bob")
    data = signer.issue_grant("bob", ["*"], [("/r/open", 2, {})], bob.publics[0], NOW)
    key = suite.generate()
    other = anchor.Anchor(key.public, key.public, "Another")
    for refused, given in ((other, data), (site.anchor, give(signer, alice).data)):
        with pytest.raises(Untrusted):
            bob.accept(refused, given)
    assert not (bob.folder / keyfiles.ANCHOR).exists() and bob.grants() == []
    assert bob.accept(site.anchor, data).subject == "bob"
    with pytest.raises(Conflict) as elsewhere:
        bob.accept(other, data)
    assert elsewhere.value.reason == "wallet-other-site"
    assert (bob.anchor.name, len(bob.grants())) == (site.anchor.name, 1)
