"""Questions to the rules in great number, the same on both runtimes, and one hash over all the answers.

    MICROPYPATH=firmware:tests:.frozen micropython tests/rule_cases.py FIRST WORLDS

prints that hash, and how often each reason was given. A world is a chain of grants and a policy, of which QUESTIONS are
asked. Chance is a generator of our own, since the two runtimes' differ.
"""

import hashlib
import sys

from admit_protocol import cbor, rule, rule_index, rule_reader
from admit_protocol.standing import Grant
from subjects import State

QUESTIONS = 50  # of one world
MONDAY = 1795392000  # 2026-11-23 00:00 UTC
DAY = 86400

PATHS = ("/r/open", "/r/open", "/r/open", "/r/open2", "/r/close", "/r/", "/health", "/journal", "", "*")
PATTERNS = ("*", "/*", "/r/*", "/r/open", "/r/open", "/r/o*", "/r/close", "/health", "/jour*")
METHODS = (1, 2, 2, 2, 4, 8, 64, 0)
NAMES = ("alice", "bob", "carol")
GROUPS = ("group:day", "group:night", "role:guard", "role:guest")
SPRING, AUTUMN = 1774746000, 1792890000  # Berlin changes its clocks, 2026
ZONES = (
    [[1767225600, 60], [SPRING, 120], [AUTUMN, 60]],
    [[MONDAY - 3 * DAY, -300]],
    [[MONDAY + 5 * 3600 + 7, 345], [MONDAY + 2 * DAY, -1439], [MONDAY + 2 * DAY + 90, 1439]],
)
INSTANTS = (0, 1, MONDAY, SPRING, AUTUMN, MONDAY - 3650 * DAY, MONDAY + 3650 * DAY, 2**31 - 1, 2**32, -DAY)
VALUES = (0, 1, 5, 10, 11, -3, True, None, "5", 2**64 - 1)


class Chance:
    """Lehmer's generator: products stay within MicroPython's small integers."""

    def __init__(self, seed):
        self._state = seed + 1
        for _ in range(4):  # until neighbours have nothing in common
            self.below(1)

    def below(self, limit):
        self._state = self._state * 48271 % 2147483647
        return self._state * limit // 2147483647

    def one_of(self, items):
        return items[self.below(len(items))]

    def some(self, items, least=0):
        """A part of them, in their order; at least `least` if there are so many."""
        picked = [each for each in items if self.below(2)]
        return picked if len(picked) >= least else list(items[:least])


def instant(chance):
    """A moment near those where something begins or ends."""
    base = chance.one_of(INSTANTS) if chance.below(3) == 0 else MONDAY + chance.below(14) * DAY
    return base + chance.one_of((-1, 0, 1, 60, 3599, 8 * 3600, 18 * 3600 - 1, 22 * 3600, 6 * 3600, chance.below(DAY)))


def moment(chance):
    kind = chance.below(8)
    now = instant(chance)
    if kind == 0:
        return None, None
    if kind == 1:
        return now, None
    return now, now + (0 if kind < 5 else chance.one_of((1, 60, 600, 7200, DAY - 1, DAY, 30 * DAY)))


def life(chance):
    begin, end = instant(chance), instant(chance)
    kind = chance.below(3)
    if kind == 0:
        return [begin, None]
    return [None, end] if kind == 1 else [min(begin, end), max(begin, end) + 1]


def windows(chance):
    minutes = (0, 0, 120, 180, 8 * 60, 18 * 60, 22 * 60, 6 * 60, 1439, chance.below(1440))
    days = (127, 31, 96, 1, 64, 1 + chance.below(127))
    return [[chance.one_of(days), chance.one_of(minutes), chance.one_of(minutes)] for _ in range(1 + chance.below(3))]


def bounds(chance):
    return {name: chance.one_of(([1, 10], [None, 10], [5, None])) for name in chance.some(("level", "seconds"), 1)}


def time_conditions(chance):
    conditions = {}
    if chance.below(3) == 0:
        conditions[rule.WINDOWS] = windows(chance)
        if chance.below(2):
            conditions[rule.ZONE] = chance.one_of(ZONES)
    if chance.below(5) == 0:
        conditions[rule.LIFE] = life(chance)
    if chance.below(4) == 0:
        conditions[rule.BOUNDS] = bounds(chance)
    return conditions


def conditions(chance):
    some = time_conditions(chance)
    for number, values in (
        (rule.USES, (1, 3)),
        (rule.RATE, ([1, 60], [2, 3601])),
        (rule.PRESENCE, (rule.CODE, rule.BUTTON)),
        (rule.APPROVALS, ([1, ["group:day"]], [2, ["user:bob", "role:guard"]])),
        (rule.FRESH, (60, 7 * DAY)),
        (99, (None, 1)),
    ):
        if chance.below(11 if number == 99 else 7) == 0:
            some[number] = chance.one_of(values)
    if chance.below(4) == 0:
        some[rule.TIMELESS] = True
    return some


def rules(chance):
    count = chance.below(6) if chance.below(12) else 20
    return tuple(
        [
            rule_reader.parse([chance.one_of(PATTERNS), 1 + chance.below(127) | chance.below(3), conditions(chance)])
            for _ in range(count)
        ]
    )


def grant(chance, number, parent, enrol):
    begin, end = life(chance) if chance.below(3) == 0 else (None, None)
    key = bytes([chance.below(3)]) * 64
    name, groups = chance.one_of(NAMES), tuple(chance.some(GROUPS))
    identifier = b"grant-%02d" % number
    return Grant(
        b"", identifier, identifier, bytes(16), name, ("*",), key, None, rules(chance), 0, begin, end, groups, 0,
        parent, enrol, (),
    )  # fmt: skip


def subject(chance):
    """A chain of one to three grants; one in twenty has lost what it was passed on from."""
    length = 1 + chance.one_of((0, 0, 0, 1, 1, 2))
    lost = chance.below(20) == 0
    links = []
    for number in range(length):
        is_root = number == length - 1
        links.append(grant(chance, number, None if is_root and not lost else b"a parent", is_root * chance.below(2)))
    return rule.subject_of(Grant(*(tuple(links[0])[:-1] + (tuple(links[1:]),))))


def selectors(chance, least):
    keys = [rule.key_selector(bytes([number]) * 64) for number in (0, 1)]
    everybody = [rule.EVERYONE] if chance.below(4) == 0 else []
    named = ["user:" + name for name in NAMES] + list(GROUPS) + keys
    return everybody + [chance.one_of(named) for _ in range(chance.below(3) + (0 if everybody else least))]


def policy(chance):
    if chance.below(4) == 0:
        return None
    listed = []
    for number in range(1 + chance.below(5)):
        effect = chance.one_of((0, 0, 1, 2))
        some = time_conditions(chance) if effect else conditions(chance)
        line = [effect, selectors(chance, 1), selectors(chance, 0), chance.one_of(PATTERNS), 127, some, "p%d" % number]
        listed.append(line)
    return rule_index.build(rule_reader.parse_policy(cbor.decode(cbor.encode(listed))))


class Counts(State):
    """A state in which how often a rule was used depends on its index, so that every rule has a count."""

    def __init__(self, chance, **shown):
        super().__init__(**shown)
        self._times = chance.below(4)

    def used(self, key):
        return self._times + key[1] % 2

    def recent(self, key, seconds):
        return (self._times + seconds + key[1]) % 3


def state(chance):
    return Counts(
        chance,
        presence=chance.below(4),
        approved={("group:day",): chance.below(3), ("user:bob", "role:guard"): chance.below(4)},
        policy_age=chance.one_of((None, 0, 60, 61, 8 * DAY)),
    )


def request(chance):
    arguments = {name: chance.one_of(VALUES) for name in chance.some(("level", "seconds"))}
    if chance.below(3):
        arguments = {"level": chance.one_of((1, 5, 11)), "seconds": chance.one_of((1, 5, 10))}
    return chance.one_of(METHODS), chance.one_of(PATHS), None if chance.below(4) == 0 else arguments


def questions(first, worlds):
    """What rule.decide is asked in so many worlds, beginning with that of number `first`."""
    for number in range(first, first + worlds):
        chance = Chance(number)
        who, law = subject(chance), policy(chance)
        for _ in range(QUESTIONS):
            yield who, law, request(chance), moment(chance), state(chance)


def digest(first, worlds):
    """(hex SHA-256 over all decisions encoded, how often each of rule.REASONS was given)."""
    hashed = hashlib.sha256()
    given = [0] * len(rule.REASONS)
    for question in questions(first, worlds):
        decision = rule.decide(*question)
        hashed.update(cbor.encode(decision))
        given[rule.REASONS.index(decision.reason)] += 1
    return hashed.digest().hex(), given


if __name__ == "__main__":
    print(digest(int(sys.argv[1]), int(sys.argv[2])))
