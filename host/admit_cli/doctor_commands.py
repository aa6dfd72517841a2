"""`admit doctor` and `admit ports`: what a technician looks at first."""

from dataclasses import asdict

import rich_click as click

from admit_cli.command import Call, command
from admit_protocol.errors import LocalError


@command("admit doctor")
def doctor(call: Call):
    """Look what is missing on this machine, and tell what helps, line by line.

    Nothing is changed. The exit code is 1 if something keeps boards from being provisioned.
    """
    from admit_provisioning.doctor import FAIL, OK, examine
    from admit_provisioning.machine import Machine

    found = examine(Machine(), call.folder, call.now)
    rows = [asdict(each) | {"fix": each.fix or None} for each in found]
    call.out.rows("doctor", rows, ["check", "state", "found", "fix"])
    failed = sum(each.state == FAIL for each in found)
    if failed:
        raise LocalError("doctor-failed", f"{failed} of {len(found)} checks failed")
    assert all(each.fix or each.state == OK for each in found)


@command("admit ports --probe")
@click.argument("ports", nargs=-1)
@click.option("--probe", is_flag=True, help="Ask the REPL and the chip, too. This may reset a board.")
@click.option("--before", metavar="MODE", default="default-reset", show_default=True, help="How esptool resets it.")
def ports(call: Call, ports, probe, before):
    """List serial ports of USB devices, and PORTS (pseudo-terminals, URLs), and what runs on them.

    Only admit's own firmware is asked, which disturbs nobody. With --probe the chip tells what it is, too.
    """
    from admit_provisioning.esptool import Link
    from admit_provisioning.machine import Machine
    from admit_provisioning.ports import look

    options = Link("", before)
    found = look(Machine(), [Link(each) for each in ports], probe, options)
    columns = ["port", "title", "usb", "chip", "mac", "runs", "state", "device", "problem"]
    none = "No USB serial device is plugged in. A cable that only charges shows nothing."
    call.out.rows("ports", [asdict(each) | {"title": each.title or None} for each in found], columns, none)
