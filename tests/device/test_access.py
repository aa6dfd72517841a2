"""The policy in force, as decisions ask for it; what is decided is test_decisions.py's."""

from admit_device.access import Access, Revoked
from admit_protocol import coap, coap_numbers, grant
from admit_protocol.aif import GET, POST
from memory_ports import WEDNESDAY, Memory
from rig import Phone
from visitors import OPEN, SITE, Visitor, grant_of, id_of, key_of, new_kiosk, revocation

WEEKDAYS = {1: [[31, 0, 0]]}
SUNDAY = WEDNESDAY + 4 * 86400


class Session:
    """A session as decisions see it."""

    present = (0, 0)

    def __init__(self, *grants):
        self.grants = list(grants)


def test_what_was_taken_back_is_found_among_many():
    ids = [number.to_bytes(8, "big") for number in range(1, 1000, 7)]
    revoked = Revoked(b"".join(ids), ("key:00", "user:bob"))
    for each in ids:
        assert each in revoked
        assert (int.from_bytes(each, "big") + 1).to_bytes(8, "big") not in revoked
    assert bytes(8) not in revoked and b"\xff" * 8 not in revoked
    assert "user:bob" in revoked and "user:bo" not in revoked and "user:alice" not in revoked
    assert bytes(8) not in Revoked(b"", ())


def test_whether_a_grant_counts_comes_before_what_it_allows():
    rig = new_kiosk()
    clock = rig.clock
    access = Access(Memory(), rig.device.clock, rig.device.identity, SITE.suite)
    data = SITE.grant(key_of("alice").public, [("/r/open", GET | POST, WEEKDAYS)], expires=SUNDAY + 3600, number=77)
    subject = grant.parse(data)

    def decide(path="/r/open"):
        decision = access.decide(Session(subject), POST, path)
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
    clock.seconds = SUNDAY + 3600
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
