"""The authority gets other keys: a real site, devices and wallets that follow it, and some that come late or lie."""

import contextlib
import os
import shutil
from unittest import mock

import pytest

from admit import admin, couriers, following, keyfiles, recovery, rounds, succeeding, syncing, withdrawing
from admit.admin import Access
from admit.editing import editing
from admit.registry_model import newest_notice
from admit.site import Site
from admit.suite import HostSuite
from admit.visit import visit
from admit.wallet import Wallet
from admit_protocol import anchor, cbor, coap, cose_encrypt, credential, grant, succession
from admit_protocol.errors import AdmitError, Conflict, LocalError, Refused, Untrusted, Unverified
from liars import Liar, lie
from power_cuts import PowerCut, power
from rig import Site as Stranger
from rotating_site import LATER, Torn, copied, give_door, restored, run
from sites import NOW, PASSPHRASE, new_site, passphrase

DAY = 86400
STEP = 1 if os.environ.get("ADMIT_EXHAUST") else 4  # every thing asked of the disk, or one of so many
OPENED = cbor.encode({1: b"12345678", 2: {"seconds": 5}})

pytestmark = pytest.mark.usefixtures("later", "cheap")


@pytest.fixture
def cheap():
    """Keys of the authority are encrypted at the lowest cost."""
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        yield


def succeed(site, signer, days=30, now=LATER):
    succeeding.succeed(site, signer, now, days * DAY)


def opened(rig, wallet, way=None):
    """What became of it; on the way out what the new key has signed is fetched."""

    async def go():
        async with visit(way or Liar(rig), wallet, "kiosk-1") as session:
            code = (await session.request(coap.POST, "/r/open", OPENED)).code
            await following.fetch(session, wallet)
            return code

    return run(go())


def synced(site, signer, rig, way=None):
    async def go():
        wallet = site.wallet("admin")
        vouched = site.registry.device("kiosk-1").credential
        async with visit(way or Liar(rig), wallet, "kiosk-1", vouched=vouched) as session:
            await syncing.deliver(session, site.registry, "kiosk-1", wallet)
            done = await succeeding.renew(session, site, signer, wallet, "kiosk-1", LATER)
            error = await syncing.set_clock(session, signer, "kiosk-1", lambda: LATER)
            assert error is None or way is not None
            return done

    return run(go())


def elsewhere(wallet, folder):
    """The same wallet on another machine, which no admin reaches."""
    shutil.copytree(wallet.folder, folder)
    return Wallet(folder)


def at(monkeypatch, rig, moment):
    monkeypatch.setattr("time.time", lambda: moment)
    rig.pass_s(moment - rig.clock.seconds)


def test_all_follow_at_their_next_contact_and_then_only_the_new_key_counts(site, signer, rig, tmp_path, monkeypatch):
    alice = give_door(site, "alice")
    assert opened(rig, alice) == coap.CHANGED
    away = elsewhere(alice, tmp_path / "away")
    old, was = site.anchor, site.registry.device("kiosk-1").credential
    succeed(site, signer)
    assert site.anchor.site_id == old.site_id and site.anchor.sign_public != old.sign_public
    assert succeeding.behind(site) == ["kiosk-1"]
    for wallet in (site.wallet("admin"), alice):
        assert wallet.anchor.encode() == site.anchor.encode()
        assert all(following.is_present(each, site.anchor) for each in wallet.grants())
    assert opened(rig, away) == coap.CHANGED and away.anchor.sign_public == old.sign_public  # nobody knows yet
    assert synced(site, signer, rig) and not synced(site, signer, rig)
    assert rig.device.identity.anchor.number == 1 and succeeding.behind(site) == []
    assert site.registry.device("kiosk-1").credential == rig.device.identity.credential.data != was
    assert opened(rig, away) == coap.CHANGED  # it follows on the way in, and takes its grant along
    assert away.anchor.encode() == site.anchor.encode()
    assert following.is_present(away.grants()[0], site.anchor)
    at(monkeypatch, rig, LATER + 30 * DAY + 3600)
    assert opened(rig, away) == opened(rig, alice) == coap.CHANGED


def test_whoever_comes_with_a_new_grant_leads_the_device_there(site, signer, rig):
    alice = give_door(site, "alice")
    assert opened(rig, alice) == coap.CHANGED
    succeed(site, signer)
    assert opened(rig, alice) == coap.CHANGED
    assert rig.device.identity.anchor.number == 1 and rig.device.identity.anchor.previous
    succeed(site, signer, 0)
    with pytest.raises(Unverified) as caught:  # nobody that counts vouches for the device: it may be the thief's
        opened(rig, alice)
    assert caught.value.reason == "device-old-authority"
    assert synced(site, signer, rig)
    assert rig.device.identity.anchor.number == 2 and rig.device.identity.anchor.previous is None
    assert opened(rig, alice) == coap.CHANGED


def test_who_comes_back_to_a_device_later_finds_their_grant_there_too(site, signer, rig, tmp_path):
    away = elsewhere(give_door(site, "alice"), tmp_path / "away")
    succeed(site, signer)
    assert synced(site, signer, rig)
    assert opened(rig, away) == coap.CHANGED and not following.is_present(away.grants()[0], site.anchor)
    assert not synced(site, signer, rig)
    assert opened(rig, away) == coap.CHANGED and following.is_present(away.grants()[0], site.anchor)


def test_two_steps_are_made_at_once_where_one_was_missed(site, signer, rig):
    site.wallet("admin").drop_device("kiosk-1")
    for _ in range(2):
        succeed(site, signer)
    assert synced(site, signer, rig) and rig.device.identity.anchor.number == 2


def test_who_comes_too_late_needs_a_new_invitation(site, signer, rig, tmp_path, monkeypatch):
    away = elsewhere(give_door(site, "alice"), tmp_path / "away")
    succeed(site, signer)
    assert synced(site, signer, rig)
    at(monkeypatch, rig, LATER + 31 * DAY)
    with pytest.raises(Refused) as caught:
        opened(rig, away)
    assert caught.value.reason == "grant-old-authority" and away.anchor.encode() == site.anchor.encode()
    row = site.registry.grants("alice")[-1]
    away.accept(site.anchor, row.data)
    assert opened(rig, away) == coap.CHANGED


def test_a_stolen_key_says_nothing_more(site, signer, rig, tmp_path):
    give_door(site, "alice")
    thief = shutil.copytree(site.folder, tmp_path / "thief")
    succeed(site, signer, 0)
    assert synced(site, signer, rig)
    stolen = Site(thief)
    robbed = stolen.authority(passphrase)
    with editing(stolen, robbed, LATER) as edit:
        withdrawing.revoke_user(edit, "alice")
    succeeding.succeed(stolen, robbed, LATER, 30 * DAY)  # a fork
    wallet = site.wallet("alice")
    with pytest.raises(Untrusted) as caught:
        wallet.follow(stolen.anchor)
    assert caught.value.reason == "succession-fork"

    async def bring(data):
        async with visit(Liar(rig), wallet, "kiosk-1") as session:
            await session.request(coap.POST, "/bundle", data)

    for data in (stolen.anchor.successions[0], stolen.registry.bundles_after("kiosk-1", 0)[-1].data):
        with pytest.raises(Refused) as caught:
            run(bring(data))
        assert caught.value.reason in ("succession-fork", "cose-signature")
    stolen.registry.close()


def test_a_wallet_follows_no_fork_no_stranger_and_nothing_shorter(site, signer, rig):
    alice, other = give_door(site, "alice"), Stranger("other", b"other")
    first = site.anchor
    forged = anchor.Anchor(
        first.sign_public,
        first.ecdh_public,
        first.name,
        [succession.sign(other.key, other.ecdh, first.site_id, 1, other.key.public, LATER, LATER)],
    )
    known = credential.parse(rig.credential)
    for data in (other.vouch("kiosk-1", known.public), rig.credential[:-1] + b"\x00"):
        way = lie(("GET", "/id"), telling(data, forged.encode()), rig)
        with pytest.raises((Untrusted, Unverified)):
            opened(rig, alice, way)
        assert alice.anchor.encode() == first.encode()
    with pytest.raises(Unverified):
        following.verified(forged.encode())
    succeed(site, signer)
    assert not alice.follow(first) and not alice.follow(site.anchor)
    assert alice.anchor.encode() == site.anchor.encode()
    row = site.registry.grants("alice")[-1]
    assert alice.accept(first, row.data).id.hex() == row.id  # an old invitation takes nothing back
    assert alice.anchor.encode() == site.anchor.encode()


def telling(credential_data, anchor_data):
    """GET /id of a liar: that credential, or that anchor."""

    def answer(liar, request):
        more = {8: anchor_data} if request.option(coap.URI_QUERY) else {2: credential_data}
        return coap.response(coap.CONTENT, cbor.encode({1: "commissioned", 3: {}} | more))

    return answer


def test_couriers_bring_it_before_what_the_new_key_signed(site, signer, rig, tmp_path):
    alice = elsewhere(give_door(site, "alice"), tmp_path / "away")
    admin.add_user(site, "bob", None, NOW)
    admin.give(site, signer, "bob", Access(["kiosk-1"], [("/r/open", 3, {})]), NOW)
    with editing(site, signer, LATER) as edit:
        withdrawing.revoke_user(edit, "bob")
    succeed(site, signer)
    rows = site.registry.bundles_after("kiosk-1", 0)
    assert len(rows) == 1  # what the old key signed is not carried any more
    rounds.take(alice, couriers.decode(couriers.encode({"kiosk-1": [*site.anchor.successions, rows[0].data]})))

    async def pass_by():
        async with visit(Liar(rig), alice, "kiosk-1") as session:
            return await rounds.bring(session, alice, "kiosk-1")

    assert run(pass_by()) == 2 and run(pass_by()) == 0
    assert rig.device.identity.anchor.number == 1 and rig.device.access.epoch == rows[0].epoch
    assert alice.anchor.encode() == site.anchor.encode()


def test_a_notice_of_the_old_key_neither_counts_nor_hurts(site, signer, rig, say):
    give_door(site, "alice")
    say(withdrawing.strike_off, signer, "kiosk-9", "0011223344556677")
    assert not synced(site, signer, rig) and not synced(site, signer, rig)
    wallet = site.wallet("alice")
    told = site.wallet("admin").newest_notice
    with site.registry.reading() as session:
        data = newest_notice(session).data
    succeed(site, signer)
    wallet.take_notice(data)
    assert wallet.newest_notice is None
    assert synced(site, signer, rig) and not synced(site, signer, rig)
    assert site.wallet("admin").newest_notice.number > told.number
    assert site.wallet("admin").newest_notice.devices == told.devices


def test_pages_that_were_sealed_before_are_read_until_the_key_is_forgotten(site, signer):
    sealed = cose_encrypt.seal(HostSuite(), site.anchor.ecdh_public, b"page")
    succeed(site, signer)
    succeed(site, signer)
    fresh = site.authority(passphrase)
    assert fresh.unseal(sealed) == b"page" and len(fresh.older_keys()) == 2
    assert succeeding.forget(fresh) == 2
    with pytest.raises(Unverified):
        fresh.unseal(sealed)


def test_the_ninth_time_is_refused(site, signer):
    with mock.patch.object(succession, "MAX_SUCCESSIONS", 1):
        succeed(site, signer)
        with pytest.raises(LocalError) as caught:
            succeed(site, signer)
    assert caught.value.reason == "succession-many"


def test_shares_of_the_old_key_do_not_bring_it_back(site, signer):
    found = recovery.Recovered(site.anchor, {}, PASSPHRASE)
    recovery.check_site(site, found)
    succeed(site, signer)
    with pytest.raises(Conflict) as caught:
        recovery.check_site(site, found)
    assert caught.value.reason == "recovery-older-authority"


def test_a_visit_that_breaks_off_anywhere_is_gone_on_with(site, signer, rig, tmp_path):
    give_door(site, "alice")
    assert not synced(site, signer, rig)
    files = copied(rig)
    succeed(site, signer)
    number, was_cut, seen = 0, True, set()
    while was_cut:
        for heard in (False, True):
            here = Site(shutil.copytree(site.folder, tmp_path / f"{number}-{heard}"))
            was_cut = breaks_off(here, restored(rig, files), number, heard)
            seen.add(rig.device.identity.anchor.number)
            synced(here, here.authority(passphrase), rig)
            assert rig.device.identity.anchor.number == 1 and succeeding.behind(here) == []
            assert not here.registry.pending_bundles()
            here.registry.close()
        number += STEP
    assert seen == {0, 1} and number > 6


def breaks_off(site, rig, number, heard):
    """Was a visit broken off at that request?"""
    count = [0]
    with contextlib.suppress(AdmitError):
        synced(site, site.authority(passphrase), rig, Torn(rig, count, number, heard))
    return count[0] > number


def test_a_site_from_before_finds_out_that_its_keys_count_no_more(site, signer, rig, tmp_path):
    folder = shutil.copytree(site.folder, tmp_path / "restored")
    succeed(site, signer)
    assert synced(site, signer, rig)
    before = Site(folder)
    succeeding.check(before)

    async def go():
        async with visit(Liar(rig), before.wallet("admin"), "kiosk-1"):
            succeeding.check(before)

    with pytest.raises(Conflict) as caught:
        run(go())
    assert caught.value.reason == "authority-older"


def test_a_power_cut_anywhere_leaves_the_old_authority_or_the_new_one_and_is_gone_on_with(tmp_path):
    made = new_site(tmp_path / "site")
    give_door(made, "alice")
    made.registry.close()
    seen = set()

    cut, was_cut = 1, True
    while was_cut:
        folder = shutil.copytree(tmp_path / "site", tmp_path / f"cut-{cut}")
        was_cut = is_cut(Site(folder), cut)
        site = Site(folder)
        signer = site.authority(passphrase)
        signer.key_files()  # they open, and are the anchor's
        seen.add(len(site.anchor.successions))
        succeeding.settle(site, signer, LATER)
        assert all(following.is_present(grant.parse(row.data), site.anchor) for row in site.registry.grants())
        for wallet in (site.wallet("admin"), site.wallet("alice")):
            assert wallet.anchor.encode() == site.anchor.encode()
            assert all(following.is_present(each, site.anchor) for each in wallet.grants())
        site.registry.close()
        shutil.rmtree(folder)
        cut += STEP
    assert seen == {0, 1} and cut > 20


def is_cut(site, at):
    """Did the power fail before all was done?"""
    with power(at):
        try:
            succeed(site, site.authority(passphrase))
        except PowerCut:
            return True
        finally:
            site.registry.close()
    return False
