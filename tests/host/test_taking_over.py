"""Takeovers of a real site's device by another real site: what is asked of it, what is kept, and who lies between."""

from unittest import mock

import pytest

from admit import admin, collect, journal_store, keyfiles, rotating, succeeding, takeovers, taking_over, waiting
from admit.connection import Connection
from admit.suite import HostSuite
from admit.visit import visit
from admit_protocol import anchor, cbor, coap, credential, takeover
from admit_protocol.errors import AdmitError
from liars import Liar
from rig import Site as Forger
from rotating_site import LATER, run
from sites import NOW, PASSPHRASE, passphrase

pytestmark = pytest.mark.usefixtures("later")
DAY = 86400
PEOPLE = [HostSuite().generate() for _ in range(3)]


@pytest.fixture
def other(tmp_path):
    """The site that takes over."""
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        made = admin.create_site(tmp_path / "other", "Other", PASSPHRASE, "admin", {"tz": "UTC"}, NOW)
    yield made
    made.registry.close()


def taught(site, signer, rig):
    """The recovery file, once the device has heard of it."""
    recovery = takeovers.set_keys(site, signer, [key.public for key in PEOPLE], 2, DAY, LATER)
    assert keep_up(site, signer, rig).number == 0  # before
    return recovery


def keep_up(site, signer, rig):
    """An admin's visit: how it stood."""

    async def go():
        vouched = site.registry.device("kiosk-1").credential
        async with visit(Liar(rig), site.wallet("admin"), "kiosk-1", vouched=vouched) as session:
            return await taking_over.keep_up(session, site, signer, "kiosk-1", LATER)

    return run(go())


def signed(recovery, other, people=PEOPLE[:2]):
    made = takeovers.prepare(recovery, other.anchor, ["kiosk-*"], LATER, LATER + DAY)
    for key in people:
        made = takeovers.sign(made, key)
    return takeovers.open_takeover(made.encode())


def begin(rig, made):
    """What the registry of the other site keeps."""

    async def go():
        async with Connection(Liar(rig)) as connection:
            data, told = await taking_over.begin(connection, made, "kiosk-1", HostSuite().generate())
            return taking_over.begun(made, data, told, LATER)

    return run(go())


def let_pass(rig):
    """A day under power, at whose end it restarts."""
    for _ in range(24):
        rig.pass_s(3600)
    assert rig.restarted is False
    rig.boot()


def adopt(way, other, row):
    async def go():
        async with Connection(way) as connection:
            owner = other.authority(passphrase), other.wallet("admin")
            return await taking_over.adopt(connection, other, *owner, row, "kiosk-1", lambda words: None)

    return run(go())


def refused(call, *arguments):
    with pytest.raises(AdmitError) as caught:
        call(*arguments)
    return caught.value.reason


def test_it_is_begun_waits_and_is_adopted_and_both_registries_know(site, signer, rig, other):
    recovery = taught(site, signer, rig)
    assert site.registry.recovery_waiting() == []
    row = begin(rig, signed(recovery, other))
    assert (row.device_id, row.credential, row.left_s) == ("kiosk-1", rig.credential, DAY)
    other.registry.keep_begun(row)
    keep_up(site, signer, rig)
    assert site.registry.takeovers_seen()["kiosk-1"].left_s == DAY
    assert refused(adopt, Liar(rig), other, row) == "takeover-waits"
    let_pass(rig)
    for _ in range(2):
        known = adopt(Liar(rig), other, other.registry.takeover_begun("kiosk-1"))
        assert (known.public, known.site_id) == (rig.public, other.anchor.site_id)
    assert other.registry.device("kiosk-1").public == rig.public


def test_whoever_answers_in_an_orphans_place_is_signed_for_by_nobody(site, signer, rig, other):
    row = begin(rig, signed(taught(site, signer, rig), other))
    let_pass(rig)

    class Impostor(Liar):
        def answer(self, request):
            forger, key = Forger("forger", b"forger"), HostSuite().generate()
            body = {1: "orphan", 2: forger.vouch("kiosk-1", key.public), 3: {}, 4: 512}
            return coap.response(coap.CONTENT, cbor.encode(body), coap.CONTENT_CBOR)

    assert refused(adopt, Impostor(rig), other, row) == "takeover-other-key"
    assert other.registry.devices() == []


def test_a_veto_shows_at_the_next_visit(site, signer, rig, other):
    made = signed(taught(site, signer, rig), other)
    row = begin(rig, made)
    keep_up(site, signer, rig)

    async def veto():
        async with visit(Liar(rig), site.wallet("admin"), "kiosk-1") as session:
            assert (await waiting.ask(session)).words.nonce == made.words.nonce
            await taking_over.veto(session)

    run(veto())
    assert keep_up(site, signer, rig).said is None and site.registry.takeovers_seen() == {}

    async def left():
        async with Connection(Liar(rig)) as connection:
            return await taking_over.left(connection, row, HostSuite().generate())

    assert refused(run, left()) == "takeover-gone"


def test_recovery_keys_outlive_the_authoritys_own(site, signer, rig, other):
    recovery = taught(site, signer, rig)
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        succeeding.succeed(site, signer, LATER, 30 * DAY)
    later = site.authority(passphrase)
    renewed = takeovers.signed_now(site, later, site.registry.recovery_policy())
    assert renewed != recovery.data and takeover.parse_policy(renewed).hash == recovery.policy.hash
    again = takeovers.open_recovery(takeovers.Recovery(site.anchor, recovery.data).encode())
    assert again.policy.hash == recovery.policy.hash
    assert begin(rig, signed(recovery, other)).left_s == DAY


def test_the_other_sites_authority_may_change_its_keys_while_it_waits(site, signer, rig, other):
    row = begin(rig, signed(taught(site, signer, rig), other))
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        succeeding.succeed(other, other.authority(passphrase), LATER, 30 * DAY)
    let_pass(rig)
    known = adopt(Liar(rig), other, row)
    credential.verify(known, other.anchor, HostSuite())


def test_the_journal_of_a_device_that_had_exchanged_its_key_is_read_all_the_same(site, signer, rig, other):
    run(rotating.exchange(lambda: Liar(rig), site, signer, site.wallet("admin"), "kiosk-1", LATER, lambda words: None))
    row = begin(rig, signed(taught(site, signer, rig), other))
    let_pass(rig)
    adopt(Liar(rig), other, row)

    async def journal():
        async with visit(Liar(rig), other.wallet("admin"), "kiosk-1") as session:
            start, _ = journal_store.position(other.registry, "kiosk-1")
            page = await collect.fetch_journal(session, start)
            return journal_store.collect(other.registry, "kiosk-1", page, LATER)

    assert run(journal()).gap is None
    checked = journal_store.verify(other.registry, "kiosk-1")
    assert checked.gaps == [(0, 0)] and checked.records > 8


def test_files_that_do_not_hold_together_are_refused_by_name(site, signer, other):
    recovery = takeovers.set_keys(site, signer, [key.public for key in PEOPLE], 2, DAY, LATER)
    second = takeovers.set_keys(site, signer, [key.public for key in PEOPLE[1:]], 2, DAY, LATER)
    assert (recovery.policy.number, second.policy.number) == (1, 2)
    made = signed(recovery, other)
    for changed, why in (
        ([other.anchor.encode(), recovery.data, made.said, []], "cose-signature"),
        ([site.anchor.encode(), second.data, made.said, []], "takeover-other-policy"),
        ([site.anchor.encode(), recovery.data, b"", []], "cbor-truncated"),
        ([site.anchor.encode(), recovery.data], "takeover-file"),
    ):
        assert refused(takeovers.open_takeover, cbor.encode(changed)) == why
    assert refused(takeovers.sign, made, HostSuite().generate()) == "takeover-unknown-key"
    assert refused(takeovers.prepare, recovery, site.anchor, None, LATER, LATER + 1) == "takeover-structure"
    forged = takeovers.Recovery(anchor.Anchor(PEOPLE[0].public, PEOPLE[1].public, "Test site"), recovery.data)
    assert refused(takeovers.open_recovery, forged.encode()) == "cose-signature"
