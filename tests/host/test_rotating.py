"""A device's key is exchanged by a real site: cut short anywhere, visitors find one key, and the next try goes on."""

import os
import shutil

import pytest

from admit import collect, ending, journal_store, overruling, rotating, syncing, withdrawing
from admit.editing import editing
from admit.key_models import RotationRow
from admit.keyfiles import fingerprint
from admit.registry_devices import device_of
from admit.registry_model import newest_notice
from admit.site import Site as RealSite
from admit.visit import visit
from admit_device.journal_page import page, signed_head
from admit_protocol import cbor, coap, credential, journal
from admit_protocol.errors import AdmitError, TimedOut, Untrusted, Unverified
from liars import Liar
from rig import Site
from rotating_site import LATER, Torn, copied, give_door, new_device, restored, run
from sites import NOW, new_site, passphrase

STEP = 1 if os.environ.get("ADMIT_EXHAUST") else 4  # every message, or one of so many
OPENED = cbor.encode({1: b"12345678", 2: {"seconds": 5}})


pytestmark = pytest.mark.usefixtures("later")


def exchange(site, signer, reach, now=LATER):
    wallet = site.wallet("admin")
    return run(rotating.exchange(reach, site, signer, wallet, "kiosk-1", now, lambda words: None))


def opened(rig, wallet):
    async def go():
        async with visit(Liar(rig), wallet, "kiosk-1") as session:
            return (await session.request(coap.POST, "/r/open", OPENED)).code

    return run(go())


def collected(site, rig):
    """Collect the journal and prove all of it; how many records."""

    async def go():
        async with visit(Liar(rig), site.wallet("admin"), "kiosk-1") as session:
            start, _ = journal_store.position(site.registry, "kiosk-1")
            page = await collect.fetch_journal(session, start)
            journal_store.collect(site.registry, "kiosk-1", page, LATER, collect.witnesses(site))

    run(go())
    return journal_store.verify(site.registry, "kiosk-1", collect.witnesses(site)).records


def test_both_keys_are_proven_and_the_old_one_is_struck_off(site, signer, rig):
    alice, old = give_door(site, "alice"), rig.public
    assert opened(rig, alice) == coap.CHANGED
    before = collected(site, rig)
    public = exchange(site, signer, lambda: Liar(rig))
    device = site.registry.device("kiosk-1")
    assert device.public == public == rig.device.identity.key.public != old
    assert site.registry.device_keys("kiosk-1") == [old, public] and site.registry.rotation("kiosk-1") is None
    assert set(site.registry.dismissed()) == {fingerprint(old)}
    assert rig.device.identity.kept(8) is None  # the old secret
    assert opened(rig, alice) == coap.CHANGED  # by /id: the authority signed for the new key
    assert collected(site, rig) > before
    again = exchange(site, signer, lambda: Liar(rig))
    assert site.registry.device_keys("kiosk-1") == [old, public, again]
    collected(site, rig)


def test_a_wallet_that_was_told_that_the_old_key_is_struck_off_finds_the_new_one(site, signer, rig):
    alice = give_door(site, "alice")
    assert opened(rig, alice) == coap.CHANGED
    files = copied(rig)
    exchange(site, signer, lambda: Liar(rig))
    with site.registry._read() as session:
        alice.take_notice(newest_notice(session).data)
    assert opened(rig, alice) == coap.CHANGED
    stolen = restored(rig, files)  # whoever has a copy of the old key
    for _ in range(2):
        with pytest.raises(Untrusted) as caught:
            opened(stolen, alice)
        assert caught.value.reason == "device-older-key"
    alice.drop_device("kiosk-1")  # nor does it help with a wallet that never met the kiosk
    with pytest.raises(Untrusted) as caught:
        opened(stolen, alice)
    assert caught.value.reason == "device-struck-off"


def test_what_waits_for_the_device_is_brought_before_it_forgets_the_old_key(site, signer, rig):
    give_door(site, "alice")
    with editing(site, signer, NOW) as edit:
        withdrawing.revoke_user(edit, "alice")
    waiting = site.registry.device("kiosk-1").epoch
    assert site.registry.device("kiosk-1").held_epoch < waiting
    exchange(site, signer, lambda: Liar(rig))
    assert site.registry.device("kiosk-1").held_epoch == waiting == rig.device.access.epoch
    assert site.registry.device("kiosk-1").epoch == waiting + 1  # the old key is struck off: sealed to the new one
    assert site.registry.pending_bundles()


def test_what_is_said_after_the_device_forgot_the_old_key_and_before_the_desk_knows_gets_there(
    site, signer, rig, monkeypatch
):
    """The desk dies between the two; a revocation meanwhile is sealed to a key that the device no longer has."""
    alice = give_door(site, "alice")
    assert opened(rig, alice) == coap.CHANGED
    with monkeypatch.context() as dying:
        dying.setattr(rotating, "keep", lambda *_: None)
        exchange(site, signer, lambda: Liar(rig))
    with editing(site, signer, LATER) as edit:
        withdrawing.revoke_user(edit, "alice")
    assert exchange(site, signer, lambda: Liar(rig)) == site.registry.device("kiosk-1").public

    async def deliver():
        async with visit(Liar(rig), site.wallet("admin"), "kiosk-1") as session:
            await syncing.deliver(session, site.registry, "kiosk-1", site.wallet("admin"))

    run(deliver())
    assert not site.registry.pending_bundles()
    with pytest.raises(AdmitError) as caught:
        opened(rig, alice)
    assert caught.value.reason == "grant-revoked"


def test_whoever_visits_next_finishes_it(site, signer, rig, monkeypatch):
    old = rig.public
    with monkeypatch.context() as dying:
        dying.setattr(rotating, "keep", lambda *_: None)
        exchange(site, signer, lambda: Liar(rig))

    async def finish():
        async with visit(Liar(rig), site.wallet("admin"), "kiosk-1") as session:
            await rotating.finish(session, site, signer, site.wallet("admin"), "kiosk-1", LATER)

    for _ in range(2):
        run(finish())
        assert site.registry.device_keys("kiosk-1") == [old, rig.device.identity.key.public]
        assert site.registry.rotation("kiosk-1") is None


def restored_before(site, rig, tmp_path):
    """The site as a backup has it that was made before the device's key was exchanged."""
    site.registry.close()
    shutil.copytree(site.folder, tmp_path / "restored")
    now = RealSite(site.folder)
    exchange(now, now.authority(passphrase), lambda: Liar(rig))
    now.registry.close()
    return RealSite(tmp_path / "restored")


def test_a_registry_of_before_is_told_so_and_follows_the_key_when_it_overrules(site, rig, tmp_path):
    alice, old = give_door(site, "alice"), rig.public
    assert opened(rig, alice) == coap.CHANGED
    back = restored_before(site, rig, tmp_path)
    signer, wallet = back.authority(passphrase), back.wallet("admin")
    with editing(back, signer, LATER) as edit:
        withdrawing.revoke_user(edit, "alice")

    async def deliver(overrules):
        async with visit(Liar(rig), wallet, "kiosk-1") as session:
            if overrules:
                with editing(back, signer, LATER) as edit:
                    overruling.follow_key(edit, signer, wallet.device("kiosk-1"))
                    overruling.overrule(edit, "kiosk-1", rig.device.access.epoch)
            return await syncing.deliver(session, back.registry, "kiosk-1", wallet)

    with pytest.raises(AdmitError) as caught:
        run(deliver(False))
    assert caught.value.reason == "rotation-unknown-key"
    with pytest.raises(Untrusted) as caught:
        run(ending.end(lambda: Liar(rig), back, wallet, "kiosk-1", "sold", LATER, lambda words: None))
    assert caught.value.reason == "rotation-unknown-key"
    assert run(deliver(True)).bundles == 1
    assert back.registry.device_keys("kiosk-1") == [old, rig.device.identity.key.public]
    assert set(back.registry.dismissed()) == {fingerprint(old)}
    with pytest.raises(AdmitError) as caught:
        opened(rig, alice)
    assert caught.value.reason == "grant-revoked"
    collected(back, rig)
    exchange(back, signer, lambda: Liar(rig))
    back.registry.close()


def test_no_registry_follows_a_key_that_came_before_or_was_struck_off(site, signer, rig):
    met = site.wallet("admin").device("kiosk-1")
    exchange(site, signer, lambda: Liar(rig))
    for changed in (met, met._replace(issued_at=LATER * 2)):
        with pytest.raises(Untrusted), editing(site, signer, LATER) as edit:
            overruling.follow_key(edit, signer, changed)
    assert site.registry.device("kiosk-1").public == rig.device.identity.key.public


def test_cut_at_any_message_one_key_works_and_the_next_try_goes_on(tmp_path):
    """The link breaks and the device loses its power, before it has heard a message or after."""
    cuts = 0
    for heard in (False, True):
        cut, was_cut = (0 if STEP == 1 else 2 + heard), True
        while was_cut:
            site = new_site(tmp_path / f"site-{heard}-{cut}")
            was_cut = cut_at(site, new_device(site), cut, heard)
            site.registry.close()
            cut += STEP
            cuts += 1
    assert cuts >= (6 if STEP > 1 else 16)


def cut_at(site, rig, cut, heard):
    """Was there such a message?"""
    signer, alice, old = site.authority(passphrase), give_door(site, "alice"), rig.public
    assert opened(rig, alice) == coap.CHANGED
    count, was_cut = [0], False
    try:
        exchange(site, signer, lambda: Torn(rig, count, cut, heard))
    except TimedOut:
        was_cut = True
    assert opened(rig, alice) == coap.CHANGED
    assert rig.device.identity.key.public in site.registry.device_keys("kiosk-1")
    if was_cut:
        collected(site, rig)
        exchange(site, signer, lambda: Liar(rig))
    assert site.registry.device_keys("kiosk-1") == [old, rig.device.identity.key.public]
    assert opened(rig, alice) == coap.CHANGED
    collected(site, rig)
    return was_cut


def test_cut_at_the_desk_before_the_registry_knows_the_next_try_goes_on(site, signer, rig, monkeypatch):
    keep, old = rotating.keep, rig.public

    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rotating, "keep", cut)
    with pytest.raises(KeyboardInterrupt):
        exchange(site, signer, lambda: Liar(rig))
    now = rig.device.identity.key.public
    assert (site.registry.device("kiosk-1").public, site.registry.rotation("kiosk-1").public) == (old, now)
    collected(site, rig)  # under the new key
    monkeypatch.setattr(rotating, "keep", keep)
    assert exchange(site, signer, lambda: Liar(rig)) == now
    assert site.registry.device_keys("kiosk-1") == [old, now]


def test_a_desk_whose_clock_is_behind_still_makes_a_later_credential(site, signer, rig):
    exchange(site, signer, lambda: Liar(rig), now=NOW - 10_000)
    assert credential.parse(site.registry.device("kiosk-1").credential).issued_at == NOW + 1


def test_a_device_that_the_registry_never_knew_is_given_no_key(site, signer, rig):
    public = exchange(site, signer, lambda: Liar(rig))
    stranger = Site("x", b"x").key.public
    with site.registry._change() as session:
        device_of(session, "kiosk-1").public = stranger
    with pytest.raises(Untrusted) as caught:
        exchange(site, signer, lambda: Liar(rig))
    assert caught.value.reason == "rotation-unknown-key" and rig.device.identity.key.public == public


def test_another_rotation_of_the_same_key_takes_the_place_of_one_that_never_came(site, signer, rig):
    def row(number):
        made = RotationRow(public=bytes([number]) * 64, old=rig.public, device_id="kiosk-1", credential=b"c")
        made.by_old = made.by_new = b"p"
        made.begun_at = NOW
        return made

    site.registry.begin_rotation(row(1))
    site.registry.begin_rotation(row(2))
    assert site.registry.rotation("kiosk-1").public == bytes([2]) * 64
    assert site.registry.begin_rotation(row(2)).public == bytes([2]) * 64
    exchange(site, signer, lambda: Liar(rig))
    assert len(site.registry.device_keys("kiosk-1")) == 2


# The journal under two keys


def test_an_old_key_signs_nothing_after_a_new_one(site, signer, rig):
    """Whoever copied the old key cannot write the journal on."""
    collected(site, rig)
    old = rig.device.identity.key
    files = copied(rig)
    exchange(site, signer, lambda: Liar(rig))
    first = collected(site, rig)
    thief = restored(rig, files)
    start, base = 0, journal.first_head(old.public)
    _, _, records = page(thief.device.journal, 0, 1 << 20)
    head = base
    for data in records:
        head = journal.chain(head, data)
    forged = list(records)
    while len(forged) <= first:
        data = journal.encode_record(len(forged), LATER, journal.LOGIN, bytes(8), "", journal.DONE, {})
        head = journal.chain(head, data)
        forged.append(data)
    signed = journal.sign_head(old, "kiosk-1", len(forged), head, LATER)
    told = journal_store.Page(start, base, forged, signed)
    with pytest.raises(Unverified) as caught:
        journal_store.store(site.registry, "kiosk-1", told, LATER)
    assert caught.value.reason == "journal-old-key"


def test_what_a_courier_took_before_the_rotation_is_kept_after_it(site, signer, rig):
    first, base, records = page(rig.device.journal, 0, 1 << 20)
    carried = journal_store.Page(first, base, records, signed_head(rig.device.journal, rig.device.identity))
    exchange(site, signer, lambda: Liar(rig))
    told = journal_store.store(site.registry, "kiosk-1", carried, LATER)
    assert len(told.new) == len(records)
    assert collected(site, rig) > len(records)
