"""`admit journal`, `admit journal verify`: what happened at a device, and whether all of it is still there."""

import asyncio
import contextlib

import rich_click as click

from admit import collect, forms, journal_store
from admit.client import Session
from admit.journal_check import Checked
from admit.journal_words import Names, fields
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import progress, say, warn
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_cli.words import many, utc
from admit_protocol.errors import Unverified
from admit_protocol.journal_reader import Record

_COLUMNS = {"no": 5, "time": 16, "who": 12, "what": 24, "outcome": 7, "why": 0}  # widths, while following
_AGAIN_S = 2  # a device is asked for nothing new so often
_SHOWN = 10  # records, before those that come


@command("admit journal kiosk-1 --follow")
@click.argument("device")
@click.option("--follow", is_flag=True, help="Stay, and show what happens as it does, until Ctrl-C.")
@click.option("--last", type=click.IntRange(0), help="Show only so many of the latest records.")
@click.option("--stored", is_flag=True, help="Do not go to the device: show what was collected before.")
@as_user
@via
def journal(call: Call, device, follow, last, stored, user, link_via):
    """Collect the journal of DEVICE, verify all of it, and show it.

    `admit journal verify` proves what was collected from all devices, without going to any.
    """
    if follow and stored:
        raise click.UsageError("--follow goes to the device, --stored does not")
    registry = call.site.registry
    registry.device(device)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            run(_follow(call, device, _SHOWN if last is None else last, user, link_via))
        return
    if not stored:
        run(_collect(call, device, user, link_via))
    records = journal_store.verify_stored(registry, device)
    names = Names(registry)
    shown = records[max(0, len(records) - last) :] if last is not None else records
    rows = [fields(each, names, call.zone) for each in shown]
    call.out.rows("journal", rows, list(_COLUMNS), "There are no records yet.")
    say(f"{many(len(records), 'record')}, each in its place, under {device}'s signature.")


async def _collect(call: Call, device: str, user: str | None, link: str | None) -> None:
    async with go(wallet_of(call, user), device, link) as session:
        progress("asking for the journal")
        await _fetch(call, session, device)


async def _fetch(call: Call, session: Session, device: str) -> list[Record]:
    """What is new in the device's journal, verified and kept."""
    registry = call.site.registry
    page = await collect.fetch_journal(session, journal_store.position(registry, device)[0])
    told = journal_store.collect(registry, device, page, call.now, collect.witnesses(call.site))
    if told.gap:
        warn(f"{device} had dropped records {told.gap[0]} to {told.gap[1]} before anybody collected them")
    return told.new


async def _follow(call: Call, device: str, last: int, user: str | None, link: str | None) -> None:
    names = Names(call.site.registry)
    async with go(wallet_of(call, user), device, link) as session:
        await _fetch(call, session, device)
        records = journal_store.verify_stored(call.site.registry, device)
        records = records[max(0, len(records) - last) :]
        say(f"Following {device}; Ctrl-C ends it.")
        while True:
            for each in records:
                call.out.line("record", fields(each, names, call.zone), _COLUMNS)
            await asyncio.sleep(_AGAIN_S)
            records = await _fetch(call, session, device)


@command("admit journal verify")
@click.argument("devices", nargs=-1)
def verify(call: Call, devices):
    """Prove what was collected from DEVICES (default: all), record by record, without going to any.

    It is held against what the devices signed, and against the heads that the wallets on this machine have seen. If
    anything was changed, taken out, moved or added, the exit code is 8.
    """
    registry = call.site.registry
    names = devices or [device.id for device in registry.devices()]
    for name in names:
        registry.device(name)
    witnesses = collect.witnesses(call.site)
    rows, wrong = [], []
    for name in names:
        progress(f"verifying {name}")
        row = {"device": name} | dict.fromkeys(("records", "missing", "gaps", "heads", "collected", "unseen", "why"))
        last = registry.last_head(name)
        row |= {"collected": forms.moment_text(last.seen_at, call.zone) if last else None}
        row |= {"collected_at": utc(last.seen_at) if last else None}
        try:
            row |= {"state": "proven" if last else "nothing yet"} | _told(
                journal_store.verify(registry, name, witnesses)
            )
        except Unverified as error:
            row |= {"state": "tampered", "why": cause(error)}
            wrong.append(error)
        rows.append(row)
    columns = ["device", "state", "records", "missing", "heads", "collected", "unseen", "why"]
    call.out.rows("verified", rows, columns, "There are no devices.")
    _say_what_it_means(rows)
    if wrong:
        raise wrong[0]


def _told(checked: Checked) -> dict:
    beyond = max(checked.ahead, default=None)
    return {
        "records": checked.records,
        "missing": sum(last - first + 1 for first, last in checked.gaps),
        "gaps": [f"{first}-{last}" for first, last in checked.gaps],
        "heads": checked.heads,
        "unseen": beyond[0] - checked.end if beyond else 0,
        "why": f"{beyond[1]} saw {many(beyond[0], 'record')}: collect the rest" if beyond else None,
    }


def _say_what_it_means(rows: list[dict]) -> None:
    good = [row for row in rows if row["state"] == "proven"]
    say(
        f"{many(sum(row['records'] for row in good), 'record')} of {many(len(good), 'device')}, "
        "each in its place, under its device's signature."
    )
    for row in good:
        if row["gaps"]:
            gone = ", ".join(row["gaps"])
            warn(
                f"{row['device']} had dropped records {gone} before anybody collected them: nobody knows what they said"
            )
        if row["unseen"]:
            warn(f"at its last visit {row['device']} had written {many(row['unseen'], 'record')} more than collected")
