"""`admit health`: how devices are, now, over time, and as a page."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import rich_click as click

from admit import health as told_of
from admit import health_findings, keyfiles
from admit.client import Session
from admit.health_findings import Known, Look, Sample, span
from admit.registry import Registry
from admit.visit import visit
from admit_cli.command import Call, command
from admit_cli.health_screen import COLUMNS, HealthScreen
from admit_cli.hints import cause
from admit_cli.output import progress, say
from admit_cli.visiting import as_user, devices_meant, go, run, transport_to, via, wallet_of
from admit_cli.words import many, utc
from admit_protocol.errors import AdmitError, NotFound

_DAY_S = 86400
_THIN_S = 3600
_SHOWN = 2000  # samples of a device on the page, and looked at


@command("admit health 'lobby-*' --watch")
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option("--watch", is_flag=True, help="Stay, ask again and again, and show the latest, until Ctrl-C.")
@click.option(
    "--every", type=click.IntRange(2, 86400), default=30, show_default=True, help="Seconds between two rounds."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots to this file.")
@click.option(
    "--days", type=click.IntRange(1, 400), default=7, show_default=True, help="How much of the past the page shows."
)
@click.option("--stored", is_flag=True, help="Do not go to the devices: what they told before.")
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Devices at the same time.")
@as_user
@via
def health(call: Call, devices, watch, every, html, days, stored, at_once, user, link_via):
    """Ask each DEVICE (a name, or a pattern like 'lobby-*') how it is, and say what looks wrong.

    What they tell is kept in the registry; --html draws it. If one does not answer, the others are asked; the exit code
    is then that of its error.
    """
    if stored and watch:
        raise click.UsageError("--watch goes to the devices, --stored does not")
    asked = Asked(call, None if stored else wallet_of(call, user), link_via, at_once)
    names = asked.names(devices)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            _watch(asked, names, every, html, days)
        return
    looks = run(asked.stored(names) if stored else asked.now(names))
    if html:
        _write_page(call, looks, html, days)
    if len(names) == 1 and names[0] == devices[0]:
        _show_one(call, looks[0])
    else:
        call.out.rows("devices", [row(each) for each in looks], list(COLUMNS))
    for each in looks:
        if each.error:
            raise each.error


Then = Callable[[Session], Awaitable[None]]


class Asked:
    """Who is asked, by whom, and where the answers are kept: nowhere, for a wallet without a site's folder."""

    def __init__(self, call: Call, wallet, link: str | None, at_once: int):
        self._call, self._wallet, self._link = call, wallet, link
        self._at_once = at_once
        try:
            self.registry: Registry | None = call.site.registry
        except NotFound:
            if wallet is None:
                raise
            self.registry = None

    def names(self, patterns) -> list[str]:
        """The devices that are meant. Without a registry they are named; a name that it does not know may be asked."""
        if self.registry is None or not any("*" in each for each in patterns) and len(patterns) == 1:
            return list(patterns)
        return devices_meant(self.registry, patterns)

    async def now(self, names: list[str], then: Then | None = None) -> list[Look]:
        """Ask all of them, and keep what they tell; of one, `then` asks the session further."""

        async def politely(name: str) -> bytes:
            """As any visit: with a word on what happens, and a look at the journal's head on leaving."""
            async with go(self._wallet, name, self._link) as session:
                progress("asking how it is")
                told = await told_of.ask(session)
                if then:
                    await then(session)
                return told

        ask = politely if len(names) == 1 else self._briefly
        turns = asyncio.Semaphore(self._at_once)
        found = await asyncio.gather(*(self._one(name, ask, turns) for name in names))
        if self.registry is not None:
            known = {each.id for each in self.registry.devices()}
            kept = [(name, at, data, error and error.reason[:64]) for name, at, data, error in found if name in known]
            self.registry.add_health(kept)
        return [self._look(*each) for each in found]

    async def stored(self, names: list[str]) -> list[Look]:
        """What was kept of them."""
        looks = []
        for name in names:
            *earlier, last = self._samples(name) or [Sample(self._call.now, None, "nothing kept yet")]
            looks.append(Look(name, last, Known(earlier, self._epoch(name))))
        return looks

    async def _one(self, name: str, ask, turns: asyncio.Semaphore):
        async with turns:
            try:
                return name, int(time.time()), await ask(name), None
            except AdmitError as error:
                return name, int(time.time()), None, error

    async def _briefly(self, name: str) -> bytes:
        link = transport_to(self._link, name, tell_retries=False)
        async with visit(link, self._wallet, name) as session:
            return await told_of.ask(session)

    def _look(self, name: str, at: int, data: bytes | None, error: AdmitError | None) -> Look:
        now = Sample(at, told_of.parse(data) if data else None, cause(error) if error else None)
        before = [each for each in self._samples(name) if each.at < at]
        return Look(name, now, Known(before, self._epoch(name)), error)

    def _samples(self, name: str) -> list[Sample]:
        if self.registry is None:
            return []
        return health_findings.samples(self.registry.health(name, limit=_SHOWN), told_of.parse)

    def _epoch(self, name: str) -> int | None:
        try:
            return self.registry.device(name).epoch if self.registry is not None else None
        except NotFound:
            return None


def _watch(asked: Asked, names: list[str], every: int, html: Path | None, days: int) -> None:
    thinned = 0.0
    with HealthScreen(asked._call.out, many(len(names), "device"), every) as screen:
        while True:
            began = time.monotonic()
            looks = run(asked.now(names))
            screen.show([row(each) for each in looks])
            if html:
                _write_page(asked._call, looks, html, days)
            if asked.registry is not None and began - thinned >= _THIN_S:
                asked.registry.thin_health(int(time.time()))
                thinned = began
            time.sleep(max(every - (time.monotonic() - began), 0))


def row(look: Look) -> dict:
    """Everything that there is to know, for programs; the columns of COLUMNS as people read them."""
    told = look.now.told or dict.fromkeys(told_of.ENTRIES)
    storage = told["storage"] or {}
    first = look.findings[0].words if look.findings else None
    fields = {"device": look.device, "state": look.state, "at": utc(look.now.at), **told}
    fields |= {"up": span(told["uptime_s"]) if told["uptime_s"] is not None else None, "reset": told["reset_cause"]}
    fields |= {"starts": told["boots"], "heap": told["heap_free"], "space": storage.get("free")}
    fields |= {"epoch": told["policy_epoch"], "knocks": told["handshakes_failed"], "looks": first}
    return fields | {
        "findings": [{"state": each.state, "words": each.words, "fix": each.fix} for each in look.findings]
    }


def _show_one(call: Call, look: Look) -> None:
    if look.error:
        return
    last = next((each for each in [look.now, *reversed(look.earlier)] if each.told), None)
    if last is None or last.told is None:
        raise NotFound("health-none", f"nothing was kept of {look.device}")
    fields = {"device": look.device, "state": look.state, "at": utc(last.at), **last.told}
    fields["findings"] = [{"state": each.state, "words": each.words, "fix": each.fix} for each in look.findings]
    if call.out.as_json:
        call.out.fields("health", fields)
        return
    words = _in_words(fields)
    call.out.fields("health", words, [name for name in words if name != "device"])
    for each in look.findings:
        say(f"{each.state}: {each.words} Try: {each.fix}.")


def _in_words(fields: dict) -> dict:
    """The entries that have entries of their own, on one line each."""
    words = {name: value for name, value in fields.items() if name not in ("findings", "at")}
    if storage := fields["storage"]:
        words["storage"] = f"{storage['free']:,} of {storage['total']:,} bytes free, {storage['writes']:,} writes"
    if radio := fields["radio"]:
        words["radio"] = (
            f"{radio['connections']} links, {radio['drops']} ended by it, {radio['refused']} for want of room"
        )
    if last := fields["last_exception"]:
        run_of = "this run" if not last["ended"] else f"run {last['boot']}, which it ended"
        words["last_exception"] = f"{last['what']} at {last['place']}, in {run_of}"
    sensors = fields["sensors"] or {}
    words["sensors"] = [f"{name} {'-' if value is None else value}" for name, value in sensors.items()]
    return words


def _write_page(call: Call, looks: list[Look], path: Path, days: int) -> None:
    from admit import health_page

    made = health_page.page(looks, call.site.name, call.site.anchor.site_id.hex(), days, call.zone, int(time.time()))
    keyfiles.write_file(path, made.encode(), secret=False)
    say(f"{path}: {many(len(looks), 'device')}, {many(days, 'day')}.")
