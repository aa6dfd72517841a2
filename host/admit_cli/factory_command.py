"""`admit factory`: a hub full of boards at once."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rich_click as click

from admit import admin
from admit_cli.command import Call, command
from admit_cli.factory_screen import FactoryScreen
from admit_cli.output import say
from admit_cli.provision_commands import esptool_options, holder_of
from admit_cli.visiting import as_user, wallet_of
from admit_protocol.errors import AdmitError, NotFound

OUTCOMES = ("provisioned", "installed", "skipped", "failed")
RARE = ("installed",)  # told of only if it happened
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command("admit factory --ports '/dev/ttyUSB*' --board esp32_generic --count 40 --prefix kiosk-")
@click.option("--ports", required=True, help="Serial ports, with * and ?, or URLs; several with blanks between them.")
@click.option("--board", help="What kind of boards they are. Default: what each says itself.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many. Default: at Ctrl-C.")
@click.option("--prefix", help="They are called kiosk-1, kiosk-2 and so on with kiosk-.")
@click.option("--image", type=_FILE, help="MicroPython for boards that have none. Default: the board's, downloaded.")
@click.option("--routines", type=_FILE, help="The site's routines file. Default: the one that comes with admit.")
@click.option("--again", is_flag=True, help="Boards that are devices already, too: install anew.")
@click.option("--install-only", is_flag=True, help="No more than the firmware: they join later, by sealed labels.")
@click.option("--once", is_flag=True, help="Only the boards that are plugged in now, one for each port.")
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="Where each board's record goes.")
@esptool_options
@as_user
def factory(
    call: Call,
    ports,
    board,
    count,
    prefix,
    image,
    routines,
    again,
    install_only,
    once,
    journal,
    before,
    after,
    baud,
    user,
):
    """Make devices of all boards at PORTS, side by side, and of each one that is plugged in next.

    A board that is a device already is recognised and left as it is. What fails, fails alone. Each board's record is
    kept in a file, one JSON object a line.

    With --install-only they get their firmware and belong to nobody yet: admit labels --sealed prints the labels by
    which they join, wherever they will be.
    """
    from admit_provisioning.esptool import Link
    from admit_provisioning.factory import MADE, Batch, Factory
    from admit_provisioning.pipeline import Order

    if bool(prefix) == install_only:
        raise click.UsageError("Give --prefix for their names, or --install-only for boards without names.")
    wallet = wallet_of(call, user)
    if prefix:
        admin.check_name(f"{prefix}1")
        call.signer.unlock()
    order = Order(Link("", before, after, baud), board, image, routines, again, install_only)
    batch = Batch(tuple(ports.split()), order, prefix or "", count, once)
    file = journal or Path(time.strftime("factory-%Y%m%d-%H%M%S.jsonl", time.localtime(call.now)))
    holder = holder_of(call, wallet, prefix and f"{prefix}1")
    with FactoryScreen(count) as screen, open(file, "a", encoding="utf-8") as records:
        works = Factory(batch, call.site, call.signer, holder, _Recording(screen, records))
        with _stopping(works):
            try:
                works.run()
            finally:
                _keep(call, wallet, works.results)
    made = sum(each.outcome in MADE for each in works.results)
    _tell(call, works.results, file, count is not None and made >= count)


class _Recording:
    """The screen, and beside it the journal that programs read: it holds each board as soon as that is done."""

    def __init__(self, screen: FactoryScreen, file):
        self._screen, self._file = screen, file
        self.watcher, self.waiting = screen.watcher, screen.waiting

    def ended(self, result) -> None:
        """A board is done, or has failed."""
        self._file.write(json.dumps({"schema": 1, **result.record()}, ensure_ascii=False) + "\n")
        self._file.flush()
        self._screen.ended(result)


@contextmanager
def _stopping(works) -> Iterator[None]:
    """Ctrl-C lets the boards that were begun finish; the second one does not."""

    def stop(*_) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        say("Finishing the boards that were begun; Ctrl-C again stops them too: factory goes on with them later.")
        works.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _keep(call: Call, wallet, results) -> None:
    """The admin's wallet knows each device from now on."""
    for device_id in dict.fromkeys(each.device_id for each in results if each.fingerprint):
        wallet.add_device(call.site.registry.device(device_id).credential)


def _row(result) -> dict:
    took_s = round(sum(result.seconds.values()), 1)
    return result.record() | {"device": result.device_id or None, "took_s": took_s}


def _tell(call: Call, results, file: Path, enough: bool) -> None:
    rows = [_row(each) for each in results]
    columns = ["device", "outcome", "port", "board_id", "fingerprint", "took_s", "reason"]
    call.out.rows("boards", rows, columns, "No board was found.")
    of = {outcome: [each for each in results if each.outcome == outcome] for outcome in OUTCOMES}
    told = [f"{len(of[each])} {each}" for each in OUTCOMES if of[each] or each not in RARE]
    say(f"{', '.join(told)}: {file}")
    if of["provisioned"]:
        say(f"Their labels: admit labels {' '.join(each.device_id for each in of['provisioned'])} -o labels.pdf")
    if of["installed"]:
        say(f"Their labels: admit labels {' '.join(f'--sealed {each.port}' for each in of['installed'])} -o labels.pdf")
    if not results:
        raise NotFound("factory-no-board", "no board was plugged in")
    finished = {each.board_id for each in results if each.outcome != "failed"}
    missing = [each for each in of["failed"] if not each.board_id or each.board_id not in finished]
    if missing and not enough:
        raise AdmitError(missing[0].reason, missing[0].detail)
