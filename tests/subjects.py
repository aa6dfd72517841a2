"""Subjects, states and questions for tests of the rules, on both runtimes."""

from admit_protocol import rule

ALICE = ("everyone", "key:00000000000000a1", "user:alice", "group:night-shift")


def link(rules, identifier=b"grant-01", selectors=ALICE, trusted=None, life=(None, None)):
    """One rule.Link; `trusted`: how many of its selectors are the authority's word, all if None."""
    return rule.Link(identifier, tuple(selectors), len(selectors) if trusted is None else trusted, rules, life, None)


def alone(rules):
    """The subject that holds one grant of `rules`."""
    return (link(rules),)


def ask(rules, request, now, state=rule.NOTHING):
    """The decision on one grant's rules, by a clock that is exact, or at an unknown time (None)."""
    return rule.decide(alone(rules), None, request, (now, now), state)


class State:
    """What was used, shown and approved, as a test says it; counts by rule.Decision's keys, `recent` as ages in s."""

    def __init__(self, used=None, recent=None, presence=0, approved=None, policy_age=0):
        self._used = used or {}
        self._recent = recent or {}
        self.presence = presence
        self._approved = approved or {}
        self._policy_age = policy_age

    def used(self, key):
        return self._used.get(key, 0)

    def recent(self, key, seconds):
        return len([age for age in self._recent.get(key, ()) if age < seconds])

    def approved(self, selectors):
        return self._approved.get(tuple(selectors), 0)

    def policy_age(self, moment):
        return self._policy_age
