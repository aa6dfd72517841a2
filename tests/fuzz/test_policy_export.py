"""Any policy that can be said comes out as a file that says the same, whatever day it is read on."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from admit import condition_forms, forms, policy_changes, policy_export, policy_file
from admit.policy_file import Known
from admit.policy_model import Denial, Policy, denial_key, normal, statement_key
from admit.statements import Statement
from admit_protocol import rule
from fuzz.strategies import FEWER
from sites import NOW

ZONES = ["Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata"]
USERS = {"alice", "bob"}
DAY = 86400

names = st.sampled_from(["a", "night-shift", "x.y", "größe"])
devices = st.lists(
    st.sampled_from(["*", "kiosk-*", "kiosk-1", 'quo"te', "back\\slash"]), min_size=1, max_size=3, unique=True
)
bounds = st.dictionaries(
    st.sampled_from(["n", "m"]), st.sampled_from([[None, 3], [1, None], [2, 2], [-4, 9]]), max_size=2
)
patterns = st.sampled_from(["/r/open", "/r/*", "*", "/health", "/r/a.b"])
methods = st.integers(1, 127)
moments = st.one_of(st.none(), st.integers(NOW - DAY, NOW + 400 * DAY))


@st.composite
def rules(draw):
    made = {}
    for _ in range(draw(st.integers(1, 3))):
        said = draw(bounds)
        one = (draw(patterns), draw(methods), {rule.BOUNDS: said} if said else {})
        made[repr(one)] = one
    return tuple(made.values())


@st.composite
def windows(draw, begin, end):
    if end is None or not draw(st.booleans()):
        return {}
    days, hours = (
        draw(st.one_of(st.none(), st.integers(1, 127))),
        draw(st.sampled_from([None, (480, 1080), (1320, 360)])),
    )
    return forms.window_conditions(days, hours, ZoneInfo(draw(st.sampled_from(ZONES))), begin or NOW, end)


@st.composite
def lives(draw):
    begin, end = draw(moments), draw(moments)
    if end is not None:
        end = max(end, NOW + 20 * DAY, (begin or NOW) + 20 * DAY)
    return begin, end


@st.composite
def policies(draw):
    roles = {name: draw(rules()) for name in draw(st.lists(names, max_size=2, unique=True))}
    members = {
        name: sorted(draw(st.sets(st.sampled_from(["user:alice", "user:bob"])))) for name in draw(st.sets(names))
    }
    statements, denials = {}, {}
    for _ in range(draw(st.integers(0, 4))):
        said = draw(stated(roles, members))
        statements[statement_key(said, NOW)] = said
    for number in range(draw(st.integers(0, 3))):
        begin, end = draw(lives())
        conditions = draw(windows(begin, end)) | ({rule.LIFE: [begin, end]} if (begin, end) != (None, None) else {})
        said = draw(bounds)
        conditions |= {rule.BOUNDS: said} if said else {}
        who = draw(st.sampled_from([("everyone",), ("user:alice",), ("key:0123456789abcdef", "user:bob")]))
        effect, name = draw(st.sampled_from([rule.DENY, rule.LOCKDOWN])), draw(st.sampled_from([None, f"n{number}"]))
        where = tuple(sorted(draw(devices)))
        one = Denial(effect, who, (), where, draw(patterns), draw(methods), conditions, name)
        denials[denial_key(one, NOW)] = one
    return Policy(roles, members, statements, denials)


@st.composite
def stated(draw, roles, members):
    begin, end = draw(lives())
    asked = condition_forms.conditions(
        draw(st.sampled_from([None, 3])),
        draw(st.sampled_from([None, [5, 3600], [1, 61]])),
        draw(st.sampled_from([None, "code", "button"])),
        draw(st.sampled_from([None, [1, ["everyone", "user:bob"]]])),
        draw(st.sampled_from([None, 604800])),
        draw(st.booleans()),
    )
    subject = draw(st.sampled_from(["user:alice", *[f"group:{name}" for name in members]]))
    role = draw(st.sampled_from([None, *roles]))
    own = draw(rules()) if role is None or draw(st.booleans()) else ()
    conditions = draw(windows(begin, end)) | asked
    said = Statement(subject, tuple(draw(devices)), own, role, conditions, begin, end, draw(st.integers(0, 4)))
    return normal(said)


@FEWER
@given(policy=policies(), zone=st.sampled_from(ZONES), later=st.integers(0, 15 * DAY))
def test_what_is_written_is_read_as_the_same(policy, zone, later):
    now = NOW + later
    text = policy_export.export(policy, ZoneInfo(zone), now)
    read = policy_file.parse("x", text, Known(USERS, set(), ZoneInfo("UTC"), now)).policy
    held = Policy(
        policy.roles,
        policy.members,
        {statement_key(said, now): said for said in policy.statements.values()},
        {denial_key(one, now): one for one in policy.denials.values()},
    )
    assert policy_changes.compare(held, read).changes == (), text
