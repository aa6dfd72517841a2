"""`admit policy plan`, `admit policy apply`, `admit policy export`: who may do what as one file that people review."""

from pathlib import Path

import rich_click as click

from admit import policy_export, policy_plan
from admit.policy_model import present
from admit.policy_plan import Plan
from admit_cli.command import Call, command
from admit_cli.editing_words import tell
from admit_cli.output import confirm, say, warn
from admit_cli.policy_fields import followed, plan_fields
from admit_cli.policy_words import plan_lines
from admit_protocol.errors import NotFound

FILE = click.Path(dir_okay=False, path_type=Path)


@command("admit policy plan policy.toml")
@click.argument("file", type=FILE)
def plan(call: Call, file):
    """What would FILE change, and who would gain or lose access to what?

    Whatever the registry holds and the file does not say would go. Nothing is changed: admit policy apply does that.
    """
    planned = _plan(call, file)
    call.out.lines("plan", plan_fields(planned), plan_lines(planned, call.zone))


@command("admit policy apply policy.toml --base 17")
@click.argument("file", type=FILE)
@click.option("--base", type=click.IntRange(0), metavar="VERSION", help="Only if the registry is still at it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and stop.")
def apply(call: Call, file, base, yes, dry_run):
    """Make the registry say what FILE says, all of it or nothing.

    It shows the plan and asks. Whoever else changes the registry meanwhile is not overwritten: this one ends with 5.
    --base does the same for a plan that was reviewed before: the version that admit policy plan showed.
    """
    planned = _plan(call, file, base)
    if dry_run:
        call.out.lines("plan", plan_fields(planned), plan_lines(planned, call.zone))
        return
    if not planned.is_empty:
        for line in plan_lines(planned, call.zone):
            say(line)
        confirm(f"Apply {file}?", yes)
    changes = policy_plan.apply(call.site, call.signer, planned, call.now)
    version = planned.version + (not planned.is_empty)
    done = f"{file} is applied" if not planned.is_empty else f"{file} says what the registry holds: nothing was changed"
    fields = plan_fields(planned) | {"changed": not planned.is_empty, "version": version}
    fields["counts"] |= followed(changes)
    call.out.lines("applied", fields, [f"{done}; it is at version {version}."])
    tell(changes)


@command("admit policy export")
def export(call: Call):
    """Print what the registry holds as a policy.toml, which plans to nothing."""
    with call.site.registry.reading() as session:
        held = present(session, call.now)
    text = policy_export.export(held.policy, call.zone, call.now)
    call.out.lines("policy", {"version": held.version, "toml": text}, text.splitlines())


def _plan(call: Call, file: Path, base: int | None = None) -> Plan:
    """Plan a file, and tell what to look at."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFound("file-missing", str(file)) from None
    planned = policy_plan.plan(call.site, str(file), data, call.zone, call.now, base)
    for text in planned.warnings:
        warn(text)
    return planned
