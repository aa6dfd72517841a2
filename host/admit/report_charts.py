"""The charts of a report, as SVG inside the page.

Owns: their geometry. Colours are the page's (CSS classes), so that they follow light and dark.
Rules: each chart says in words what it shows (its label), and each mark what it stands for (its title); nothing is told
by colour alone, and no chart is the only place of a number.
Must not know: where the numbers come from.
"""

from datetime import UTC, datetime

from admit.report_markup import Markup, join, tag

_WIDTH = 720
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def days(told: list[dict]) -> Markup:
    """Allowed and denied requests of each day: bars upon each other."""
    height, left, top, bottom = 220, 44, 10, 26
    most = _round_up(max((day["allowed"] + day["denied"] for day in told), default=0))
    width, scale = (_WIDTH - left - 4) / max(len(told), 1), (height - top - bottom) / most
    marks = [_grid(most, left, top, height - bottom)]
    for number, day in enumerate(told):
        x, y = left + number * width, height - bottom
        for kind in ("allowed", "denied"):
            tall = day[kind] * scale
            y -= tall
            if day[kind]:
                marks.append(_bar(x + 2, y, width - 4, tall, kind, f"{day['day']}: {day[kind]} {kind}"))
        if number % 5 == 0 or len(told) <= 10:
            label = tag("text", day["day"][-2:].lstrip("0"), x=_n(x + width / 2), y=height - 8, text_anchor="middle")
            marks.append(label)
    total = sum(day["allowed"] for day in told), sum(day["denied"] for day in told)
    return _svg(height, f"Requests by day: {total[0]} allowed, {total[1]} denied", *marks)


def hours(week: list[list[int]]) -> Markup:
    """Allowed requests by day of the week and hour: the more, the stronger."""
    left, top, side = 44, 4, 26
    width, height = (_WIDTH - left - 4) / 24, top + 7 * side + 24
    most = max(max(day) for day in week)
    marks = []
    for number, day in enumerate(week):
        marks.append(tag("text", _DAYS[number], x=left - 8, y=_n(top + number * side + 17), text_anchor="end"))
        for hour, count in enumerate(day):
            x, y = left + hour * width, top + number * side
            strength = 0 if not count else 1 + min(3, count * 4 // (most + 1))
            words = f"{_DAYS[number]} {hour:02}:00 to {hour + 1:02}:00: {count} allowed"
            marks.append(_bar(x + 1, y + 1, width - 2, side - 2, f"heat{strength}", words))
            if count and most < 1000:
                at = {"x": _n(x + width / 2), "y": _n(y + 17), "text_anchor": "middle", "class_": f"on{strength}"}
                marks.append(tag("text", count, **at))
    for hour in range(0, 24, 3):
        marks.append(tag("text", f"{hour:02}", x=_n(left + (hour + 0.5) * width), y=height - 6, text_anchor="middle"))
    return _svg(height, f"Allowed requests by weekday and hour: {sum(map(sum, week))} in all", *marks)


def coverage(covered: list[dict], begin: int, end: int, now: int) -> Markup:
    """For each device, of which time there are records, where some are missing, and what nobody collected."""
    left, row, bar = 130, 30, 16
    height = len(covered) * row + 24

    def x_of(at: int) -> float:
        return left + (min(max(at, begin), end) - begin) / (end - begin) * (_WIDTH - left - 4)

    marks = []
    for number, each in enumerate(covered):
        y = number * row + 6
        marks.append(tag("text", _short(each["device"], 16), x=left - 10, y=y + 13, text_anchor="end"))
        marks.append(_bar(left, y, _WIDTH - left - 4, bar, "nothing", f"{each['device']}: nothing collected"))
        if each["state"] == "proven" and each["collected_at"] is not None:
            since = x_of(each["first_record"]) if each["first_record"] is not None else left
            until = x_of(min(each["collected_at"], now))
            words = f"{each['device']}: {each['in_month']} records, collected until {each['collected']}"
            marks.append(_bar(since, y, max(until - since, 0), bar, "covered", words))
        for gap in each["gaps"]:
            begins, ends = x_of(gap["begin"]), x_of(gap["end"] if gap["end"] is not None else end)
            words = f"{each['device']}: records {gap['first']} to {gap['last']} are missing"
            marks.append(_bar(begins, y, max(ends - begins, 3), bar, "gap", words))
        if each["state"] == "not proven":
            marks.append(_bar(left, y, _WIDTH - left - 4, bar, "gap", f"{each['device']}: not proven"))
    for day in range(begin, end, 86400 * 5):
        label = f"{datetime.fromtimestamp(day + 43200, UTC):%d}".lstrip("0")
        marks.append(tag("text", label, x=_n(x_of(day)), y=height - 4))
    return _svg(height, "Of which time there are records, by device", *marks)


def share(count: int, most: int, kind: str) -> Markup:
    """A small bar beside a number in a table."""
    wide = _n(60 * count / most if most else 0)
    mark = tag("rect", width=wide, height=8, rx=2, class_=kind)
    return tag("svg", mark, class_="share", viewBox="0 0 60 8", aria_hidden="true")


def _svg(height: float, label: str, *marks) -> Markup:
    drawn = tag("svg", *marks, viewBox=f"0 0 {_WIDTH} {_n(height)}", role="img", aria_label=label)
    return tag("div", drawn, class_="chart")


def _bar(x: float, y: float, width: float, height: float, kind: str, words: str) -> Markup:
    size = {"x": _n(x), "y": _n(y), "width": _n(width), "height": _n(height), "rx": 2}
    return tag("rect", tag("title", words), class_=kind, **size)


def _grid(most: int, left: float, top: float, bottom: float) -> Markup:
    lines = []
    for part in range(5):
        value = most * part / 4
        if value != int(value):
            continue
        y = _n(bottom - (bottom - top) * part / 4)
        lines.append(tag("line", x1=left, x2=_WIDTH, y1=y, y2=y, class_="grid"))
        lines.append(tag("text", int(value), x=left - 8, y=_n(float(y) + 4), text_anchor="end"))
    return join(*lines)


def _round_up(value: int) -> int:
    """The next round number: 1, 2, 4, 8, 20, 40, ..."""
    step = 1
    while True:
        for each in (1, 2, 4, 8):
            if each * step >= value:
                return each * step
        step *= 10


def _short(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
