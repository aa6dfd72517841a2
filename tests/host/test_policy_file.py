"""policy.toml as it is read: what it may say, and each fault with its place, its reason and its kind."""

from zoneinfo import ZoneInfo

import pytest

from admit import policy_file
from admit.policy_file import Known
from admit.policy_model import statement_key
from admit_protocol import rule
from admit_protocol.errors import AdmitError, Conflict, LocalError, NotFound
from sites import NOW

BERLIN = ZoneInfo("Europe/Berlin")
KNOWN = Known({"alice", "bob", "carol", "gone"}, {"gone"}, BERLIN, NOW)

WHOLE = """
tz = "Europe/Berlin"
until = 2028-06-30

[roles.operator]
allow = ["r/open:POST", "health:GET"]

[roles]
guest.routines = ["open"]

[groups]
night-shift = ["alice", "group:spares"]
spares = ["bob"]

[[grant]]
to = "group:night-shift"
role = "operator"
on = ["kiosk-*"]
days = "mon-fri"
hours = "22:00-06:00"

[[grant]]
to = "carol"
routines = ["open"]
allow = ["r/light:POST{level<=3}"]
on = ["locker-7", "locker-8"]
tz = "UTC"
from = "2027-02-01 12:00"
until = "never"
uses = 3
rate = "5/h"
presence = "code"
approvals = "1:group:spares"
fresh = "7d"
timeless = true
delegate = 1

[[deny]]
id = "no-carol"
to = ["carol"]
what = ["open", "r/light:POST"]
on = ["kiosk-1"]

[[lockdown]]
on = ["lobby-*"]
except = ["role:operator"]
until = 2027-03-01T12:00:00+01:00
"""
GRANT = '[[grant]]\nto = "alice"\nroutines = ["open"]\non = ["*"]\nuntil = "never"\n'


def read(text, known=KNOWN):
    return policy_file.parse("policy.toml", text, known)


def refused(text, known=KNOWN):
    with pytest.raises(AdmitError) as caught:
        read(text, known)
    return caught.value


def test_everything_that_a_file_may_say():
    policy = read(WHOLE).policy
    assert policy.roles["operator"] == (("/r/open", 2, {}), ("/health", 1, {}))
    assert policy.roles["guest"] == (("/r/open", 3, {}),)
    assert policy.members == {"night-shift": ["group:spares", "user:alice"], "spares": ["user:bob"]}
    shift, carol = policy.statements.values()
    assert (shift.subject, shift.role, shift.audience, shift.expires) == (
        "group:night-shift",
        "operator",
        ("kiosk-*",),
        1846015200,
    )
    assert shift.conditions[rule.WINDOWS] == [[0x1F, 22 * 60, 6 * 60]]
    assert carol.rules == (("/r/light", 2, {rule.BOUNDS: {"level": [None, 3]}}), ("/r/open", 3, {}))
    assert (carol.not_before, carol.expires, carol.delegate) == (1801483200, None, 1)
    assert carol.conditions == {
        rule.USES: 3,
        rule.RATE: [5, 3600],
        rule.PRESENCE: rule.CODE,
        rule.APPROVALS: [1, ["group:spares"]],
        rule.TIMELESS: True,
        rule.FRESH: 7 * 86400,
    }
    first, second, lockdown = policy.denials.values()
    assert [(each.name, each.pattern, each.methods) for each in (first, second)] == [
        ("no-carol", "/r/open", 3),
        ("no-carol.2", "/r/light", 2),
    ]
    assert lockdown.said[:3] == [rule.LOCKDOWN, ["everyone"], ["role:operator"]]
    assert lockdown.conditions == {rule.LIFE: [None, 1803898800]}


def test_an_empty_file_says_nothing():
    assert read("").policy.statements == {}


REFUSED = [
    # not TOML, not ours
    ("x = ", LocalError, "policy-form", "Invalid value"),
    ("unitl = 2027-01-01", LocalError, "policy-form", "policy.toml:1: unitl: unknown key; is until meant?"),
    ("[role.x]\nallow = []", LocalError, "policy-form", "policy.toml:1: role: unknown key; is roles meant?"),
    (f"\n{GRANT}dayz = 'mon'", LocalError, "policy-form", "policy.toml:7: grant 1, dayz: unknown key; is days meant?"),
    ("[grant]\nto = 'alice'", LocalError, "policy-form", "policy.toml:1: grant: must be written [[grant]]"),
    ("roles = 3", LocalError, "policy-form", "policy.toml:1: roles: must be a table"),
    # wrong types
    (GRANT.replace('["*"]', '"*"'), LocalError, "policy-form", "policy.toml:4: grant 1, on: must be a list of texts"),
    (GRANT.replace('["*"]', "[1]"), LocalError, "policy-form", "grant 1, on: must be a list of texts"),
    (GRANT.replace('"alice"', "1"), LocalError, "policy-form", "policy.toml:2: grant 1, to: must be text in quotes"),
    (f"{GRANT}uses = true", LocalError, "policy-form", "grant 1, uses: must be a whole number"),
    (f"{GRANT}uses = 0", LocalError, "policy-form", "grant 1, uses: must be from 1 to"),
    (f"{GRANT}timeless = 1", LocalError, "policy-form", "grant 1, timeless: must be true or false"),
    (f"{GRANT}presence = 'face'", LocalError, "policy-form", "grant 1, presence: must be code or button"),
    (f"{GRANT}delegate = 9", LocalError, "policy-form", "grant 1, delegate: must be from 0 to 4"),
    (f"{GRANT}from = 12:00:00", LocalError, "policy-form", "grant 1, from: must be a date"),
    # forms
    (f"{GRANT}hours = '8-9'", LocalError, "form-hours", "policy.toml:6: grant 1, hours: '8-9' is not like"),
    (f"{GRANT}days = 'daily'", LocalError, "form-days", "grant 1, days"),
    (f"{GRANT}tz = 'Mars'", LocalError, "form-zone", "grant 1, tz"),
    (f"{GRANT}rate = '99/h'", LocalError, "form-rate", "grant 1, rate"),
    (f"{GRANT}fresh = 'new'", LocalError, "form-duration", "grant 1, fresh"),
    (f"{GRANT}approvals = 'bob'", LocalError, "form-approvals", "grant 1, approvals"),
    ("[roles.r]\nallow = ['open']", LocalError, "form-allow", "policy.toml:2: roles.r, allow"),
    ("[roles.r]\nroutines = ['a/b']", LocalError, "form-routine", "policy.toml:2: roles.r, routines"),
    (f"{GRANT}hours = '08:00-09:00'", LocalError, "form-endless", "clocks change"),
    (GRANT.replace('"never"', "'tomorrow'"), LocalError, "form-date", "policy.toml:5: grant 1, until"),
    (GRANT.replace('"never"', "2027-02-01\nfrom = 2027-03-01"), LocalError, "form-date", "end before it begins"),
    ("[roles.'a b']\nallow = ['x:GET']", LocalError, "admin-name", "policy.toml:1: roles.a b"),
    (GRANT.replace("*", "a*b"), LocalError, "grant-audience", "policy.toml:4: grant 1, on"),
    # what is missing
    (GRANT.replace('until = "never"', ""), LocalError, "policy-form", "policy.toml:1: grant 1: say until when"),
    (GRANT.replace('to = "alice"', ""), LocalError, "policy-form", "grant 1: say to whom"),
    (GRANT.replace('on = ["*"]', ""), LocalError, "policy-form", "grant 1: say where"),
    (GRANT.replace('["*"]', "[]"), LocalError, "policy-form", "grant 1, on: say where"),
    (GRANT.replace('routines = ["open"]', ""), LocalError, "grant-nothing", "grant 1"),
    ("[roles.r]\nallow = []", LocalError, "grant-nothing", "policy.toml:1: roles.r"),
    ("[[deny]]\non = ['*']", LocalError, "policy-form", "policy.toml:1: deny 1: say to whom"),
    ("[[lockdown]]\nexcept = ['alice']", LocalError, "policy-form", "lockdown 1: say where"),
    ("[[deny]]\nto = ['alice']\nwhat = []\non = ['*']", LocalError, "denial-form", "policy.toml:3: deny 1, what"),
    # who is not there
    (GRANT.replace("alice", "zoe"), NotFound, "registry-no-user", "policy.toml:2: grant 1, to: no user zoe"),
    (GRANT.replace("alice", "group:x"), NotFound, "registry-no-group", "grant 1, to: no group x in this file"),
    (GRANT.replace("alice", "role:x"), LocalError, "form-subject", "grant 1, to"),
    (f"{GRANT}role = 'boss'", NotFound, "registry-no-role", "policy.toml:6: grant 1, role: no role boss in this file"),
    (f"{GRANT}approvals = '1:zoe'", NotFound, "registry-no-user", "grant 1, approvals: no user zoe"),
    ("[groups]\na = ['zoe']", NotFound, "registry-no-user", "policy.toml:2: groups.a: no user zoe"),
    ("[groups]\na = ['group:b']", NotFound, "registry-no-group", "policy.toml:2: groups.a: no group b"),
    ("[[deny]]\nto = ['role:x']\non = ['*']", NotFound, "registry-no-role", "policy.toml:2: deny 1, to"),
    (GRANT.replace("alice", "gone"), Conflict, "user-revoked", "policy.toml:2: grant 1, to: gone was revoked"),
    ("[groups]\na = ['gone']", Conflict, "user-revoked", "policy.toml:2: groups.a: gone was revoked"),
    # what cannot be
    ("[groups]\na = ['group:b']\nb = ['group:a']", Conflict, "group-cycle", "policy.toml:2: groups.a"),
    ("[groups]\na = ['group:a']", Conflict, "group-cycle", "groups.a"),
    (
        GRANT.replace('"never"', "2027-01-18\nfrom = 2027-01-18\ndays = 'sat'"),
        LocalError,
        "window-never-opens",
        "policy.toml:7: grant 1, days",
    ),
    (GRANT + GRANT, Conflict, "policy-twice", "policy.toml:6: grant 2: says the same as policy.toml:1: grant 1"),
    ("[groups]\na = ['alice', 'user:alice']", Conflict, "policy-twice", "policy.toml:2: groups.a"),
    ("[groups]\na = ['alice', 'alice']", LocalError, "policy-form", "groups.a: 'alice' stands there twice"),
    ("[roles.r]\nallow = ['x:GET', '/x:GET']", Conflict, "policy-twice", "roles.r"),
    (
        "[[deny]]\nid='a'\nto=['bob']\non=['*']\n[[deny]]\nid='a'\nto=['alice']\non=['*']",
        Conflict,
        "policy-twice",
        "policy.toml:6: deny 2, id",
    ),
    ("[[deny]]\nid='d-abcdef'\nto=['bob']\non=['*']", LocalError, "policy-form", "deny 1, id: choose a word"),
    ("[[deny]]\nid='averyverylongword'\nto=['bob']\non=['*']", LocalError, "policy-form", "deny 1, id: choose a word"),
]


@pytest.mark.parametrize(("text", "kind", "reason", "told"), REFUSED)
def test_what_is_wrong_is_refused_with_its_place(text, kind, reason, told):
    error = refused(text)
    assert (type(error), error.reason) == (kind, reason), error.detail
    assert told in error.detail
    assert error.detail.startswith("policy.toml")


def test_a_file_does_not_become_wrong_by_time():
    later = Known(KNOWN.users, KNOWN.revoked, BERLIN, 1846015200)
    draft = read(WHOLE, later)
    assert [said.subject for said in draft.policy.statements.values()] == ["user:carol"]
    assert [denial.name for denial in draft.policy.denials.values()] == ["no-carol", "no-carol.2"]
    assert [text.split(": it has")[0] for text in draft.warnings] == [
        "policy.toml:15: grant 1",
        "policy.toml:44: lockdown 1",
    ]


def test_the_same_said_on_another_day_is_the_same():
    for days in (1, 30, 300):
        later = NOW + days * 86400
        said_then = read(WHOLE, Known(KNOWN.users, KNOWN.revoked, BERLIN, later)).policy.statements
        said_now = read(WHOLE).policy.statements.values()
        assert [statement_key(each, later) for each in said_now] == list(said_then)
        assert [each.conditions for each in said_now] != [each.conditions for each in said_then.values()]


def test_what_is_said_in_another_order_is_the_same():
    other = WHOLE.replace('"locker-7", "locker-8"', '"locker-8", "locker-7"').replace(
        'routines = ["open"]\nallow = ["r/light:POST{level<=3}"]',
        'allow = ["r/light:POST{level<=3}", "r/open:GET,POST"]',
    )
    assert other != WHOLE
    assert read(other).policy.statements.keys() == read(WHOLE).policy.statements.keys()
