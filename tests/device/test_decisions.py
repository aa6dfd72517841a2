"""Decisions on a whole device: uses, rates, ages, denials and lockdowns, by everything that a rule may ask for."""

from admit_protocol import cbor, coap, coap_numbers, grant, journal, journal_reader
from memory_ports import WEDNESDAY, PowerCut
from visitors import OPEN, SITE, Visitor, grant_of, key_of, new_kiosk, reason

USES, RATE, TIMELESS, FRESH, LIFE = 4, 5, 8, 9, 10
DAY = 86400
EVERYONE_OUT = [2, ["everyone"], ["role:security"], "*", 127, {}, "night"]


def opening(**conditions):
    """Rules to open the door under these conditions, by their names above."""
    return [("/r/open", 3, {globals()[name]: value for name, value in conditions.items()})]


def opens(visitor, identifier, **arguments):
    """None, or the reason why not."""
    response = visitor.invoke("open", identifier, **arguments)
    return None if response.code == coap.CHANGED else reason(response)


def tell(rig, **bundle):
    """The admin brings a policy."""
    epoch = rig.device.access.epoch + 1
    response = Visitor(rig, "admin", server=rig.cable).ask(coap.POST, "/bundle", SITE.bundle(epoch, **bundle))
    assert response.code == coap.CHANGED, reason(response)


def last_denial(rig):
    records = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
    return [each for each in records if each.outcome == journal.DENIED][-1]


# How often


def test_uses_end_for_good_and_a_repeated_invocation_counts_once_and_is_still_answered():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", opening(USES=2))
    for identifier in (b"invoke-1", b"invoke-1", b"invoke-2", b"invoke-1", b"invoke-2"):
        assert opens(alice, identifier) is None
    assert opens(alice, b"invoke-3") == "rule-used-up"
    assert opens(alice, b"invoke-2") is None  # what came of it is told, and nothing opens
    rig.boot()
    alice = Visitor(rig, "alice", opening(USES=2))
    assert opens(alice, b"invoke-2") is None
    assert opens(alice, b"invoke-4") == "rule-used-up"


def test_a_refused_invocation_uses_nothing_up():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", opening(USES=1))
    assert opens(alice, b"invoke-1", seconds=99) == "routine-argument"
    tell(rig, rules=[EVERYONE_OUT])
    assert opens(alice, b"invoke-2") == "rule-lockdown"
    tell(rig)
    assert opens(alice, b"invoke-3") is None


def test_any_request_that_its_rule_limits_is_counted():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", [("/health", 1, {USES: 2}), ("/r/open", 1, {USES: 1})])
    assert alice.ask(coap.GET, "/health").code == alice.ask(coap.GET, "/health").code == coap.CONTENT
    assert reason(alice.ask(coap.GET, "/health")) == "rule-used-up"
    assert alice.watch().code == coap.CONTENT
    rig.device.kiosk.set("door", "open")  # what an observer hears of it is no use of its own
    assert [each.code for each in alice.hear()] == [coap.CONTENT]
    assert reason(alice.ask(coap.GET, "/r/open")) == "rule-used-up"


def test_a_rate_refuses_until_the_time_is_over_and_a_reset_does_not_end_it_sooner():
    rig = new_kiosk()
    rules = opening(RATE=[2, 600])
    alice = Visitor(rig, "alice", rules)
    assert opens(alice, b"invoke-1") is None
    rig.pass_s(5)
    assert opens(alice, b"invoke-2") is None
    assert opens(alice, b"invoke-3") == "rule-rate"
    rig.boot()
    alice = Visitor(rig, "alice", rules, server=rig.cable)
    assert opens(alice, b"invoke-4") == "rule-rate"
    rig.pass_s(595)
    alice = Visitor(rig, "alice", rules, server=rig.cable)
    assert opens(alice, b"invoke-5") is None
    assert opens(alice, b"invoke-6") == "rule-rate"


def test_power_fails_at_every_write_and_no_use_is_given_twice():
    """Two uses; power fails during the first, which is then repeated under its id: the door opens twice in all."""
    rules, cut, done, begun = opening(USES=2), 0, False, []
    while not done:
        rig = new_kiosk()
        alice = Visitor(rig, "alice", rules)
        alice.ask(coap.GET, "/r")
        rig.storage.cut_after = cut
        try:
            assert opens(alice, b"invoke-1") is None
            done = True
        except PowerCut:
            pass
        opened = ("door", "open") in rig.outputs.lines
        rig.storage.cut_after = None
        rig.boot()
        alice = Visitor(rig, "alice", rules)
        told = cbor.decode(alice.invoke("open", b"invoke-1").payload)
        again = ("door", "open") in rig.outputs.lines
        assert told in ({1: 1, 2: 5}, {1: 3}) and opened + again <= 1, cut
        assert opens(alice, b"invoke-2") is None
        if told == {1: 3} and not opened and opens(alice, b"invoke-3") is None:
            begun.append(cut)  # the id was used up, and no use
        assert opens(alice, b"invoke-4") == "rule-used-up", cut
        cut += 1
    assert cut > 5 and len(begun) == 1  # the decision, the start, the use, the end, its record


def test_what_cannot_be_counted_is_not_done():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", opening(USES=1))
    alice.ask(coap.GET, "/r")
    write = rig.storage.write

    def refuse(name, data):
        rig.storage.full = name.startswith("uses")
        try:
            write(name, data)
        finally:
            rig.storage.full = False

    rig.storage.write = refuse
    assert opens(alice, b"invoke-1") == "storage-full"
    assert ("door", "open") not in rig.outputs.lines
    rig.storage.write = write
    assert cbor.decode(alice.invoke("open", b"invoke-1").payload) == {1: 2, 2: "storage-full"}  # that id has failed
    assert ("door", "open") not in rig.outputs.lines
    assert opens(alice, b"invoke-2") is None
    assert opens(alice, b"invoke-3") == "rule-used-up"


def test_a_damaged_count_denies_by_name_and_a_new_grant_counts_anew():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", opening(USES=5), server=rig.cable)
    assert opens(alice, b"invoke-1") is None
    rig.storage.damaged += [name for name in rig.storage.names() if name.startswith("uses-")]
    assert rig.storage.damaged
    assert opens(alice, b"invoke-2") == "uses-lost"
    assert last_denial(rig).extra[journal.REASON] == "uses-lost"
    rig.boot()
    assert opens(Visitor(rig, "alice", opening(USES=5)), b"invoke-3") == "uses-lost"
    assert Visitor(rig, "bob").ask(coap.GET, "/health").code == coap.CONTENT  # nobody else is in its way
    rig.pass_s(3 * 3600)
    number = int.from_bytes(grant.parse(grant_of("alice", opening(USES=5))).id, "big")
    alice = Visitor(rig, "alice", opening(USES=5), server=rig.cable)
    late = SITE.grant(key_of("alice").public, opening(USES=5), "alice", number=number + 16, issued_at=rig.clock.seconds)
    assert alice.ask(coap.POST, "/grants", cbor.encode([late])).code == coap.CHANGED
    assert opens(alice, b"invoke-4") is None


# The policy


def test_a_lockdown_ends_everybodys_turn_at_once_but_theirs_who_are_excepted():
    rig = new_kiosk()
    alice, guard = Visitor(rig, "alice", server=rig.cable), Visitor(rig, "guard", OPEN)
    guards = SITE.grant(key_of("guard").public, OPEN, "guard", number=900, selectors=["role:security"])
    assert guard.ask(coap.POST, "/grants", cbor.encode([guards])).code == coap.CHANGED
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    assert alice.watch().code == coap.CONTENT
    link = alice.rig.cable.listener._links[alice.number]
    assert link.proven and rig.outputs.get("status") == "logged in"
    carried = SITE.bundle(1, rules=[EVERYONE_OUT])
    assert guard.ask(coap.POST, "/bundle", carried).code == coap.CHANGED
    assert rig.outputs.get("status") == "ready" and not link.proven
    assert opens(alice, b"invoke-1") == "rule-lockdown"
    assert reason(alice.ask(coap.POST, "/login")) == reason(alice.ask(coap.GET, "/r")) == "rule-lockdown"
    assert opens(guard, b"invoke-2") is None
    assert [each.code for each in alice.hear()] == [coap_numbers.FORBIDDEN]
    assert alice.ask(coap.POST, "/bundle", SITE.bundle(2, base=1, rules=[])).code == coap.CHANGED  # a courier still
    assert opens(alice, b"invoke-3") is None
    rig.boot()
    assert opens(Visitor(rig, "alice"), b"invoke-4") is None


def test_a_lockdown_outlives_a_reset():
    rig = new_kiosk()
    tell(rig, rules=[EVERYONE_OUT])
    rig.boot()
    assert opens(Visitor(rig, "alice"), b"invoke-1") == "rule-lockdown"
    denied = last_denial(rig)
    assert (denied.extra[journal.REASON], denied.extra[journal.BY]) == ("rule-lockdown", "night")


def test_a_denial_goes_before_what_a_grant_allows_and_names_itself():
    rig = new_kiosk()
    tell(rig, rules=[[1, ["user:bob"], [], "/r/*", 127, {}, "bob-out"]])
    assert opens(Visitor(rig, "bob"), b"invoke-1") == "rule-denied"
    assert last_denial(rig).extra[journal.BY] == "bob-out"
    assert opens(Visitor(rig, "alice"), b"invoke-2") is None
    assert Visitor(rig, "bob").ask(coap.GET, "/health").code == coap.CONTENT


def test_a_rule_of_the_policy_may_allow_and_its_uses_are_everybodys():
    rig = new_kiosk()
    tell(rig, rules=[[0, ["user:alice", "user:bob"], [], "/r/open", 127, {USES: 2}, "open-day"]])
    elsewhere = [("/elsewhere", 1, {})]
    alice, bob = Visitor(rig, "alice", elsewhere), Visitor(rig, "bob", elsewhere)
    assert opens(alice, b"invoke-1") is opens(bob, b"invoke-2") is None
    assert opens(alice, b"invoke-3") == opens(bob, b"invoke-4") == "rule-used-up"
    assert opens(Visitor(rig, "carol", elsewhere), b"invoke-5") == "rule-none"


def test_who_was_taken_back_by_name_or_by_key_has_no_grant_that_counts():
    rig = new_kiosk()
    alice, bob = Visitor(rig, "alice"), Visitor(rig, "bob")
    assert opens(alice, b"invoke-1") is opens(bob, b"invoke-2") is None
    key = "key:" + journal.person(key_of("bob").public).hex()
    tell(rig, selectors=["user:alice", key])
    assert opens(alice, b"invoke-3") == opens(bob, b"invoke-3") == "grant-revoked"
    assert opens(Visitor(rig, "alice", OPEN), b"invoke-3") == opens(Visitor(rig, "bob", OPEN), b"invoke-3")
    assert last_denial(rig).extra[journal.REASON] == "grant-revoked"
    tell(rig)
    assert opens(Visitor(rig, "bob", OPEN), b"invoke-4") is None


def test_a_grant_that_asks_for_a_fresh_policy_is_refused_when_it_is_stale():
    rig = new_kiosk()
    rules = opening(FRESH=DAY)
    alice = Visitor(rig, "alice", rules)
    assert opens(alice, b"invoke-1") is None  # what the device joined with is new enough
    rig.pass_s(DAY)
    alice = Visitor(rig, "alice", rules)
    assert opens(alice, b"invoke-2") == "rule-stale"
    tell(rig, issued_at=rig.clock.seconds)
    assert opens(alice, b"invoke-3") is None
    rig.clock.seconds = None
    assert opens(alice, b"invoke-4") == "rule-stale"


# Time


def test_what_is_timeless_goes_on_while_the_time_is_unknown_and_ends_when_it_has_ended_for_certain():
    rig = new_kiosk()
    rig.clock.seconds = None
    rig.boot()
    rules = [("/r/open", 3, {1: [[1 << 5, 0, 60]], TIMELESS: True}), ("/health", 1, {1: [[1 << 5, 0, 60]]})]
    alice = Visitor(rig, "alice", rules)
    assert opens(alice, b"invoke-1") is None
    assert reason(alice.ask(coap.GET, "/health")) == "rule-time-unknown"
    ends = opening(TIMELESS=True, LIFE=[None, WEDNESDAY + DAY])
    bob = Visitor(rig, "bob", ends)
    assert opens(bob, b"invoke-2") is None
    tell(rig, issued_at=WEDNESDAY + DAY)  # so late it is at least
    assert opens(bob, b"invoke-3") == "rule-expired"


def test_a_decision_is_written_down_with_the_time_that_was_believed():
    rig = new_kiosk()
    records = lambda: [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]  # noqa: E731
    assert opens(Visitor(rig), b"invoke-1") is None
    told = [each for each in records() if each.kind == journal.DECISION][-1]
    assert told.time == rig.clock.seconds and journal.FLOOR not in told.extra
    rig.clock.seconds = None
    assert opens(Visitor(rig), b"invoke-2") is None
    told = [each for each in records() if each.kind == journal.DECISION][-1]
    assert told.time == rig.device.clock.floor and told.extra[journal.FLOOR] is True
