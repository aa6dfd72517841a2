"""`admit update`, `admit update status`, `admit rollback`: releases on their way to devices, and back."""

import time
from pathlib import Path

import rich_click as click

from admit import releases, rollout_stages, rounds, updating
from admit.keyfiles import fingerprint
from admit.releases import Release
from admit.visit import visit
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import StepsOnScreen, say, warn
from admit_cli.release_commands import FILE, anchor_of
from admit_cli.types import Form
from admit_cli.update_screen import UpdateScreen
from admit_cli.visiting import as_user, run, transport_to, via, wallet_of
from admit_cli.words import utc
from admit_protocol import rule
from admit_protocol.errors import AdmitError, Conflict, LocalError, NotFound

_STAGES = Form("STAGES", rollout_stages.parse)
_PAUSE = Form("N-failures", rollout_stages.parse_pause)
_COLUMNS = ["device", "state", "ran", "since", "bytes", "why"]
_ONE_FAILURE = 1


@command("admit update 'lobby-*' release.admit --rollout 1,10%,50%,100% --pause-on 2-failures")
@click.argument("patterns", nargs=-1, required=True, metavar="DEVICE...")
@click.argument("file", type=FILE)
@click.option("--rollout", type=_STAGES, help="How many must run it before more are tried. Default: 100%.")
@click.option("--pause-on", type=_PAUSE, help="After so many failures nothing more is switched. Default: 1-failure.")
@click.option("--retry", is_flag=True, help="Go on with a paused rollout, and try those again that failed.")
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Devices at the same time.")
@as_user
@via
def update(call: Call, patterns, file: Path, rollout, pause_on, retry, at_once, user, link_via):
    """Bring the release in FILE to each DEVICE: names, or patterns like 'lobby-*'.

    Only what a device lacks is sent. It restarts into the new version, which has one start to prove itself: else the
    device goes back by itself, and says why. What was broken off, the same command goes on with.

    A wallet without a site's folder can bring it too, to devices that are named, and takes home the journals that prove
    it: admit courier give.
    """
    made = releases.load(file, anchor_of(call))
    bring = _Bringing(call, made, wallet_of(call, user), link_via)
    try:
        site = call.site
    except NotFound:
        return _bring_unremembered(bring, patterns)
    from admit import releasing

    devices = _matching(site.registry, patterns)
    releasing.keep(site.registry, made)
    began = _begun(site.registry, made, devices, (rollout, pause_on), retry, call.now)
    bring.roll_out(began, retry, at_once)


class _Bringing:
    """A release and the way to devices, as a command was told."""

    def __init__(self, call: Call, made: Release, wallet, link: str | None):
        self.call, self._made, self._wallet, self._link = call, made, wallet, link

    def update(self, device_id: str, watcher, known=lambda set_hash: None, may_switch=lambda: True):
        """The update of one device, which has not begun."""
        return updating.Update(self._reach(device_id), self._made, watcher, known, may_switch)

    def roll_out(self, rollout_id: int, retry: bool, at_once: int) -> None:
        """All of a rollout, or what is left of it."""
        from admit.rollouts import Rollout, named

        registry = self.call.site.registry
        with UpdateScreen(lambda running: named(running, registry.releases())) as screen:

            def deliver(device_id, may_switch):
                return self.update(device_id, screen.watcher(device_id), registry.set_files, may_switch).run()

            works = Rollout(registry, rollout_id, deliver, screen, time.time, at_once)
            if retry:
                works.retry()
            try:
                state = run(works.run())
            except KeyboardInterrupt:
                raise LocalError("update-stopped") from None
        _tell_end(self.call, rollout_id, state, works.errors)

    async def take_home(self, device_id: str) -> None:
        """Take the device's journal along, in which it says itself what it runs now; hand in what waits for it."""
        try:
            async with self._reach(device_id)() as session:
                await rounds.bring(session, self._wallet, device_id)
        except AdmitError as error:  # the next visit takes it along
            warn(f"{device_id}'s journal was not taken along: {cause(error)}")

    def _reach(self, device_id: str):
        return lambda: visit(transport_to(self._link, device_id, tell_retries=False), self._wallet, device_id)


def _bring_unremembered(bring: _Bringing, devices) -> None:
    """To devices that are named, one after the other."""
    with UpdateScreen(lambda running: running.version) as screen:
        for device_id in devices:
            outcome = run(bring.update(device_id, screen.watcher(device_id)).run())
            screen.ended(device_id, "updated", outcome, None)
            run(bring.take_home(device_id))
    say("For the admin's admit update status: admit courier give brings home what proves it.")


def _matching(registry, patterns) -> list[str]:
    """The devices that are meant, in their order. Those that no longer count are not."""
    gone = registry.dismissed()
    there = [each.id for each in registry.devices() if fingerprint(each.public) not in gone]
    found = [each for each in there if any(rule.matches(pattern, each) for pattern in patterns)]
    for pattern in patterns:
        if not any(rule.matches(pattern, each) for each in found):
            raise NotFound("update-no-device", f"no device of the site is called {pattern}")
    return found


def _begun(registry, made: Release, devices: list[str], terms: tuple, retry: bool, now: int) -> int:
    """The rollout of this release to these devices that was begun before, or a new one: its number."""
    stages, pause_on = terms
    for row, _ in registry.rollouts():
        same = row.sequence == made.manifest.sequence and row.state in ("open", "paused")
        if same and {each.device_id for each in registry.arrivals(row.id)} == set(devices):
            registry.go_on(row.id, stages, pause_on, retry)
            say(f"Going on with rollout {row.id}.")
            return row.id
    more = (stages or rollout_stages.ALL, pause_on or _ONE_FAILURE, devices, now, retry)
    row, replaced = registry.begin_rollout(made.manifest.sequence, *more)
    for each in replaced:
        say(f"Rollout {each} is replaced by this one.")
    return row.id


def _tell_end(call: Call, rollout_id: int, state: str, errors: list[AdmitError]) -> None:
    told = _told(call, *_of(call, rollout_id))
    call.out.rows("devices", told["devices"], _COLUMNS)
    say(_summary(told))
    if errors:
        if state == "paused":
            errors[0].add_note("The rollout is paused; admit update … --retry goes on.")
        raise errors[0]
    if state == "paused":
        raise Conflict("rollout-paused", f"rollout {rollout_id} was paused by failures that others saw")


def _of(call: Call, rollout_id: int):
    return next(each for each in call.site.registry.rollouts() if each[0].id == rollout_id)


@command("admit update status")
@click.option("--all", "everything", is_flag=True, help="Rollouts that are over, too.")
def status(call: Call, everything):
    """Which releases are on their way, and where each device is. Of rollouts that are over, the latest is shown."""
    rollouts = call.site.registry.rollouts()
    living = [each for each in rollouts if each[0].state in ("open", "paused")]
    told = [_told(call, *each) for each in (rollouts if everything else living or rollouts[:1])]
    if call.out.as_json:
        return call.out.lines("rollouts", told, ())
    for each in told:
        say(_summary(each))
        call.out.rows("devices", each["devices"], _COLUMNS)
    if not told:
        say("No release has been brought anywhere.")


def _told(call: Call, rollout, release) -> dict:
    rows = [_arrival(each) for each in call.site.registry.arrivals(rollout.id)]
    states = [each["state"] for each in rows]
    stage = rollout_stages.stage_of(rollout.stages, len(rows), states.count("updated"))
    fields = {"rollout": rollout.id, "version": release.version, "sequence": release.sequence, "state": rollout.state}
    fields |= {"stages": rollout.stages, "stage": stage, "of": len(rollout.stages.split(","))}
    fields |= {"pause_on": rollout.pause_on, "began": utc(rollout.began_at)}
    return fields | {"counts": {each: states.count(each) for each in sorted(set(states))}, "devices": rows}


def _arrival(row) -> dict:
    why = ": ".join(each for each in (row.reason, row.detail) if each)
    moved = row.moved or None
    fields = {"device": row.device_id, "state": row.state, "ran": row.ran, "since": utc(row.at), "bytes": moved}
    return fields | {"why": why or None, "reason": row.reason}


def _summary(told: dict) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in told["counts"].items())
    where = f"stage {told['stage']} of {told['of']} ({told['stages']})" if told["of"] > 1 else told["stages"]
    return f"Rollout {told['rollout']}, version {told['version']}: {told['state']}, {where}; {counts}"


@command("admit rollback kiosk-3")
@click.argument("device")
@as_user
@via
def rollback(call: Call, device, user, link_via):
    """Have DEVICE run again what it ran before its last update. That has to prove itself, too."""
    wallet = wallet_of(call, user)

    def reach():
        return visit(transport_to(link_via, device), wallet, device)

    with StepsOnScreen() as steps:
        try:
            outcome = run(updating.Rollback(reach, steps).run())
        except KeyboardInterrupt:
            raise LocalError("update-stopped") from None
    ran, runs = _names(call, device, outcome)
    call.out.fields("rollback", {"device": device, "ran": ran, "runs": runs, "set_hash": outcome.runs.set_hash})


def _names(call: Call, device: str, outcome) -> list[str]:
    """What people call what it ran and runs; the site, if there is one here, remembers that."""
    from admit.rollouts import named

    try:
        registry = call.site.registry
    except NotFound:
        return [outcome.ran.version, outcome.runs.version]
    registry.device_went_back(device, outcome.runs.set_hash or b"", call.now)
    return [named(each, registry.releases()) for each in (outcome.ran, outcome.runs)]
