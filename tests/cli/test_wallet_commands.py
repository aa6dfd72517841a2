"""A user on a machine of their own: keys made there, an invitation from the admin, and visits with nothing else."""

import json
import shutil

import pytest

from admit import invitation, keyfiles, wallet
from admit_protocol import grant
from cli_kiosk import Typist, another_site, secrets_under


@pytest.fixture(scope="module")
def bob(kiosk, tmp_path_factory):
    """Bob's own machine: no site folder is on it."""
    return Typist(tmp_path_factory.mktemp("bob"), ADMIT_VIA=kiosk.settings["ADMIT_VIA"])


@pytest.fixture(scope="module")
def file(kiosk, bob):
    """The invitation that the admin made for Bob, of whom only public.pem travelled."""
    made = bob.data("wallet new wallet")
    public = bob.folder / "wallet/public.pem"
    assert (made["wallet"], made["public"]) == ("wallet", "wallet/public.pem")
    (kiosk.folder / "public.pem").write_bytes(public.read_bytes())
    added = kiosk.data("user add bobby --key public.pem")
    assert (added["fingerprint"], added["wallet"]) == (made["fingerprint"], None)
    told = kiosk.admit("grant bobby open --on kiosk-1 --output bobby.admit")
    assert kiosk.site.anchor.site_id.hex() in told.stderr
    (bob.folder / "bobby.admit").write_bytes((kiosk.folder / "bobby.admit").read_bytes())
    return bob.folder / "bobby.admit"


def test_a_visit_with_nothing_but_a_wallet(kiosk, bob, file):
    without = bob.admit("routines kiosk-1", ADMIT_WALLET="wallet", code=3).stderr
    assert "(wallet-no-grant)" in without and "admit wallet accept" in without
    accepted = bob.data("wallet accept wallet bobby.admit", TZ="UTC")
    assert (accepted["site"], accepted["site_id"]) == ("Test site", kiosk.site.anchor.site_id.hex())
    assert (accepted["user"], accepted["on"], accepted["allows"]) == ("bobby", ["kiosk-1"], ["GET,POST /r/open"])
    bob.settings["ADMIT_WALLET"] = bob.folder / "wallet"
    assert [each["name"] for each in bob.data("routines kiosk-1")] == ["open"]
    assert bob.data("invoke kiosk-1 open seconds=1")["outcome"] == "done"
    assert bob.data("login kiosk-1 --for 0")["routines"] == ["open"]
    denied = bob.admit("invoke kiosk-1 light", code=4).stderr
    assert "the grant's rules: GET,POST /r/open" in denied
    assert "(site-missing)" in bob.admit("grants", code=3).stderr
    assert not (bob.folder / "home").exists()
    kiosk.admit("revoke bobby --yes")
    assert "(grant-revoked)" in bob.admit("invoke kiosk-1 open", code=4).stderr


def test_wallet_and_way_may_stand_in_the_users_config(kiosk, bob, file):
    config = bob.folder / "home/.config/admit/config.toml"
    config.parent.mkdir(parents=True)
    bob.admit("wallet accept wallet bobby.admit")
    config.write_text(f'wallet = "{bob.folder}/wallet"\nvia = "{bob.settings["ADMIT_VIA"]}"\n')
    said = bob.admit("invoke kiosk-1 light", ADMIT_WALLET=None, ADMIT_VIA=None, code=4).stderr
    assert "(rule-none)" in said or "(grant-revoked)" in said
    shutil.rmtree(bob.folder / "home")


def test_the_same_invitation_again_is_as_good_as_once(bob, file):
    before = sorted((bob.folder / "wallet").rglob("*"))
    assert "until" in bob.admit("wallet accept wallet bobby.admit").stdout
    assert sorted((bob.folder / "wallet").rglob("*")) == before


def test_what_is_not_an_invitation_for_this_wallet_changes_nothing(kiosk, bob, file, tmp_path):
    other = another_site(tmp_path)
    kiosk.grant("zoe", [("/r/open", 3, {})], site=other)
    zoes = invitation.encode(other.anchor, other.wallet("zoe").grants()[0].data)
    mixed = invitation.encode(kiosk.site.anchor, other.wallet("zoe").grants()[0].data)
    alices = invitation.encode(kiosk.site.anchor, kiosk.site.wallet("alice").grants()[0].data)
    forged = bytearray(file.read_bytes())
    forged[-1] ^= 1
    fresh = wallet.create(tmp_path / "fresh")
    for target, data, code, reason in (
        (bob.folder / "wallet", zoes, 5, "wallet-other-site"),
        (fresh.folder, mixed, 8, "grant-other-site"),
        (fresh.folder, alices, 8, "wallet-other-key"),
        (bob.folder / "wallet", bytes(forged), 8, "cose-signature"),
        (fresh.folder, b"", 1, "invitation-file"),
        (fresh.folder, file.read_bytes()[:-1], 1, "invitation-file"),
        (fresh.folder, file.read_bytes() + b"\0", 1, "invitation-file"),
        (fresh.folder, kiosk.site.anchor.encode(), 1, "invitation-file"),
        (tmp_path / "nowhere", file.read_bytes(), 3, "wallet-missing"),
    ):
        (tmp_path / "file").write_bytes(data)
        assert f"({reason})" in bob.admit("wallet accept", target, tmp_path / "file", code=code).stderr
    assert fresh.grants() == [] and not (fresh.folder / "anchor.cbor").exists()
    bob.admit("wallet accept wallet no-such-file", code=2)


def test_a_wallet_is_never_made_over_another(bob, file):
    before = (bob.folder / "wallet/login.pem").read_bytes()
    assert "(file-exists)" in bob.admit("wallet new wallet", code=5).stderr
    assert (bob.folder / "wallet/login.pem").read_bytes() == before


def test_a_wallet_that_is_not_there(bob, file):
    said = bob.admit("routines kiosk-1", ADMIT_WALLET="nowhere", code=3).stderr
    assert "(wallet-missing)" in said and "admit wallet new" in said


def test_an_invitation_is_written_where_there_is_a_folder(kiosk, file):
    before = len(kiosk.site.registry.grants())
    kiosk.admit("grant bobby open --on kiosk-1 --output no/such/folder.admit", code=2)
    assert len(kiosk.site.registry.grants()) == before


def test_an_invitation_is_an_anchor_and_a_grant(kiosk, file):
    anchor, data, _ = invitation.decode(file.read_bytes())
    assert anchor.site_id == kiosk.site.anchor.site_id
    assert grant.parse(data).subject == "bobby"
    assert invitation.encode(anchor, data) == file.read_bytes()


def test_private_keys_stay_where_they_were_made(kiosk, bob, file):
    private = secrets_under(bob.folder)[1:]
    assert len(private) > 3
    theirs = b"".join(each.read_bytes() for each in kiosk.folder.rglob("*") if each.is_file())
    assert [each for each in private if each in theirs] == []
    raw = keyfiles.parse_private_pem((bob.folder / "wallet/login.pem").read_bytes())
    secret = raw._key.private_numbers().private_value.to_bytes(32, "big")
    assert secret not in theirs and secret.hex() not in "".join(kiosk.shown + bob.shown)
    assert bob.secrets_shown() == [] == kiosk.secrets_shown()
    assert json.dumps(sorted(each.name for each in (bob.folder / "wallet").iterdir())).count("pem") == 3
