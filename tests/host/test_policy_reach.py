"""Who gains or loses what by a change: told in full, by the code that decides, and found without asking everybody."""

from zoneinfo import ZoneInfo

import pytest

from admit import access, policy_changes, policy_file
from admit.policy_file import Known
from admit.policy_reach import CHANGES, GAINS, LOSES, Reach
from admit_protocol import rule
from sites import NOW

BERLIN = ZoneInfo("Europe/Berlin")
KNOWN = Known({"alice", "bob", "carol", "dave"}, set(), BERLIN, NOW)
DAY = 86400
END = 1846015200  # the end of 2028-06-30 in Berlin
SUMMER = 1806195600  # 2027-03-28 01:00 UTC

BASE = """
until = 2028-06-30
[roles.operator]
allow = ["r/open:POST", "health:GET"]
[groups]
night = ["alice", "bob"]
guards = ["dave"]
[[grant]]
to = "group:night"
role = "operator"
on = ["kiosk-*"]
days = "mon-fri"
hours = "08:00-18:00"
[[grant]]
to = "carol"
allow = ["r/*:*"]
on = ["*"]
"""
OPERATE = ((1, "/health"), (2, "/r/open"))
OFFICE = (0x1F, 480, 1080)


def reach(before, after, known=KNOWN, **more):
    policies = [policy_file.parse("x", text, known).policy for text in (before, after)]
    return Reach(policy_changes.compare(*policies), known.now, **more)


def effects(before, after, **more):
    return [
        (each.act, each.people, each.requests, each.devices, each.spread.windows, (each.spread.begin, each.spread.end))
        for each in reach(before, after, **more).effects()
    ]


def change(old, new, **more):
    assert old in BASE
    return effects(BASE, BASE.replace(old, new), **more)


def test_nothing_changes_for_nobody():
    assert effects(BASE, BASE) == []
    assert reach(BASE, BASE).work["judged"] == 0


def test_a_first_policy():
    assert effects("", BASE) == [
        (GAINS, ("alice", "bob"), OPERATE, ("kiosk-*",), (OFFICE,), (None, END)),
        (GAINS, ("carol",), ((127, "/r/*"),), ("*",), (), (None, END)),
    ]
    assert [each[:2] for each in effects(BASE, "")] == [(LOSES, ("alice", "bob")), (LOSES, ("carol",))]


def test_longer_hours():
    assert change("18:00", "20:00") == [
        (GAINS, ("alice", "bob"), OPERATE, ("kiosk-*",), ((0x1F, 1080, 1200),), (None, END))
    ]


def test_other_days_and_hours_over_midnight():
    assert change('"mon-fri"\nhours = "08:00-18:00"', '"fri-mon"\nhours = "22:00-06:00"') == [
        (GAINS, ("alice", "bob"), OPERATE, ("kiosk-*",), ((0b1110001, 22 * 60, 6 * 60),), (None, END)),
        (LOSES, ("alice", "bob"), OPERATE, ("kiosk-*",), (OFFICE,), (None, END)),
    ]


def test_another_time_zone_is_told_for_summer_and_winter():
    found = change('hours = "08:00-18:00"', 'hours = "08:00-18:00"\ntz = "UTC"')
    gained = [each[4:] for each in found if each[0] == GAINS]
    assert gained == [
        (((0x1F, 17 * 60, 18 * 60),), (None, SUMMER)),
        (((0x1F, 16 * 60, 18 * 60),), (SUMMER, 1824944400)),
        (((0x1F, 17 * 60, 18 * 60),), (1824944400, END)),
    ]


def test_it_does_not_matter_when_it_is_asked():
    for hours in range(0, 24 * 100, 59):
        known = Known(KNOWN.users, KNOWN.revoked, BERLIN, NOW + hours * 3600 + 60 * hours)
        found = reach("", BASE.replace("08:00-18:00", "22:00-06:00"), known).effects()
        assert [(each.spread.begin, each.spread.end, each.spread.windows) for each in found] == [
            (None, END, ((0x1F, 1320, 360),)),
            (None, END, ()),
        ]


def test_a_later_end_and_a_later_begin():
    week = 30 * DAY
    assert change("2028-06-30", "2028-07-30") == [
        (GAINS, ("alice", "bob"), OPERATE, ("kiosk-*",), (OFFICE,), (END, END + week)),
        (GAINS, ("carol",), ((127, "/r/*"),), ("*",), (), (END, END + week)),
    ]
    begun = change('on = ["*"]', 'on = ["*"]\nfrom = 2027-03-01')
    assert begun == [(LOSES, ("carol",), ((127, "/r/*"),), ("*",), (), (None, 1803855600))]


def test_who_joins_and_who_leaves_a_group():
    assert change('"alice", "bob"', '"alice", "dave"') == [
        (GAINS, ("dave",), OPERATE, ("kiosk-*",), (OFFICE,), (None, END)),
        (LOSES, ("bob",), OPERATE, ("kiosk-*",), (OFFICE,), (None, END)),
    ]


def test_who_has_it_anyway_gains_only_the_rest():
    (found,) = change('"alice", "bob"', '"alice", "bob", "carol"')
    assert found == (GAINS, ("carol",), ((1, "/health"),), ("kiosk-*",), (OFFICE,), (None, END))


def test_members_of_an_inner_group_are_people_too():
    (found,) = change('"alice", "bob"', '"alice", "bob", "group:guards"')
    assert found[:2] == (GAINS, ("dave",))


def test_a_role_that_allows_more_and_less():
    found = change('"r/open:POST", "health:GET"', '"r/open:POST", "r/light:POST"')
    assert [each[:3] for each in found] == [
        (GAINS, ("alice", "bob"), ((2, "/r/light"),)),
        (LOSES, ("alice", "bob"), ((1, "/health"),)),
    ]


def test_other_devices():
    assert [each[:4] for each in change('"kiosk-*"', '"kiosk-1", "locker-1"')] == [
        (GAINS, ("alice", "bob"), OPERATE, ("locker-1",)),
        (LOSES, ("alice", "bob"), OPERATE, ("kiosk-*",)),
    ]


TERMS = [
    ("uses = 3", ("3 times on each device",), ()),
    ("rate = '5/h'", ("at most 5 in 1h",), ()),
    ("presence = 'button'", ("with its button",), ()),
    ("approvals = '1:group:guards'", ("approved by 1 of group:guards",), ()),
    ("fresh = '7d'", ("policy at most 1w old",), ()),
    ("timeless = true", (), ("also while the time is unknown",)),
    ("delegate = 2", (), ("may be passed on 2 times",)),
]


@pytest.mark.parametrize(("line", "asks", "gives"), TERMS)
def test_whoever_keeps_access_on_other_terms_is_told(line, asks, gives):
    found = reach(BASE, BASE.replace('on = ["*"]', f'on = ["*"]\n{line}')).effects()
    free = frozenset([((), ())])
    assert {(each.act, each.people, each.before) for each in found} == {(CHANGES, ("carol",), free)}
    assert frozenset([(asks, gives)]) in {each.after for each in found}


def test_bounds_are_terms():
    (found,) = reach(BASE, BASE.replace("r/open:POST", "r/open:POST{seconds<=10}")).effects()
    assert (found.act, found.people, found.requests) == (CHANGES, ("alice", "bob"), ((2, "/r/open"),))
    assert found.after == frozenset([(("seconds at most 10",), ())])


def test_a_denial_of_some_arguments_is_a_term_too():
    text = f'{BASE}[[deny]]\nto = ["carol"]\nwhat = ["r/open:POST{{seconds>=11}}"]\non = ["kiosk-1"]\n'
    (found,) = reach(BASE, text).effects()
    assert (found.act, found.people, found.devices) == (CHANGES, ("carol",), ("kiosk-1",))
    assert found.after == frozenset([(("but not with seconds at least 11",), ())])


def test_a_lockdown_spares_whom_it_excepts():
    text = f'{BASE}[[lockdown]]\non = ["kiosk-*"]\nexcept = ["group:night"]\n'
    assert effects(BASE, text) == [(LOSES, ("carol",), ((127, "/r/*"),), ("kiosk-*",), (), (None, END))]
    assert [each[:2] for each in effects(text, BASE)] == [(GAINS, ("carol",))]


def test_who_leaves_the_excepted_group_loses_by_it():
    text = f'{BASE}[[grant]]\nto = "bob"\nroutines = ["light"]\non = ["lobby-1"]\n'
    text += '[[lockdown]]\non = ["lobby-*"]\nexcept = ["group:night"]\n'
    found = effects(text, text.replace('"alice", "bob"', '"alice"'))
    assert (LOSES, ("bob",), ((3, "/r/light"),), ("lobby-1",), (), (None, END)) in found


def test_a_denial_of_a_role_is_about_those_who_have_it():
    text = f'{BASE}[[deny]]\nto = ["role:operator"]\nwhat = ["health:GET"]\non = ["*"]\n'
    assert effects(BASE, text) == [
        (LOSES, ("alice", "bob"), ((1, "/health"),), ("kiosk-*",), (OFFICE,), (None, END)),
    ]


def test_a_denial_with_hours_takes_those_hours():
    text = f'{BASE}[[deny]]\nto = ["carol"]\nwhat = ["open"]\non = ["kiosk-1"]\n'
    text += 'until = 2027-06-30\nhours = "20:00-22:00"\n'
    (found,) = effects(BASE, text)
    assert found == (LOSES, ("carol",), ((3, "/r/open"),), ("kiosk-1",), ((127, 1200, 1320),), (None, 1814392800))


def test_a_denial_of_one_key_leaves_the_others():
    keys = {"carol": ["0123456789abcdef", "0000000000000000"]}
    text = f'{BASE}[[deny]]\nto = ["key:0123456789abcdef"]\non = ["*"]\n'
    assert [each[:2] for each in effects(BASE, text, keys=keys)] == [(LOSES, ("carol with key:0123456789abcdef",))]


def test_who_counts_no_more_is_not_told_of():
    assert [each[1] for each in effects("", BASE, gone=frozenset(["bob", "carol"]))] == [("alice",)]


def test_every_moment_that_is_told_is_what_devices_decide():
    """Hour by hour of two weeks around a change of clocks: what is told against access.decide over both policies."""
    after = BASE.replace("18:00", "20:00").replace('"alice", "bob"', '"alice", "bob", "dave"')
    after += '[[deny]]\nto = ["group:night"]\nwhat = ["open"]\non = ["kiosk-3"]\nhours = "12:00-14:00"\n'
    after += "until = 2028-06-30\n"
    measured = reach(BASE, after)
    told = measured.effects()
    for user in ("alice", "dave", "carol"):
        for device in ("kiosk-1", "kiosk-3", "lobby-1"):
            for moment in range(SUMMER - 7 * DAY, SUMMER + 7 * DAY, 3600):
                before, now = (
                    decided(policy, user, device, moment)
                    for policy in (measured.difference.before, measured.difference.after)
                )
                said = {each.act for each in told if user in each.people and is_about(each, device, moment)}
                assert said == ({GAINS} if now and not before else {LOSES} if before and not now else set()), moment


def decided(policy, user, device, moment):
    """Whether a user may open, by grants as they would be issued."""
    from admit.groups import memberships

    theirs = [f"user:{user}", *memberships(policy.members).get(user, ())]
    grants = [grant_of(policy, said, user, theirs[1:]) for said in policy.statements.values() if said.subject in theirs]
    rules = [each.rule("it") for each in policy.denials.values() if any(rule.matches(p, device) for p in each.devices)]
    return access.decide(grants, device, rules, (2, "/r/open", {}), (moment, moment)).decision.allowed


def grant_of(policy, said, user, selectors):
    from admit_protocol.standing import Grant

    roles = [f"role:{said.role}"] if said.role else []
    rules, life = tuple(policy.rules_of(said)), (said.not_before, said.expires)
    own = (b"", b"", bytes(8), b"", user, said.audience, b"", None, rules, 0, *life)
    return Grant(*own, tuple(sorted([*selectors, *roles])), 0, None, 0, ())


def is_about(effect, device, moment):
    """Whether an effect on opening is told for a device and a moment."""
    spread = effect.spread
    if (2, "/r/open") not in effect.requests and (3, "/r/open") not in effect.requests:
        return False
    exact = [each for each in effect.devices if each == device]
    wide = [each for each in effect.devices if each.endswith("*") and rule.matches(each, device)]
    if not exact and (not wide or device in EXCEPTED):
        return False
    if (spread.begin or 0) > moment or (spread.end is not None and moment >= spread.end):
        return False
    if not spread.windows:
        return True
    local = moment + (3600 if moment < SUMMER else 7200)
    minute, day = local // 60 % 1440, (local // DAY + 3) % 7
    for mask, start, stop in spread.windows:
        today, yesterday = mask >> day & 1, mask >> (day - 1) % 7 & 1
        if start < stop and today and start <= minute < stop:
            return True
        if start >= stop and ((today and minute >= start) or (yesterday and minute < stop)):
            return True
    return False


EXCEPTED = {"kiosk-3"}  # a denial names it, so what is told of kiosk-* is not about it


# What it costs


def many(count, more=""):
    names = [f"u{number}" for number in range(count)]
    text = "until = 2028-06-30\n"
    for number, name in enumerate(names):
        text += f'[[grant]]\nto = "{name}"\nroutines = ["open"]\non = ["kiosk-{number}"]\n'
    return text + more, Known(set(names), set(), BERLIN, NOW)


def work(count, old, new, more=""):
    text, known = many(count, more)
    measured = reach(text, text.replace(old, new), known)
    measured.effects()
    return measured.work


def test_only_who_is_concerned_is_looked_at():
    for old, new in (('"kiosk-7"', '"kiosk-8"'), ('"u7"\nroutines', '"u7"\nuses = 3\nroutines')):
        few, more = (work(count, old, new) for count in (20, 400))
        assert few == more
        assert few["concerned"] == 1
        assert 0 < few["judged"] <= 40


def test_people_who_have_the_same_are_judged_once():
    def measure(count):
        names = ", ".join(f'"u{number}"' for number in range(count))
        text = f"until = 2028-06-30\n[groups]\nall = [{names}]\n"
        text += '[[grant]]\nto = "group:all"\nroutines = ["open"]\non = ["*"]\n'
        known = Known({f"u{number}" for number in range(count)}, set(), BERLIN, NOW)
        measured = reach(text, text.replace("open", "shut"), known)
        assert {len(each.people) for each in measured.effects()} == {count}
        return measured.work

    few, more = measure(10), measure(1000)
    assert (few["judged"], few["alike"]) == (more["judged"], more["alike"])
    assert (more["concerned"], more["alike"]) == (1000, 1)
