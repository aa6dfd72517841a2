"""A device goes from one site to the next by vouchers: for whom they are, once, whole or not at all."""

import asyncio
import os

from admit_device import faults
from admit_device.invocations import DONE
from admit_protocol import cbor, coap, coap_numbers, credential, journal, journal_reader, receipt
from admit_protocol.kdf import sha256
from memory_ports import WEDNESDAY, Memory, PowerCut
from owners import EAST, SOUTH, Heir, Owner, described, owners_grant, voucher
from remembered import remembering
from rig import Phone, Site
from visitors import ROUTINES, SITE, Visitor, gate, grant_of, id_of, key_of, new_kiosk, reason

HEAP = "64m"  # every life of a kiosk leaves something in this process
LIMIT_S = 240
END = WEDNESDAY + 3600
AGAIN = range(16) if os.getenv("ADMIT_EXHAUST") else (2,)  # the changes of the next start at which power is cut too


def fetched(**more):
    """(rig of a kiosk with a past, whoever came to fetch it)."""
    rig = new_kiosk(**more)
    assert Visitor(rig).invoke("open").code == coap.CHANGED
    return rig, Heir(rig, [voucher(rig.public)])


def refused(heir, method=coap.POST, **changed):
    code, why = heir.ask(method, **changed)
    assert code >= 0x80, "nothing was refused"
    return why


def records(rig):
    return [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]


# From site to site


def test_a_voucher_brings_a_device_to_its_next_owner_and_nothing_of_the_old_one_comes_along():
    for server in ("radio", "cable"):
        rig = new_kiosk()
        alice = Visitor(rig)
        assert alice.invoke("open").code == coap.CHANGED
        before = rig.public
        heir = Heir(rig, [voucher(rig.public)], server=getattr(rig, server))
        assert heir.take() is None
        assert described(rig)[1] == "commissioned"
        assert rig.scrubbed is False  # the next start does it
        assert described(rig)[2] == heir.paper and rig.public != before
        assert alice.ask(coap.GET, "/r").code == coap_numbers.UNAUTHORIZED  # her session is over
        assert rig.radio.name == "kiosk-1"
        assert [name for name in rig.storage.names() if name.startswith("grant-")] == []
        erin = Owner(rig)
        assert erin.invoke("open").code == coap.CHANGED
        assert [each.kind for each in records(rig)] == [journal.COMMISSIONED, journal.DECISION, journal.INVOCATION]
        rig.boot()
        assert Owner(rig, by_value=False).invoke("open", b"87654321").code == coap.CHANGED


def test_who_counted_at_the_old_site_is_a_stranger_now():
    rig, heir = fetched()
    assert heir.take() is None
    alice = Visitor(rig, by_value=True)
    assert alice.ask(coap.GET, "/r").code >= 0x80
    rig.boot()
    assert Visitor(rig, by_value=False).ask(coap.GET, "/r").code >= 0x80


def test_nobody_of_the_old_site_keeps_a_place_on_the_air():
    rig, heir = new_kiosk(), None
    alice = Visitor(rig)
    assert alice.invoke("open").code == coap.CHANGED
    heir = Heir(rig, [voucher(rig.public)], server=rig.cable)
    assert heir.take() is None
    for _ in range(15):  # she goes on asking for what anybody may have
        rig.pass_s(2.5)
        if alice.number in rig.radio.closed:
            break
        alice.plain(coap.GET, "/.well-known/core")
    assert alice.number in rig.radio.closed


def test_the_log_of_the_old_site_goes_too():
    rig = new_kiosk()
    Visitor(rig).invoke("broken")
    assert "RuntimeError" in repr(faults.lines)
    heir = Heir(rig, [voucher(rig.public)])
    assert heir.take() is None
    assert "RuntimeError" not in repr(faults.lines) and faults.last is None


def test_the_old_owner_gets_a_receipt_by_the_old_key():
    rig = new_kiosk()
    assert Visitor(rig).invoke("open").code == coap.CHANGED
    before, head = rig.public, (rig.device.journal.count, rig.device.journal.head)
    heir = Heir(rig, [voucher(rig.public)])
    assert heir.take() is None
    for _ in range(2):
        code, body = Owner(rig).tell(coap.GET, "/ownership")
        assert code == coap.CONTENT
        told = receipt.parse(body[1])
        receipt.verify(told, before, SITE.anchor.site_id, "kiosk-1", SITE.suite)
        assert (told.voucher, told.to_site) == (sha256(heir.chain[0]), EAST.anchor.site_id)
        assert (told.new_fingerprint, told.at) == (sha256(rig.public), WEDNESDAY)
        assert (told.count, told.head) == head
        rig.boot()


def test_a_receipt_is_for_those_who_count_and_there_is_none_before():
    rig = new_kiosk()
    assert Visitor(rig).ask(coap.GET, "/ownership").code == coap_numbers.NOT_FOUND
    heir = Heir(rig, [voucher(rig.public)])
    assert heir.tell(coap.GET, "/ownership")[1] == "grant-needed"
    assert heir.take() is None
    assert Heir(rig, []).tell(coap.GET, "/ownership")[1] == "grant-needed"


def test_it_may_be_passed_on_before_it_is_fetched():
    rig = new_kiosk()
    first = voucher(rig.public)
    second = voucher(rig.public, EAST, SOUTH, first, 2)
    assert refused(Heir(rig, [first, second])) == "ownership-other-owner"  # it is no longer Erin's
    assert refused(Heir(rig, [second], SOUTH, "sam")) == "voucher-order"
    sam = Heir(rig, [first, second], SOUTH, "sam")
    assert sam.take() is None
    told = receipt.parse(Owner(rig, SOUTH, "sam").tell(coap.GET, "/ownership")[1][1])
    assert (told.voucher, told.to_site) == (sha256(first), SOUTH.anchor.site_id)


def test_it_may_come_back():
    rig, heir = fetched()
    assert heir.take() is None
    back = Heir(rig, [voucher(rig.public, EAST, SITE)], SITE, "admin")
    assert back.take() is None
    assert Visitor(rig).invoke("open").code == coap.CHANGED


def test_who_is_told_the_time_by_its_new_owner():
    rig = new_kiosk()
    rig.clock.seconds = None
    rig.boot()
    heir = Heir(rig, [voucher(rig.public)])
    heir.make_key()
    assert heir.ask(coap.PUT, _4=WEDNESDAY + 7)[0] == coap.CHANGED
    assert (rig.device.clock.now(), rig.device.clock.source) == (WEDNESDAY + 7, "answer")


# Vouchers that count for nothing


def test_a_voucher_used_once_is_used():
    rig, heir = fetched()
    assert heir.take() is None
    again = Heir(rig, heir.chain)
    assert refused(again) == "voucher-used"
    assert refused(again, coap.PUT, _1=heir.paper) == "voucher-used"
    back = Heir(rig, [voucher(rig.public, EAST, SITE)], SITE, "admin")
    assert back.take() is None
    assert refused(Heir(rig, heir.chain)) == "voucher-other-key"  # its first life's, at the same site
    assert described(rig)[2] == back.paper


def test_vouchers_for_others_or_of_others_are_refused_by_name():
    rig, heir = fetched()
    first, other = heir.chain[0], key_of("somebody").public
    for chain, why in (
        ([], "voucher-chain"),
        (first, "voucher-chain"),
        ([b"\x80"], "cose-tag"),
        ([voucher(rig.public, EAST, SITE)], "voucher-other-site"),
        ([voucher(rig.public, Site("site", b"mallory"))], "voucher-other-site"),
        ([voucher(rig.public, Site("site", b"mallory"), from_site=SITE.anchor.site_id)], "cose-signature"),
        ([voucher(rig.public, device_id="kiosk-2")], "voucher-other-device"),
        ([voucher(other)], "voucher-other-key"),
        ([first, first], "voucher-order"),
        ([voucher(rig.public, expires=WEDNESDAY)], "voucher-expired"),
    ):
        for method in (coap.POST, coap.PUT):
            assert refused(heir, method, _2=chain) == why
    assert described(rig)[2] == rig.credential and rig.keystore.changes == 2  # none since it was commissioned


def test_a_voucher_that_ends_is_for_a_device_that_knows_the_time():
    rig = new_kiosk()
    chain = [voucher(rig.public, expires=END)]
    rig.clock.seconds = None
    rig.boot()
    assert refused(Heir(rig, chain)) == "voucher-time-unknown"
    rig.clock.seconds = WEDNESDAY
    heir = Heir(rig, chain)
    heir.make_key()
    rig.clock.pass_s(3600)
    assert refused(heir, coap.PUT) == "voucher-expired"
    assert described(rig)[2] == rig.credential


def test_a_voucher_that_was_taken_back_is_dead_between_the_two_steps_too():
    rig, heir = fetched()
    heir.make_key()
    bundle = SITE.bundle(1, [sha256(heir.chain[0])[:8]])
    assert Visitor(rig).ask(coap.POST, "/bundle", bundle).code == coap.CHANGED
    assert refused(heir, coap.PUT) == "voucher-revoked"
    rig.storage.damaged.append("policy")
    rig.boot()
    assert refused(Heir(rig, heir.chain)) == "policy-damaged"


def test_a_thief_with_the_cable_and_the_voucher_gets_nothing():
    rig, heir = fetched()
    thief = Heir(rig, heir.chain, name="mallory", server=rig.cable)
    expired_rules = [("/r/*", 3, {})]
    for paper, why in (
        (owners_grant(EAST, "erin"), "ownership-other-owner"),  # another's, whose key the thief has not
        (SITE.grant(key_of("mallory").public, [("*", 127, {})], "mallory", ("*",), 9), "ownership-other-owner"),
        (owners_grant(Site("east", b"forger"), "mallory"), "ownership-other-owner"),
        (owners_grant(EAST, "mallory", expired_rules), "ownership-other-owner"),
        (owners_grant(EAST, "mallory", [("*", 127, {5: [1, 60]})]), "ownership-other-owner"),
        (b"\x80", "cose-tag"),
        (None, "ownership-body"),
    ):
        assert refused(thief, _3=paper) == why
    forged = bytearray(owners_grant(EAST, "mallory", number=3))
    forged[-1] ^= 1
    assert refused(thief, _3=bytes(forged)) in ("cose-signature", "cose-form")
    plain = thief.plain(coap.POST, "/ownership", cbor.encode({1: bytes(32), 2: heir.chain, 3: heir.own}))
    assert (plain.code, reason(plain)) == (coap_numbers.UNAUTHORIZED, "session-needed")
    assert rig.keystore.changes == 2 and described(rig)[2] == rig.credential


def test_the_credential_must_be_the_next_owners_for_the_key_that_was_made():
    rig, heir = fetched()
    assert refused(heir, coap.PUT, _1=EAST.vouch("kiosk-1", rig.public, rig.seal_public)) == "ownership-no-key"
    public, seal_public = heir.make_key()
    for paper, why in (
        (rig.credential, "credential-other-site"),
        (SOUTH.vouch("kiosk-1", public, seal_public), "credential-other-site"),
        (EAST.vouch("kiosk-1", rig.public, rig.seal_public), "identity-other-key"),
        (EAST.vouch("kiosk-1", public, rig.seal_public), "identity-other-key"),
        (b"", "cbor-truncated"),
    ):
        assert refused(heir, coap.PUT, _1=paper) == why
    for number, value, why in ((4, 5, "commissioning-time"), (4, None, "commissioning-time"), (5, 1, "ownership-body")):
        assert refused(heir, coap.PUT, **{"_%d" % number: value}) == why
    assert refused(heir, _1=bytes(31)) == "commissioning-contribution"
    assert refused(heir, _4=1) == "ownership-body"
    assert described(rig)[2] == rig.credential


def test_the_key_is_made_once_for_each_next_owner():
    rig, heir = fetched()
    publics = heir.make_key()
    assert heir.make_key() == publics
    rig.boot()
    later = Heir(rig, [voucher(rig.public, issued_at=WEDNESDAY - 50)])  # another voucher, to the same site
    assert later.make_key() == publics
    sam = Heir(rig, [voucher(rig.public, to=SOUTH)], SOUTH, "sam")
    assert sam.make_key() != publics
    assert later.make_key() != publics  # one place: the one before was forgotten


def test_a_routine_of_the_old_site_is_not_carried_along():
    rig, heir = fetched()
    heir.make_key()

    async def story():
        waiting = Visitor(rig, "bob")
        assert waiting.invoke("wait") is None
        await asyncio.sleep(0)
        assert refused(heir, coap.PUT) == "routine-running"
        gate.shut = False
        for _ in range(4):
            await asyncio.sleep(0)
        assert heir.take() is None

    asyncio.run(story())


# Power


class Shared(Memory):
    """Key store or storage; both count changes on one `meter`, at whose end the power goes, for good."""

    meter = None

    def put(self, name, data):
        if self.meter[0] == 0 and name not in self.damaged:  # a write in place tears
            self.files[name] = b""
            self.damaged.append(name)
        self.write(name, data)

    def _change(self):
        if self.meter[0] == 0:
            raise PowerCut()
        self.meter[0] -= 1


def with_a_past():
    """What key store and storage hold of a kiosk that was visited, told of a revocation, and promised to East."""
    rig, heir = fetched()
    bundle = SITE.bundle(1, [id_of(grant_of("bob"))])
    assert Visitor(rig).ask(coap.POST, "/bundle", bundle).code == coap.CHANGED
    return rig, heir.chain


def revived(rig, chain, meter):
    """The same kiosk on such a meter, and Erin, who may find it fetched already."""
    life = new_kiosk()
    stores = Shared(), Shared()
    for store, old in zip(stores, (rig.keystore, rig.storage)):
        store.meter = meter
        store.files = {name: value[:] if isinstance(value, list) else value for name, value in old.files.items()}
    life.keystore, life.storage = stores
    life.credential, life.public = rig.credential, rig.public
    life.namespace = ROUTINES
    return life


@remembering
def test_a_power_cut_at_any_change_leaves_it_with_one_owner_or_the_other():
    past, chain = with_a_past()
    meter, owners = [1 << 20], []
    life = revived(past, chain, meter)
    life.boot()
    started = meter[0]
    assert Heir(life, chain).take() is None
    changes = started - meter[0]
    for cut in range(changes + 1):
        found = {cut_at(past, chain, cut, again) for again in AGAIN}
        assert len(found) == 1
        owners += list(found)
    assert owners == sorted(owners) and set(owners) == {0, 1}  # once it is East's it never is the old site's again
    assert changes >= 8


def cut_at(past, chain, cut, again):
    """Whose it is, 0 or 1, after a power cut at that change of being fetched, and one at `again` in the next start."""
    meter = [1 << 20]
    life = revived(past, chain, meter)
    life.boot()
    heir = Heir(life, chain)
    meter[0] = cut
    try:
        heir.take()
    except PowerCut:
        pass
    meter[0] = again
    try:
        life.boot()
    except PowerCut:
        pass
    meter[0] = 1 << 20
    life.boot()
    data = described(life)[2]
    if data == past.credential:
        check_still_the_old_sites(life, past)
        life.credential = data
        if cut % 3 == 0:
            assert Heir(life, chain).take() is None
            check_the_new_sites(life, past)
        return 0
    assert data == heir.paper
    life.credential = data
    check_the_new_sites(life, past)
    return 1


def check_still_the_old_sites(life, past):
    assert Visitor(life, by_value=False).invoke("open", b"23456789").code == coap.CHANGED
    assert reason(Visitor(life, "bob").ask(coap.GET, "/r")) == "grant-revoked"
    assert life.device.access.epoch == 1 and life.device.journal.count > 3
    again = Visitor(life, by_value=False).invoke("open")  # what was done before is remembered
    assert cbor.decode(again.payload)[1] == DONE


def check_the_new_sites(life, past):
    public = credential.parse(described(life)[2]).public
    assert life.device.access.epoch == 0 and not any([each.startswith("grant-") for each in life.storage.names()])
    erin = Owner(life)
    assert erin.invoke("open").code == coap.CHANGED
    code, body = erin.tell(coap.GET, "/ownership")
    told = receipt.parse(body[1])
    receipt.verify(told, past.public, SITE.anchor.site_id, "kiosk-1", SITE.suite)
    assert told.count >= past.device.journal.count and told.new_fingerprint == sha256(public)
    kinds = [each.kind for each in records(life)]
    assert kinds[0] == journal.COMMISSIONED and kinds.count(journal.COMMISSIONED) == 1


def test_storage_that_refuses_leaves_the_old_site_or_comes_back_clean():
    rig, heir = fetched()
    heir.make_key()
    rig.keystore.full = True
    assert refused(heir, coap.PUT) == "storage-full"
    assert described(rig)[2] == rig.credential
    assert Visitor(rig, by_value=False).invoke("open", b"23456789").code == coap.CHANGED
    rig.keystore.full, rig.storage.full = False, True
    assert heir.ask(coap.PUT)[0] == coap.CHANGED  # the one write is done
    rig.pass_s(2)
    assert rig.restarted is False  # it was told to start again, without the REPL
    for _ in range(2):  # until storage lets go of the past, it serves nobody
        assert described(rig)[1] == "dying"
        shut = Phone(rig).plain(coap.POST, "/.well-known/edhoc")
        assert (shut.code, reason(shut)) == (coap_numbers.NOT_FOUND, "resource-unknown")
        rig.boot()
    rig.storage.full = False
    rig.boot()
    rig.credential = heir.paper
    assert Owner(rig).invoke("open").code == coap.CHANGED
