"""Who is here reads the kiosk's code to it, or presses its button; who is elsewhere cannot."""

from admit_protocol import cbor, coap, journal, journal_reader, rule
from rig import ALL
from visitors import Visitor, new_kiosk, reason

GUARDED = [("/r/open", 3, {rule.PRESENCE: rule.CODE}), ("/journal", 1, {})]
PRESSED = [("/r/open", 3, {rule.PRESENCE: rule.BUTTON})]
EITHER = GUARDED + PRESSED


def shown(rig):
    return rig.outputs.get("code")


def ask(visitor):
    """Have a code shown."""
    answer = visitor.ask(coap.GET, "/presence")
    assert (answer.code, cbor.decode(answer.payload)) == (coap.CONTENT, {1: 6})


def tell(visitor, code):
    """What becomes of a code: None, or the reason why not."""
    answer = visitor.ask(coap.POST, "/presence", cbor.encode({1: code}))
    return None if answer.code == coap.CHANGED else reason(answer)


def press(visitor):
    answer = visitor.ask(coap.POST, "/presence", cbor.encode({2: True}))
    return None if answer.code == coap.CHANGED else reason(answer)


def opens(visitor, identifier=b"12345678"):
    answer = visitor.invoke("open", identifier)
    return None if answer.code == coap.CHANGED else reason(answer)


def wrong(code):
    return "%06d" % ((int(code) + 1) % 1000000)


def test_who_reads_the_code_opens_the_door_for_two_minutes():
    rig = new_kiosk()
    alice = Visitor(rig, rules=GUARDED)
    assert opens(alice) == "rule-presence"
    ask(alice)
    assert len(shown(rig)) == 6 and shown(rig).isdigit()
    assert tell(alice, shown(rig)) is None
    assert shown(rig) == ""
    assert opens(alice) is None
    rig.pass_s(119)
    assert opens(alice, b"23456789") is None
    rig.pass_s(1)
    assert opens(alice, b"34567890") == "rule-presence"


def test_a_code_is_good_once_and_for_a_minute():
    rig = new_kiosk()
    alice = Visitor(rig, rules=GUARDED)
    assert tell(alice, "000000") == "presence-none"
    ask(alice)
    code = shown(rig)
    assert tell(alice, code) is None
    assert tell(alice, code) == "presence-none"
    ask(alice)
    code = shown(rig)
    rig.pass_s(60)
    assert shown(rig) == ""
    assert tell(alice, code) == "presence-none"


def test_a_code_is_for_the_session_that_asked_for_it():
    rig = new_kiosk()
    alice, bob = Visitor(rig, rules=GUARDED), Visitor(rig, "bob", GUARDED)
    ask(alice)
    assert tell(bob, shown(rig)) == "presence-none"  # he reads it, but it was never his
    first = shown(rig)
    ask(bob)
    assert shown(rig) != first
    assert tell(alice, first) == "presence-none"  # the kiosk shows one at a time
    assert tell(alice, shown(rig)) == "presence-none"
    assert tell(bob, shown(rig)) is None
    assert opens(alice) == "rule-presence"  # and what bob showed is bob's
    assert opens(bob) is None


def test_a_code_is_another_one_each_time():
    rig = new_kiosk()
    alice = Visitor(rig, rules=GUARDED)
    codes = []
    for _ in range(20):
        ask(alice)
        codes.append(shown(rig))
        assert rig.outputs.get("asker") == "alice"
    assert len(set(codes)) == 20
    assert tell(alice, codes[-2]) == "code-wrong"
    assert tell(alice, codes[-1]) is None


def test_the_screen_tells_whose_the_code_is_and_it_goes_with_its_session():
    rig = new_kiosk()
    alice, bob = Visitor(rig, rules=GUARDED), Visitor(rig, "bob", GUARDED)
    ask(alice)
    assert rig.outputs.get("asker") == "alice"
    ask(bob)
    assert rig.outputs.get("asker") == "bob"
    assert alice.ask(coap.DELETE, "/login").code == coap.DELETED  # hers is no longer shown
    assert len(shown(rig)) == 6
    assert bob.ask(coap.DELETE, "/login").code == coap.DELETED
    assert shown(rig) == ""


def test_presence_ends_with_its_session():
    rig = new_kiosk()
    alice = Visitor(rig, rules=GUARDED)
    ask(alice)
    assert tell(alice, shown(rig)) is None
    assert opens(Visitor(rig, rules=GUARDED)) == "rule-presence"
    assert opens(alice) is None


def test_wrong_codes_are_counted_for_each_person_whatever_the_session_and_the_power():
    rig = new_kiosk()
    for count in range(5):
        alice = Visitor(rig, rules=GUARDED)
        ask(alice)
        assert tell(alice, wrong(shown(rig))) == "code-wrong"
        if count == 2:
            rig.clock.ms = 0
            rig.boot()
    bob = Visitor(rig, "bob", GUARDED)
    ask(alice)
    assert tell(alice, shown(rig)) == "code-wait"
    ask(bob)
    assert tell(bob, shown(rig)) is None
    rig.clock.ms = 0
    rig.boot()
    alice = Visitor(rig, rules=GUARDED)
    ask(alice)
    assert tell(alice, shown(rig)) == "code-wait"
    rig.pass_s(1)
    assert tell(alice, shown(rig)) is None
    assert cbor.decode(rig.storage.files["attempts"]) == {}


def test_strangers_wear_no_flash():
    rig = new_kiosk()
    stranger = Visitor(rig, "mallory", GUARDED)
    assert tell(stranger, "000000") == "presence-none"
    changes = rig.storage.changes
    for number in range(50):
        assert tell(stranger, "%06d" % number) == "presence-none"
    assert rig.storage.changes == changes
    assert "attempts" not in rig.storage.files


def test_the_button_counts_if_it_was_pressed_just_now():
    rig = new_kiosk()
    alice = Visitor(rig, rules=PRESSED)
    assert press(alice) == "presence-button"  # there is none
    rig.outputs.set("button", 10001)
    assert press(alice) == "presence-button"
    rig.outputs.set("button", 10000)
    assert press(alice) is None
    assert opens(alice) is None
    rig.pass_s(120)
    assert opens(alice, b"23456789") == "rule-presence"


def test_each_rule_says_which_way_it_takes():
    rig = new_kiosk()
    alice, bob, carol = Visitor(rig, rules=GUARDED), Visitor(rig, "bob", PRESSED), Visitor(rig, "carol", EITHER)
    rig.outputs.set("button", 5)
    assert press(alice) is None and opens(alice) == "rule-presence"
    ask(bob)
    assert tell(bob, shown(rig)) is None and opens(bob) == "rule-presence"
    assert press(carol) is None and opens(carol) is None


def test_it_is_written_down_and_what_cannot_be_does_not_count():
    rig = new_kiosk()
    alice = Visitor(rig, rules=GUARDED)
    ask(alice)
    code = shown(rig)
    assert tell(alice, code) is None
    records = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
    record = [each for each in records if each.kind == journal.PRESENCE][-1]
    assert (record.who, record.what, record.outcome) == (journal.person(alice.key.public), "code", journal.DONE)
    ask(alice)
    assert tell(alice, wrong(shown(rig))) == "code-wrong"
    records = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
    assert (records[-1].what, records[-1].outcome) == ("code", journal.DENIED)
    rig.outputs.set("button", 0)
    rig.storage.full = True
    assert press(alice) == "storage-full"
    rig.storage.full = False
    rig.pass_s(120)
    assert opens(alice) == "rule-presence"


def test_what_is_malformed_is_refused():
    rig = new_kiosk()
    alice = Visitor(rig, rules=ALL)
    for body in ({}, {1: 5}, {2: False}, {2: 1}, {1: "000000", 2: True}, {3: True}, []):
        answer = alice.ask(coap.POST, "/presence", cbor.encode(body))
        assert (answer.code, reason(answer)) == (coap.BAD_REQUEST, "presence-body"), body
