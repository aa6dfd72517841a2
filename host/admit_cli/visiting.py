"""How a command reaches a device: as whom, over what, and what is told on the way."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import rich_click as click

from admit import forms
from admit.client import Session
from admit.site import user_config
from admit.transport import open_transport
from admit.visit import visit
from admit.wallet import Wallet
from admit_cli.command import Call
from admit_cli.output import progress, say, warn
from admit_cli.words import rule_at
from admit_protocol import credential, grant
from admit_protocol.errors import Denied, NotFound

as_user = click.option(
    "--as", "user", metavar="USER", help="Whose wallet. Default: ADMIT_WALLET, ADMIT_USER, the admin."
)
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
    """The wallet that is meant: a named user's; else the folder ADMIT_WALLET; else that of the site's user.

    Who has no site may name a wallet in their config.
    """
    if not user and (folder := os.environ.get("ADMIT_WALLET")):
        return Wallet(Path(folder))
    try:
        site = call.site
    except NotFound:
        if user or not (folder := user_config().get("wallet")):
            raise
        return Wallet(Path(folder).expanduser())
    return site.wallet(user or site.setting("user") or "admin")


@asynccontextmanager
async def go(wallet: Wallet, device_id: str, link: str | None) -> AsyncIterator[Session]:
    """A visit of `wallet` to a device: its session. A denial is told with the rule that made it."""
    name = link or os.environ.get("ADMIT_VIA") or user_config().get("via") or f"ble:{device_id}"
    async with visit(open_transport(name, retry=_tell_retry), wallet, device_id, progress) as session:
        _tell_test_only(wallet.device(device_id))
        try:
            yield session
        except Denied as denied:
            for note in _ruling(denied, grant.parse(session.holder.grant)):
                denied.add_note(note)
            raise


def _tell_test_only(device: credential.Credential | None) -> None:
    if device and device.test_only:
        warn(f"{device.device_id} is for tests: its key was made without a source of randomness of its own")


def _ruling(denied: Denied, given: grant.Grant) -> Iterator[str]:
    """The rule that denied, or that came nearest; all of the grant's where it has none for that."""
    if one := rule_at(given, denied.rule):
        yield f"rule: {forms.rule_text(one)}"
    elif denied.reason == "rule-none":
        yield f"the grant's rules: {'; '.join(forms.rule_text(each) for each in given.rules)}"


def _tell_retry(attempt: int, attempts: int, reason: str) -> None:
    say(f"{reason}; trying again ({attempt + 1} of {attempts})")
