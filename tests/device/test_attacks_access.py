"""Attacks on who may do what: by strangers, guests, holders who want more, and those who pass on what they have."""

from admit_device.routine_forms import collect
from admit_device.routines import output
from admit_protocol import (
    approval,
    cbor,
    coap,
    coap_numbers,
    enrolment,
    grant,
    issuing,
    journal_reader,
    rule,
    rule_reader,
)
from admit_protocol.errors import LocalError, Malformed
from memory_ports import WEDNESDAY, PowerCut
from newcomers import (
    OPEN,
    Admin,
    Newcomer,
    Returning,
    invite_key,
    kept,
    new_invite,
    sign_key_of,
    told,
)
from rig import ALL
from support import raises
from visitors import SITE, Visitor, id_of, key_of, new_kiosk, reason

POST = 2
LIMITED = [("/r/open", 2, {rule.USES: 1}), ("/r/wait", 3, {})]


def root_of(name="mallory", rules=ALL, delegate=2, number=60, **more):
    """The authority's grant to somebody who may pass it on."""
    keys = key_of(name).public, sign_key_of(name).public

    def make():
        more.update({"sig_public": keys[1], "delegate": delegate})
        return SITE.grant(keys[0], rules, name, ("*",), number, **more)

    return kept(make, "root", name, repr(rules), delegate, number, repr(sorted(more.items())))


def passed_on(parent, giver, taker, rules=ALL, name=None, key=None, sign=None, **more):
    """A delegation by `giver` to `taker`, bytes."""
    keys = (key or key_of(taker)).public, sign_key_of(taker).public
    signer = sign or sign_key_of(giver)

    def make():
        behind = grant.parse(parent)
        return issuing.delegation(
            signer, behind, name or taker, ["kiosk-1"], rules, keys[0], WEDNESDAY, keys[1], **more
        )

    return kept(make, "passed on", parent, keys, repr(rules), name, signer.public, repr(sorted(more.items())))


def hand_in(visitor, *papers):
    """None, or the reason why not."""
    code, answer = visitor.tell(coap.POST, "/grants", list(papers))
    return None if code == coap.CHANGED else answer


def opens(visitor, identifier=b"12345678", **arguments):
    """None, or the reason why not."""
    answer = visitor.invoke("open", identifier, **arguments)
    return None if answer.code == coap.CHANGED else reason(answer)


def records_of(rig):
    return [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]


# An invite


def test_who_finds_a_used_invite_makes_nothing_more_of_it_even_knowing_whom_it_let_in():
    rig = new_kiosk()
    invited = new_invite(delegate=2)
    zoe = Newcomer(rig)
    assert zoe.redeem(invited) is None and opens(zoe) is None
    # Mallory has the link, and zoe's public key: a link to that key with another one to sign goes on to his own.
    forged = passed_on(invited, None, "mallory", OPEN, key=key_of("zoe"), sign=invite_key(), delegate=1, **ENDS)
    own = passed_on(forged, "mallory", "mallory", OPEN, **ENDS)
    mallory = Returning(rig, "mallory", own, by_value=True)
    hand_in(mallory, forged, invited)
    assert opens(mallory) == "grant-not-enrolled"


ENDS = {"expires": WEDNESDAY + 86400}


def test_a_code_seen_over_the_shoulder_is_no_code_of_another_session():
    # The peer that speaks last in EDHOC could try message_3 after message_3 until the session's code is the one it saw.
    rig = new_kiosk()
    zoe, again = Newcomer(rig), Newcomer(rig, "yan")
    codes = [(each.ask_pairing("zoe"), each.code) for each in (zoe, again)]
    assert enrolment.code(zoe.binding, codes[0][0]) != enrolment.code(zoe.binding, codes[1][0])
    # What the device adds is its own, and the same as long as the session is: there is no second throw.
    assert zoe.ask_pairing("zoe!") == zoe.ask_pairing("zoe") == codes[0][0]


# Counts


def test_an_invocation_that_was_counted_and_never_begun_is_no_token_for_another_rule():
    rig = new_kiosk()
    rules = [("/r/open", 2, {rule.USES: 1, rule.BOUNDS: {"seconds": [None, 5]}}), ("/r/open", 2, {rule.USES: 1})]
    alice = Visitor(rig, "alice", rules)
    assert opens(alice, b"invoke-1", seconds=30) is None
    assert opens(alice, b"invoke-2", seconds=30) == "rule-used-up"
    used = rig.storage.files.copy()
    for cut in range(4):  # power fails before, between and after the record, the count and the beginning
        rig.storage.files = {name: data[:] for name, data in used.items()}
        rig.boot()
        alice = Visitor(rig, "alice", rules)
        alice.send_message_3()
        rig.storage.cut_after = cut
        try:
            opens(alice, b"invoke-3", seconds=1)
        except PowerCut:
            pass
        rig.storage.cut_after = None
        rig.boot()
        answer = Visitor(rig, "alice", rules).invoke("open", b"invoke-3", seconds=30)
        assert answer.code >= 128 or cbor.decode(answer.payload) == {1: 3}, cut  # interrupted, and not done again
        assert rig.outputs.get("door") != "open"


def test_a_rate_that_the_device_cannot_count_is_no_rate_without_end():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", [("/health", 1, {rule.RATE: [rule.MAX_RATE, 3600]})])
    answers = [alice.ask(coap.GET, "/health").code for _ in range(rule.MAX_RATE + 1)]
    assert answers == [coap.CONTENT] * rule.MAX_RATE + [coap_numbers.FORBIDDEN]
    with raises(Malformed, "rule-condition"):
        rule_reader.parse(["/health", 1, {rule.RATE: [rule.MAX_RATE + 1, 3600]}])


def test_pairing_is_counted_like_anything_else_that_a_rule_limits():
    rig = new_kiosk()
    admin = Admin(rig, [("/enrol", 2, {rule.USES: 1}), ("/r/open", 3, {})], number=98)
    zoe, yan = Newcomer(rig), Newcomer(rig, "yan")
    for newcomer, why in ((zoe, None), (yan, "rule-used-up")):
        identifier = newcomer.ask_pairing()
        assert admin.pair(newcomer, identifier) == why


# Those who make keys at will


def crowd(rig, root, count, giver="mallory"):
    """So many sessions of keys to which a holder passed on their grant."""
    for number in range(count):
        name = "puppet %d" % number
        leaf = passed_on(root, giver, name)
        puppet = Returning(rig, name, leaf, by_value=True)
        hand_in(puppet, root)
        yield puppet


def test_who_was_taken_back_cannot_push_the_journal_out_with_keys_of_their_own_making():
    rig, root = new_kiosk(), root_of()
    assert Visitor(rig, "admin", server=rig.cable).ask(coap.POST, "/bundle", SITE.bundle(1, [id_of(root)])).code < 128
    before = rig.device.journal.count
    for puppet in crowd(rig, root, 3):
        for number in range(40):
            assert reason(puppet.ask(coap.GET, "/%d" % number)) == "grant-revoked"
    assert rig.device.journal.count - before < 40


def test_who_was_taken_back_leaves_nothing_behind_and_pushes_nobody_out():
    rig, root = new_kiosk(), root_of()
    rig.radio.max_links = 20
    alice = Visitor(rig)
    alice.ask(coap.GET, "/r")
    rig.pass_s(1)
    assert Visitor(rig, "admin", server=rig.cable).ask(coap.POST, "/bundle", SITE.bundle(1, [id_of(root)])).code < 128
    for _ in range(2):
        written = rig.storage.changes
        puppets = list(crowd(rig, root, 6))
    assert rig.storage.changes - written <= 2
    assert reason(puppets[-1].ask(coap.GET, "/r")) == "grant-revoked"
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT


# Names


def test_a_name_that_a_holder_wrote_says_through_whom():
    rig, root = new_kiosk(), root_of()
    leaf = passed_on(root, "mallory", "bob", name="boss")
    bob = Returning(rig, "bob", leaf, by_value=True)
    hand_in(bob, root)
    assert told(bob.ask(coap.POST, "/login"))[1][2] == "boss, through mallory"
    assert opens(bob) is None
    assert rig.device.kiosk.user == "boss, through mallory"


# Memory


def test_asking_for_codes_without_end_leaves_one_thing_to_be_done():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob")
    for _ in range(5):
        for each in (alice, bob):
            assert each.ask(coap.GET, "/presence").code == coap.CONTENT
    assert len(rig.device.kiosk._timers) == 1
    rig.pass_s(61)
    assert rig.outputs.get("code") == ""


def test_what_waits_for_approval_is_short_and_can_all_be_listed():
    rig = new_kiosk()
    rules = [("/r/*", 2, {rule.APPROVALS: [1, ["everyone"]]})]
    alice = Returning(rig, "alice", SITE.grant(key_of("alice").public, rules), by_value=True)
    for path, arguments in (("/r/open", {"seconds": 1, "x": "x" * 3000}), ("/r/" + "x" * 3000, {})):
        code, why = alice.tell(coap.POST, "/approvals", {1: POST, 2: path, 3: arguments})
        assert code >= 128, why
    assert rig.device.access.pending == []


# Whom others' trouble must not keep in


def test_one_guests_damaged_record_shuts_them_out_and_keeps_nobody_elses_revocation_from_its_effect():
    rig = new_kiosk()
    invited = new_invite()
    zoe = Newcomer(rig)
    assert zoe.redeem(invited) is None and opens(zoe) is None
    bob = Visitor(rig, "bob")
    assert bob.ask(coap.POST, "/login").code == coap.CHANGED
    rig.storage.damaged.append("invite-" + id_of(invited).hex())
    told_of = Visitor(rig, "admin", server=rig.cable).ask(coap.POST, "/bundle", SITE.bundle(1, [id_of(bob.grant)]))
    assert told_of.code == coap.CHANGED and rig.device.login.session is None
    assert opens(zoe, b"23456789") == "grant-not-enrolled"


def test_an_invite_that_is_taken_back_takes_along_whom_it_let_in():
    rig = new_kiosk()
    invited = new_invite()
    zoe = Newcomer(rig)
    assert zoe.redeem(invited) is None and opens(zoe) is None
    Visitor(rig, "admin", server=rig.cable).ask(coap.POST, "/bundle", SITE.bundle(1, [id_of(invited)]))
    assert opens(zoe, b"23456789") == "grant-revoked"
    assert opens(zoe) == "grant-revoked"  # nor is she told what came of an earlier one


def test_who_stands_behind_the_grant_at_hand_consents_to_nothing_that_is_done_by_it():
    rig = new_kiosk()
    one = [("/r/open", 2, {rule.APPROVALS: [1, ["group:guards"]]})]
    two = [("/r/open", 2, {rule.APPROVALS: [2, ["group:guards"]]})]
    guard = root_of("guard", one, number=61, selectors=("group:guards",))
    bob = Returning(rig, "guard", guard, by_value=True)
    own = kept(lambda: SITE.grant(key_of("alice").public, two, "alice", number=62), "alice", "two")
    alice = Returning(rig, "alice", own, by_value=True)
    code, asked = alice.tell(coap.POST, "/approvals", {1: POST, 2: "/r/open", 3: {}})
    assert code == coap.CHANGED, asked
    (item,) = bob.tell(coap.GET, "/approvals")[1]
    digest = approval.digest(item[9], item[3], item[4], item[5])
    paper = issuing.approval(sign_key_of("guard"), SITE.anchor.site_id, "kiosk-1", item[1], digest)
    assert bob.tell(coap.POST, "/approvals", {4: paper})[0] == coap.CHANGED
    # One guard has consented, and hers asks for two. His, passed on to her, asks for one: another than himself.
    assert opens(alice) == "rule-approvals"
    assert hand_in(alice, passed_on(guard, "guard", "alice", one), guard) is None
    assert opens(alice) == "rule-approvals"


def test_a_role_that_a_holder_wrote_excepts_nobody_from_a_lockdown():
    rig = new_kiosk()
    root = root_of("guard", number=63, selectors=("role:security",))
    leaf = passed_on(root, "guard", "bob", selectors=("role:security",))
    guard, bob = Returning(rig, "guard", root, by_value=True), Returning(rig, "bob", leaf, by_value=True)
    assert hand_in(bob, root) is None
    night = [2, ["everyone"], ["role:security"], "*", 127, {}, "night"]
    Visitor(rig, "admin", server=rig.cable).ask(coap.POST, "/bundle", SITE.bundle(1, rules=[night]))
    assert (opens(guard), opens(bob)) == (None, "rule-lockdown")


# Time


def test_a_policy_from_the_end_of_time_refuses_what_ends_and_breaks_nothing():
    for issued_at in (1 << 32, 1 << 53, (1 << 64) - 1):
        rig = new_kiosk()
        alice = Visitor(rig, "alice", OPEN)
        ends = kept(lambda: SITE.grant(key_of("bob").public, OPEN, "bob", number=64, expires=WEDNESDAY + 60), "ends")
        admin = Visitor(rig, "admin", server=rig.cable)
        assert admin.ask(coap.POST, "/bundle", SITE.bundle(1, issued_at=issued_at)).code == coap.CHANGED
        assert opens(alice) is None
        rig.boot()
        assert opens(Returning(rig, "bob", ends, by_value=True)) == "grant-expired"
        admin = Visitor(rig, "admin", server=rig.cable)
        nonce = cbor.decode(admin.ask(coap.GET, "/time").payload)[4]
        paper = issuing.time_answer(SITE.key, SITE.anchor.site_id, "kiosk-1", nonce, WEDNESDAY)
        assert reason(admin.ask(coap.POST, "/time", paper)) == "time-before-floor"
        assert opens(Visitor(rig, "alice", OPEN), b"23456789") is None
        assert records_of(rig)[-1].time == issued_at


# Other devices


def test_a_bundle_for_an_earlier_life_of_the_device_opens_with_its_key_alone():
    rig = new_kiosk()
    rig.storage.erase(), rig.keystore.erase()
    rig.dice.seed = b"another life"
    old = SITE.bundle(7, [])
    rig.boot()
    rig.commission(SITE, "kiosk-1")
    admin = Visitor(rig, "admin", server=rig.cable)
    assert reason(admin.ask(coap.POST, "/bundle", old)) == "cose-unsealed"
    assert admin.ask(coap.POST, "/bundle", SITE.bundle(1, to=rig.seal_public)).code == coap.CHANGED


def test_no_routine_tells_from_afar_which_code_the_kiosk_shows():
    with raises(LocalError, "routine-name"):
        collect({"screen": output("code", at_power_loss="goes dark", safe="")})


def test_a_use_that_is_spent_is_not_had_again_once_its_invocation_is_forgotten():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", [("/r/open", 2, {rule.USES: 1}), ("/r/broken", 2, {})])
    assert opens(alice) is None
    for number in range(200):
        alice.invoke("broken", number.to_bytes(8, "big"))
    assert opens(alice) == "rule-used-up"
