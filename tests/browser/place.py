"""Where a phone goes in tests: a site, its kiosks under real MicroPython on one air, and the people who may do things.

Owns: the air, the boards and the site; what an admin does there. Must not know: browsers.
"""

import contextlib
import re
import time
from pathlib import Path

from admit import admin, invites, inviting, syncing
from admit.admin import Access
from admit.editing import editing
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit.visit import visit
from cli_kiosk import ROUTINES
from imports import ROOT
from kiosks import join
from sites import new_site, passphrase

COUNTING = """
counter = output("counter", at_power_loss="begins anew", safe="0")

@routine("Count one more.", outputs=(counter,))
def count(kiosk):
    kiosk.set("counter", str(int(kiosk.get("counter")) + 1))
    return int(kiosk.get("counter"))
"""


class Place:
    """`async with` it: a commissioned kiosk-1, which is `board`, is on the air."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "Place":
        self.site = new_site(self.folder / "site")
        self._stack.callback(self.site.registry.close)
        self._air = Air()
        await self._air.start()
        self._stack.push_async_callback(self._air.stop)
        self.board = await self.add_board("kiosk-1")
        return self

    async def __aexit__(self, *_) -> None:
        await self._stack.aclose()

    @property
    def radio(self) -> SharedRadio:
        """One more radio on the air: somebody's phone."""
        return SharedRadio(self._air.name)

    async def add_board(self, name: str, site=None, **settings) -> VirtualBoard:
        """One more kiosk, of this site or of another, with the example's routines, those of cli_kiosk.py, and one that
        counts how often it was run."""
        folder = self.folder / f"board-{len(list(self.folder.glob('board-*')))}"
        folder.mkdir()
        routines = folder / "routines.py"
        routines.write_text((ROOT / "boards/virtual/routines.py").read_text() + ROUTINES + COUNTING)
        board = VirtualBoard(folder, air=self._air.name, settings={"ROUTINES": str(routines)} | settings)
        await self._stack.enter_async_context(board)
        await board.expect("status factory")
        await join(site or self.site, board, name)
        return board

    async def power(self) -> None:
        """Give kiosk-1 power, if it has none."""
        if not self.board.running:
            await self.board.start()
            await self.board.expect("status ready")

    async def restart(self) -> None:
        """Cut the power of kiosk-1 and give it back: it remembers nobody's session."""
        await self.board.restart()
        await self.board.expect("status ready")

    async def shown_code(self) -> str:
        """The next code that kiosk-1 shows."""
        while not (found := re.search(r"code (\d+)", await self.board.expect("code "))):
            pass  # it was taken off the screen
        return found[1]

    @property
    def counted(self) -> int:
        """How often kiosk-1 has counted since it had power."""
        told = [line.split()[1] for line in self.board.console if line.startswith("counter ")]
        return int(told[-1]) if told else 0

    def issue(self, name: str, publics: list[bytes], rules, on: str = "kiosk-1", **life) -> bytes:
        """A grant that only its holder will know of; each rule is (path, methods, conditions), or a path to be used."""
        login, sign = publics
        given = [(rule, 3, {}) if isinstance(rule, str) else rule for rule in rules]
        now = int(time.time()) - 10
        return self.authority.issue_grant(name, [on], given, login, now, sign, **life)

    def give(self, name: str, publics: list[bytes], *rules: str, on: str = "kiosk-1"):
        """A grant that the registry knows of, so that it can be taken back; its row there."""
        now = int(time.time()) - 10
        admin.add_user(self.site, name, publics, now)
        return admin.give(self.site, self.authority, name, Access([on], [(rule, 3, {}) for rule in rules]), now)

    def invite(self, *rules: str, on: str = "kiosk-1", uses: int = 1) -> str:
        """An invite's link."""
        now = int(time.time()) - 10
        with editing(self.site, self.authority, now) as edit:
            given = tuple((rule, 3, {}) for rule in rules)
            return invites.encode(inviting.make(edit, self.authority, on, 3600, uses, None, given)[1])

    async def bring_news(self, device_id: str = "kiosk-1") -> None:
        """The admin brings a kiosk what it has not heard of."""
        wallet = self.site.wallet("admin")
        transport = BleTransport(device_id, radio=self.radio)
        async with visit(transport, wallet, device_id) as session:
            await syncing.deliver(session, self.site.registry, device_id, wallet)

    async def tells_time(self, device_id: str, now: float) -> None:
        """The admin brings a kiosk the time, by the authority's word."""
        transport = BleTransport(device_id, radio=self.radio)
        async with visit(transport, self.site.wallet("admin"), device_id) as session:
            assert await syncing.set_clock(session, self.authority, device_id, lambda: now) is None

    def credential(self, device_id: str = "kiosk-1") -> bytes:
        """A kiosk's credential, as the authority signed it."""
        return self.site.registry.device(device_id).credential

    @property
    def authority(self):
        """The site's authority, unlocked."""
        return self.site.authority(passphrase)
