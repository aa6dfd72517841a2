"""What a device tells of its health is read strictly, and put in words; the registry keeps it, within bounds."""

import asyncio
import json
import zipfile
from io import BytesIO

import pytest

from admit import diagnosis, health
from admit.health import Line, Log
from admit.health_findings import Known, Look, Sample, look, samples, span, state
from admit.registry import create_registry
from admit_protocol import cbor
from admit_protocol.errors import AdmitError, Malformed
from samples_of_health import DAY_S, NOW, encoded, healthy, hostile, silent, told, troubled


@pytest.fixture
def anywhere(url):
    """A registry on each kind of database."""
    made = create_registry(url)
    yield made
    made.close()


# Reading


def test_what_a_device_tells_is_read_entry_by_entry():
    assert health.parse(encoded()) == told()
    assert health.parse(encoded(sensors={"a": -0.125, "b": None, "c": 7}))["sensors"] == {
        "a": -0.125,
        "b": None,
        "c": 7,
    }


def test_an_older_device_tells_less_and_a_newer_one_more():
    older = health.parse(cbor.encode({"boots": 2, "board": "rig"}))
    assert (older["boots"], older["storage"], older["sensors"]) == (2, None, None)
    assert health.parse(cbor.encode({"boots": 2, "shoe_size": {"left": 44}})) == older | {"board": None}


@pytest.mark.parametrize(
    "name, value",
    [
        ("boots", -1),
        ("boots", True),
        ("boots", "2"),
        ("uptime_s", 1 << 60),
        ("version", 5),
        ("version", "x" * 257),
        ("faults", "policy: damaged"),
        ("faults", ["x"] * 17),
        ("faults", [5]),
        ("storage", [1, 2, 3]),
        ("storage", {"total": "1"}),
        ("radio", 5),
        ("last_exception", {"what": "x", "place": "y"}),
        ("last_exception", {"what": 5, "place": "y", "ended": True}),
        ("sensors", [21]),
        ("sensors", {str(number): 1 for number in range(9)}),
        ("sensors", {"t": "21.5"}),
        ("sensors", {"t": [215]}),
        ("sensors", {"t": [215, 4]}),
        ("sensors", {"t": [True, 1]}),
    ],
)
def test_what_is_of_another_type_or_too_much_is_refused(name, value):
    with pytest.raises(Malformed) as caught:
        health.parse(cbor.encode({name: value}))
    assert caught.value.reason == "health-body"


class Answers:
    """A session that answers with one body."""

    def __init__(self, body):
        self.payload = cbor.encode(body)

    async def request(self, method, path, payload=b"", query=""):
        self.query = query
        return self


async def asked(body):
    return await health.ask_log(Answers(body), 3)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"version": "0.1.0"},
        {1: 5, 2: [[1, 2, "x"]], 3: 9},
        {1: 5, 2: [[1, 2, 5, 1]], 3: 9},
        {1: 5, 2: [[-1, 2, "x", 1]], 3: 9},
        {1: 5, 2: [[1, 2, "x" * 257, 1]], 3: 9},
        {1: 5, 2: [[1, 2, "x", 1]] * 65, 3: 9},
        {1: "5", 2: [], 3: 9},
        {1: 5, 2: []},
        {1: 5, 2: [], 3: 1 << 53},
        {1: 5, 2: [[1, 1 << 53, "x", 1]], 3: 9},
    ],
)
def test_a_log_that_is_none_is_refused(body):
    with pytest.raises(Malformed) as caught:
        asyncio.run(asked(body))
    assert caught.value.reason == "health-log"


def test_a_log_is_lines_and_where_to_go_on():
    assert asyncio.run(asked({1: 5, 2: [[4, 2, "x", 3]], 3: 9})) == Log([Line(4, 2, "x", 3)], 5, 9)


def test_words_of_a_device_stand_in_one_line():
    """What has lines of its own could write another device's, or another moment's, into a table, a log or a bundle."""
    words, shown = "ok\n2026-11-25T10:00:00Z  start 1\x1b[2J\u202e", "ok?2026-11-25T10:00:00Z  start 1?[2J?"
    shown = shown.replace("?", "\N{REPLACEMENT CHARACTER}")
    line = asyncio.run(asked({1: 5, 2: [[4, 2, words, 3]], 3: 9})).lines[0]
    last = {"what": words, "place": words, "boot": 1, "uptime_s": 2, "ended": True}
    told = {"version": words, "faults": [words], "sensors": {words: 1}, "last_exception": last}
    read = health.parse(cbor.encode(told))
    assert line.text == read["version"] == read["faults"][0] == read["last_exception"]["place"] == shown
    assert list(read["sensors"]) == [shown]


# Findings


def words_of(now=None, earlier=(), epoch=7, **more):
    """What is said of a device that tells `more` than usual."""
    return [each.words for each in look(now or Sample(NOW, told(**more)), Known(list(earlier), epoch))]


def test_of_a_healthy_device_nothing_is_said():
    assert words_of() == [] and (healthy().state, healthy().findings) == ("ok", [])


@pytest.mark.parametrize(
    "more, expected",
    [
        ({"faults": ["policy: damaged"]}, "It says of itself: policy: damaged."),
        ({"heap_low": 9000}, "It had only 9,000 bytes of memory left at worst."),
        ({"storage": {"total": 1000, "free": 90, "writes": 1}}, "Its storage is nearly full: 90 of 1,000 bytes free."),
        (
            {"storage": {"total": 1000, "free": 900, "writes": 90000}, "uptime_s": DAY_S},
            "It writes 90,000 times a day: that wears its flash.",
        ),
        ({"time_source": "floor"}, "It does not know the time: grants with hours or an end may not count."),
        ({"time": NOW - 7200}, "Its clock is off by 2 h 00 min, if this machine's is right."),
        ({"time_uncertain_s": 900}, "Its time is uncertain by 15 min."),
        ({"policy_epoch": 5}, "It has not heard of the newest policy: it holds epoch 5, of 7."),
        ({"policy_epoch": 9}, "It holds policy epoch 9, and this registry made only 7."),
        (
            {"handshakes_failed": 1240},
            "1,240 handshakes failed since it started: somebody knocks, or a phone does not know its new key.",
        ),
        (
            {"radio": {"connections": 20, "drops": 11, "refused": 0}},
            "It ended 11 of 20 radio links itself: they said nothing, or proved nothing.",
        ),
        ({"radio": {"connections": 20, "drops": 1, "refused": 10}}, "Its places on the air were all taken 10 times."),
        ({"sensors": {"door_v": None}}, "Its sensor door_v tells nothing."),
        (
            {
                "reset_cause": "watchdog",
                "last_exception": {"what": "watchdog", "place": "/r/hang", "boot": 11, "uptime_s": None, "ended": True},
            },
            "Its watchdog ended the last run, which was doing /r/hang.",
        ),
        (
            {"last_exception": {"what": "OSError: errno 5", "place": "x", "boot": 11, "uptime_s": 9, "ended": True}},
            "Run 11 was ended by OSError: errno 5 at x.",
        ),
        (
            {
                "exceptions": 2,
                "last_exception": {"what": "KeyError", "place": "x", "boot": 12, "uptime_s": 9, "ended": False},
            },
            "It has met 2 exceptions in this run, the last one: KeyError at x.",
        ),
    ],
)
def test_each_trouble_has_its_words_and_nothing_else_is_said(more, expected):
    assert words_of(**more) == [expected]


def test_a_crash_of_long_ago_is_no_news():
    last = {"what": "OSError", "place": "x", "boot": 3, "uptime_s": 9, "ended": True}
    assert words_of(last_exception=last) == []


def test_restarts_leaks_and_another_board_show_in_what_was_told_before():
    hours = [NOW - hour * 3600 for hour in range(6, 0, -1)]
    restarting = [Sample(at, told(boots=8)) for at in hours]
    assert words_of(earlier=restarting) == ["It restarted 4 times within a day, the last time by power."]
    leaking = [Sample(at, told(heap_free=60000 - number * 5000)) for number, at in enumerate(hours)]
    assert words_of(earlier=leaking, heap_free=30000) == [
        "Its free memory falls and falls: 55,000 bytes, now 30,000.",
    ]
    other = [Sample(at, told(boots=300)) for at in hours]
    assert words_of(earlier=other) == ["It counts 12 starts and had counted 300: it was wiped, or is another board."]


def test_who_does_not_answer_is_told_with_when_it_last_did():
    assert silent().state == "silent"
    assert silent().findings[0].words.endswith("(ble-not-found). It was last seen 1 day 7 h ago.")
    never = Look("x", Sample(NOW, None, "gone"), Known())
    assert never.findings[0].words == "It could not be asked: gone. It never was since health is kept."


def test_the_worst_comes_first_and_is_the_state():
    states = [each.state for each in troubled().findings]
    assert states == sorted(states) and (troubled().state, state([])) == ("fail", "ok")


def test_spans_are_said_as_people_do():
    assert [span(each) for each in (5, 125, 7500, 90000, 200000)] == [
        "5 s",
        "2 min",
        "2 h 05 min",
        "1 day 1 h",
        "2 days 7 h",
    ]


# The registry


def rows(registry, device="kiosk-1", **more):
    return [(row.at, row.data, row.reason) for row in registry.health(device, **more)]


def test_samples_are_kept_in_their_order_and_those_of_silence_too(anywhere):
    anywhere.add_health([("kiosk-1", NOW, encoded(), None), ("kiosk-2", NOW, None, "ble-not-found")])
    anywhere.add_health([("kiosk-1", NOW - 60, encoded(boots=11), None)])
    anywhere.add_health([])
    assert [at for at, _, _ in rows(anywhere)] == [NOW - 60, NOW]
    assert rows(anywhere, "kiosk-2") == [(NOW, None, "ble-not-found")]
    assert rows(anywhere, since=NOW) == rows(anywhere, limit=1) == rows(anywhere)[1:]
    found = samples(anywhere.health("kiosk-1"), health.parse)
    assert [each.told["boots"] for each in found] == [11, 12]


def test_a_sample_that_cannot_be_read_any_more_is_left_out(anywhere):
    anywhere.add_health([("kiosk-1", NOW, b"\xff", None), ("kiosk-1", NOW + 1, encoded(), None)])
    assert [each.at for each in samples(anywhere.health("kiosk-1"), health.parse)] == [NOW + 1]


def test_what_is_kept_is_all_of_a_week_then_one_an_hour_and_nothing_of_years_ago(anywhere):
    def every(begin, end, step):
        return [("kiosk-1", at, encoded(), None) for at in range(begin, end, step)]

    week, year = every(NOW - 2 * 3600, NOW, 600), every(NOW - 20 * DAY_S, NOW - 20 * DAY_S + 7200, 600)
    ages = every(NOW - 500 * DAY_S, NOW - 500 * DAY_S + 3600, 600)
    anywhere.add_health([*week, *year, *ages, ("kiosk-2", year[0][1], encoded(), None)])
    assert anywhere.thin_health(NOW) == len(ages) + len(year) - 2
    assert [at for at, _, _ in rows(anywhere)] == [year[0][1], year[6][1], *(each[1] for each in week)]
    assert len(rows(anywhere, "kiosk-2")) == 1 and anywhere.thin_health(NOW) == 0


# The bundle


def test_a_bundle_is_the_same_bytes_for_the_same_parts_and_names_each(site):
    look, more = (
        troubled(),
        diagnosis.Told(cbor.encode({1: "1.4.0", 2: b"\x01"}), Log([Line(0, 1, "start 45", 2)], 1, 9)),
    )
    parts = diagnosis.bundle(look, more, site.registry, "0.1.0", NOW)
    packed = diagnosis.pack(parts)
    assert packed == diagnosis.pack(diagnosis.bundle(look, more, site.registry, "0.1.0", NOW))
    with zipfile.ZipFile(BytesIO(packed)) as file:
        assert file.namelist()[0] == "README.txt" and {name: file.read(name) for name in parts} == parts
    readme = parts["README.txt"].decode()
    assert all(each.words in readme for each in look.findings) and all(name in readme for name in [*parts][1:])
    assert parts["log.txt"] == b"2026-11-25T09:59:52Z  start 45 (x2)\n"
    assert json.loads(parts["release.json"]) == {"1": "1.4.0", "2": "01"}
    assert len(parts["history.csv"].splitlines()) == 1 + len(look.earlier) + 1


def test_no_word_of_a_device_becomes_a_formula(site):
    more = Look("x", Sample(NOW, told(version="=cmd|' /C calc'!A0")), Known())
    parts = diagnosis.bundle(more, diagnosis.Told(), site.registry, "0.1.0", NOW)
    assert b"'=cmd" in parts["history.csv"] and b",=cmd" not in parts["history.csv"]


@pytest.mark.parametrize("data", [b"", b"\xff", cbor.encode({1: "1.4.0"}) + b"\0", cbor.encode(cbor.Tag(1, b"x"))])
def test_what_a_device_says_of_its_release_in_no_form_keeps_nothing_else_out(site, data):
    parts = diagnosis.bundle(healthy(), diagnosis.Told(release=data), site.registry, "0.1.0", NOW)
    assert ("release.json" in parts) == (data[:1] == b"\xc1")
    assert ("- release.json: " in parts["README.txt"].decode()) != ("release.json" in parts)


def test_what_could_not_be_had_is_said(site):
    told_nothing = diagnosis.Told(missing={"log.txt": "denied"})
    parts = diagnosis.bundle(hostile(), told_nothing, None, "0.1.0", NOW)
    assert "- log.txt: denied" in parts["README.txt"].decode() and set(parts) == {
        "README.txt",
        "health.json",
        "history.csv",
        "machine.json",
    }


def test_errors_of_ours_have_words():
    from admit_cli.reasons import REASONS

    assert {"health-body", "health-log"} <= set(REASONS) and issubclass(Malformed, AdmitError)
