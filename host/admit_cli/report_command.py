"""`admit report access`: a month's access as a page, a table or data."""

import csv
import io
import json
from pathlib import Path

import rich_click as click

from admit import collect, keyfiles, report, report_html
from admit_cli.command import Call, command
from admit_cli.output import progress, say, warn
from admit_cli.words import many

_FORMATS = ("html", "csv", "json")
_COLUMNS = (
    "time",
    "unix_time",
    "is_sure",
    "device",
    "no",
    "kind",
    "who",
    "key",
    "what",
    "outcome",
    "reason",
    "by",
    "repeated",
    "count",
    "why",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one


@command("admit report access --month 2026-11 -o access.html", prints_data=False)
@click.option("--month", required=True, metavar="YYYY-MM", help="Which month, in the site's time zone.")
@click.option("--device", "devices", multiple=True, help="Only this device. May be given several times.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file. Default: stdout.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: by the file's name, else html.")
def access(call: Call, month, devices, output, form):
    """Who came in a month, what was denied and why, what changed, and of what there is no record.

    It is made from what was collected (`admit journal`, `admit sync`), which is proven first. As .html it is one page
    that asks for nothing from anywhere; .csv has a row for each record, .json has everything.
    """
    try:
        wanted = report.Month(month, call.zone)
    except ValueError:
        raise click.BadParameter(f"'{month}' is not like 2026-11", param_hint="--month") from None
    form = form or (output.suffix[1:].lower() if output else "html")
    if form not in _FORMATS:
        raise click.BadParameter(
            f"'{output}' does not end in .html, .csv or .json: give --format", param_hint="--output"
        )
    registry = call.site.registry
    names = list(devices) or [device.id for device in registry.devices()]
    for name in names:
        registry.device(name)
    progress("proving the journals")
    told = report.access(registry, wanted, names, collect.witnesses(call.site), call.now)
    made = {"html": _html, "csv": _csv, "json": _json}[form](call, told)
    if output is None:
        click.echo(made, nl=False)
    else:
        keyfiles.write_file(output, made.encode(), secret=False)
        say(f"{output}: {many(len(told['events']), 'record')} of {many(len(names), 'device')}.")
    for each in told["devices"]:
        if each["state"] == "not proven":
            warn(f"{each['device']} is not proven, and not counted: {each['why']}")


def _html(call: Call, told: dict) -> str:
    return report_html.page(told, call.site.name, call.site.anchor.site_id.hex())


def _json(call: Call, told: dict) -> str:
    told = {"site": call.site.name, "site_id": call.site.anchor.site_id.hex()} | told
    return json.dumps(told, ensure_ascii=False, indent=2, default=lambda value: value.hex()) + "\n"


def _csv(call: Call, told: dict) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for event in told["events"]:
        writer.writerow([_cell(event[column]) for column in _COLUMNS])
    return out.getvalue()


def _cell(value):
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value
