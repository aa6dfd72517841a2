"""What an admin does: each act whole or not at all, and repeatable if it was cut short."""

import pytest

from admit import admin, wallet
from admit.registry import Registry
from admit_protocol import grant
from admit_protocol.errors import AdmitError, Conflict, NotFound
from sites import NOW, PASSPHRASE, SEALED, opened, told

OPEN = admin.Access(["kiosk-*"], [("/r/open", 3, {})])


def reason(call, *arguments):
    with pytest.raises(AdmitError) as caught:
        call(*arguments)
    return caught.value.reason


def test_the_first_admin_may_do_everything_everywhere(site):
    (row,) = site.registry.grants("admin")
    given = grant.parse(row.data)
    assert (given.audience, given.rules) == (("*",), (("*", 127, {}),))
    assert (given.not_before, given.expires) == (None, None)
    keys = site.wallet("admin")
    assert keys.grant_for("kiosk-1", NOW).id == given.id
    assert [given.key, given.sig_key] == keys.publics


def test_a_site_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    def power_cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(wallet.Wallet, "add_grant", power_cut)
    with pytest.raises(KeyboardInterrupt):
        admin.create_site(tmp_path / "new", "Site", PASSPHRASE, "admin", {}, NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_site_is_never_made_over_something(site):
    assert reason(admin.create_site, site.folder, "Site", PASSPHRASE, "admin", {}, NOW) == "site-exists"


def test_an_empty_folder_becomes_a_site(tmp_path):
    (tmp_path / "new").mkdir()
    made = admin.create_site(tmp_path / "new", "Site", PASSPHRASE, "root", {}, NOW)
    assert [user.name for user in made.registry.users()] == ["root"]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", ".a", "-a", "a:b", "*", "a\n", "ü" * 33])
def test_what_cannot_name_anyone_is_refused(tmp_path, site, signer, name):
    assert reason(admin.add_user, site, name, None, NOW) == "admin-name"
    assert reason(admin.commission, site, signer, name, bytes(64), SEALED, NOW) == "admin-name"
    assert reason(admin.create_site, tmp_path / "new", "Site", PASSPHRASE, name, {}, NOW) == "admin-name"


def test_a_local_user_gets_a_wallet_and_its_grants(site, signer):
    key = admin.add_user(site, "alice", None, NOW)
    row = admin.give(site, signer, "alice", OPEN, NOW)
    keys = site.wallet("alice")
    assert [key.public, key.sig_public] == keys.publics
    assert keys.grant_for("kiosk-1", NOW).data == row.data
    assert keys.anchor.site_id == site.anchor.site_id


def test_a_user_who_sent_their_keys_gets_no_wallet_here(site, signer):
    publics = site.wallet("admin").publics[::-1]
    admin.add_user(site, "bob", publics, NOW)
    row = admin.give(site, signer, "bob", OPEN, NOW)
    assert grant.parse(row.data).key == publics[0]
    with pytest.raises(NotFound):
        site.wallet("bob")


def test_a_user_is_added_once_and_a_torn_attempt_can_be_repeated(site, monkeypatch):
    with monkeypatch.context() as cut:
        cut.setattr(Registry, "add_user", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            admin.add_user(site, "alice", None, NOW)
    publics = site.wallet("alice").publics
    assert admin.add_user(site, "alice", None, NOW).public == publics[0]
    assert reason(admin.add_user, site, "alice", None, NOW) == "registry-user-exists"


def test_a_revocation_makes_a_bundle_for_each_device_concerned(site, signer):
    for device_id, public in (("kiosk-1", b"1"), ("kiosk-2", b"2"), ("locker-1", b"3")):
        admin.commission(site, signer, device_id, public * 64, SEALED, NOW)
    admin.add_user(site, "alice", None, NOW)
    one = admin.give(site, signer, "alice", admin.Access(["kiosk-1"], [("/r/open", 3, {})]), NOW)
    two = admin.give(site, signer, "alice", OPEN, NOW)
    assert admin.revoke(site, signer, [one], NOW) == ["kiosk-1"]
    assert admin.revoke(site, signer, [one, two], NOW) == ["kiosk-1", "kiosk-2"]
    assert admin.revoke(site, signer, [one, two], NOW) == []
    first, second = bytes.fromhex(one.id), bytes.fromhex(two.id)
    assert {row.device_id: row.epoch for row in site.registry.pending_bundles()} == {"kiosk-1": 2, "kiosk-2": 1}
    assert told(site, "kiosk-1")[:3] == (2, NOW, b"".join(sorted([first, second])))
    assert told(site, "kiosk-2")[:3] == (1, NOW, second)


def test_a_grant_that_has_ended_by_itself_is_not_named_in_bundles(site, signer):
    admin.commission(site, signer, "kiosk-1", bytes(64), SEALED, NOW)
    admin.add_user(site, "alice", None, NOW)
    short = admin.give(site, signer, "alice", admin.Access(["*"], [("/a", 1, {})], expires=NOW + 10), NOW)
    long = admin.give(site, signer, "alice", OPEN, NOW)
    admin.revoke(site, signer, [short], NOW)
    admin.revoke(site, signer, [long], NOW + 10)
    (row,) = site.registry.pending_bundles()
    assert opened(row).added == bytes.fromhex(long.id)


def test_a_device_that_comes_after_a_revocation_hears_of_it(site, signer):
    admin.add_user(site, "alice", None, NOW)
    row = admin.give(site, signer, "alice", OPEN, NOW)
    assert admin.revoke(site, signer, [row], NOW) == []
    admin.commission(site, signer, "locker-1", b"1" * 64, SEALED, NOW)
    assert site.registry.pending_bundles() == []
    admin.commission(site, signer, "kiosk-1", b"2" * 64, SEALED, NOW)
    admin.commission(site, signer, "kiosk-1", b"2" * 64, SEALED, NOW + 1)  # its answer was lost, and it asks again
    (pending,) = site.registry.pending_bundles()
    assert (pending.device_id, pending.epoch) == ("kiosk-1", 1)
    with pytest.raises(Conflict) as caught:
        admin.commission(site, signer, "kiosk-1", b"3" * 64, SEALED, NOW)
    assert caught.value.reason == "registry-device-exists"
