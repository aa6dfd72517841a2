"""What is said and has no effect is noticed, and nothing else is."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from admit import forms
from admit.contradictions import never_opens, shadow
from admit.statements import Statement
from admit_protocol import rule

BERLIN = ZoneInfo("Europe/Berlin")
OPEN = rule.Rule("/r/open", 2, {})


def opens(days, hours, begin, end):
    first, last = [int(datetime.fromisoformat(each).replace(tzinfo=BERLIN).timestamp()) for each in (begin, end)]
    asked = forms.window_conditions(forms.parse_days(days), forms.parse_hours(hours), BERLIN, first, last)
    return not never_opens(asked, first, last)


@pytest.mark.parametrize(
    "days, hours, begin, end, expected",
    [
        ("mon-fri", "08:00-18:00", "2027-01-15", "2027-01-16", True),
        ("sat,sun", "08:00-18:00", "2027-01-11", "2027-01-16", False),
        ("sat,sun", "08:00-18:00", "2027-01-11", "2027-01-16 08:01", True),
        ("fri", "22:00-06:00", "2027-01-16", "2027-01-16 05:59", True),
        ("fri", "22:00-06:00", "2027-01-16 06:00", "2027-01-17", False),
        ("fri", "08:00-09:00", "2027-01-15 09:00", "2027-01-22 08:00", False),
        ("sun", "02:10-02:50", "2027-03-28", "2027-03-29", False),  # clocks go from 02:00 to 03:00
        ("sun", "02:10-03:10", "2027-03-28", "2027-03-29", True),
        ("sun", "02:10-02:50", "2027-03-28", "2027-04-05", True),
        ("sun", "02:10-02:50", "2027-10-31", "2027-11-01", True),  # twice
    ],
)
def test_windows_that_never_open(days, hours, begin, end, expected):
    assert opens(days, hours, begin, end) is expected


def test_without_windows_or_without_an_end_something_is_open():
    assert not never_opens({}, 0, 1)
    assert not never_opens({rule.WINDOWS: [[1, 0, 1]]}, 0, None)


MEMBERS = {"night": ["user:alice", "user:bob"], "all": ["group:night", "user:carol"]}


def denied(subjects, devices=("*",), pattern="*", methods=rule.ALL_METHODS, conditions=None, exceptions=()):
    return rule.PolicyRule(
        rule.DENY, list(subjects), list(exceptions), pattern, methods, conditions or {}, "d-1"
    ), list(devices)


@pytest.mark.parametrize(
    "denial, said, expected",
    [
        (denied(["everyone"]), "user:alice", True),
        (denied(["user:alice"]), "user:alice", True),
        (denied(["user:bob"]), "user:alice", False),
        (denied(["group:all"]), "group:night", True),
        (denied(["group:night"]), "group:all", False),
        (denied(["role:guest"]), "user:alice", True),
        (denied(["user:alice"], devices=["kiosk-1"]), "user:alice", False),
        (denied(["user:alice"], devices=["kiosk-*"]), "user:alice", True),
        (denied(["user:alice"], pattern="/r/*"), "user:alice", True),
        (denied(["user:alice"], pattern="/r/close"), "user:alice", False),
        (denied(["user:alice"], methods=1), "user:alice", False),
        (denied(["user:alice"], conditions={rule.LIFE: [None, 9]}), "user:alice", False),
        (denied(["user:alice"], exceptions=["role:x"]), "user:alice", False),
    ],
)
def test_an_allow_that_a_deny_takes_away_as_a_whole(denial, said, expected):
    statement = Statement(said, ("kiosk-*",), ((*OPEN,),), role="guest")
    assert (shadow(statement, [OPEN], [denial], MEMBERS) == "d-1") is expected
