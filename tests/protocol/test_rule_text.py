"""Rules in words: what a refusal shows, and what a list of grants shows."""

from admit_protocol import rule, rule_text

MONDAY = 1795392000  # 2026-11-23 00:00 UTC
CONDITIONS = {
    rule.WINDOWS: [[31, 480, 1080]],
    rule.ZONE: [[0, 60]],
    rule.BOUNDS: {"seconds": [1, 10], "level": [None, 3], "floor": [-2, None]},
    rule.USES: 3,
    rule.RATE: [2, 60],
    rule.PRESENCE: rule.BUTTON,
    rule.APPROVALS: [2, ["user:bob", "role:guard"]],
    rule.FRESH: 86400,
    99: None,
    -5: None,
}
TEXTS = {
    "rule-none": "no rule names /r/open",
    "rule-method": "/r/open is allowed, but not with this method",
    "rule-unknown-condition": "condition -5 is not known to this version: update it",
    "rule-argument": "level at most 3",
    "rule-used-up": "only 3 times, and they are used up: ask for a new grant",
    "rule-expired": "it has ended: ask for a new grant",
    "rule-time-unknown": "only Mon-Fri 08:00-18:00, and the time is not known here: set the clock",
    "rule-outside-zone": "the rule knows local time only from a later day on",
    "rule-not-yet-valid": "it has not begun yet",
    "rule-outside-window": "only Mon-Fri 08:00-18:00; it is Mon 01:00",
    "rule-stale": "the policy here is more than 86400 s old: bring a new one",
    "rule-rate": "only 2 times in 60 s: wait",
    "rule-presence": "show that you are here by the kiosk's button",
    "rule-approvals": "2 of user:bob or role:guard must approve it",
    "rule-allows": "",
    "rule-denied": "denied by the rule night, until an admin lifts it",
    "rule-lockdown": "locked down by the rule night, until an admin lifts it",
}


def test_each_refusal_says_what_would_have_to_change():
    assert sorted(TEXTS) == sorted(rule.REASONS)
    request = (2, "/r/open", {"level": 5, "floor": 0})
    for step, reason in enumerate(rule.REASONS):
        one = None if reason == "rule-none" else ("/r/*", 2, CONDITIONS)
        assert rule_text.refusal_text(step, one, "night", request, (MONDAY, MONDAY)) == TEXTS[reason]


def test_a_time_that_matters_for_an_end_only():
    step = rule.REASONS.index("rule-time-unknown")
    told = rule_text.refusal_text(step, ("*", 1, {}), b"grant id", (1, "/x", None), (None, None))
    assert told == "only until a certain time, and the time is not known here: set the clock"


def test_windows_in_words():
    for days, text in ((127, "Mon-Sun"), (0b0010101, "Mon Wed Fri"), (0b1000011, "Mon-Tue Sun"), (1 << 5, "Sat")):
        assert rule_text.window_text([days, 5, 1439]) == text + " 00:05-23:59"
        assert rule_text.window_text([days, 0, 0]) == text
        assert rule_text.window_text([days, 5, 5]) == text + " 00:05-00:05"
        assert rule_text.window_text([days, 0, 1]) == text + " 00:00-00:01"
    assert rule_text.windows_text([[1, 0, 0], [2, 5, 5]]) == "Mon, Tue 00:05-00:05"


def test_a_moment_in_words():
    assert rule_text.moment_text(None, MONDAY + 5 * 60) == "Mon 00:05"
    assert rule_text.moment_text([[0, -845]], MONDAY + 5 * 60) == "Sun 10:00"


def test_bounds_in_words():
    told = [rule_text.bounds_text("level", ends) for ends in ([1, 2], [None, 2], [1, None])]
    assert told == ["level 1 to 2", "level at most 2", "level at least 1"]
