"""A takeover: who may begin one, that everybody sees it, that a veto ends it, how it waits, and its end."""

import os

from admit_protocol import (
    anchor,
    cbor,
    coap,
    coap_numbers,
    cose,
    credential,
    issuing,
    journal,
    journal_reader,
    succession,
)
from admit_protocol.kdf import sha256
from memory_ports import WEDNESDAY, PowerCut
from newcomers import sign_key_of
from owners import EAST, SOUTH, Heir, Owner, described, voucher
from power_supply import Powered, Supply
from rig import Phone, Site
from takeovers import DAY, HOUR, NONCE, Holder, policy_paper, signatures, veto_paper, words_data
from visitors import SITE, Visitor, grant_of, id_of, new_kiosk, reason

HEAP = "64m"
LIMIT_S = 240
OTHER = b"takeover nonce 2"
EVERY = 1 if os.getenv("ADMIT_EXHAUST") else 5  # which of the cut points


def taught():
    """(rig of a kiosk that knows recovery keys, whoever brought them)."""
    rig = new_kiosk()
    holder = Holder(rig)
    assert holder.teach() is None
    return rig, holder


def begun(**more):
    """The same, and a takeover waits."""
    rig, holder = taught()
    words = words_data(**more)
    assert holder.begin(words) is None
    return rig, holder


def pending(rig):
    """What the kiosk shows to anybody: [site id, seconds left, signatures], or None."""
    return described(rig).get(10)


def records(rig):
    """[what, extra] of what the journal says of takeovers."""
    found = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
    return [(each.what, each.extra) for each in found if each.kind == journal.TAKEOVER]


def wait(rig, hours):
    """So many hours under power."""
    for _ in range(hours):
        rig.pass_s(HOUR)


def veto(rig, name="alice", **more):
    """An admin's veto; None, or the reason why not."""
    response = Visitor(rig, name, **more).ask(coap.DELETE, "/takeover")
    return None if response.code == coap.DELETED else reason(response)


# The beginning


def test_it_begins_with_enough_signatures_and_everybody_sees_it():
    rig, holder = begun()
    assert pending(rig) == [EAST.anchor.site_id, DAY, 2]
    wait(rig, 1)
    rig.pass_s(60)
    assert pending(rig) == [EAST.anchor.site_id, DAY - HOUR - 60, 2]
    assert rig.outputs.get("takeover") == "23"
    alice = Visitor(rig)
    health = cbor.decode(alice.ask(coap.GET, "/health").payload)
    assert health["faults"] == ["takeover: by another site in 22 h"]
    assert alice.invoke("open").code == coap.CHANGED  # all goes on meanwhile
    told = Holder(rig).look()
    assert told[1] == policy_paper() and told[2][0] == words_data()
    assert sorted(told[2][2]) == sorted([sha256(sign_key_of(name).public) for name in ("ada", "bo")])
    keys = b"".join([each[:8] for each in told[2][2]])
    assert records(rig) == [("policy", {3: 1}), ("begun", {10: EAST.anchor.site_id, 11: keys})]
    assert Holder(rig).begin() is None  # again is as good as once
    assert len(records(rig)) == 2


def test_without_a_recovery_policy_nobody_takes_it_over():
    rig = new_kiosk()
    holder = Holder(rig)
    assert holder.begin() == "takeover-none" and holder.veto() == "takeover-none"
    assert holder.look() == {} and pending(rig) is None and rig.device.takeover[0] is None


def test_what_is_not_signed_by_enough_of_them_for_this_site_begins_nothing():
    rig, holder = taught()
    good = words_data()
    forged = bytearray(signatures(good)[1])
    forged[-1] ^= 1
    for words, signed, why in (
        (good, signatures(good, ("ada",)), "takeover-too-few"),
        (good, [], "takeover-too-few"),
        (good, signatures(good, ("ada",)) * 2, "takeover-structure"),
        (good, signatures(good, ("ada", "eve")), "takeover-unknown-key"),
        (words_data(site=SOUTH), signatures(words_data(site=SOUTH)), "takeover-other-site"),
        (words_data(policy=policy_paper(2)), None, "takeover-other-policy"),
        (words_data(devices=["kiosk-2", "lobby-*"]), None, "takeover-other-device"),
        (words_data(expires=WEDNESDAY), None, "takeover-expired"),
        (b"\x80", [], "takeover-structure"),
        (good, signatures(words_data(OTHER)), "takeover-other-words"),  # the first that makes it verify
    ):
        assert holder.begin(words, signatures(words) if signed is None else signed) == why, why
    rig.pass_s(61)
    holder = Holder(rig)
    assert holder.begin(good, [signatures(good)[0], bytes(forged)]) in ("cose-signature", "cose-form")
    assert holder.tell(coap.POST, "/takeover", {1: b"", 2: b""})[1] == "takeover-body"
    plain = Phone(rig).plain(coap.POST, "/takeover", b"\xa0")
    assert (plain.code, reason(plain)) == (coap_numbers.UNAUTHORIZED, "session-needed")
    assert pending(rig) is None and [what for what, _ in records(rig)] == ["policy"]


def test_who_makes_it_verify_waits_a_minute():
    rig, holder = taught()
    good, other = words_data(), words_data(OTHER)
    assert holder.begin(good, [signatures(good)[0], signatures(other)[1]]) == "takeover-other-words"
    assert holder.begin(other, signatures(other)) == "takeover-wait"
    rig.pass_s(61)
    assert Holder(rig).begin(other, signatures(other)) is None


def test_a_policy_is_the_authoritys_and_only_a_later_one_replaces_it():
    rig, holder = taught()
    assert holder.teach(policy_paper(2, site=SOUTH)) == "paper-other-site"
    assert holder.teach(policy_paper()) is None  # the same
    assert holder.teach(policy_paper(1, threshold=3)) == "takeover-stale"
    assert holder.teach(policy_paper(2, people=("ada", "cy"))) is None
    assert holder.begin() == "takeover-other-policy"  # bo's key was burnt
    assert [what for what, _ in records(rig)] == ["policy", "policy"]


# The veto


def test_a_takeover_that_a_thief_began_is_vetoed_and_stays_so():
    rig, thief = begun()
    wait(rig, 5)
    assert veto(rig) is None
    assert pending(rig) is None and rig.outputs.get("takeover") == ""
    assert [what for what, _ in records(rig)] == ["policy", "begun", "vetoed"]
    wait(rig, 48)
    assert rig.restarted is None and described(rig)[2] == rig.credential
    thief = Holder(rig)
    assert thief.begin() == "takeover-vetoed"
    rig.boot()
    assert Holder(rig).begin() == "takeover-vetoed"
    assert veto(rig, by_value=False) == "takeover-none"
    assert Holder(rig).begin(words_data(OTHER)) is None  # … again: it waits twice as long
    assert pending(rig)[1] == 2 * DAY
    assert veto(rig, by_value=False) is None
    again = Holder(rig)
    assert again.teach(policy_paper(2)) is None and again.look()[3] == 0


def test_only_whom_a_rule_lets_vetoes_and_a_damaged_policy_is_not_in_the_way():
    rig, holder = begun()
    assert veto(rig, "bob", rules=[("/r/open", 3, {})]) == "rule-none"
    assert holder.tell(coap.DELETE, "/takeover")[1] == "grant-needed"
    bundle = SITE.bundle(1, [id_of(grant_of("carol"))])
    assert Visitor(rig).ask(coap.POST, "/bundle", bundle).code == coap.CHANGED
    assert veto(rig, "carol") == "grant-revoked"
    rig.storage.damaged.append("policy")
    rig.boot()
    assert pending(rig)[1] == DAY
    assert veto(rig, by_value=False) is None


def test_the_authority_vetoes_by_a_paper_from_afar_before_it_began_too():
    rig, holder = begun()
    assert holder.veto(veto_paper(OTHER)) is None and pending(rig) is not None
    assert holder.veto(veto_paper(site=SOUTH)) == "paper-other-site"
    assert holder.veto() is None and holder.veto() is None
    assert pending(rig) is None
    rig.pass_s(61)
    for nonce in (NONCE, OTHER):
        assert Holder(rig).begin(words_data(nonce)) == "takeover-vetoed"
    assert Holder(rig).look()[3] == 2


def test_nothing_wears_the_vetoes_out():
    rig, holder = taught()
    kept = cbor.decode(rig.storage.read("takeover"))
    rig.storage.write("takeover", cbor.encode(kept[:-1] + [[b"%016d" % number for number in range(15)]]))
    for number in (16, 17):
        assert holder.veto(veto_paper(b"%016d" % number)) is None
    assert holder.look()[3] == 16
    count, changes = rig.device.journal.count, rig.storage.changes
    assert holder.veto(veto_paper(b"%016d" % 17)) is None  # nor does who brings one again and again wear the flash
    assert (rig.device.journal.count, rig.storage.changes) == (count, changes)
    assert Holder(rig).begin(words_data(b"%016d" % 17)) == "takeover-vetoed"


# The wait


def test_it_waits_under_power_whatever_the_clocks_say():
    rig, holder = begun()
    wait(rig, 10)
    rig.clock.seconds += 400 * DAY  # somebody sets the board's clock
    rig.device.expire()
    assert pending(rig)[1] == DAY - 10 * HOUR
    rig.pass_s(1800)
    rig.boot()  # the hour that had begun counts anew
    assert pending(rig)[1] == DAY - 10 * HOUR
    for _ in range(6):
        rig.pass_s(HOUR - 1)
        rig.boot()
    assert pending(rig)[1] == DAY - 10 * HOUR
    assert [what for what, _ in records(rig)].count("waits") == 7


def test_a_timer_that_a_veto_left_behind_shortens_nothing():
    rig, holder = begun()
    rig.pass_s(HOUR // 2)
    assert veto(rig) is None
    rig.pass_s(60)
    assert Holder(rig).begin(words_data(OTHER)) is None
    rig.pass_s(HOUR // 2)
    assert rig.device.takeover[0][1] == 2 * DAY and pending(rig)[1] == 2 * DAY - HOUR // 2


def test_while_it_waits_keys_owner_and_recovery_keys_stay():
    rig, holder = begun()
    alice, rotate = Visitor(rig), cbor.encode({4: 1, 1: bytes(32)})
    assert reason(alice.ask(coap.POST, "/identity", rotate)) == "takeover-pending"
    assert reason(alice.ask(coap.POST, "/identity", cbor.encode({4: 3, 6: "gone"}))) == "takeover-pending"
    assert Heir(rig, [voucher(rig.public)]).ask(coap.POST)[1] == "takeover-pending"
    assert holder.teach(policy_paper(2)) == "takeover-pending"
    assert holder.begin(words_data(OTHER)) == "takeover-pending"


def test_damage_ends_what_waits_and_completes_nothing():
    rig, holder = begun()
    rig.storage.damaged.append("takeover")
    wait(rig, 30)
    assert rig.restarted is None and pending(rig) is None
    assert records(rig)[-1][0] == "damaged" and "takeover" not in rig.storage.names()
    rig, holder = begun()
    rig.storage.damaged.append("takeover")
    rig.boot()
    wait(rig, 30)
    assert pending(rig) is None and described(rig)[1] == "commissioned"
    assert Holder(rig).teach() is None


def test_storage_that_refuses_never_completes_it_and_its_veto_is_told():
    rig, holder = begun()
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
    rig.storage.full = True
    wait(rig, 26)
    assert rig.restarted is None and described(rig)[1] == "commissioned"
    assert veto(rig, by_value=False) == "storage-full"
    rig.storage.full = False
    rig.pass_s(61)
    assert rig.restarted is False  # now


# The end


def taken_over():
    """A kiosk whose wait is over."""
    rig, holder = begun()
    Visitor(rig).invoke("open")
    wait(rig, 24)
    assert rig.restarted is False
    rig.boot()
    return rig


def put(rig, data, server=None):
    """(CoAP code, reason) of PUT /identity by whoever comes."""
    response = Phone(rig, server=server).plain(coap.PUT, "/identity", cbor.encode({1: data}))
    return response.code, None if response.code == coap.CHANGED else reason(response)


def test_at_its_end_only_the_next_sites_credential_makes_it_a_device_again():
    rig = taken_over()
    told = described(rig)
    assert told[1] == "orphan" and told[2] == rig.credential and rig.radio.name == "kiosk-1"
    assert [name for name in rig.storage.names() if name.startswith("grant-")] == []
    for server in (rig.radio, rig.cable):
        phone = Phone(rig, server=server)
        edhoc = phone.plain(coap.POST, "/.well-known/edhoc", b"\xf5\x00")
        assert edhoc.code == coap_numbers.NOT_FOUND
        for method, path in ((coap.GET, "/release"), (coap.POST, "/reset"), (coap.GET, "/r"), (coap.GET, "/journal")):
            assert phone.plain(method, path, cbor.encode({1: 1})).code == coap_numbers.UNAUTHORIZED, path
        body = cbor.encode({1: bytes(32)})
        assert reason(phone.plain(coap.POST, "/identity", body)) == "takeover-orphan"
        whole = cbor.encode({1: rig.credential, 2: SITE.anchor.encode(), 3: WEDNESDAY})
        assert reason(phone.plain(coap.PUT, "/identity", whole)) == "takeover-orphan"
    other = sign_key_of("eve").public
    for paper, why in (
        (SITE.vouch("kiosk-1", rig.public, rig.seal_public), "credential-other-site"),
        (SOUTH.vouch("kiosk-1", rig.public, rig.seal_public), "credential-other-site"),
        (EAST.vouch("kiosk-1", other, rig.seal_public), "identity-other-key"),
        (EAST.vouch("kiosk-1", rig.public, other), "identity-other-key"),
        (b"", "cbor-truncated"),
    ):
        assert put(rig, paper)[1] == why
    paper = EAST.vouch("desk-1", rig.public, rig.seal_public)
    assert put(rig, paper) == (coap.CHANGED, None)
    check_easts(rig, paper)


def check_easts(rig, paper, boots=1):
    """It is East's in everything, and its journal tells how that came."""
    for _ in range(boots + 1):
        assert (described(rig)[1], described(rig)[2]) == ("commissioned", paper)
        rig.credential = paper
        assert rig.device.access.epoch == 0 and "takeover" not in rig.storage.names()
        found = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
        assert [each.seq for each in found] == list(range(len(found)))
        told = [(each.kind, each.what) for each in found]
        assert told.index((journal.TAKEOVER, "begun")) < told.index((journal.TAKEOVER, "done"))
        assert (journal.COMMISSIONED, "desk-1") in told[told.index((journal.TAKEOVER, "done")) :]
        rig.boot()
    assert put(rig, paper)[0] >= 0x80  # it is nobody's to hand out again


def test_its_next_sites_authority_may_have_changed_its_keys_meanwhile():
    rig = taken_over()
    later, forged = Site("east", b"east later"), Site("east", b"forger")
    chain = [
        succession.sign(EAST.key, each.key, EAST.anchor.site_id, 1, each.ecdh.public, WEDNESDAY, WEDNESDAY + DAY)
        for each in (later, forged)
    ]
    torn = cose.sign1(forged.key, cose.parse_sign1(chain[1]).payload, cose.SUCCESSION)
    first, kid = (EAST.key.public, EAST.ecdh.public, "East"), credential.kid(rig.public)
    said = EAST.anchor.site_id, "kiosk-1", rig.public, kid, WEDNESDAY, rig.seal_public
    body = {1: issuing.credential(later.key, *said), 2: SOUTH.anchor.encode()}
    assert reason(Phone(rig, server=rig.cable).plain(coap.PUT, "/identity", cbor.encode(body))) == "takeover-other-site"
    for steps, key, why in (
        ([torn], forged.key, "cose-signature"),
        ([], later.key, "cose-signature"),
        ([chain[0]], later.key, None),
    ):
        body = {1: issuing.credential(key, *said), 2: anchor.Anchor(*first, steps).encode()}
        response = Phone(rig, server=rig.cable).plain(coap.PUT, "/identity", cbor.encode(body))
        assert (None if response.code == coap.CHANGED else reason(response)) == why
    assert (described(rig)[1], described(rig)[2]) == ("commissioned", body[1])
    rig.boot()
    assert rig.device.identity.anchor.sign_public == later.key.public and rig.device.identity.anchor.number == 1


def test_its_next_sites_people_count_and_the_old_ones_do_not():
    rig = taken_over()
    assert put(rig, EAST.vouch("kiosk-1", rig.public, rig.seal_public))[0] == coap.CHANGED
    rig.credential = described(rig)[2]
    assert Owner(rig).invoke("open", b"12345678").code == coap.CHANGED
    assert Visitor(rig, by_value=True).ask(coap.GET, "/r").code >= 0x80
    assert Holder(rig).begin() == "takeover-none"  # a replay of what is done


# Power


class Kiosk(Powered):
    site = SITE

    def identify(self, past):
        self.credential, self.public, self.seal_public = past.credential, past.public, past.seal_public
        return self


def revived(past, supply=None):
    kiosk = Kiosk((past.storage.files, past.keystore.files)).identify(past)
    kiosk.power(supply or Supply())
    return kiosk


def cuts(past, act, check):
    """Power is cut at some of all changes of `act(kiosk)`, and at one of the next start; `check(kiosk)` after that."""
    supply = Supply()
    act(revived(past, supply))
    for cut in range(0, supply.changes, EVERY):
        kiosk = revived(past, Supply(cut))
        for again in (None, 1):
            try:
                act(kiosk) if again is None else kiosk.boot()
            except PowerCut:
                pass
            kiosk.power(Supply(1 if again is None else None))
        kiosk.power(Supply())
        kiosk.boot()
        check(kiosk, cut)
    return supply.changes


def test_a_power_cut_at_the_beginning_leaves_it_begun_or_not():
    past, _ = taught()

    def check(kiosk, cut):
        assert pending(kiosk) in (None, [EAST.anchor.site_id, DAY, 2])
        assert Holder(kiosk).begin() is None
        assert pending(kiosk) == [EAST.anchor.site_id, DAY, 2]

    assert cuts(past, lambda kiosk: Holder(kiosk).begin(), check) >= 2


def test_a_power_cut_at_a_veto_leaves_it_vetoed_or_waiting():
    past, _ = begun()

    def check(kiosk, cut):
        assert (pending(kiosk) is None) or pending(kiosk)[1] == DAY
        assert veto(kiosk) in (None, "takeover-none")
        assert pending(kiosk) is None and Holder(kiosk).begin() == "takeover-vetoed"

    assert cuts(past, veto, check) >= 2


def test_a_power_cut_at_the_end_leaves_it_the_old_sites_or_an_orphan_whose_journal_is_whole():
    past, _ = begun()
    Visitor(past).invoke("open")
    wait(past, 23)
    owners = []

    def check(kiosk, cut):
        told = described(kiosk)
        owners.append(told[1])
        if told[1] == "commissioned":
            assert Visitor(kiosk, by_value=False).ask(coap.GET, "/r").code == coap.CONTENT
            wait(kiosk, 2)
            assert kiosk.restarted is False
            kiosk.boot()
        assert described(kiosk)[1] == "orphan"
        paper = EAST.vouch("desk-1", kiosk.public, kiosk.seal_public)
        assert put(kiosk, paper)[0] == coap.CHANGED
        check_easts(kiosk, paper, boots=0)

    def end(kiosk):
        wait(kiosk, 1)

    assert cuts(past, end, check) >= 6
    assert owners == sorted(owners) and len(set(owners)) == 2


def test_a_power_cut_at_the_adoption_leaves_an_orphan_or_easts():
    past = taken_over()
    paper = EAST.vouch("desk-1", past.public, past.seal_public)

    def check(kiosk, cut):
        if described(kiosk)[1] == "orphan":
            assert put(kiosk, paper)[0] == coap.CHANGED
        check_easts(kiosk, paper, boots=0)

    assert cuts(past, lambda kiosk: put(kiosk, paper), check) >= 2
