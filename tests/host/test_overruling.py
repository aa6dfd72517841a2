"""A registry put back from a backup, and a device that knows more: it is told everything anew, never in passing."""

import pytest

from admit import admin, overruling
from admit.access_models import ChangeRow
from admit.admin import Access
from admit.editing import editing, sync
from admit_protocol import bundle
from admit_protocol.errors import AdmitError
from sites import NOW, SEALED, opened, told

OPEN = ("/r/open", 2, {})


@pytest.fixture
def behind(site, signer):
    """A site that made one bundle for kiosk-1, which holds the policy of epoch 7, since it was told by a later one."""
    admin.commission(site, signer, "kiosk-1", bytes(range(64)), SEALED, NOW)
    admin.add_user(site, "alice", None, NOW)
    given = admin.give(site, signer, "alice", Access(["kiosk-1"], [OPEN]), NOW)
    admin.revoke(site, signer, [given], NOW)
    assert site.registry.device("kiosk-1").epoch == 1
    return given


def overrule(site, signer, epoch, device_id="kiosk-1"):
    with editing(site, signer, NOW) as edit:
        overruling.overrule(edit, device_id, epoch)


@pytest.mark.parametrize("epoch", [7, 1, 0])
def test_the_device_is_told_everything_anew_by_a_newer_bundle(site, signer, behind, epoch):
    overrule(site, signer, epoch)
    (row,) = site.registry.bundles_after("kiosk-1", epoch)
    assert (row.epoch, row.base) == (max(epoch, 1) + 1, 0)
    theirs = (epoch, NOW, bytes(8) * 3, ["user:mallory"], [], None)
    assert bundle.merge(theirs, opened(row)) == told(site, "kiosk-1", epoch)
    assert bundle.split(told(site, "kiosk-1", epoch)[2]) == [bytes.fromhex(behind.id)]
    assert [each.epoch for each in site.registry.pending_bundles()] == [row.epoch]


def test_it_is_noted_and_nothing_follows_for_anybody_else(site, signer, behind):
    admin.commission(site, signer, "kiosk-2", bytes(range(64))[::-1], SEALED, NOW)
    before = site.registry.device("kiosk-2").epoch
    overrule(site, signer, 7)
    assert site.registry.device("kiosk-2").epoch == before
    with site.registry.reading() as session:
        notes = [row.detail for row in session.query(ChangeRow) if row.act == "overrule"]
    assert notes == ["what kiosk-1 held at epoch 7"]
    assert sync(site, signer, NOW).devices == []


def test_what_was_overruled_goes_on_as_ever(site, signer, behind):
    overrule(site, signer, 7)
    site.registry.bundle_held("kiosk-1", 8)
    again = admin.give(site, signer, "alice", Access(["kiosk-1"], [OPEN]), NOW)
    admin.revoke(site, signer, [again], NOW)
    (row,) = site.registry.bundles_after("kiosk-1", 8)
    assert (row.epoch, row.base) == (9, 8)


def test_a_device_that_claims_an_epoch_beyond_all_numbers_stops_nobodys_work(site, signer, behind):
    for epoch in (2**64 - 1, 2**63 - 2, 2**31 - 1):
        with pytest.raises(AdmitError) as caught:
            overrule(site, signer, epoch)
        assert caught.value.reason == "bundle-answer"
    again = admin.give(site, signer, "alice", Access(["kiosk-1"], [OPEN]), NOW)
    admin.revoke(site, signer, [again], NOW)


def test_nobody_overrules_a_device_that_is_not_there(site, signer):
    with pytest.raises(AdmitError) as caught:
        overrule(site, signer, 7, "kiosk-9")
    assert caught.value.reason == "registry-no-device"
