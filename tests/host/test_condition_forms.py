"""How often, how fresh, with whose consent: what people write, and what is refused."""

import pytest

from admit import condition_forms, forms
from admit_protocol import rule, rule_reader
from admit_protocol.errors import LocalError


@pytest.mark.parametrize(
    "text, seconds", [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600), (" 1h", 3600)]
)
def test_durations(text, seconds):
    assert condition_forms.parse_duration(text) == seconds


@pytest.mark.parametrize("seconds, text", [(90, "90s"), (1800, "30m"), (86400, "1d"), (604800, "1w"), (3601, "3601s")])
def test_durations_are_shown_in_the_largest_unit(seconds, text):
    assert condition_forms.duration_text(seconds) == text
    assert condition_forms.parse_duration(text) == seconds


def test_rates():
    assert condition_forms.parse_rate("5/1h") == [5, 3600]
    assert condition_forms.parse_rate("1/h") == [1, 3600]


def test_approvals():
    assert condition_forms.parse_approvals("2:group:leads") == [2, ["group:leads"]]
    assert condition_forms.parse_approvals("1:bob, role:guard") == [1, ["role:guard", "user:bob"]]


def test_selectors():
    assert condition_forms.parse_selector("alice") == "user:alice"
    for text in ("everyone", "group:leads", "role:guest", "key:0011223344556677"):
        assert condition_forms.parse_selector(text) == text
    assert condition_forms.parse_subject("group:leads") == "group:leads"


@pytest.mark.parametrize(
    "parse, text, reason",
    [
        ("parse_duration", "0h", "form-duration"),
        ("parse_duration", "24", "form-duration"),
        ("parse_duration", "1y", "form-duration"),
        ("parse_duration", "-1h", "form-duration"),
        ("parse_rate", "5", "form-rate"),
        ("parse_rate", "0/1h", "form-rate"),
        ("parse_rate", "33/1h", "form-rate"),
        ("parse_rate", "5/1y", "form-duration"),
        ("parse_approvals", "group:leads", "form-approvals"),
        ("parse_approvals", "0:group:leads", "form-approvals"),
        ("parse_approvals", "2", "form-approvals"),
        ("parse_approvals", "2:planet:x", "form-subject"),
        ("parse_selector", "key:0011", "form-subject"),
        ("parse_selector", "planet:x", "form-subject"),
        ("parse_selector", "group:", "form-subject"),
        ("parse_subject", "everyone", "form-subject"),
        ("parse_subject", "role:guest", "form-subject"),
    ],
)
def test_what_could_mean_nothing_or_two_things_is_refused(parse, text, reason):
    with pytest.raises(LocalError) as caught:
        getattr(condition_forms, parse)(text)
    assert caught.value.reason == reason


def test_the_conditions_that_are_asked_for_are_those_that_a_device_reads():
    asked = condition_forms.conditions(
        uses=3, rate=[5, 3600], presence="code", approvals=[2, ["group:leads"]], fresh=86400, timeless=True
    )
    assert rule_reader.parse(["/r/open", 2, asked]).conditions == {
        rule.USES: 3,
        rule.RATE: [5, 3600],
        rule.PRESENCE: rule.CODE,
        rule.APPROVALS: [2, ["group:leads"]],
        rule.FRESH: 86400,
        rule.TIMELESS: True,
    }
    assert condition_forms.conditions() == {}


def test_they_are_told_in_words():
    one = rule.Rule("/r/open", 2, condition_forms.conditions(3, [5, 3600], "button", [2, ["user:bob"]], 604800, True))
    assert forms.rule_text(one) == (
        "POST /r/open, 3 times on each device, at most 5 in 1h, with its button, approved by 2 of bob, policy at most"
        " 1w old, also while the time is unknown"
    )
    assert forms.rule_text(rule.Rule("/r/open", 2, {rule.USES: 1, rule.PRESENCE: rule.CODE})) == (
        "POST /r/open, once on each device, with the kiosk's code"
    )
