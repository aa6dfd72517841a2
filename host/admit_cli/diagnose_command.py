"""`admit diagnose`, `admit logs`: what a device has to say for itself, in one file, or as it says it."""

import asyncio
import contextlib
import time
from pathlib import Path

import rich_click as click

from admit import diagnosis, keyfiles
from admit import health as told_of
from admit.client import Session
from admit.diagnosis import Told
from admit.health import Log
from admit_cli import __version__
from admit_cli.command import Call, command
from admit_cli.health_command import Asked
from admit_cli.hints import cause
from admit_cli.output import progress, say, warn
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_cli.words import many, utc
from admit_protocol import coap
from admit_protocol.errors import AdmitError, TimedOut

_COLUMNS = {"time": 20, "text": 0}
_AGAIN_S = 2


@command("admit diagnose kiosk-1 -o bundle.zip")
@click.argument("device")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file, a zip, for you and whomever you give it to.",
)
@click.option("--stored", is_flag=True, help="Do not go to the device: what it told before.")
@as_user
@via
def diagnose(call: Call, device, output, stored, user, link_via):
    """Collect all that is known of the state of DEVICE in one file, and say what looks wrong.

    There is no secret in it, and nobody's name. If the device does not answer, the rest is collected all the same.
    """
    asked = Asked(call, None if stored else wallet_of(call, user), link_via, 1)
    told = Told()
    if stored:
        (look,) = run(asked.stored([device]))
    else:
        (look,) = run(asked.now([device], then=lambda session: _ask_more(session, told)))
        if look.error:
            told.missing["what it says itself"] = cause(look.error)
    now = int(time.time())
    parts = diagnosis.bundle(look, told, asked.registry, __version__, now)
    keyfiles.write_file(output, diagnosis.pack(parts))
    findings = [{"state": each.state, "words": each.words, "fix": each.fix} for each in look.findings]
    fields = {"device": device, "state": look.state, "file": str(output), "parts": list(parts), "findings": findings}
    told_lines = [f"{each.state}: {each.words} Try: {each.fix}." for each in look.findings]
    call.out.lines("diagnosis", fields, told_lines or ["Nothing looks wrong."])
    if look.error:
        warn(f"{device} did not answer, so there is nothing new of it in {output}")
    say(f"{output}: {many(len(parts), 'part')}, no secret among them.")


async def _ask_more(session: Session, told: Told) -> None:
    """What else a device says of itself; what it does not is noted."""
    try:
        progress("asking what runs on it")
        told.release = (await session.request(coap.GET, "/release")).payload
    except AdmitError as error:
        told.missing["release.json"] = cause(error)
    try:
        progress("asking for its log")
        told.log = await told_of.ask_log(session)
    except AdmitError as error:
        told.missing["log.txt"] = cause(error)


@command("admit logs kiosk-1 --follow")
@click.argument("device")
@click.option("--follow", is_flag=True, help="Stay, and show what is added as it is, until Ctrl-C.")
@as_user
@via
def logs(call: Call, device, follow, user, link_via):
    """Show the latest lines of the log of DEVICE: why it started, what failed, and where.

    They are in its memory, 2 KB of them, and begin anew at each start. What people did is in the journal, not here.
    """
    with contextlib.suppress(KeyboardInterrupt):  # the way to end --follow
        if follow:
            run(_follow(call, device, wallet_of(call, user), link_via))
        else:
            log = run(_log(wallet_of(call, user), device, link_via))
            call.out.rows("log", _rows(log), list(_COLUMNS), "Its log is empty.")


async def _log(wallet, device: str, link: str | None) -> Log:
    async with go(wallet, device, link) as session:
        progress("asking for its log")
        return await told_of.ask_log(session)


async def _follow(call: Call, device: str, wallet, link: str | None) -> None:
    since = 0
    while True:
        try:
            async with go(wallet, device, link) as session:
                say(f"Following {device}; Ctrl-C ends it.")
                while True:
                    log = await told_of.ask_log(session, since)
                    if log.next < since:  # it has started again, and so has its log
                        log = await told_of.ask_log(session)
                    for each in _rows(log):
                        call.out.line("line", each, _COLUMNS)
                    since = log.next
                    await asyncio.sleep(_AGAIN_S)
        except TimedOut as error:  # a device that restarts is what its log is watched for
            warn(f"{cause(error)}; trying again")
            await asyncio.sleep(_AGAIN_S)


def _rows(log: Log) -> list[dict]:
    started = int(time.time()) - log.uptime_s
    return [
        {
            "time": utc(started + each.uptime_s),
            "text": diagnosis.line_words(each.text, each.times),
            "no": each.number,
            "uptime_s": each.uptime_s,
            "times": each.times,
        }
        for each in log.lines
    ]
