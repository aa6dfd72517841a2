"""A phone's key is let in by an invite, once, or by an admin beside it; and by nothing else."""

from admit_protocol import cbor, coap, coap_numbers, cose, grant, issuing, journal, journal_reader
from memory_ports import WEDNESDAY, PowerCut
from newcomers import (
    OPEN,
    Admin,
    Newcomer,
    Returning,
    invite_key,
    new_invite,
    redeemed,
    sign_key_of,
)
from rig import Site
from visitors import SITE, Visitor, key_of, new_kiosk, reason

OTHER_SECRET = bytes(16)


def opens(visitor, identifier=b"12345678"):
    answer = visitor.invoke("open", identifier)
    return None if answer.code == coap.CHANGED else reason(answer)


def records(rig, kind):
    found = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
    return [each for each in found if each.kind == kind]


def leave(rig, visitor):
    """The phone goes, and the kiosk forgets its session."""
    rig.radio.listener.closed(visitor.number)
    rig.pass_s(700)


# By an invite


def test_an_invite_lets_a_phone_in_at_once_and_at_the_next_visit():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    assert opens(zoe) == "grant-needed"
    assert zoe.redeem(invited) is None
    assert opens(zoe) is None
    leave(rig, zoe)
    rig.boot()
    assert opens(Returning(rig, "zoe", redeemed(invited, zoe.key)), b"23456789") is None


def test_it_is_written_down_by_whom_and_by_which_invite():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    assert zoe.redeem(invited) is None
    (record,) = records(rig, journal.ENROLLED)
    assert (record.who, record.outcome) == (journal.person(zoe.key.public), journal.DONE)
    assert record.extra[journal.BY] == grant.parse(invited).id


def test_an_invite_for_one_lets_one_in():
    rig = new_kiosk()
    invited, zoe, yan = new_invite(), Newcomer(rig), Newcomer(rig, "yan")
    assert zoe.redeem(invited) is None
    assert yan.redeem(invited) == "invite-used"
    assert opens(yan) == "grant-needed"
    rig.boot()
    assert Newcomer(rig, "yan").redeem(invited) == "invite-used"


def test_an_invite_for_three_lets_three_in():
    rig = new_kiosk()
    invited = new_invite(3)
    for name in ("zoe", "yan", "xia", "wim"):
        phone = Newcomer(rig, name)
        assert phone.redeem(invited) == (None if name != "wim" else "invite-used")
        leave(rig, phone)
    assert len(records(rig, journal.ENROLLED)) == 3


def test_again_is_as_good_as_once_for_the_same_key():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    assert zoe.redeem(invited) is None
    changes = rig.storage.changes
    assert zoe.redeem(invited) is None
    assert rig.storage.changes == changes  # neither counted nor written down again
    leave(rig, zoe)
    again = Newcomer(rig)  # whose wallet lost the answer: another delegation, the same key
    assert again.redeem(invited, redeemed(invited, again.key, number=2)) is None
    assert opens(again) is None
    assert len(records(rig, journal.ENROLLED)) == 1


def test_power_fails_at_every_write_and_the_invite_is_used_once_or_not_at_all():
    invited, cut = new_invite(), 0
    while True:
        rig = new_kiosk()
        zoe = Newcomer(rig)
        assert zoe.tell(coap.GET, "/enrol") == (coap.CHANGED, None)
        rig.storage.cut_after = cut
        try:
            result = zoe.redeem(invited)
        except PowerCut:
            result = "cut"
        rig.storage.cut_after = None
        rig.boot()
        if result is None:
            break
        is_in = bool([each for each in rig.storage.files if each.startswith("invite-")])
        yan = Newcomer(rig, "yan")
        if is_in:  # zoe has it, whatever she was told
            assert yan.redeem(invited) == "invite-used"
            assert Newcomer(rig).redeem(invited) is None
            assert yan.redeem(invited) == "invite-used"
        else:  # nobody has
            assert yan.redeem(invited) is None
            assert Newcomer(rig).redeem(invited) == "invite-used"
        cut += 1
    assert cut >= 3  # the record, the count, the grant


def test_storage_refuses_and_nobody_is_in():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    zoe.tell(coap.GET, "/enrol")
    rig.storage.full = True
    assert zoe.redeem(invited) == "storage-full"
    assert opens(zoe) in ("grant-needed", "storage-full")
    rig.storage.full = False
    assert zoe.redeem(invited) is None


def test_a_proof_is_good_in_its_session_alone():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    leaf = redeemed(invited, zoe.key)
    proof = issuing.enrolment(invite_key(), zoe.binding, grant.kid_of(leaf))
    again = Newcomer(rig)  # the same person in another session
    assert again.binding != zoe.binding
    assert again.redeem(invited, leaf, proof) == "enrolment-other-session"
    yan = Newcomer(rig, "yan")  # somebody who overheard all of it
    assert yan.redeem(invited, leaf, proof) == "enrol-other-key"
    assert yan.redeem(invited, redeemed(invited, yan.key), proof) == "enrolment-other-session"
    assert not [each for each in rig.storage.files if each.startswith("invite-")]


def test_a_proof_is_for_one_delegation():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    leaf, other = redeemed(invited, zoe.key), redeemed(invited, zoe.key, number=2)
    proof = issuing.enrolment(invite_key(), zoe.binding, grant.kid_of(other))
    assert zoe.redeem(invited, leaf, proof) == "enrolment-other-grant"


def test_who_does_not_know_the_secret_is_shown_out():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    leaf = redeemed(invited, zoe.key)
    forged = issuing.enrolment(sign_key_of("zoe"), zoe.binding, grant.kid_of(leaf))
    changes = rig.storage.changes
    assert zoe.redeem(invited, leaf, forged) == "cose-signature"
    assert zoe.ask(coap.GET, "/enrol").code == coap_numbers.UNAUTHORIZED
    assert not rig.device.sessions.newcomers()
    assert rig.storage.changes == changes


def test_an_invite_of_nobody_of_another_site_or_for_another_device_is_none():
    rig, other = new_kiosk(), Site("other", b"other")
    plain = SITE.grant(invite_key().public, OPEN, "guest", ("kiosk-1",), 3)
    for invited, why in (
        (new_invite(site=other), "grant-other-site"),
        (new_invite(audience=("kiosk-2",)), "grant-other-device"),
        (new_invite(expires=WEDNESDAY), "grant-expired"),
        (new_invite(not_before=WEDNESDAY + 40000), "grant-not-yet-valid"),
    ):
        zoe = Newcomer(rig)
        assert zoe.redeem(invited) == why
        leave(rig, zoe)
    zoe = Newcomer(rig)
    leaf = redeemed(new_invite(), zoe.key)
    assert zoe.redeem(plain, leaf) == "enrol-no-invite"
    forged = SITE.anchor.site_id, (77).to_bytes(8, "big"), "guest", ["kiosk-1"], OPEN, invite_key().public, WEDNESDAY
    forged = issuing.grant(sign_key_of("zoe"), *forged, expires=WEDNESDAY + 86400, delegate=1, enrol=9)
    assert zoe.redeem(forged, redeemed(forged, zoe.key)) == "cose-signature"


def test_an_invite_that_was_taken_back_lets_nobody_in():
    rig = new_kiosk()
    invited = new_invite()
    rig.device.access.revoked.ids = grant.parse(invited).id
    zoe = Newcomer(rig)
    assert zoe.redeem(invited) == "grant-revoked"


def test_a_delegation_of_another_invite_or_to_another_key_is_refused():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    other = new_invite(secret=OTHER_SECRET, number=78)
    assert zoe.redeem(invited, redeemed(other, zoe.key, OTHER_SECRET)) == "delegation-other-parent"
    assert zoe.redeem(invited, redeemed(invited, key_of("yan"))) == "enrol-other-key"


def test_the_invite_itself_opens_nothing_nor_does_a_delegation_before_it_is_redeemed():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    leaf = redeemed(invited, zoe.key)
    assert zoe.tell(coap.POST, "/grants", [leaf, invited])[1] in (None, "grant-not-enrolled")
    assert opens(zoe) in ("grant-needed", "grant-not-enrolled")
    assert zoe.redeem(invited) is None
    assert opens(zoe) is None


def test_a_used_invite_stays_used_however_many_others_come_and_go():
    rig = new_kiosk()
    invited, zoe = new_invite(), Newcomer(rig)
    assert zoe.redeem(invited) is None
    for number in range(63):
        rig.storage.files["invite-%016x" % number] = cbor.encode([WEDNESDAY - 5000, bytes(8)])
    other = new_invite(secret=OTHER_SECRET, number=1000)
    assert Newcomer(rig, "yan").redeem(other, secret=OTHER_SECRET) is None  # one that has ended made room
    assert len([each for each in rig.storage.files if each.startswith("invite-")]) == 64
    assert Newcomer(rig, "xia").redeem(invited) == "invite-used"
    for name in rig.storage.files:
        if name.startswith("invite-0"):
            rig.storage.files[name] = cbor.encode([None, bytes(8)])
    last = new_invite(secret=bytes(15) + b"\x01", number=1001)
    assert Newcomer(rig, "wim").redeem(last, secret=bytes(15) + b"\x01") == "invite-full"


# By an admin


def test_an_admin_who_types_the_code_lets_a_newcomer_in():
    rig = new_kiosk()
    zoe, admin = Newcomer(rig), Admin(rig)
    identifier = zoe.ask_pairing()
    assert zoe.tell(coap.GET, "/enrol") == (coap.CHANGED, None)
    (waiting,) = admin.waiting()
    assert (waiting[1], waiting[4]) == (identifier, "zoe")
    assert cose.decode_key(waiting[6])[0] == zoe.key.public
    assert cose.decode_key(waiting[5])[0] == sign_key_of("zoe").public
    assert admin.pair(zoe, identifier) is None
    assert admin.waiting() == []
    assert opens(zoe) is None
    code, given = zoe.tell(coap.GET, "/enrol")
    assert code == coap.CONTENT and given[3] == [admin.own]
    leave(rig, zoe)
    rig.boot()
    assert opens(Returning(rig, "zoe", given[2]), b"23456789") is None
    (record,) = records(rig, journal.PAIRED)
    assert record.who == journal.person(admin.key.public)
    assert record.extra[journal.KEY] == journal.person(zoe.key.public)


def test_the_code_is_of_the_newcomers_session():
    rig = new_kiosk()
    zoe, mallory, admin = Newcomer(rig), Newcomer(rig, "mallory"), Admin(rig)
    zoe.ask_pairing()
    trap = mallory.ask_pairing("zoe")
    assert zoe.code != mallory.code
    leaf = admin.passed_on(mallory.key.public, sign_key_of("mallory").public)
    assert admin.pair(mallory, trap, zoe.code, leaf) == "code-wrong"  # the admin reads zoe's phone, and picks mallory
    assert opens(mallory) == "grant-needed"


def test_five_wrong_codes_and_then_each_waits_longer_whatever_the_power():
    rig = new_kiosk()
    for _ in range(5):
        zoe, admin = Newcomer(rig), Admin(rig)
        identifier = zoe.ask_pairing()
        wrong = "%06d" % ((int(zoe.code) + 1) % 1000000)
        assert admin.pair(zoe, identifier, wrong) == "code-wrong"
        rig.clock.ms = 0
        rig.boot()
    zoe, yan, admin = Newcomer(rig), Newcomer(rig, "yan"), Admin(rig)
    assert admin.pair(zoe, zoe.ask_pairing()) == "code-wait"
    leaf = admin.passed_on(yan.key.public, sign_key_of("yan").public, number=6)
    assert admin.pair(yan, yan.ask_pairing(), leaf=leaf) is None  # nobody else waits
    rig.clock.ms += 1000
    assert admin.pair(zoe, zoe.ask_pairing()) is None


def test_who_asks_to_be_paired_wears_no_flash():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    changes = rig.storage.changes
    for number in range(20):
        zoe.ask_pairing("zoe %d" % number)
    assert rig.storage.changes == changes and len(rig.device.sessions.newcomers()) == 1


def test_only_whom_a_rule_allows_pairs_and_lists():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    identifier = zoe.ask_pairing()
    bob = Admin(rig, OPEN, name="bob", number=98)
    assert bob.tell(coap.GET, "/enrol")[1] == "rule-none"
    assert bob.pair(zoe, identifier) == "rule-none"
    assert zoe.tell(coap.POST, "/enrol", {7: identifier, 8: zoe.code, 9: b""})[1] == "grant-needed"


def test_what_is_passed_on_is_the_admins_own_and_no_wider_and_for_the_keys_of_whom_waits():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    identifier = zoe.ask_pairing()
    keys = zoe.key.public, sign_key_of("zoe").public
    rules = [("/r/open", 2, {}), ("/enrol", 3, {})]
    admin = Admin(rig, rules, number=97)
    for leaf, why in (
        (admin.passed_on(key_of("yan").public, keys[1], rules[:1]), "enrol-other-key"),
        (admin.passed_on(keys[0], sign_key_of("yan").public, rules[:1]), "enrol-other-key"),
        (_signed(admin.own, keys, [("/r/*", 2, {})], sign_key_of("admin")), "grant-wider"),
        (_signed(admin.own, keys, rules[:1], sign_key_of("zoe")), "cose-signature"),
        (SITE.grant(keys[0], OPEN, "zoe", number=4, sig_public=keys[1]), "delegation-other-parent"),
    ):
        assert admin.pair(zoe, identifier, leaf=leaf) == why
    assert opens(zoe) == "grant-needed"
    assert admin.pair(zoe, identifier, leaf=admin.passed_on(*keys, rules[:1])) is None


def _signed(parent, keys, rules, sign):
    """A delegation that issuing.py would not make."""
    from admit_protocol import cwt

    claims = cwt.parse(SITE.grant(keys[0], rules, "zoe", number=5, sig_public=keys[1])).claims
    del claims[cwt.CTI]
    claims[cwt.PARENT] = grant.kid_of(parent)
    return cwt.issue(sign, claims, cose.DELEGATION)


def test_a_request_ends_with_its_session():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    identifier = zoe.ask_pairing()
    rig.pass_s(61)
    admin = Admin(rig)
    assert admin.waiting() == []
    assert admin.pair(zoe, identifier) == "enrol-gone"


def test_who_is_known_needs_no_pairing_and_a_name_is_needed():
    rig = new_kiosk()
    alice = Visitor(rig)
    body = cbor.encode({4: "alice", 5: cose.encode_key(sign_key_of("alice").public)})
    assert reason(alice.ask(coap.POST, "/enrol", body)) == "enrol-known"
    zoe = Newcomer(rig)
    for body in ({}, {4: ""}, {4: "x" * 65, 5: cose.encode_key(zoe.key.public)}, {9: b""}, {1: 5}, []):
        assert zoe.tell(coap.POST, "/enrol", body)[1] in ("enrol-body", "cose-key"), body


def test_power_fails_at_every_write_of_a_pairing():
    cut = 0
    while True:
        rig = new_kiosk()
        zoe, admin = Newcomer(rig), Admin(rig)
        identifier = zoe.ask_pairing()
        admin.waiting()
        leaf = admin.passed_on(zoe.key.public, sign_key_of("zoe").public)
        rig.storage.cut_after = cut
        try:
            result = admin.pair(zoe, identifier, leaf=leaf)
        except PowerCut:
            result = "cut"
        rig.storage.cut_after = None
        rig.boot()
        if result is None:
            break
        zoe, admin = Newcomer(rig), Admin(rig)  # from the beginning: it works
        assert admin.pair(zoe, zoe.ask_pairing()) is None
        assert opens(zoe) is None
        cut += 1
    assert cut >= 5  # the decision, the try, the try forgotten, the record, the grant
