"""How a command reaches a device: as whom, over what, and what is told on the way."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import rich_click as click

from admit import carrying, following, forms, rounds, waiting
from admit.client import Session
from admit.site import user_config
from admit.transport import Transport, is_gateway, open_transport
from admit.visit import visit
from admit.wallet import Wallet
from admit_cli.command import Call
from admit_cli.hints import cause
from admit_cli.output import progress, say, warn
from admit_cli.words import hours, rule_at
from admit_protocol import credential, grant, rule
from admit_protocol.errors import AdmitError, Denied, NotFound, Unverified

_WITNESS_S = 2

as_user = click.option(
    "--as", "user", metavar="USER", help="Whose wallet. Default: ADMIT_WALLET, ADMIT_USER, the admin."
)
as_carrier = click.option("--as", "carrier", metavar="USER", help="Who carries it. Default: ADMIT_USER, or the admin.")
via = click.option(
    "--via",
    "link_via",
    metavar="LINK",
    help="ble:NAME, udp://HOST:PORT, a serial port, or wss://GATEWAY. Default: ADMIT_VIA, else ble:DEVICE.",
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


def transport_to(link: str | None, device_id: str, tell_retries: bool = True) -> Transport:
    """The way to a device: as the option says, else the setting, else its Bluetooth name.

    A gateway that is told no name is told the device's.
    """
    name = link or os.environ.get("ADMIT_VIA") or user_config().get("via") or f"ble:{device_id}"
    if is_gateway(name) and "#" not in name:
        name = f"{name}#{device_id}"
    return open_transport(name, retry=_tell_retry if tell_retries else None)


def devices_meant(registry, patterns: Sequence[str]) -> list[str]:
    """The site's devices that the names and patterns mean, by id. Raises NotFound registry-no-device."""
    devices = [each.id for each in registry.devices()]
    for pattern in patterns:
        if not any(rule.matches(pattern, each) for each in devices):
            raise NotFound("registry-no-device", f"no device of the site is called {pattern}")
    return [each for each in devices if any(rule.matches(pattern, each) for pattern in patterns)]


@asynccontextmanager
async def go(
    wallet: Wallet,
    device_id: str,
    link: str | None,
    request: tuple[int, str, dict | None] | None = None,
    vouched: bytes | None = None,
) -> AsyncIterator[Session]:
    """A visit of `wallet` to a device, perhaps for one request: its session. A denial is told with the rule that made
    it. `vouched`: as for visit.
    """
    before = wallet.successions
    async with visit(transport_to(link, device_id), wallet, device_id, progress, request, vouched) as session:
        _tell_test_only(wallet.device(device_id))
        try:
            yield session
        except Denied as denied:
            if not session.holder.further:  # else nobody says which grant's rule it was
                for note in _ruling(denied, grant.parse(session.holder.grant)):
                    denied.add_note(note)
            raise
        await _before_leaving(session, wallet, device_id)
    if wallet.successions != before:
        say(f"The authority of {wallet.anchor.name} has new keys: this wallet follows them.")


async def _before_leaving(session: Session, wallet: Wallet, device_id: str) -> None:
    """Remember how long the device's journal is: whoever shortens it later is found out. A courier hands in what waits
    for the device, and takes its journal along.
    """
    try:
        if rounds.is_courier(wallet):
            if brought := await rounds.bring(session, wallet, device_id):
                say(f"Brought {device_id} {brought} bundle{'s' * (brought > 1)} on the way.")
        else:
            async with asyncio.timeout(_WITNESS_S):
                await carrying.witness(session, wallet, device_id)
                await following.fetch(session, wallet)
        async with asyncio.timeout(_WITNESS_S):
            _tell_takeover(await waiting.ask(session), device_id)
    except Unverified as error:
        warn(f"{device_id}'s journal is not what it was at an earlier visit: tell an admin. {cause(error)}")
    except (AdmitError, TimeoutError):
        pass  # the session is over, or the link: the next visit will do


def _tell_takeover(told: waiting.Standing, device_id: str) -> None:
    """What everybody should know, since the wait is for that."""
    if told.target:
        site = f"{told.target.name} ({told.target.site_id.hex()})"
        warn(
            f"{device_id} is to change hands in {hours(told.left_s)}: {site} takes it over. If nobody told you, tell an"
            f" admin; an admin ends it by: admit takeover veto {device_id}"
        )


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
