"""How a command reaches a device: as whom, over what, and what is told on the way."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import rich_click as click

from admit.transport import open_transport
from admit.visit import visit
from admit.wallet import Wallet
from admit_cli.command import Call
from admit_cli.output import progress, say

as_user = click.option("--as", "user", metavar="USER", help="Whose wallet. Default: ADMIT_WALLET, ADMIT_USER, the admin.")
as_carrier = click.option("--as", "carrier", metavar="USER", help="Who carries it. Default: ADMIT_USER, or the admin.")
via = click.option(
    "--via",
    "link_via",
    metavar="LINK",
    help="ble:NAME, udp://HOST:PORT or a serial port. Default: ADMIT_VIA, else ble:DEVICE.",
)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run the asynchronous part of a command."""
    return asyncio.run(work)


def wallet_of(call: Call, user: str | None) -> Wallet:
    """The wallet that is meant: the folder ADMIT_WALLET if no user is named, else one of the site's."""
    folder = os.environ.get("ADMIT_WALLET")
    if folder and not user:
        return Wallet(Path(folder))
    return call.site.wallet(user or call.site.setting("user") or "admin")


def go(call: Call, wallet: Wallet, device_id: str, link: str | None):
    """A visit of `wallet` to a device: an asynchronous context manager that gives the session."""
    name = link or os.environ.get("ADMIT_VIA") or f"ble:{device_id}"
    return visit(open_transport(name, retry=_tell_retry), wallet, device_id, progress)


def _tell_retry(attempt: int, attempts: int, reason: str) -> None:
    say(f"{reason}; trying again ({attempt + 1} of {attempts})")
