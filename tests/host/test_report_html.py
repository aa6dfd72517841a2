"""The page of a report: whole without anything from elsewhere, and nothing that anybody said becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from admit import admin, forms, report, report_charts, report_html, report_markup
from admit.suite import HostSuite
from admit_protocol import journal
from month_of_records import BEGIN, EVIL, NOW, ZONE, month
from sites import SEALED

EVERY = ("<img src=x onerror=alert(1)>", "\" onload='x'", "</script><script>", "&lt;", "\x1b[31m", "‮evil", "]]>", EVIL)
VOID = ("meta",)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    from sites import new_site, passphrase

    site = new_site(tmp_path_factory.mktemp("report") / "site")
    signer = site.authority(passphrase)
    people, devices = {}, {}
    for name in ("alice", EVIL):
        key = HostSuite().generate()
        site.registry.add_user(name, [key.public], BEGIN)
        access = admin.Access(["*"], [forms.parse_allow("r/open:POST{seconds<=10}")])
        row = admin.give(site, signer, name, access, BEGIN)
        people[name] = (journal.person(key.public), bytes.fromhex(row.id))
    for name in ("kiosk-1", "kiosk-2", "kiosk-3", "kiosk-4"):
        devices[name] = HostSuite().generate()
        admin.commission(site, signer, name, devices[name].public, SEALED, BEGIN)
    month(site.registry, people, devices)
    told = report.access(site.registry, report.Month("2026-11", ZONE), list(devices), [], NOW)
    site.registry.close()
    return told


class Reader(HTMLParser):
    """Collects elements, and fails for what does not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.said = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_asks_for_nothing(made):
    page = report_html.page(made, "Site", "00" * 16)
    reader = read(page)
    names = {name for name, _ in reader.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "use", "image"}
    for name, attributes in reader.elements:
        assert not {key for key in attributes if key.startswith("on") or key in ("src", "href", "style")}, name
    assert "url(" not in page and "@import" not in page and "//" not in page.replace("<!doctype", "")
    policy = next(each["content"] for name, each in reader.elements if each.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_it_says_what_matters(made):
    said = "\n".join(read(report_html.page(made, "Example Works", "00" * 16)).said)
    for words in (
        "Access in 2026-11 at Example Works",
        "Nothing was ever collected from kiosk-4.",
        "60 records are missing: dropped by a device before anybody collected them.",
        "it was outside the hours",
        "alice",
        EVIL,
        "Gaps in the record",
    ):
        assert words in said, words


def test_each_chart_and_each_mark_says_what_it_is(made):
    reader = read(report_html.page(made, "Site", "00" * 16))
    charts = [each for name, each in reader.elements if name == "svg" and each.get("role") == "img"]
    assert len(charts) == 3 and all(each["aria-label"] for each in charts)
    titles = [name for name, _ in reader.elements].count("title")
    assert titles > 100


@pytest.mark.parametrize("evil", EVERY)
def test_whatever_anybody_said_stays_text(made, evil):
    def poisoned(value):
        if isinstance(value, dict):
            return {key: poisoned(each) if key not in NUMBERS else each for key, each in value.items()}
        if isinstance(value, list):
            return [poisoned(each) for each in value]
        return evil if isinstance(value, str) else value

    clean, bad = (read(report_html.page(each, "Site", "x")) for each in (made, poisoned(made)))
    shape = [(name, sorted(attributes)) for name, attributes in clean.elements if name != "rect"]
    assert len(shape) > 500
    assert {name for name, _ in bad.elements} <= {name for name, _ in clean.elements}
    assert all(set(attributes) <= KNOWN for _, attributes in bad.elements)
    page = report_html.page(made, evil, evil)
    assert not re.search(r"<(img|script)|\x1b|‮", page)


NUMBERS = ("zone", "day", "state")
KNOWN = {"charset", "name", "content", "http-equiv", "lang", "class", "data-label", "scope", "viewbox", "role"}
KNOWN |= {"aria-label", "aria-hidden", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "rx", "text-anchor"}


def test_a_report_of_nothing_is_a_page_too(site):
    told = report.access(site.registry, report.Month("2026-11", ZONE), [], [], NOW)
    said = "\n".join(read(report_html.page(told, "Site", "x")).said)
    assert "Nobody came." in said and "Nothing was denied." in said and "There are no devices." in said


def test_a_long_table_ends_where_it_says_so(made):
    many = made | {"denials": made["denials"][:1] * 501}
    said = "\n".join(read(report_html.page(many, "Site", "x")).said)
    assert "1 more rows are in the CSV and JSON forms of this report." in said


def test_markup_is_made_by_tag_alone():
    assert report_markup.tag("b", "<i>", class_='"x"') == '<b class="&quot;x&quot;">&lt;i&gt;</b>'
    assert report_markup.tag("b", report_markup.tag("i", None, 5), data_label=None) == "<b><i>5</i></b>"


def test_charts_of_nothing_are_drawn():
    assert "0 allowed" in report_charts.days([])
    assert "0 in all" in report_charts.hours([[0] * 24 for _ in range(7)])
    assert "rect" not in report_charts.coverage([], BEGIN, NOW, NOW)


def test_bars_never_leave_their_chart(made):
    for chart in (report_charts.days(made["days"]), report_charts.hours(made["hours"])):
        width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', chart).groups())
        for x, y, wide, tall in re.findall(r'<rect [^>]*x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', chart):
            assert (
                0 <= float(x) <= float(x) + float(wide) <= width and 0 <= float(y) <= float(y) + float(tall) <= height
            )
    huge = report_charts.days([{"day": "2026-11-01", "allowed": 10**6, "denied": 3}])
    assert re.search(r">1000000<", huge)
