"""The page of health: what looks wrong first, the rest drawn; it loads and runs nothing, whoever wrote into it."""

import re
from html.parser import HTMLParser

import pytest

from admit import health_page
from admit.health_charts import Span, plot, shown
from admit.health_findings import Known, Look, Sample
from samples_of_health import DAY_S, NOW, UTC, healthy, hostile, silent, told, troubled

WEEK = Span(NOW - 7 * DAY_S, NOW, UTC)


class Reader(HTMLParser):
    """Every tag with its attributes, every text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def page():
    return health_page.page([healthy(), troubled(), silent(), hostile()], "lobby", "ab" * 16, 7, UTC, NOW)


def test_what_looks_wrong_comes_first_and_the_worst_device_before_the_others(page):
    assert page.index("What looks wrong") < page.index("<h2>&lt;b&gt;kiosk") < page.index("<h2>kiosk-1")
    assert "Its storage is nearly full" in page and "last seen 1 day 7 h ago" in page


def test_it_loads_and_runs_nothing_whoever_wrote_into_it(page):
    found = Reader(page)
    names = {name for name, _ in found.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "a", "b-kiosk"} and "svg" in names
    assert all(not each.startswith("on") and each not in ("src", "href") for _, given in found.tags for each in given)
    (policy,) = [given["content"] for _, given in found.tags if given.get("http-equiv")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "\x1b" not in page and "\u202e" not in page and "<script>" not in page


def test_who_has_other_sensors_each_time_has_no_endless_page():
    names = [[f"s{number}_{n}" for n in range(8)] for number in range(50)]
    earlier = [Sample(NOW - 600 * number, told(sensors=dict.fromkeys(each, 1))) for number, each in enumerate(names)]
    made = health_page.page([Look("x", Sample(NOW, told()), Known(earlier[::-1], 7))], "s", "ab", 7, UTC, NOW)
    assert made.count("<figure") == 4 + 16 and "Sensor temperature_c" in made and "Sensor s0_7" in made


def test_each_plot_says_in_words_what_it_shows(page):
    labels = [given["aria-label"] for name, given in Reader(page).tags if name == "svg" and given.get("role") == "img"]
    assert len(labels) >= 4 * 4 and all(re.search(r"\d|nothing", each) for each in labels)
    assert "Memory, bytes: free 61,000 now, 57,550 to 61,000; at worst 23,500 all the time" in labels


def test_a_time_without_an_answer_is_marked_and_not_bridged():
    points = [(NOW - 4000, 5), (NOW - 3000, 6), (NOW - 2000, None), (NOW - 1000, 7), (NOW - 500, 8)]
    drawn = plot("x", [("y", points)], WEEK)
    assert drawn.count("<polyline") == 2 and drawn.count('class="silence"') == 1 and drawn.count("<circle") == 4
    assert plot("x", [("y", points)], WEEK, restarts=[NOW - 3000]).count("<polyline") == 3


def test_nothing_told_is_no_reason_to_fail():
    assert "y nothing told" in plot("x", [("y", [(NOW, None)])], WEEK)
    assert "<svg" in plot("x", [("y", [])], WEEK)


def test_a_line_has_a_bounded_number_of_points_and_keeps_the_worst():
    points = [(NOW - 100_000 + number, 1000 if number != 777 else 3) for number in range(10_000)]
    drawn = plot("x", [("y", points)], WEEK)
    assert len(drawn) < 20_000 and "3 to 1,000" in drawn
    lowest = max(float(pair.split(",")[1]) for pair in re.search(r'points="([^"]*)"', drawn)[1].split())
    assert lowest > 100  # the 3 is drawn, near the bottom


@pytest.mark.parametrize("values", [(0, 0), (1, 1), (-5, 5), (1e9, 1e9 + 1), (0.001, 0.002), (-7, -7), (19, 24)])
def test_every_value_is_inside_its_plot(values):
    drawn = plot("x", [("y", [(NOW - 100, values[0]), (NOW, values[1])])], WEEK)
    heights = [float(each) for each in re.findall(r'cy="([^"]*)"', drawn)]
    assert len(heights) == 2 and all(8 <= each <= 110 for each in heights)


def test_numbers_are_read_easily():
    assert [shown(each) for each in (61000, 21.5, 0.125, 3.0)] == ["61,000", "21.5", "0.125", "3"]


def test_of_a_device_that_never_told_anything_there_is_nothing_to_draw():
    from admit.health_findings import Known, Look, Sample

    page = health_page.page([Look("x", Sample(NOW, None, "gone"), Known())], "lobby", "ab", 1, UTC, NOW)
    assert "It has never told how it is." in page and "the last day," in page and "<svg" not in page
