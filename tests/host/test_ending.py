"""A device of a real site is wiped, and its site knows; whoever has the certificate can check it, and nobody else's."""

import pytest

from admit import ending, rotating
from admit.keyfiles import fingerprint
from admit.suite import HostSuite
from admit.visit import visit
from admit_protocol import anchor, cbor, cose, credential, wipe
from admit_protocol.errors import AdmitError, Conflict, NotFound, TimedOut, Untrusted, Unverified
from liars import Liar
from rig import Rig, Site
from rotating_site import LATER, Torn, Vouching, give_door, new_device, run
from sites import NOW, new_site

pytestmark = pytest.mark.usefixtures("later")


def end(site, reach, reason="sold"):
    wallet = site.wallet("admin")
    return run(ending.end(reach, site, wallet, "kiosk-1", reason, LATER, lambda words: None))


def ended(site, signer, rig, reason="sold"):
    """The file for a device that is wiped."""
    data = ending.keep(site, signer, "kiosk-1", end(site, lambda: Liar(rig), reason), LATER)
    rig.pass_s(1)
    rig.boot()
    return data


def test_the_site_keeps_what_the_device_had_told_and_strikes_its_key_off(site, signer, rig):
    data = ended(site, signer, rig)
    proven = ending.prove(data, site.anchor.site_id)
    assert (proven.said.device_id, proven.said.reason, proven.said.at) == ("kiosk-1", "sold", LATER)
    assert site.registry.devices() == []
    (gone,) = site.registry.retired("kiosk-1")
    assert gone.public == rig.public
    kept = len(cbor.decode(gone.journal)[0])
    assert kept and proven.said.count - kept <= 1  # all but the last: that it was told to end
    (row,) = site.registry.wipes()
    assert (row.device_id, row.certificate) == ("kiosk-1", cbor.decode(data)[0])
    assert set(site.registry.dismissed()) == {fingerprint(rig.public)}
    with pytest.raises(NotFound):
        ending.keep(site, signer, "kiosk-1", cbor.decode(data)[0], LATER)


def test_the_name_is_free_again_and_the_old_credential_is_not(site, signer, rig):
    old = rig.credential
    ended(site, signer, rig)
    with pytest.raises(Conflict) as caught:
        site.registry.add_device(old, NOW)
    assert caught.value.reason == "device-revoked"
    rig.commission(Vouching(site), "kiosk-1")
    assert site.registry.device("kiosk-1").public == rig.public


def test_whoever_missed_the_answer_finds_the_certificate_at_the_device(site, signer, rig):
    said = end(site, lambda: Liar(rig))
    assert end(site, lambda: Liar(rig)) == said  # at once: it is still there
    rig.pass_s(1)
    rig.boot()
    assert end(site, lambda: Liar(rig)) == said
    ending.keep(site, signer, "kiosk-1", said, LATER)


def test_cut_at_any_message_it_lives_or_it_is_wiped_and_says_so(tmp_path):
    states, cuts = set(), 0
    for heard in (False, True):
        cut, was_cut = 0, True
        while was_cut:
            site = new_site(tmp_path / f"site-{heard}-{cut}")
            was_cut, state = cut_at(site, new_device(site), cut, heard)
            states.add(state)
            site.registry.close()
            cut += 1
        cuts += cut
    assert states == {"commissioned", "factory"} and cuts > 10


def cut_at(site, rig, cut, heard):
    """(was there such a message, the device's state then); afterwards it is wiped, and its certificate holds."""
    was_cut = False
    try:
        end(site, lambda: Torn(rig, [0], cut, heard))
    except TimedOut:
        was_cut = True
    if not was_cut:
        rig.pass_s(1)
        rig.boot()
    state = rig.device.identity.state
    said = wipe.parse(end(site, lambda: Liar(rig)))
    wipe.verify(said, rig.public, site.anchor.site_id, "kiosk-1", HostSuite())
    rig.pass_s(1)
    rig.boot()
    assert rig.keystore.files == {} and rig.device.identity.state == "factory"
    return was_cut, state


def test_a_board_that_belongs_to_nobody_proves_nothing(site, rig):
    nobodys = Rig({})
    with pytest.raises(Untrusted) as caught:
        end(site, lambda: Liar(nobodys))
    assert caught.value.reason == "device-unproven"


def test_another_devices_certificate_ends_nothing(site, signer, rig):
    """A board under the kiosk's name shows a certificate: its own, an old one, or one that it made up."""
    real = end(site, lambda: Liar(rig))
    key = Site("thief", b"thief").key
    for said, kind, reason in (
        (wipe.sign(key, site.anchor.site_id, "kiosk-1", 3, bytes(32), 1, LATER, ""), Untrusted, "wipe-other-key"),
        (
            wipe.sign(rig.device.identity.key, bytes(16), "kiosk-1", 3, bytes(32), 1, 1, ""),
            Untrusted,
            "paper-other-site",
        ),
        (
            wipe.sign(rig.device.identity.key, site.anchor.site_id, "kiosk-2", 3, bytes(32), 1, 1, ""),
            Untrusted,
            "paper-other-device",
        ),
        (
            cose.sign1(rig.device.identity.key, cose.parse_sign1(real).payload, cose.JOURNAL_HEAD),
            Unverified,
            "cose-signature",
        ),
    ):
        with pytest.raises(kind) as caught:
            ending.keep(site, signer, "kiosk-1", said, LATER)
        assert caught.value.reason == reason
    assert [each.id for each in site.registry.devices()] == ["kiosk-1"]


def test_the_file_proves_itself_to_whoever_knows_the_site(site, signer, rig):
    data = ended(site, signer, rig)
    other = Site("other", b"other").anchor
    assert ending.prove(data, None).site_name == "Test site"
    with pytest.raises(Untrusted) as caught:
        ending.prove(data, other.site_id)
    assert caught.value.reason == "paper-other-site"
    said, device, _ = cbor.decode(data)
    with pytest.raises(AdmitError) as caught:  # another site vouches for nothing here
        ending.prove(ending.encode(said, device, other), None)
    assert caught.value.reason == "credential-other-site"


def test_a_file_with_any_byte_changed_proves_nothing(site, signer, rig):
    """Or, where a name or the anchor's is changed, another site."""
    data = ended(site, signer, rig)
    for at in range(len(data)):
        forged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            proven = ending.prove(forged, site.anchor.site_id)
        except AdmitError:
            continue
        assert proven.site_name != "Test site" and anchor.decode(cbor.decode(forged)[2]).site_id == site.anchor.site_id
    for length in range(0, len(data), 17):
        with pytest.raises(AdmitError):
            ending.prove(data[:length], None)
    for wrong in ([], [b"", b""], [1, 2, 3], {}):
        with pytest.raises(AdmitError) as caught:
            ending.prove(cbor.encode(wrong), None)
        assert caught.value.reason == "wipe-file"


def test_a_device_that_dies_in_the_middle_of_a_rotation_is_known_by_its_new_key(site, signer, rig):
    async def half():
        async with visit(Liar(rig), site.wallet("admin"), "kiosk-1") as session:
            met = site.wallet("admin").device("kiosk-1")
            return await rotating.begin(session, site.registry, signer, met, LATER)

    new = run(half())
    data = ended(site, signer, rig)
    assert ending.prove(data, site.anchor.site_id).device.public == new
    assert set(site.registry.dismissed()) == {fingerprint(rig.public), fingerprint(new)}
    assert credential.parse(cbor.decode(data)[1]).public == new


def test_users_who_come_later_learn_that_it_is_gone(site, signer, rig):
    alice = give_door(site, "alice")

    async def come():
        async with visit(Liar(rig), alice, "kiosk-1"):
            pass

    run(come())
    ended(site, signer, rig)
    with pytest.raises(Untrusted) as caught:
        run(come())
    assert caught.value.reason == "device-unproven"
