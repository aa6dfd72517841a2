"""Taking back, denying and locking down, on each database: what devices are told of it, and that it stays so."""

import pytest
from sqlalchemy import delete, select

from admit import admin, granting, inviting, withdrawing
from admit.access_models import DismissedRow, NoticeRow
from admit.admin import Access
from admit.editing import editing, sync
from admit.key_models import RotationRow
from admit.keyfiles import fingerprint
from admit.suite import HostSuite
from admit_protocol import bundle, notice, rule
from admit_protocol.errors import AdmitError
from sites import NOW, SEALED, told

OPEN = ("/r/open", 2, {})
PUBLICS = {name: HostSuite().generate().public for name in ("kiosk-1", "kiosk-2", "lobby-1", "alice", "bob")}
EVERYTHING = [("*", rule.ALL_METHODS, {})]


@pytest.fixture
def site(site_anywhere, signer):
    for name in ("alice", "bob"):
        admin.add_user(site_anywhere, name, [PUBLICS[name]], NOW)
    for name in ("kiosk-1", "kiosk-2", "lobby-1"):
        admin.commission(site_anywhere, signer, name, PUBLICS[name], SEALED, NOW)
    return site_anywhere


@pytest.fixture
def signer(site_anywhere):
    from sites import passphrase

    return site_anywhere.authority(passphrase)


@pytest.fixture
def give(site, signer):
    def give(user="alice", on=("kiosk-*",), **more):
        return admin.give(site, signer, user, Access(list(on), [OPEN], **more), NOW)

    return give


def ids(*rows):
    return b"".join(sorted(bytes.fromhex(row.id) for row in rows))


def refused(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


# Revocations


def test_a_revoked_user_has_nothing_and_gets_nothing(site, say, give):
    row = give()
    say(granting.add_members, "night", ["user:alice"])
    (again,) = [each for each in site.registry.grants("alice") if each.revoked_at is None]  # it names the group now
    edit = say(withdrawing.revoke_user, "alice")
    assert sorted(edit.changes.devices) == ["kiosk-1", "kiosk-2", "lobby-1"]
    assert site.registry.groups() == {"night": []}
    assert told(site, "kiosk-1")[2:4] == (ids(row, again), [f"key:{fingerprint(PUBLICS['alice'])}", "user:alice"])
    assert told(site, "lobby-1")[2:4] == (b"", [f"key:{fingerprint(PUBLICS['alice'])}", "user:alice"])
    assert refused(give) == "user-revoked"
    assert say(withdrawing.revoke_user, "alice").changes.devices == []


def test_a_user_who_counts_again_has_nothing_of_before(site, say, give):
    row = give()
    say(withdrawing.revoke_user, "alice")
    say(withdrawing.reinstate_user, "alice")
    assert told(site, "kiosk-1")[2:4] == (ids(row), [])
    assert refused(say, withdrawing.reinstate_user, "alice") == "user-counts"
    give()
    assert len([each for each in site.registry.grants("alice") if each.revoked_at is None]) == 1


def test_a_lost_key_ends_and_the_users_other_key_goes_on(site, say, give):
    give()
    second = HostSuite().generate().public
    say(admin.add_key, "alice", [second])
    lost = fingerprint(PUBLICS["alice"])
    say(withdrawing.revoke_key, lost[:10])
    (left,) = [row for row in site.registry.grants("alice") if row.revoked_at is None]
    assert left.fingerprint == fingerprint(second)
    assert told(site, "kiosk-1")[3] == [f"key:{lost}"]
    assert [key.public for key in site.registry.keys("alice")] == [second]
    assert refused(say, withdrawing.revoke_key, "no-such-key") == "registry-no-key"
    assert refused(say, withdrawing.revoke_key, "") == "registry-ambiguous"


def test_a_grant_is_taken_back_with_what_it_was_issued_for(site, signer, say, give):
    row, other = give(), give(on=("lobby-1",))
    assert admin.revoke(site, signer, [row], NOW) == ["kiosk-1", "kiosk-2"]
    assert sync(site, signer, NOW).issued == []
    assert [each.id for each in site.registry.grants("alice") if each.revoked_at is None] == [other.id]


def test_what_a_group_has_is_not_taken_from_one_of_it_by_a_grants_id(site, signer, say):
    say(granting.add_members, "night", ["user:alice", "user:bob"])
    edit = say(granting.grant_access, admin.statement("group:night", Access(["*"], [OPEN])))
    assert refused(admin.revoke, site, signer, edit.changes.issued[:1], NOW) == "grant-of-group"
    assert site.registry.revoked() == set()


def test_a_stolen_device_is_told_of_by_all_others(site, signer, say):
    edit = say(withdrawing.revoke_device, signer, "kiosk-2")
    assert edit.changes.devices == ["kiosk-1", "lobby-1"]
    told_of = notice.parse(told(site, "kiosk-1")[5])
    notice.verify(told_of, site.anchor, HostSuite())
    assert told_of.devices == [notice.fingerprint(PUBLICS["kiosk-2"])]
    say(withdrawing.revoke_device, signer, "kiosk-2")
    assert site.registry.notice().number == told_of.number
    say(withdrawing.revoke_device, signer, "lobby-1")
    assert len(notice.parse(told(site, "kiosk-1")[5]).devices) == 2
    assert refused(admin.commission, site, signer, "kiosk-2", PUBLICS["kiosk-2"], SEALED, NOW) == "device-revoked"


def test_what_is_told_after_a_restore_is_newer_than_what_was_told_before_it(site, signer, say):
    say(withdrawing.revoke_device, signer, "kiosk-2")
    known = notice.parse(site.registry.notice().data)
    with site.registry.reading() as session:  # back to a backup that knows nothing of it
        session.execute(delete(NoticeRow))
        session.execute(delete(DismissedRow))
        session.commit()
    say(withdrawing.revoke_device, signer, "lobby-1", now=NOW + 60)
    later = notice.parse(site.registry.notice().data)
    assert later.number > known.number and later.devices == [notice.fingerprint(PUBLICS["lobby-1"])]


def test_however_many_keys_were_exchanged_a_stolen_device_can_be_told_of(site, signer, say):
    def strike_off(edit):
        for number in range(500):
            old = number.to_bytes(64, "big")
            row = RotationRow(public=b"k%063d" % number, old=old, device_id="kiosk-1", begun_at=NOW, done_at=NOW)
            row.credential = row.by_old = row.by_new = b""
            edit.session.add(row)
            at = NOW + number
            edit.session.add(DismissedRow(fingerprint=fingerprint(old), device_id="kiosk-1", dismissed_at=at))
        withdrawing.revoke_device(edit, signer, "kiosk-2")

    say(strike_off)
    named = notice.parse(site.registry.notice().data).devices
    assert len(named) == 256 and notice.fingerprint(PUBLICS["kiosk-2"]) in named
    assert {notice.fingerprint(number.to_bytes(64, "big")) for number in range(245, 500)} <= set(named)
    assert notice.parse(told(site, "kiosk-1")[5]).devices == named


# Invites


def test_an_invite_is_a_grant_to_a_key_that_only_the_link_knows(site, signer, say):
    say(granting.put_role, "guest", (OPEN,))
    made = []
    say(lambda edit: made.append(inviting.make(edit, signer, "lobby-1", 86400, 1, "guest")))
    ((row, link),) = made
    (kept,) = site.registry.invites()
    assert (kept.id, kept.uses, kept.expires, kept.data) == (row.id, 1, NOW + 86400, link.grant)
    assert link.secret not in b"".join(value for value in vars(kept).values() if isinstance(value, bytes))
    assert told(site, "lobby-1") == bundle.NOTHING
    say(withdrawing.revoke_invite, row)
    assert told(site, "lobby-1")[2] == ids(row)
    assert say(withdrawing.revoke_invite, row).changes.devices == []
    assert site.registry.invite(row.id[:6]).revoked_at == NOW
    assert refused(site.registry.invite, "no-such") == "registry-no-grant"


def test_an_invite_by_a_role_that_now_allows_less_is_taken_back(site, signer, say):
    say(granting.put_role, "guest", (OPEN, ("/r/close", 2, {})))
    say(lambda edit: inviting.make(edit, signer, "lobby-1", 86400, 1, "guest"))
    assert (
        say(granting.put_role, "guest", (OPEN, ("/r/close", 2, {}), ("/x", 1, {})), replace=True).changes.invites == []
    )
    edit = say(granting.put_role, "guest", (OPEN,), replace=True)
    assert [row.device_id for row in edit.changes.invites] == ["lobby-1"]
    assert "taken back" in edit.warnings[0]


def test_an_invite_to_nothing_or_nowhere_is_refused(site, signer, say):
    for arguments, reason in (
        (("nowhere", 60, 1, None, (OPEN,)), "registry-no-device"),
        (("lobby-1", 60), "grant-nothing"),
    ):
        assert refused(say, lambda edit, these=arguments: inviting.make(edit, signer, *these)) == reason
    assert refused(say, lambda edit: inviting.make(edit, signer, "lobby-1", 60, 1, "guest")) == "registry-no-role"


# Denies and lockdowns


def test_a_deny_reaches_the_devices_that_it_is_about(site, say, give):
    give()
    edit = say(withdrawing.deny, rule.DENY, ["user:alice"], ["kiosk-*"], [OPEN, ("/r/close", 2, {})])
    assert edit.changes.devices == ["kiosk-1", "kiosk-2"]
    rules = told(site, "kiosk-1")[4]
    assert sorted(each[3] for each in rules) == ["/r/close", "/r/open"]
    assert all(each[:3] == [rule.DENY, ["user:alice"], []] for each in rules)
    assert any("denies all of" in text for text in edit.warnings)
    assert told(site, "lobby-1") == bundle.NOTHING
    assert site.registry.policy_rules("lobby-1") == []


def test_a_lockdown_is_lifted_as_if_it_had_never_been(site, say):
    say(granting.put_role, "security", (OPEN,))
    lock = (rule.LOCKDOWN, [rule.EVERYONE], ["lobby-*"], EVERYTHING)
    say(withdrawing.deny, *lock, exceptions=["role:security"])
    assert refused(say, withdrawing.deny, *lock, exceptions=["role:security"]) == "denial-exists"
    ((only,),) = [told(site, "lobby-1")[4]]
    assert only[:4] == [rule.LOCKDOWN, ["everyone"], ["role:security"], "*"]
    (row,) = site.registry.denials()
    assert say(withdrawing.lift, row).changes.devices == ["lobby-1"]
    assert told(site, "lobby-1")[4] == []


def test_a_denial_that_cannot_be_is_refused(site, say):
    wrong = (rule.DENY, ["user:alice"], ["kiosk-1"])
    assert refused(say, withdrawing.deny, *wrong, [OPEN], {rule.USES: 3}) == "denial-form"
    assert refused(say, withdrawing.deny, rule.DENY, ["role:x"], ["kiosk-1"], [OPEN]) == "registry-no-role"
    assert refused(say, withdrawing.deny, rule.DENY, ["user:alice"], ["*x"], [OPEN]) == "grant-audience"
    assert refused(say, withdrawing.deny, *wrong, [OPEN], None, ["group:none"]) == "registry-no-group"
    assert site.registry.denials() == []


def test_a_grant_under_a_deny_of_all_of_it_is_warned_of(site, say):
    say(withdrawing.deny, rule.DENY, ["user:alice"], ["*"], EVERYTHING)
    edit = say(granting.grant_access, admin.statement("user:alice", Access(["kiosk-1"], [OPEN])))
    assert any("denies all of it" in text for text in edit.warnings)
    edit = say(granting.grant_access, admin.statement("user:bob", Access(["kiosk-1"], [OPEN])))
    assert edit.warnings == []


# Power cuts


def test_an_act_that_is_cut_short_anywhere_is_done_or_not(site, signer, give, monkeypatch):
    """Each statement that the act sends to the database may be its last."""
    from sqlalchemy import event

    row = give()
    engine = site.registry._engine

    def state():
        return sorted(site.registry.revoked()), told(site, "kiosk-1"), len(site.registry.changes())

    before, cuts = state(), 0
    while True:
        count = [0]

        def cut(*_, limit=cuts, count=count):
            count[0] += 1
            if count[0] > limit:
                raise KeyboardInterrupt

        event.listen(engine, "before_cursor_execute", cut)
        try:
            with editing(site, signer, NOW) as edit:
                withdrawing.revoke_user(edit, "alice")
            break
        except KeyboardInterrupt:
            pass
        finally:
            event.remove(engine, "before_cursor_execute", cut)
        assert state() == before, cuts
        cuts += 1
    assert cuts > 10
    assert state()[0] == [row.id]


def test_rows_that_are_left_over_are_found_by_the_next_compilation(site, signer, say, give):
    """The registry that somebody restored from a backup without its newest bundles is made whole by `sync`."""
    give(delegate=1)
    say(withdrawing.revoke_user, "alice")
    with site.registry.editing() as session:
        from admit.registry_models import BundleRow

        for row in session.scalars(select(BundleRow)):
            session.delete(row)
    assert sync(site, signer, NOW).devices == ["kiosk-1", "kiosk-2", "lobby-1"]
    assert "user:alice" in told(site, "kiosk-1")[3]
