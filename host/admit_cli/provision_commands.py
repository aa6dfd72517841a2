"""`admit provision`, `admit reboot`: a board in a technician's hand, and a device that is to start anew."""

from pathlib import Path

import rich_click as click

from admit import admin
from admit.client import Holder
from admit_cli import label_code
from admit_cli.command import Call, command
from admit_cli.output import StepsOnScreen, progress, say, warn
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_protocol import cbor, coap
from admit_protocol.errors import LocalError

# POST /reset
_BOOT, _PLAIN, _REPL = 1, 0, 1

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def esptool_options(function):
    """How esptool is to reach a board, in its own words."""
    for option in (
        click.option("--baud", type=click.IntRange(9600), default=460_800, show_default=True, help="To flash with."),
        click.option("--after", metavar="MODE", default="hard-reset", show_default=True, help="A word of esptool's."),
        click.option("--before", metavar="MODE", default="default-reset", show_default=True, help="The same."),
    ):
        function = option(function)
    return function


@command("admit provision /dev/ttyUSB0 --name kiosk-1")
@click.argument("port")
@click.option("--name", "device_id", help="What the device shall be called: kiosk-1.")
@click.option("--board", help="What kind of board it is: admit ports shows it. Default: what it says itself.")
@click.option("--image", type=_FILE, help="MicroPython for a board that has none. Default: the board's, downloaded.")
@click.option("--routines", type=_FILE, help="The site's routines file. Default: the one that comes with admit.")
@click.option("--again", is_flag=True, help="Install anew; give a new identity to a board that lost its own.")
@click.option("--sealed", is_flag=True, help="By radio (PORT is ble): asks for the code under the seal of its label.")
@click.option("--install-only", is_flag=True, help="No more than the firmware: it joins later, by a sealed label.")
@click.option("--screen", is_flag=True, help="A screen stands at its cable: admit kiosk-screen. It is told who comes.")
@esptool_options
@as_user
def provision(
    call: Call, port, device_id, board, image, routines, again, sealed, install_only, screen, before, after, baud, user
):
    """Make a device of the board at PORT: MicroPython, firmware, key, credential, proof.

    PORT is a serial port or anything that pyserial opens. What is done already is not done again: if the cable falls
    out, or you stop it, the same command goes on where it was.

    With --install-only the board gets its firmware and belongs to nobody yet; a name that is given is kept for it.
    admit labels --sealed then prints the label by which it joins, without a cable.
    """
    from admit_provisioning.esptool import Link
    from admit_provisioning.journal import Journal
    from admit_provisioning.pipeline import Order

    if not device_id and not install_only:
        raise click.UsageError("What shall it be called? Give --name, or --install-only for a board without a name.")
    if sealed and screen:
        raise click.UsageError("--screen is for a board at its cable: it was said when that was installed.")
    if sealed and install_only:
        raise click.UsageError("--sealed takes a board in, --install-only does not: leave out one of the two.")
    wallet = wallet_of(call, user)
    if device_id:
        admin.check_name(device_id)
    holder = holder_of(call, wallet, device_id)
    secret = label_code.ask() if sealed else None
    if not install_only:
        call.signer.unlock()
    order = secret or Order(Link(port, before, after, baud), board, image, routines, again, install_only, screen)
    with StepsOnScreen() as steps:
        done = _done(port, order, Journal(call.site, call.signer, device_id or "", steps, again), holder)
    if done.credential:
        wallet.add_device(done.credential)
    else:
        say(f"It belongs to nobody yet. Its label: admit labels --sealed {port} -o label.pdf")
    if done.is_test_only:
        warn(f"{device_id} has no source of randomness: its key is for tests alone")
    if not done.is_current:
        warn(f"{device_id} runs other firmware than this admit would install: --again installs it")
    shown = ["state", "fingerprint", "board", "board_id", "version", "micropython", "took"]
    call.out.fields("device", _fields(done), shown)


def holder_of(call: Call, wallet, device_id: str | None) -> Holder:
    """Who proves a device of this name; who has any grant proves one whose name is not known beforehand."""
    given = wallet.grants()[:1] if not device_id else []
    return Holder(wallet.login_key, (given or [wallet.grant_for(device_id or "", call.now)])[0].data, wallet.anchor)


def _done(port, order, journal, holder):
    """What came of an order, which is a label's secret if the board is to join by radio."""
    from admit_provisioning import by_radio, pipeline

    try:
        if isinstance(order, bytes):
            return by_radio.provision(port, order, journal, holder)
        return pipeline.provision(order, journal, holder)
    except KeyboardInterrupt:
        raise LocalError("provision-stopped") from None


def _fields(done) -> dict:
    release, seconds = done.proof.release, {step: round(spent, 2) for step, spent in done.seconds.items()}
    joined = bool(done.credential)
    fields = {"device": done.device_id or None, "state": "commissioned" if joined else "installed"}
    fields |= {"fingerprint": done.fingerprint or None, "proven": joined, "version": release.version}
    fields |= {"board": release.board, "board_id": done.board_id, "micropython": release.micropython}
    fields |= {"set_hash": release.set_hash, "current": done.is_current, "sent": done.sent, "seconds": seconds}
    told = ", ".join(f"{step} {spent:.1f}" for step, spent in seconds.items() if spent >= 0.05)
    return done.proof.health | fields | {"took": f"{sum(seconds.values()):.1f} s: {told}"}


@command("admit reboot kiosk-1", prints_data=False)
@click.argument("device")
@click.option("--repl", is_flag=True, help="With its REPL open, until it restarts again: for whoever has its cable.")
@as_user
@via
def reboot(call: Call, device, repl, user, link_via):
    """Have DEVICE restart."""
    run(_reboot(wallet_of(call, user), device, link_via, _REPL if repl else _PLAIN))
    say(f"{device} restarts{', and its REPL is open until it does so again' if repl else ''}.")


async def _reboot(wallet, device: str, link: str | None, boot: int) -> None:
    async with go(wallet, device, link) as session:
        progress(f"telling {device} to restart")
        await session.request(coap.POST, "/reset", cbor.encode({_BOOT: boot}))
