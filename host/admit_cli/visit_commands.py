"""`admit login`, `admit routines`, `admit invoke`: what a user does at a device."""

import asyncio
import contextlib
import sys
import time
from functools import partial

import rich_click as click

from admit import routines as routines_module
from admit.client import Session
from admit.routines import Outcome
from admit.wallet import Wallet
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.obstacles import Obstacles
from admit_cli.output import progress, say
from admit_cli.types import ARGUMENT
from admit_cli.visiting import as_user, go, run, via, wallet_of
from admit_protocol import aif, cbor, coap
from admit_protocol.errors import AdmitError, Conflict, Denied, Refused

_GOODBYE_S = 2

# POST /login
_IDLE_S = 1


@command("admit login kiosk-1 --as alice")
@click.argument("device")
@as_user
@via
@click.option("--for", "seconds", type=click.IntRange(0, 3600), help="Log out after so long. Default: at Enter.")
def login(call: Call, device, user, link_via, seconds):
    """Log in at DEVICE: it is your turn there until you press Enter, or say nothing for two minutes."""
    run(_login(call, wallet_of(call, user), device, link_via, seconds))


async def _login(call: Call, wallet: Wallet, device: str, link: str | None, seconds: int | None) -> None:
    async with go(wallet, device, link) as session:
        try:
            await _turn(call, session, device, seconds)
        except asyncio.CancelledError:  # Ctrl-C: without a good-bye the kiosk waits for two minutes
            with contextlib.suppress(AdmitError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await session.request(coap.DELETE, "/login")
            raise
    say(f"Logged out of {device}.")


async def _turn(call: Call, session: Session, device: str, seconds: int | None) -> None:
    progress(f"logging in at {device}")
    response = await session.request(coap.POST, "/login")
    body = cbor.expect(cbor.decode(response.payload), dict, "login-body")
    idle_s = cbor.expect(body.get(_IDLE_S), int, "login-body")
    names = list(await routines_module.list_routines(session))
    call.out.fields("login", {"device": device, "idle_s": idle_s, "routines": names}, ["routines"])
    await _wait(seconds)
    await session.request(coap.DELETE, "/login")


async def _wait(seconds: int | None) -> None:
    """Wait for so long, or for a line on stdin, or its end."""
    if seconds is not None:
        await asyncio.sleep(seconds)
        return
    if sys.stdin.isatty():
        say("Press Enter to log out.")
    enter, loop = asyncio.Event(), asyncio.get_running_loop()
    try:
        loop.add_reader(sys.stdin, enter.set)  # a thread that waits for a line would outlive Ctrl-C
    except PermissionError:
        return  # a file, or nothing at all: its end is here already
    await enter.wait()
    loop.remove_reader(sys.stdin)


@command("admit routines kiosk-1 --as alice")
@click.argument("device")
@as_user
@via
def routines(call: Call, device, user, link_via):
    """List the routines that you may invoke at DEVICE now, with their parameters."""
    signatures = run(_routines(wallet_of(call, user), device, link_via))
    rows = [{"name": name, "parameters": _parameters(each), **each} for name, each in signatures.items()]
    call.out.rows(
        "routines", rows, ["name", "parameters", "description"], f"There is nothing that you may do at {device}."
    )


async def _routines(wallet: Wallet, device: str, link: str | None) -> dict:
    async with go(wallet, device, link) as session:
        progress("asking what you may do")
        return await routines_module.list_routines(session)


def _parameters(signature: dict) -> str:
    return " ".join(f"{name}={_values(schema)}" for name, schema in sorted(signature.get("properties", {}).items()))


def _values(schema: dict) -> str:
    if "enum" in schema:
        return "|".join(schema["enum"])
    if "minimum" in schema:
        return f"{schema['minimum']}-{schema['maximum']}"
    return "yes|no" if schema.get("type") == "boolean" else "TEXT"


@command("admit invoke kiosk-1 open seconds=5 --as alice")
@click.argument("device")
@click.argument("routine")
@click.argument("arguments", nargs=-1, type=ARGUMENT)
@as_user
@via
@click.option("--wait/--no-wait", "waits", default=True, help="Wait for others' consent if it is needed. Default: yes.")
def invoke(call: Call, device, routine, arguments, user, link_via, waits):
    """Invoke ROUTINE at DEVICE, with ARGUMENTS like seconds=5.

    It happens once or not at all, even if the link drops and this command has to ask again. If you must show that you
    are there, you are asked for the code that the device shows.
    """
    wallet = wallet_of(call, user)
    began = time.monotonic()
    outcome = run(_invoke(wallet, device, link_via, routine, dict(arguments), waits))
    if outcome.state != "done":
        raise Refused(f"routine-{outcome.state}", f"{routine}: {outcome.result}" if outcome.result else routine)
    took_ms = round((time.monotonic() - began) * 1000)
    fields = {"routine": routine, "outcome": outcome.state, "result": outcome.result, "took_ms": took_ms}
    call.out.fields("invocation", fields, ["outcome", "result"])


async def _invoke(wallet: Wallet, device: str, link: str | None, routine: str, arguments: dict, waits: bool) -> Outcome:
    asked = False
    obstacles = Obstacles(device, routine, arguments, waits)

    def step(words: str) -> None:
        nonlocal asked
        asked = True
        progress(words)

    def retrying(error: AdmitError) -> None:
        say(f"{cause(error)}; asking again for the same invocation")

    async def overcome(session: Session, denied: Denied) -> bool:
        nonlocal asked
        asked = False  # for certain, it has not happened
        return await obstacles.overcome(session, denied)

    visit = partial(go, wallet, device, link, (aif.POST, f"/r/{routine}", arguments))
    try:
        return await routines_module.invoke(visit, routine, arguments, retrying, step, overcome)
    except AdmitError as error:
        answered = isinstance(error, Denied | Refused | Conflict) or error.reason == "routine-unknown"
        if asked and not answered:
            error.add_note(f"Nobody knows whether {routine} happened: look, or read the journal, before you try again.")
        raise
