"""A report as one page: for a screen of any size, light or dark, and for paper. It asks for nothing from anywhere.

Owns: the page's words, order and looks. The first screen answers; the tables below prove it.
Rules: every value goes through report_markup, which escapes it. The page's own policy forbids it to load or run
anything, whatever may have got into it.
Must not know: where the figures come from.
"""

from zoneinfo import ZoneInfo

from admit import forms, html_page, report_charts
from admit.journal_words import REASONS
from admit.report_markup import Markup, join, tag, text

_ROWS = 500  # of one table; more are in the CSV and the JSON
_PLAIN = (
    "time",
    "first",
    "last",
    "after",
    "before",
    "logins",
    "allowed",
    "denied",
    "times",
    "device",
    "what",
)  # on one line


def page(report: dict, site: str, site_id: str) -> str:
    """The whole page."""
    zone = ZoneInfo(report["zone"])
    title = f"Access in {report['month']} at {site}"
    return html_page.document(
        title,
        _header(report, title, site_id, zone),
        _verdict(report),
        _tiles(report["totals"]),
        _when(report),
        _who(report),
        _denied(report),
        _changed(report),
        _known(report, zone),
    )


def _header(report: dict, title: str, site_id: str, zone: ZoneInfo) -> Markup:
    devices = len(report["devices"])
    about = f"{devices} {'device' if devices == 1 else 'devices'}, times in {report['zone']}"
    about += f", made {forms.moment_text(report['made_at'], zone)} by admit."
    return tag("header", tag("h1", title), tag("p", about, " Site ", tag("code", site_id), class_="soft"))


def _verdict(report: dict) -> Markup:
    """What the record is worth, before what it says."""
    totals, wrong = report["totals"], []
    for each in report["devices"]:
        if each["state"] == "not proven":
            wrong.append(f"{each['device']} is not proven and not counted: {each['why']}.")
        if each["state"] == "nothing collected":
            wrong.append(f"Nothing was ever collected from {each['device']}.")
        if each["unseen"]:
            wrong.append(f"{each['device']} has {_records(each['unseen'])} not collected yet: {each['why']}.")
    if totals["missing"]:
        wrong.append(f"{_records(totals['missing'])} missing: dropped by a device before anybody collected them.")
    if totals["timeless"]:
        wrong.append(f"{_records(totals['timeless'])} without a sure time: a device did not know it.")
    proven = sum(each["records"] for each in report["devices"] if each["state"] == "proven")
    words = f"{_records(proven)} proven: each in its place, under its device's own signature."
    found = tag("ul", *(tag("li", each) for each in wrong)) if wrong else None
    kind = "verdict bad" if wrong else "verdict"
    return tag("section", tag("h2", "What this record is worth"), tag("div", words), found, class_=kind)


def _tiles(totals: dict) -> Markup:
    again = f"and {totals['denied_again']} repeated" if totals["denied_again"] else ""
    shown = (
        ("people came", totals["people"], f"{totals['logins']} logins", False),
        ("requests allowed", totals["allowed"], f"{totals['done']} routines done", False),
        ("requests denied", totals["denied"], again, bool(totals["denied"])),
        ("strangers turned away", totals["strangers"], "failed handshakes", False),
        ("changes by admins", totals["changes"], "", False),
        ("records missing", totals["missing"], "", bool(totals["missing"])),
    )
    tiles = [
        tag(
            "div", tag("b", f"{number:,}"), words, tag("div", more, class_="soft"), class_="tile bad" if bad else "tile"
        )
        for words, number, more, bad in shown
    ]
    return tag("div", *tiles, class_="tiles")


def _when(report: dict) -> Markup:
    return tag(
        "section",
        tag("h2", "When"),
        _legend(("allowed", "allowed"), ("denied", "denied")),
        report_charts.days(report["days"]),
        tag("p", "Allowed requests by weekday and hour", class_="note"),
        report_charts.hours(report["hours"]),
    )


def _who(report: dict) -> Markup:
    people = report["people"]
    most = max((max(one["allowed"], one["denied"]) for one in people), default=0)
    columns = ["who", "logins", "allowed", "denied", "first", "last", "devices"]
    rows = [
        [
            join(text(one["who"]), " ", tag("code", one["key"])) if one["who"] != f"key {one['key']}" else one["who"],
            one["logins"],
            join(one["allowed"], report_charts.share(one["allowed"], most, "allowed")),
            join(one["denied"], report_charts.share(one["denied"], most, "denied")),
            one["first"],
            one["last"],
            ", ".join(one["devices"]),
        ]
        for one in people
    ]
    about = "Devices name people by their keys alone; the registry says whose key it is."
    return tag("section", tag("h2", "Who came"), tag("p", about, class_="note"), _table(columns, rows, "Nobody came."))


def _denied(report: dict) -> Markup:
    if not report["denials"]:
        return tag("section", tag("h2", "What was denied, and why"), tag("p", "Nothing was denied.", class_="note"))
    most = report["reasons"][0]["count"]
    reasons = [
        [
            each["words"],
            join(each["count"], report_charts.share(each["count"], most, "denied")),
            tag("code", each["reason"]),
        ]
        for each in report["reasons"]
    ]
    columns = ["time", "device", "who", "what", "reason", "by"]
    rows = [
        [each["time"], each["device"], each["who"], each["what"], _reason(each), each["by"]]
        for each in report["denials"]
    ]
    again = report["totals"]["denied_again"]
    more = f"{again} more were the same again, or of somebody who had had many: they are counted, and not listed."
    return tag(
        "section",
        tag("h2", "What was denied, and why"),
        _table(["why", "times", "reason"], reasons),
        tag("p", more, class_="note") if again else None,
        tag("p", "Each of them", class_="note"),
        _table(columns, rows),
    )


def _reason(event: dict) -> str:
    reason = str(event["reason"] or event["outcome"])
    return REASONS.get(reason, reason)


def _changed(report: dict) -> Markup:
    by_admins = [[each["time"], each["who"], each["act"], each["detail"]] for each in report["changes"]]
    on_devices = [
        [each["time"], each["device"], each["who"], each["what"], each["why"] or ""]
        for each in report["device_changes"]
    ]
    return tag(
        "section",
        tag("h2", "What changed"),
        tag("p", "What admins decided, as the registry recorded it", class_="note"),
        _table(["time", "who", "act", "detail"], by_admins, "Nothing."),
        tag("p", "What arrived at devices", class_="note"),
        _table(["time", "device", "by", "what", "detail"], on_devices, "Nothing."),
    )


def _known(report: dict, zone: ZoneInfo) -> Markup:
    columns = ["device", "state", "records", "this month", "collected until", "last record", "missing"]
    rows = [
        [
            each["device"],
            each["state"],
            each["records"],
            each["in_month"],
            each["collected"] or "never",
            _moment(each["last_record"], zone),
            each["missing"],
        ]
        for each in report["devices"]
    ]
    gaps = [
        [each["device"], f"{gap['first']} to {gap['last']}", _moment(gap["begin"], zone), _moment(gap["end"], zone)]
        for each in report["devices"]
        for gap in each["gaps"]
    ]
    drawn = report_charts.coverage(report["devices"], report["begin"], report["end"], report["made_at"])
    return tag(
        "section",
        tag("h2", "What is known, and what is not"),
        _legend(
            ("covered", "records collected"),
            ("nothing", "nothing collected"),
            ("gap", "records missing, or not proven"),
        ),
        drawn if report["devices"] else None,
        _table(columns, rows, "There are no devices."),
        tag("p", "Gaps in the record", class_="note"),
        _table(["device", "records", "after", "before"], gaps, "There are none."),
    )


def _records(number: int) -> str:
    return "1 record is" if number == 1 else f"{number:,} records are"


def _moment(at: int | None, zone: ZoneInfo) -> str:
    return forms.moment_text(at, zone) if at else "-"


def _legend(*kinds: tuple[str, str]) -> Markup:
    marks = []
    for kind, words in kinds:
        square = tag(
            "svg", tag("rect", width=12, height=12, rx=2, class_=kind), viewBox="0 0 12 12", aria_hidden="true"
        )
        marks.append(tag("li", square, words))
    return tag("ul", *marks, class_="legend")


def _table(columns: list[str], rows: list[list], none: str = "") -> Markup:
    if not rows:
        return tag("p", none, class_="soft")
    head = tag("thead", tag("tr", *(tag("th", each.capitalize(), scope="col") for each in columns)))
    body = tag("tbody", *(_row(columns, row) for row in rows[:_ROWS]))
    more = f"{len(rows) - _ROWS} more rows are in the CSV and JSON forms of this report."
    return join(tag("table", head, body), tag("p", more, class_="note") if len(rows) > _ROWS else None)


def _row(columns: list[str], row: list) -> Markup:
    return tag("tr", *(_cell(column, value) for column, value in zip(columns, row, strict=True)))


def _cell(column: str, value) -> Markup:
    kind = "plain" if isinstance(value, int) or column in _PLAIN else None
    if value is None or value == "":
        return tag("td", data_label=column)
    return tag("td", tag("span", value), data_label=column, class_=kind)
