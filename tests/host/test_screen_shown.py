"""What a kiosk's screen shows: one thing at a time, as long as it is so, and nothing that the device did not say."""

import threading

import pytest

from admit.screen.shown import BUSY, CONNECTED, MUTE, SILENT, UNPLUGGED, Kiosk, Shown

KIOSK = Kiosk("kiosk-1", "Works", "0123456789abcdef", ("ADMIT:D/X",))


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shown(clock):
    """A screen whose device has said how everything is."""
    made = Shown(clock=clock)
    made.met(KIOSK)
    made.asked()
    hear(made, "status ready", "visitor ")
    assert made.answered()
    return made


def hear(shown, *lines):
    for line in lines:
        shown.hear(line + "\n")


def seen(shown):
    return shown.view()["view"]


def test_it_begins_with_looking_for_the_kiosk_and_then_waits_for_visitors(clock):
    shown = Shown(clock=clock)
    assert seen(shown) == "connecting" and shown.code is None
    shown.met(None)
    assert seen(shown) == "setup"
    shown.met(KIOSK)
    assert seen(shown) == "connecting"  # it has not said yet how it is
    shown.asked()
    hear(shown, "status ready")
    shown.answered()
    told = {"view": "waiting", "name": "kiosk-1", "site": "Works", "fingerprint": "0123456789abcdef", "newcomer": False}
    assert shown.view() == told and shown.code == ("ADMIT:D/X",)


def test_a_kiosk_may_have_a_name_for_people():
    shown = Shown("Front door")
    shown.met(KIOSK)
    assert shown.view()["name"] == "Front door"


def test_a_visit_from_login_to_thank_you(shown, clock):
    hear(shown, "visitor alice", "status logged in")
    assert (seen(shown), shown.view()["who"]) == ("hello", "alice")
    hear(shown, "asker alice", "code 042317")
    clock.now += 17.6
    assert shown.view() | {"view": "code", "code": "042317", "who": "alice", "seconds": 42} == shown.view()
    hear(shown, "code ")
    assert seen(shown) == "hello"
    hear(shown, "visitor ", "status ready")
    assert (seen(shown), shown.view()["who"]) == ("bye", "alice")
    clock.now += 6
    assert seen(shown) == "waiting"


def test_a_code_goes_by_itself_though_nobody_says_so(shown, clock):
    hear(shown, "asker bob", "code 123456")
    assert seen(shown) == "code"
    clock.now += 60
    assert seen(shown) == "waiting"


def test_another_ones_code_takes_its_place_with_its_own_seconds(shown, clock):
    hear(shown, "asker alice", "code 111111")
    clock.now += 30
    hear(shown, "asker bob", "code 222222")
    told = shown.view()
    assert (told["code"], told["who"], told["seconds"]) == ("222222", "bob", 60)


def test_of_a_code_that_was_there_before_us_nobody_knows_the_seconds(clock):
    shown = Shown(clock=clock)
    shown.met(KIOSK)
    shown.asked()
    hear(shown, "code 123456", "asker alice", "status ready")
    shown.answered()
    assert shown.view()["seconds"] is None and shown.view()["who"] == "alice"
    shown.asked()
    hear(shown, "code 654321", "asker alice", "status ready")  # came while we asked again
    shown.answered()
    assert shown.view()["seconds"] == 60


def test_what_the_device_no_longer_mentions_is_over(shown):
    hear(shown, "visitor alice", "asker alice", "code 123456")
    shown.asked()
    hear(shown, "status ready")  # it has started anew meanwhile
    shown.answered()
    assert seen(shown) == "bye"
    shown.asked()
    assert not shown.answered()  # nothing at all: who is silent has said nothing new
    assert shown.status == "ready"


@pytest.mark.parametrize("state", [UNPLUGGED, BUSY, SILENT, MUTE])
def test_a_cable_that_is_gone_takes_all_with_it(shown, state):
    hear(shown, "visitor alice", "asker alice", "code 123456")
    shown.link(state)
    told = shown.view()
    assert told["view"] == state and not {"code", "who"} & set(told)
    assert told["name"] == "kiosk-1"  # which kiosk it is stays
    shown.link(CONNECTED)
    assert seen(shown) == "connecting"
    shown.asked()
    hear(shown, "status ready")
    shown.answered()
    assert seen(shown) == "waiting"


@pytest.mark.parametrize(
    "status, view", [("factory", "setup"), ("fault", "fault"), ("wiping", "fault"), ("x", "fault")]
)
def test_how_the_device_is(shown, status, view):
    hear(shown, f"status {status}")
    assert seen(shown) == view


def test_somebody_new_is_helped_and_not_named(shown):
    hear(shown, "newcomer asks")
    assert shown.view()["newcomer"] is True
    hear(shown, "newcomer ")
    assert shown.view()["newcomer"] is False


def test_that_it_is_to_change_hands_is_shown_beside_whatever_else_is_so(shown):
    assert "takeover" not in shown.view()
    hear(shown, "takeover 167")
    assert shown.view()["takeover"] == 167
    hear(shown, "visitor alice", "status logged in")
    assert (seen(shown), shown.view()["takeover"]) == ("hello", 167)
    for over in ("takeover ", "takeover 1; rm", "takeover 1234567890123"):
        hear(shown, "takeover 5", over)
        assert "takeover" not in shown.view()
    hear(shown, "takeover 5")
    shown.link(UNPLUGGED)
    assert "takeover" not in shown.view()


@pytest.mark.parametrize(
    "line",
    ["door open", "", "Traceback (most recent call last):", "code 12 34", "code <b>", "code ١٢٣", "codes 123456"],
)
def test_other_words_change_nothing(shown, line):
    before = shown.view()
    hear(shown, line)
    assert shown.view() == before


def test_a_name_is_text_of_one_line_and_has_an_end(shown):
    hear(shown, "visitor a\ncode 666666\x1b[2J" + "x" * 500)
    who = shown.view()["who"]
    assert who.startswith("a\N{REPLACEMENT CHARACTER}code 666666\N{REPLACEMENT CHARACTER}[2J") and len(who) == 200
    assert seen(shown) == "hello"  # no code came of it


def test_who_waits_hears_of_news_and_of_ends(shown, clock):
    hear(shown, "code 123456")
    before = shown.news
    threading.Timer(0.05, hear, (shown, "code ")).start()
    shown.wait(before, 60)
    assert seen(shown) == "waiting"
    shown.wait(before, 60)  # of what came while nobody waited
    shown.wait(shown.news, 0.01)  # and at last by itself
