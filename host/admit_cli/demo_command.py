"""`admit demo`: the whole product at work on one screen.

Every step is the public command line, run as a person would type it, or the public library where the story needs
somebody who cheats. Nothing is pretended: a step that does not end as the story says ends the demo with an error.
"""

import asyncio
import os
import secrets
import shlex
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rich_click as click

from admit_cli.command import Call, command
from admit_cli.hints import DENIED, DONE, UNVERIFIED
from admit_cli.output import story
from admit_cli.visiting import run
from admit_protocol.errors import LocalError

_KIOSK = "kiosk-1"
_PLAIN = {"NO_COLOR": "1", "COLUMNS": "110"}


@command("admit demo --keep", prints_data=False)
@click.option("--keep", is_flag=True, help="Leave the kiosk running, to try the same commands yourself.")
def demo(call: Call, keep):
    """Watch a site, a virtual kiosk and its visitors at work: who gets in, who does not, and what the journal says."""
    with tempfile.TemporaryDirectory(prefix="admit-demo-") as folder:
        run(_Demo(Path(folder)).play(keep))


class _Demo:
    """One performance in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.began = time.monotonic()
        self.overheard: list[str] | None = None  # what the kiosk does while a command runs is told after it
        self.environment = {**os.environ, **_PLAIN, "ADMIT_SITE": str(folder / "site")}
        for name in ("ADMIT_WALLET", "ADMIT_VIA", "ADMIT_USER", "ADMIT_REGISTRY"):
            self.environment.pop(name, None)

    async def play(self, keep: bool) -> None:
        """The story, in eight acts."""
        from admit.virtual.air import Air
        from admit.virtual.board import VirtualBoard

        air = Air()
        await air.start()
        self.environment["ADMIT_BLE"] = air.name
        settings = {"CLOCK_OFFSET_S": str(_seconds_to_wednesday())}
        board = VirtualBoard(self.folder / _KIOSK, air=air.name, settings=settings, on_line=self._console, blank=True)
        try:
            await self._found_site()
            await self._boot(board)
            await self._commission(board)
            await self._grant()
            await self._alice(board)
            await self._strangers(board, air)
            await self._revoke()
            await self._journal()
            self._act(f"That was all of it, in {time.monotonic() - self.began:.0f} s.")
            if keep:
                await self._keep(board)
        finally:
            await board.stop()
            await air.stop()

    async def _found_site(self) -> None:
        self._act("1  A site: an authority with a key under a passphrase, and a registry")
        passphrase = self.folder / "passphrase"
        passphrase.touch(0o600)
        passphrase.write_text(secrets.token_urlsafe(18) + "\n")
        self.environment["ADMIT_PASSPHRASE_FILE"] = str(passphrase)
        await self._type("init --name Demo --tz UTC")

    async def _boot(self, board) -> None:
        self._act("2  A board: real MicroPython, a flash with nothing on it, a cable, a virtual radio, a door")
        began = time.monotonic()
        await board.start()
        await board.expect("MicroPython v")
        self._event("the board shows its REPL", began)

    async def _commission(self, board) -> None:
        self._act("3  It becomes a kiosk of the site over its cable: firmware, its own key, a credential, a proof")
        await self._type(f"provision {board.cable} --name {_KIOSK}")

    async def _grant(self) -> None:
        self._act("4  Alice may open the door on weekdays, and nothing else")
        await self._type("user add alice")
        await self._type(f"grant alice open --on {_KIOSK} --days mon-fri")

    async def _alice(self, board) -> None:
        self._act("5  Alice comes by: her phone proves the kiosk, the kiosk proves her, the door opens")
        await self._type(f"routines {_KIOSK} --as alice")
        await self._type(f"invoke {_KIOSK} open seconds=1 --as alice")
        await board.expect("door closed")
        await self._type(f"login {_KIOSK} --as alice --for 1")

    async def _strangers(self, board, air) -> None:
        from admit_cli import demo_strangers as strangers

        self._act("6  What is not allowed does not happen")
        await self._type(f"invoke {_KIOSK} calibrate grams=100 --as alice", DENIED, "rule-none")
        await self._type(f"why alice open --on {_KIOSK} --at '{_next_sunday()}'", DONE, "rule-outside-window")
        began = time.monotonic()
        mallory = await strangers.make_mallory(self.folder / "mallory")
        refusal = await strangers.forged_grant(air.name, self.folder / "site", mallory)
        self._event(f"Mallory signs a grant for herself, and goes to the kiosk: {refusal}", began)
        self._event("Alice opens the door once more; Mallory records what her phone sends")
        opening = await strangers.record(air.name, self.folder / "site", board)
        began = time.monotonic()
        refusal = await strangers.replay(air.name, opening, board)
        self._event(f"Mallory sends the same once more: {refusal}", began)
        async with strangers.impostor(self.folder / "impostor", mallory) as other_air:
            self._event("Mallory sets up a kiosk of her own and calls it kiosk-1; Alice walks up to it")
            line = f"invoke {_KIOSK} open --as alice"
            await self._type(line, UNVERIFIED, "credential-other-site", ADMIT_BLE=other_air)

    async def _revoke(self) -> None:
        self._act("7  Alice's grant is taken back, and the kiosk hears of it")
        await self._type("revoke alice --yes", DONE, "delivered")
        await self._type(f"invoke {_KIOSK} open --as alice", DENIED, "grant-revoked")

    async def _journal(self) -> None:
        self._act("8  The kiosk's journal: every decision, chained by hashes, signed by the kiosk, verified here")
        await self._type(f"journal {_KIOSK}", DONE, "grant-revoked")

    async def _keep(self, board) -> None:
        self._act("The kiosk stays. In another terminal:")
        for name in ("ADMIT_SITE", "ADMIT_BLE", "ADMIT_PASSPHRASE_FILE"):
            story(f"    export {name}={shlex.quote(self.environment[name])}")
        story("    admit user add bob")
        story(f"    admit grant bob open --on {_KIOSK}")
        story(f"    admit invoke {_KIOSK} open --as bob")
        story(f"    admit journal {_KIOSK}")
        story("Ctrl-C here ends it, and removes the site.")
        from admit_cli.virtual_command import until_stopped

        await until_stopped(board)

    async def _type(self, line: str, expected: int = DONE, told: str = "", **more: str) -> None:
        """Type a command, show what it says, and hold it to the exit code and the word that the story needs."""
        began, self.overheard = time.monotonic(), []
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "admit_cli",
            *shlex.split(line),
            env={**self.environment, **more},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        shown = line.replace(str(self.folder), "…")
        ending = f"  exit {process.returncode}" if process.returncode else ""
        story(f"   $ admit {shown}", f"{time.monotonic() - began:.2f} s{ending}")
        heard, self.overheard = self.overheard, None
        for each in heard:
            self._console(each)
        for each in output.decode().splitlines():
            story("     " + each.replace(str(self.folder), "…"))
        if process.returncode != expected or told not in output.decode():
            ended = f"ended with {process.returncode}, not with {expected} and '{told}'"
            raise LocalError("demo-failed", f"'admit {shown}' {ended}")

    def _act(self, title: str) -> None:
        story(title, heading=True)

    def _event(self, text: str, began: float | None = None) -> None:
        story(f"   {text}", "" if began is None else f"{time.monotonic() - began:.2f} s")

    def _console(self, line: str) -> None:
        if self.overheard is None:
            story(f"   {_KIOSK} │ {line}")
        else:
            self.overheard.append(line)


def _seconds_to_wednesday() -> int:
    """How far to set the kiosk's clock ahead, so that it is a Wednesday, 10:00, whenever the demo is watched."""
    now = datetime.now(UTC)
    then = (now + timedelta(days=(2 - now.weekday()) % 7)).replace(hour=10, minute=0, second=0, microsecond=0)
    return int((then - now).total_seconds())


def _next_sunday() -> str:
    """Ten o'clock on the next Sunday that is not today, as --at takes it."""
    now = datetime.now(UTC)
    return f"{now + timedelta(days=(6 - now.weekday()) % 7 or 7):%Y-%m-%d} 10:00"
