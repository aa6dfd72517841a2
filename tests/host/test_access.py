"""The verdict that the host predicts, and which refusal explains best."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from admit import access, forms
from admit.suite import HostSuite
from admit_protocol import grant, rule
from sites import NOW  # 2027-01-15 08:00 UTC, a Friday

GET, POST = 1, 2
BERLIN = ZoneInfo("Europe/Berlin")
USER = HostSuite().generate()


def make(signer, *rules, audience=("kiosk-*",), **life):
    data = signer.issue_grant("alice", list(audience), list(rules), USER.public, NOW, **life)
    return grant.parse(data)


def ask(grants, path="/r/open", method=POST, arguments=None, device="kiosk-1", now=NOW, revoked=()):
    return access.decide(grants, device, (), (method, path, arguments), (now, now), set(revoked))


def test_one_grant_that_allows_is_enough(signer):
    closed, opened = make(signer, ("/r/close", 3, {})), make(signer, ("/x", 1, {}), ("/r/open", 3, {}))
    verdict = ask([closed, opened])
    assert verdict.decision == (True, "rule-allows", 1, "", opened.id, ())
    assert verdict.grant is opened
    assert [opinion.decision.reason for opinion in verdict.opinions] == ["rule-none", "rule-allows"]


def test_without_any_grant(signer):
    verdict = ask([])
    assert (verdict.decision.allowed, verdict.decision.reason, verdict.grant) == (False, "access-no-grant", None)


def test_the_explanation_is_that_of_the_grant_that_is_nearest(signer):
    office = {rule.WINDOWS: [[127, 600, 660]]}
    nothing = make(signer, ("/r/close", 3, {}))
    reading = make(signer, ("/r/open", GET, {}))
    later = make(signer, ("/r/open", POST, office))
    elsewhere = make(signer, ("/r/open", POST, {}), audience=["locker-1"])
    irrelevant = make(signer, ("/r/close", 3, {}), audience=["locker-1"])
    ended = make(signer, ("/r/open", POST, {}), expires=NOW)
    assert ask([irrelevant]).decision.reason == "grant-other-device"
    assert ask([irrelevant, nothing]).decision.reason == "rule-none"
    assert ask([nothing, reading]).decision.reason == "rule-method"
    assert ask([later, reading]).decision.reason == "rule-outside-window"
    assert ask([elsewhere, reading]).decision.reason == "grant-other-device"
    assert ask([elsewhere, later, ended]).decision.reason == "rule-outside-window"
    assert ask([nothing, ended]).decision.reason == "grant-expired"
    assert ask([reading, ended], now=None).decision.reason == "grant-time-unknown"
    assert ask([later], now=None).decision.reason == "rule-time-unknown"
    assert ask([ended, make(signer, ("*", 127, {}))]).decision.allowed


def test_a_revoked_grant_says_nothing_but_that(signer):
    one, two = make(signer, ("/r/open", 3, {})), make(signer, ("/r/open", 3, {}))
    assert ask([one, two], revoked=[one.id]).grant is two
    assert ask([one], revoked=[one.id]).decision.reason == "grant-revoked"


def test_the_verdict_is_what_the_rules_code_says(signer):
    """Each reason that the rules can give finds its place among the others."""
    zoned = {rule.WINDOWS: [[127, 0, 0]], rule.ZONE: [[NOW + 1, 0]]}
    for conditions, reason_given in (
        ({rule.BOUNDS: {"seconds": [1, 2]}}, "rule-argument"),
        ({99: 1}, "rule-unknown-condition"),
        (zoned, "rule-outside-zone"),
    ):
        assert ask([make(signer, ("/r/open", 3, conditions))]).decision.reason == reason_given


def test_hours_at_a_kiosk_in_berlin(signer):
    """The whole way: what an admin types becomes a grant, and the verdict follows Berlin's clocks."""
    end = forms.parse_moment("2027-06-30", BERLIN, last=True)
    window = forms.window_conditions(forms.parse_days("mon-fri"), forms.parse_hours("08:00-18:00"), BERLIN, NOW, end)
    path, methods, bounds = forms.parse_allow("r/open:POST")
    given = make(signer, (path, methods, {**bounds, **window}), expires=end)
    moment = datetime.fromtimestamp(NOW, BERLIN)
    while moment.timestamp() < end + 86400:
        inside = moment.timestamp() < end and moment.weekday() < 5 and 8 <= moment.hour < 18
        assert ask([given], now=int(moment.timestamp())).decision.allowed is inside, moment
        moment = (moment.astimezone(UTC) + timedelta(minutes=97)).astimezone(BERLIN)
