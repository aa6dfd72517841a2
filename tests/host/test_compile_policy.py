"""What devices must hear of: only what is new, in as few bundles as it takes, right for each epoch in between."""

import pytest

from admit import admin, compile_policy, granting, withdrawing
from admit.admin import Access
from admit.compile_policy import Names
from admit.editing import editing
from admit.suite import HostSuite
from admit_protocol import bundle, cbor, rule
from admit_protocol.errors import AdmitError
from sites import NOW, SEALED, opened, told

OPEN = ("/r/open", 2, {})


@pytest.fixture
def site(site, signer):
    admin.add_user(site, "alice", [HostSuite().generate().public], NOW)
    admin.commission(site, signer, "kiosk-1", bytes(range(64)), SEALED, NOW)
    return site


@pytest.fixture
def revoke(site, signer):
    """revoke(n): give alice so many grants and take them back, in one bundle; their ids."""
    numbers = iter(range(100000))

    def revoke(count, expires=None, now=NOW):
        with editing(site, signer, now) as edit:
            for _ in range(count):
                access = Access(["kiosk-1"], [(f"/{next(numbers)}", 1, {})], expires=expires)
                granting.put_statement(edit, admin.statement("user:alice", access))
        with editing(site, signer, now) as taken:
            for row in edit.changes.issued:
                known = taken.session.get(admin.GrantRow, row.id)
                withdrawing.revoke_grant(taken, known)
        return b"".join(sorted(bytes.fromhex(row.id) for row in edit.changes.issued))

    return revoke


def all_bundles(site, epoch=0):
    """Every bundle kept, opened, by epoch."""
    from sqlalchemy import select

    with site.registry._read() as session:
        rows = session.scalars(select(compile_policy.BundleRow).order_by(compile_policy.BundleRow.epoch))
        return {row.epoch: (opened(row), row) for row in rows}


def merged(*ids):
    return b"".join(sorted(each for some in ids for each in bundle.split(some)))


def test_only_what_is_new_travels(site, revoke):
    first = revoke(3)
    site.registry.bundle_held("kiosk-1", 1)
    second = revoke(1)
    (row,) = site.registry.pending_bundles()
    made = opened(row)
    assert (made.base, made.added, made.dropped) == (1, second, b"")
    assert (made.selectors, made.rules, made.notice) == (None, None, None)
    state = (1, NOW, first, [], [], None)
    assert bundle.merge(state, made)[2] == merged(first, second)


def test_a_device_at_any_epoch_between_comes_to_the_same(site, signer, revoke):
    """It may have met another courier: each bundle since the one that it is known to hold may be the last it took."""
    revoke(2)
    site.registry.bundle_held("kiosk-1", 1)
    deny = (rule.DENY, ["user:alice"], ["kiosk-1"], [OPEN])
    with editing(site, signer, NOW) as edit:
        (denial,) = withdrawing.deny(edit, *deny)
    revoke(2, expires=NOW + 10)
    with editing(site, signer, NOW + 20) as edit:
        withdrawing.lift(edit, denial)
    revoke(1, now=NOW + 20)
    kept = all_bundles(site)
    assert sorted(kept) == [1, 2, 3, 4, 5]
    assert [row.base for _, row in kept.values()] == [0, 1, 1, 1, 1]
    held = told(site, "kiosk-1", 0)
    for stop in (1, 2, 3, 4):
        state = bundle.merge(bundle.NOTHING, kept[1][0])
        if stop > 1:
            state = bundle.merge(state, kept[stop][0])
        after = bundle.merge(state, kept[5][0])
        assert after[:3] == held[:3] and list(after[3]) == list(held[3]) and list(after[4]) == list(held[4]) == []


def test_what_a_device_holds_is_forgotten_but_for_what_the_next_one_builds_on(site, revoke):
    for _ in range(4):
        revoke(1)
    assert sorted(all_bundles(site)) == [1, 2, 3, 4]
    site.registry.bundle_held("kiosk-1", 3)
    assert sorted(all_bundles(site)) == [3, 4]
    site.registry.bundle_held("kiosk-1", 2)
    assert site.registry.device("kiosk-1").held_epoch == 3


def test_more_than_one_bundle_holds_comes_in_several(site, revoke, monkeypatch):
    monkeypatch.setattr(compile_policy, "_ROOM", 400)
    ids = revoke(100)
    rows = site.registry.bundles_after("kiosk-1", 0)
    assert [row.base for row in rows] == [0, 1, 2]
    assert all(len(row.data) <= cbor.MAX_LENGTH for row in rows)
    assert told(site, "kiosk-1")[2] == ids
    site.registry.bundle_held("kiosk-1", 2)
    assert [row.epoch for row in site.registry.bundles_after("kiosk-1", 2)] == [3]
    more = revoke(1)
    state = told(site, "kiosk-1", 2, bundle.merge(bundle.merge(bundle.NOTHING, opened(rows[0])), opened(rows[1])))
    assert state[2] == merged(ids, more)


def test_grants_that_ended_are_dropped_a_few_at_a_time(site, revoke, monkeypatch):
    monkeypatch.setattr(compile_policy, "_DROPPED", 10)
    revoke(25, expires=NOW + 10)
    site.registry.bundle_held("kiosk-1", 1)
    new = revoke(1, now=NOW + 20)
    (row,) = site.registry.pending_bundles()
    assert (len(opened(row).dropped), opened(row).added) == (10 * 8, new)
    assert len(told(site, "kiosk-1", 1, (1, NOW, row.revoked, [], [], None))[2]) == 16 * 8


def test_a_full_bundle_fits_into_one_message(site, signer):
    ids = b"".join(number.to_bytes(8, "big") for number in range(430))
    states = [bundle.NOTHING, (1, NOW, ids, ["user:x"], [], None)]
    assert 430 * 8 < compile_policy._ROOM
    data = compile_policy.cose_encrypt.seal(HostSuite(), SEALED, signer.issue_bundle("k" * 64, states))
    assert len(data) <= cbor.MAX_LENGTH


def test_that_a_grant_ends_by_itself_makes_no_bundle(site, signer, revoke):
    revoke(1, expires=NOW + 10)
    with editing(site, signer, NOW + 20) as edit:
        edit.touch_all_devices()
    assert edit.changes.devices == []


def test_rules_that_no_device_can_keep_are_refused_and_nothing_changes(site, signer):
    def deny(count):
        with editing(site, signer, NOW) as edit:
            withdrawing.deny(edit, rule.DENY, ["everyone"], ["*"], [(f"/{'x' * 60}/{n}", 1, {}) for n in range(count)])

    with pytest.raises(AdmitError) as caught:
        deny(60)
    assert caught.value.reason == "policy-too-large"
    assert site.registry.denials() == []
    deny(20)
    assert len(told(site, "kiosk-1")[4]) == 20


def test_revocations_that_no_device_can_keep_are_refused(site, revoke, monkeypatch):
    monkeypatch.setattr(compile_policy, "_KEPT", 200)
    with pytest.raises(AdmitError) as caught:
        revoke(30)
    assert caught.value.reason == "policy-too-large"


def test_people_revoked_long_ago_make_room_for_others_and_the_admin_is_told(site, signer):
    with editing(site, signer, NOW) as edit:
        for number in range(80):
            admin.put_user(edit.session, f"user-{number:02}", [number.to_bytes(64, "big")], NOW)
    for begin in (0, 40):
        with editing(site, signer, NOW + begin) as edit:
            for number in range(begin, begin + 40):
                withdrawing.revoke_user(edit, f"user-{number:02}")
    people = told(site, "kiosk-1")[3]
    assert "user:user-79" in people and "user:user-39" not in people and len(people) > 100
    assert "revoked long ago" in edit.warnings[0]


def test_who_was_told_more_than_this_registry_made_is_not_told_less(site, revoke):
    revoke(1)
    with pytest.raises(AdmitError) as caught:
        site.registry.bundles_after("kiosk-1", 2)
    assert caught.value.reason == "bundle-device-ahead"
    assert site.registry.bundles_after("kiosk-1", 1) == []


def test_names_are_found_by_patterns():
    names = Names(["kiosk-1", "kiosk-10", "kiosk-2", "lobby", "lobby-\U0001f6aa"])
    assert names.of("*") == names.all
    assert names.of("kiosk-1*") == ["kiosk-1", "kiosk-10"]
    assert names.of("kiosk-1") == ["kiosk-1"]
    assert names.of("lobby*") == ["lobby", "lobby-\U0001f6aa"]
    assert names.of("kiosk-3\nlobby\nkiosk-2") == ["kiosk-2", "lobby"]
    assert names.of("z*") == names.of("kiosk") == []
