"""The forms in which people write rules, windows and dates."""

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from admit import forms
from admit.suite import HostSuite
from admit_protocol import rule, rule_reader
from admit_protocol.errors import LocalError
from sites import NOW  # 2027-01-15 08:00 UTC, a Friday

GET, POST = 1, 2
BERLIN = ZoneInfo("Europe/Berlin")
USER = HostSuite().generate()


def reason(call, *arguments, **more):
    with pytest.raises(LocalError) as caught:
        call(*arguments, **more)
    assert caught.value.detail
    return caught.value.reason


# Rules and requests


@pytest.mark.parametrize(
    "text, expected",
    [
        ("r/open:POST", ("/r/open", POST, {})),
        ("/r/open:post", ("/r/open", POST, {})),
        ("r/*:GET,POST", ("/r/*", GET | POST, {})),
        ("*:*", ("*", 127, {})),
        ("health:FETCH,iPATCH", ("/health", 16 | 64, {})),
        (".well-known/core:GET", ("/.well-known/core", GET, {})),
        ("r/open:POST{seconds<=10}", ("/r/open", POST, {rule.BOUNDS: {"seconds": [None, 10]}})),
        ("r/open:POST{seconds>=1,seconds<=10}", ("/r/open", POST, {rule.BOUNDS: {"seconds": [1, 10]}})),
        ("r/open:POST{a=-5, b >= 2}", ("/r/open", POST, {rule.BOUNDS: {"a": [-5, -5], "b": [2, None]}})),
    ],
)
def test_an_allowance(text, expected):
    assert forms.parse_allow(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r/open",
        "r/open:",
        ":POST",
        "r/open:PUSH",
        "r/open:POST,",
        "r open:POST",
        "r/*/x:POST",
        "**:POST",
        "r/open:POST{}",
        "r/open:POST{seconds}",
        "r/open:POST{seconds<10}",
        "r/open:POST{seconds<=ten}",
        "r/open:POST{seconds>=10,seconds<=1}",
        "r/open:POST{seconds<=1}x",
    ],
)
def test_what_is_no_allowance(text):
    assert reason(forms.parse_allow, text) == "form-allow"


def test_a_routines_name_allows_to_read_and_to_invoke_it():
    assert forms.routine("open") == ("/r/open", GET | POST, {})
    for name in ("", "r/open", "a b", "*", "open:POST"):
        assert reason(forms.routine, name) == "form-routine"


def test_a_request_is_one_method_on_one_path():
    assert forms.parse_request("open") == (POST, "/r/open")
    assert forms.parse_request("health:GET") == (GET, "/health")
    for text in ("health:GET,POST", "r/*:GET", "health:*", "open:POST{seconds<=1}"):
        assert reason(forms.parse_request, text) == "form-request"


def test_a_rule_in_words():
    conditions = {rule.WINDOWS: [[31, 480, 1080], [96, 0, 0]], rule.BOUNDS: {"b": [1, 2], "a": [None, 3]}}
    assert forms.rule_text(rule.Rule("/r/open", 3, conditions)) == (
        "GET,POST /r/open, Mon-Fri 08:00-18:00, Sat-Sun, a at most 3, b 1 to 2"
    )
    assert forms.rule_text(rule.Rule("*", 127, {})) == "everything"
    assert forms.rule_text(rule.Rule("/r/*", 127, {})) == "* /r/*"


# Days, hours, dates, zones


@pytest.mark.parametrize(
    "text, mask",
    [
        ("mon", 0b1),
        ("mon-fri", 0b11111),
        ("Sat,SUN", 0b1100000),
        ("fri-mon", 0b1110001),
        ("sun-mon", 0b1000001),
        ("mon-sun", 127),
        ("mon,wed-thu,sat", 0b0101101),
        ("tue-tue", 0b10),
        ("mon, fri", 0b10001),
    ],
)
def test_days(text, mask):
    assert forms.parse_days(text) == mask


@pytest.mark.parametrize("text", ["", "monday", "mon-", "-fri", "mon-fri-sat", "mon;fri", "1-5", "mon,,fri"])
def test_what_are_no_days(text):
    assert reason(forms.parse_days, text) == "form-days"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("08:00-18:00", (480, 1080)),
        ("22:00-06:00", (1320, 360)),
        ("00:00-24:00", (0, 0)),
        ("18:30-24:00", (1110, 0)),
        ("08:00 - 18:00", (480, 1080)),
    ],
)
def test_hours(text, expected):
    assert forms.parse_hours(text) == expected


@pytest.mark.parametrize(
    "text", ["", "8-18", "08:00", "08:00-", "25:00-26:00", "24:00-06:00", "24:01-06:00", "08:60-09:00", "09:00-09:00"]
)
def test_what_are_no_hours(text):
    assert reason(forms.parse_hours, text) == "form-hours"


def unix(*fields):
    return int(datetime(*fields, tzinfo=UTC).timestamp())


def test_a_date_is_local_and_an_end_includes_its_day():
    assert forms.parse_moment("2027-06-30", BERLIN) == unix(2027, 6, 29, 22)
    assert forms.parse_moment("2027-06-30", BERLIN, last=True) == unix(2027, 6, 30, 22)
    assert forms.parse_moment("2027-10-31", BERLIN, last=True) == unix(2027, 10, 31, 23)  # the day has 25 hours
    assert forms.parse_moment("20270630", BERLIN, last=True) == unix(2027, 6, 30, 22)
    assert forms.parse_moment("2026-12-24 23:10", BERLIN, last=True) == unix(2026, 12, 24, 22, 10)
    assert forms.parse_moment("2026-12-24T23:10Z", BERLIN) == unix(2026, 12, 24, 23, 10)


@pytest.mark.parametrize("text", ["", "tomorrow", "30.06.2027", "2027-02-30", "2027-06", "1969-12-30", "9999-12-31"])
def test_what_is_no_date(text):
    assert reason(forms.parse_moment, text, ZoneInfo("UTC"), last=True) == "form-date"


def test_a_moment_in_words_is_read_as_it_was_written():
    assert forms.end_text(forms.parse_moment("2027-06-30", BERLIN, last=True), BERLIN) == "the end of 2027-06-30"
    for text in ("2027-06-30 12:30", "2027-06-30 00:01"):
        assert forms.end_text(forms.parse_moment(text, BERLIN), BERLIN) == text
    assert forms.moment_text(forms.parse_moment("2027-06-30", BERLIN), BERLIN) == "2027-06-30 00:00"


def test_what_is_no_zone():
    assert forms.parse_zone("Europe/Berlin").key == "Europe/Berlin"
    for name in ("Europe/Berlun", "", "/etc/passwd", "../x", "Europe"):
        assert reason(forms.parse_zone, name) == "form-zone"


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC"]
)
def test_the_offsets_of_a_zone_are_those_of_the_calendar(name):
    zone = ZoneInfo(name)
    begin, end = unix(2026, 1, 1), unix(2032, 7, 1)
    offsets = forms.zone_offsets(zone, begin, end)
    assert offsets[0][0] == begin
    draw = random.Random(1)
    edges = [moment + step for moment, _ in offsets[1:] for step in (-1, 0)]
    for moment in edges + [draw.randrange(begin, end) for _ in range(500)]:
        local = datetime.fromtimestamp(moment, zone)
        assert rule.offsets(offsets, moment, moment) == [(moment, moment, int(local.utcoffset().total_seconds()) // 60)]
    rule_reader.parse(["*", 1, {rule.WINDOWS: [[1, 0, 0]], rule.ZONE: offsets}])


def test_a_window_knows_local_time_for_the_whole_life_of_the_grant():
    end = forms.parse_moment("2027-06-30", BERLIN, last=True)
    conditions = forms.window_conditions(31, (480, 1080), BERLIN, NOW, end)
    assert conditions[rule.WINDOWS] == [[31, 480, 1080]]
    assert conditions[rule.ZONE] == [[NOW - 86400, 60], [unix(2027, 3, 28, 1), 120]]


def test_days_or_hours_alone_are_a_window_too():
    utc = ZoneInfo("UTC")
    assert forms.window_conditions(None, None, BERLIN, NOW, None) == {}
    assert forms.window_conditions(31, None, utc, NOW, None) == {rule.WINDOWS: [[31, 0, 0]]}
    assert forms.window_conditions(None, (480, 0), utc, NOW, None) == {rule.WINDOWS: [[127, 480, 0]]}


def test_a_window_for_ever_needs_a_zone_whose_clocks_stay():
    assert reason(forms.window_conditions, 31, None, BERLIN, NOW, None) == "form-endless"
    kathmandu = forms.window_conditions(31, None, ZoneInfo("Asia/Kathmandu"), NOW, None)
    assert kathmandu[rule.ZONE] == [[NOW - 86400, 345]]


def test_a_rule_with_a_life_and_one_that_is_newer_than_this_admit():
    one = rule.Rule("/r/open", 2, {rule.LIFE: [None, 1798761600], 99: None})
    assert forms.rule_text(one) == (
        "POST /r/open, until 2027-01-01 00:00 UTC, condition 99, which this admit does not know"
    )
    assert "from 1970-01-01 00:00 UTC" in forms.rule_text(rule.Rule("/r/open", 2, {rule.LIFE: [0, None]}))


def test_a_moment_that_a_device_made_up_is_told_as_the_number_that_it_is():
    for unix in (1 << 40, (1 << 64) - 1, -(1 << 63)):
        assert forms.utc(unix) == forms.moment_text(unix, ZoneInfo("Europe/Berlin")) == str(unix)
