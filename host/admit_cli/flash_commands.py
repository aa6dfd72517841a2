"""`admit flash`, `admit harden`: a chip in its ROM loader."""

import sys
from pathlib import Path

import rich_click as click

from admit_cli.command import Call, command
from admit_cli.output import bar, confirm, progress, say
from admit_cli.provision_commands import esptool_options
from admit_protocol.errors import NotFound

_FILE = click.Path(dir_okay=False, path_type=Path)


@command("admit flash /dev/ttyUSB0 --board esp32_generic")
@click.argument("port")
@click.option("--board", required=True, help="What kind of board it is: a name, or the path of your own board.toml.")
@click.option("--image", type=_FILE, help="MicroPython, as a file. Default: the newest release, downloaded.")
@click.option("--erase", is_flag=True, help="Erase all of the flash before, its file system too.")
@click.option("--yes", is_flag=True, help="Do not ask, even if the board is a device of the site.")
@esptool_options
def flash(call: Call, port, board, image, erase, yes, before, after, baud):
    """Write MicroPython to the board at PORT.

    PORT is a serial port or anything that pyserial opens. Whatever key the board has is erased.
    """
    from admit_provisioning import boards, images
    from admit_provisioning.esptool import Link
    from admit_provisioning.flash import flash as write

    link, kind = Link(port, before, after, baud), boards.load(board)
    file = images.resolve(kind, image, None if image else call.site.registry, progress)

    def found(chip) -> None:
        say(f"{chip.title}, MAC {chip.mac.hex(':')}")
        if device := _device(call, chip.mac):
            confirm(f"This board is {device}, and its key will be erased. Flash it?", yes)

    with bar(f"writing {file.name}") as shown:
        chip = write(link, kind, file, progress, shown, erase, found)
    fields = {"chip": chip.name, "title": chip.title, "mac": chip.mac.hex(":"), "flash_size": chip.flash_size}
    fields |= {"board": kind.name, "image": file.name, "sha256": images.sha256(file)}
    call.out.fields("flashed", fields, ["title", "mac", "image"])


def _device(call: Call, mac: bytes) -> str | None:
    """The device of this site that the board is, if there is a site."""
    try:
        row = call.site.registry.board(mac.hex())
    except NotFound:
        return None
    return row.device_id if row else None


@command("admit harden /dev/ttyUSB0 --plan")
@click.argument("port")
@click.option("--plan", "planning", is_flag=True, help="Say what could be burned, rehearse it, and save the plan.")
@click.option("--apply", "plan_file", type=_FILE, metavar="PLAN", help="Burn what that plan says.")
@click.option("--board", help="What kind of board it is. Default: the one that comes with admit for its chip.")
@click.option("--also", multiple=True, type=click.Choice(["download-off"]), help="Into the plan: no ROM loader at all.")
@click.option("--output", "-o", type=_FILE, help="Where the plan goes. Default: harden-MAC.json, here.")
@esptool_options
def harden(call: Call, port, planning, plan_file, board, also, output, before, after, baud):
    """Burn eFuses of the board at PORT, which nobody can take back: first a plan, then the plan and nothing else.

    Without a plan nothing is burned, and not before you have typed the board's MAC address.
    """
    from admit_provisioning.esptool import Link

    if planning == bool(plan_file):
        raise click.UsageError("Give --plan, or --apply PLAN.")
    link = Link(port, before, after, baud)
    if planning:
        _plan(call, link, board, also, output)
    else:
        _apply(call, link, plan_file)


def _plan(call: Call, link, board: str | None, also: tuple[str, ...], output: Path | None) -> None:
    from admit_provisioning import harden as hardening

    plan = hardening.make_plan(link, board, progress, also)
    file = output or Path(f"harden-{plan.mac.replace(':', '')}.json")
    plan.save(file)
    rows = [{"efuse": step.efuse, "does": step.does, "costs": step.costs} for step in plan.steps]
    call.out.rows("steps", rows, ["efuse", "does", "costs"], "There is nothing left to burn on this chip.")
    for what, why in plan.left_alone.items():
        say(f"Not in the plan: {what}; {why}.")
    say(f"Rehearsed for {plan.title}, MAC {plan.mac}, and saved: {file}. Nothing was burned.")


def _apply(call: Call, link, file: Path) -> None:
    from admit_provisioning import harden as hardening

    if not sys.stdin.isatty():
        raise click.UsageError("What cannot be undone must be typed on a terminal, and there is none.")
    plan = hardening.load(file)
    burned = hardening.apply(link, plan, lambda steps: _typed(plan.mac, steps), progress)
    rows = [{"efuse": step.efuse, "does": step.does} for step in burned]
    call.out.rows("burned", rows, ["efuse", "does"], "All of the plan was burned before.")


def _typed(mac: str, steps: list) -> None:
    """Have somebody type the board's MAC address. Raises click.Abort for anything else."""
    for step in steps:
        say(f"{step.efuse}: {step.does}. The price: {step.costs}.")
    if click.prompt(f"This cannot be undone. Type the board's MAC address ({mac}) to burn it", err=True).lower() != mac:
        say("That is another one. Nothing was burned.")
        raise click.Abort
