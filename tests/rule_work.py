"""Counts what a decision looks at, without any trace of it in the code that ships; on both runtimes.

Counted are rules whose pattern is compared, rules that are weighed, and look-ups in an index.

    MICROPYPATH=firmware:tests:.frozen micropython tests/rule_work.py

prints how many microseconds a decision takes among 10 rules, and among 1,000.
"""

import time

import subjects
from admit_protocol import rule, rule_index, rule_reader

POST = 2
COUNTED = ("matches", "_weigh", "_denies")


class Table:
    """A dict whose look-ups are counted; dicts within it too."""

    def __init__(self, entries, tally):
        self._entries = entries
        self._tally = tally

    def __contains__(self, key):
        self._tally[0] += 1
        return key in self._entries

    def __getitem__(self, key):
        self._tally[0] += 1
        found = self._entries[key]
        return Table(found, self._tally) if isinstance(found, dict) else found

    def get(self, key, default=None):
        self._tally[0] += 1
        return self._entries.get(key, default)


def work(subject, policy, request, moment=(None, None), state=rule.NOTHING):
    """(how much was looked at, the decision)."""
    tally = [0]

    def counting(function):
        def counted(*arguments):
            tally[0] += 1
            return function(*arguments)

        return counted

    originals = [getattr(rule, name) for name in COUNTED]
    for name, function in zip(COUNTED, originals):
        setattr(rule, name, counting(function))
    try:
        links = [rule.Link(*(tuple(link)[:-1] + (_tables(link.index, tally),))) for link in subject]
        law = policy and (policy[0], _tables(policy[1], tally))
        return tally, rule.decide(links, law, request, moment, state)
    finally:
        for name, function in zip(COUNTED, originals):
            setattr(rule, name, function)


def _tables(index, tally):
    return index and (index[0], Table(index[1], tally))


def policy_of(count):
    """The index of so many rules: of users, groups, roles and keys, about paths and patterns of them."""
    rules = []
    for number in range(count):
        selector = ("user:u%d", "group:g%d", "role:r%d", "key:f%015x")[number % 4] % (number // 4)
        pattern = ("/r/door%d", "/r/door%d*", "/r/*", "*", "/journal")[number % 5]
        pattern = pattern % number if "%" in pattern else pattern
        rules.append([number % 3, [selector], [], pattern, 127, {}, "p%d" % number])
    rules.append([rule.DENY, ["everyone"], ["user:alice"], "/r/*", 127, {}, "last"])
    return rule_index.build(rule_reader.parse_policy(rules))


def grant_of(count):
    """A subject with so many rules in one grant, the last of which allows."""
    rules = [rule_reader.parse(["/r/door%d" % number, POST, {}]) for number in range(count - 1)]
    rules.append(rule_reader.parse(["/r/open", POST, {}]))
    index = rule_index.index_patterns([one[0] for one in rules]) if count > 16 else None
    return (rule.Link(b"grant-01", subjects.ALICE, 4, rules, (None, None), index),)


def microseconds(count, rounds=100, repeats=15):
    """What a decision among so many rules takes: the best of some measurements."""
    now = getattr(time, "ticks_us", lambda: time.perf_counter_ns() // 1000)
    subject, policy = grant_of(count), policy_of(count)
    best = None
    for _ in range(repeats):
        begun = now()
        for _ in range(rounds):
            rule.decide(subject, policy, (POST, "/r/open", None), (None, None), rule.NOTHING)
        taken = (now() - begun) / rounds
        best = taken if best is None else min(best, taken)
    return best


if __name__ == "__main__":
    print(microseconds(10), microseconds(1000))
