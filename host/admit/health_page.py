"""How devices are and were, as one page with plots: html_page.py has its frame, health_charts.py draws.

Owns: the page's words and order. The first screen says what looks wrong; what follows shows it, device by device.
Rules: every value goes through report_markup, which escapes it: a device's word is only text here.
"""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from admit import forms, html_page
from admit.health_charts import Point, Span, plot, shown
from admit.health_findings import Finding, Look, Sample, span
from admit.report_markup import Markup, join, tag

_STATES = {"ok": "fine", "warn": "worth a look", "fail": "needs somebody", "silent": "no answer"}
_ROWS = 12  # of the table of the latest answers
_SENSORS = 16  # that are drawn; a device has 8 at a time


def page(looks: Sequence[Look], site: str, site_id: str, days: int, zone: ZoneInfo, now: int) -> str:
    """The whole page: of these devices, the last `days` before `now` (unix seconds)."""
    shows = Span(now - days * 86400, now, zone)
    title = f"Health of {site}"
    number = f"{len(looks)} {'device' if len(looks) == 1 else 'devices'}"
    about = f"{number}, the last {days} days, times in {zone.key}, made {forms.moment_text(now, zone)} by admit."
    if days == 1:
        about = about.replace("the last 1 days", "the last day")
    header = tag("header", tag("h1", title), tag("p", about, " Site ", tag("code", site_id), class_="soft"))
    order = sorted(looks, key=lambda each: (["fail", "silent", "warn", "ok"].index(each.state), each.device))
    return html_page.document(title, header, _verdict(order), _tiles(looks), *(_device(each, shows) for each in order))


def _verdict(looks: Sequence[Look]) -> Markup:
    wrong = [(look.device, each) for look in looks for each in look.findings]
    if not wrong:
        return tag("section", tag("h2", "What looks wrong"), tag("div", "Nothing looks wrong."), class_="verdict")
    found = [tag("li", tag("b", device), ": ", _finding(each)) for device, each in wrong]
    bad = any(each.state == "fail" for _, each in wrong)
    return tag(
        "section", tag("h2", "What looks wrong"), tag("ul", *found), class_="verdict bad" if bad else "verdict some"
    )


def _finding(each: Finding) -> Markup:
    return join(each.words, " ", tag("span", f"Try: {each.fix}.", class_="soft"))


def _tiles(looks: Sequence[Look]) -> Markup:
    counts = {name: sum(look.state == name for look in looks) for name in _STATES}
    return tag("div", *(_tile(words, counts[name], name) for name, words in _STATES.items()), class_="tiles")


def _tile(words: str, number: int, state: str) -> Markup:
    kind = "tile bad" if number and state in ("fail", "silent") else "tile"
    return tag("div", tag("b", number), words, class_=kind)


def _device(look: Look, shows: Span) -> Markup:
    samples = [each for each in [*look.earlier, look.now] if shows.begin <= each.at <= shows.end]
    told = look.now.told or next((each.told for each in reversed(look.earlier) if each.told), None)
    parts = [tag("h2", look.device, " ", tag("span", _STATES[look.state], class_=f"state {look.state}"))]
    if told is None:
        return tag("section", *parts, tag("p", "It has never told how it is.", class_="soft"))
    parts.append(tag("p", _line(told), class_="soft"))
    if look.now.told is None:
        parts.append(tag("p", "This is what it told last; it did not answer now.", class_="soft"))
    parts.append(tag("div", *_plots(samples, shows), class_="plots"))
    return tag("section", *parts, _details(samples, shows))


def _line(told: dict) -> str:
    parts = [f"version {told['version']}", f"slot {told['slot']}" if told["slot"] else "", f"board {told['board']}"]
    parts += [f"up {span(told['uptime_s'])}" if told["uptime_s"] is not None else ""]
    parts += [f"start {told['boots']}, by {told['reset_cause']}", f"policy epoch {told['policy_epoch']}"]
    return ", ".join(part for part in parts if part) + "."


def _plots(samples: Sequence[Sample], shows: Span) -> list[Markup]:
    restarts = _restarts(samples)
    heap = [("free", _of(samples, "heap_free")), ("at worst", _of(samples, "heap_low"))]
    wanted = [
        ("Memory, bytes", heap),
        ("Storage free, bytes", [("free", _of(samples, "storage", "free"))]),
        (
            "Radio links since its start",
            [("began", _of(samples, "radio", "connections")), ("ended by it", _of(samples, "radio", "drops"))],
        ),
        ("Failed handshakes since its start", [("failed", _of(samples, "handshakes_failed"))]),
    ]
    names = dict.fromkeys(name for each in reversed(samples) if each.told for name in each.told["sensors"] or {})
    wanted += [(f"Sensor {name}", [("", _of(samples, "sensors", name))]) for name in sorted([*names][:_SENSORS])]
    return [
        plot(title, lines, shows, restarts)
        for title, lines in wanted
        if any(value is not None for _, points in lines for _, value in points)
    ]


def _of(samples: Sequence[Sample], *path: str) -> list[Point]:
    """One entry of each sample; None where it was not told."""
    found: list[Point] = []
    for each in samples:
        value: Any = each.told
        for name in path:
            value = value.get(name) if value else None
        found.append((each.at, value))
    return found


def _restarts(samples: Sequence[Sample]) -> list[int]:
    """The times of the first answers of each run but the first."""
    runs = [(each.at, each.told["boots"]) for each in samples if each.told and each.told["boots"] is not None]
    return [at for (_, before), (at, boots) in zip(runs, runs[1:], strict=False) if boots != before]


def _details(samples: Sequence[Sample], shows: Span) -> Markup:
    """The latest answers as numbers: a plot is never the only place of one."""
    columns = ["time", "start", "up", "memory", "at worst", "storage", "failed", "exceptions"]
    rows = [_row(each, shows) for each in reversed(samples[-_ROWS:])]
    head = tag("thead", tag("tr", *(tag("th", each.capitalize(), scope="col") for each in columns)))
    body = [
        tag("tr", *(tag("td", tag("span", value), data_label=name) for name, value in zip(columns, row, strict=True)))
        for row in rows
    ]
    number = len(samples)
    words = f"{number} answer{'s' * (number != 1)}; the latest {len(rows)} as numbers"
    return tag("details", tag("summary", words), tag("table", head, tag("tbody", *body)))


def _row(each: Sample, shows: Span) -> list:
    told = each.told
    if told is None:
        return [shows.words(each.at), "no answer", *[each.reason or "", "-", "-", "-", "-", "-"]]
    storage = (told["storage"] or {}).get("free")
    up = span(told["uptime_s"]) if told["uptime_s"] is not None else "-"
    numbers = [told["heap_free"], told["heap_low"], storage, told["handshakes_failed"], told["exceptions"]]
    return [shows.words(each.at), told["boots"], up, *("-" if value is None else shown(value) for value in numbers)]
