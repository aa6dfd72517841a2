"""Who may do what: first whether a grant counts, then what it allows."""

from admit_device.access import Access
from admit_protocol import coap, coap_numbers, grant
from admit_protocol.aif import GET, POST
from memory_ports import WEDNESDAY, HandClock, Memory
from rig import Phone
from visitors import OPEN, SITE, Visitor, grant_of, id_of, key_of, new_kiosk, revocation

WEEKDAYS = {1: [[31, 0, 0]]}
SUNDAY = WEDNESDAY + 4 * 86400


class Clock(HandClock):
    """What access asks of a clock: the time, and a floor for it."""

    floor = 0

    def raise_floor(self, seconds):
        self.floor = max(self.floor, seconds)


class Identity:
    device_id = "kiosk-1"
    anchor = SITE.anchor


def test_whether_a_grant_counts_comes_before_what_it_allows():
    clock = Clock()
    access = Access(Memory(), clock, Identity(), SITE.suite)
    data = SITE.grant(key_of("alice").public, [("/r/open", GET | POST, WEEKDAYS)], expires=SUNDAY + 3600, number=77)
    subject = grant.parse(data)

    def decide(path="/r/open"):
        decision = access.decide(subject, POST, path)
        return decision.allowed, decision.reason, decision.rule

    assert decide() == (True, "rule-allows", 0)
    assert decide("/health") == (False, "rule-none", None)
    clock.seconds = SUNDAY
    assert decide() == (False, "rule-outside-window", 0)
    assert access.decide_standing(subject).allowed
    clock.seconds = SUNDAY + 3600
    assert decide() == (False, "grant-expired", None)
    clock.seconds = None
    assert decide() == (False, "grant-time-unknown", None)
    clock.seconds = WEDNESDAY
    assert access.apply_bundle(revocation(1, [subject.id]))
    assert decide() == (False, "grant-revoked", None)
    assert access.decide_standing(subject).reason == "grant-revoked"


def test_one_key_may_hold_several_grants_and_each_stands_for_itself():
    rig = new_kiosk()
    narrow, wide = Visitor(rig, "alice", OPEN), Visitor(rig, "alice")
    assert isinstance(narrow, Phone)
    assert narrow.ask(coap.GET, "/health").code == coap_numbers.FORBIDDEN
    assert wide.ask(coap.GET, "/health").code == coap.CONTENT
    assert wide.ask(coap.POST, "/bundle", revocation(1, [id_of(grant_of("alice"))])).code == coap.CHANGED
    assert wide.ask(coap.GET, "/r").code == coap_numbers.FORBIDDEN
    assert narrow.ask(coap.GET, "/r").code == coap.CONTENT
    assert grant.parse(grant_of("alice")).key == grant.parse(grant_of("alice", OPEN)).key
