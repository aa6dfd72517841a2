"""A site and a kiosk under real MicroPython, commissioned and ready for visitors: what end-to-end tests begin with."""

import time
from contextlib import asynccontextmanager
from pathlib import Path

from admit import admin
from admit.admin import Access
from admit.client import Holder
from admit.connection import Connection
from admit.site import Site
from admit.transport import open_transport
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit.visit import visit
from admit_provisioning import boards
from admit_provisioning.commission import commission
from admit_provisioning.compile import build, root

PASSPHRASE = "correct horse battery"
MPY_VERSION = 6  # of MicroPython 1.23 and later


def make_site(folder: Path) -> Site:
    """A new site with its admin, and Alice, who may open kiosk-1's door."""
    now = int(time.time())
    site = admin.create_site(folder, "Test", PASSPHRASE, "admin", {}, now)
    admin.add_user(site, "alice", None, now)
    admin.give(site, authority(site), "alice", Access(["kiosk-1"], [("/r/open", 3, {})]), now)
    return site


def authority(site: Site):
    """The site's authority, unlocked."""
    return site.authority(lambda: PASSPHRASE)


async def join(site: Site, board: VirtualBoard, device_id: str = "kiosk-1") -> None:
    """Commission the board over its cable."""

    def issue(keys):
        return admin.commission(site, authority(site), device_id, keys.public, keys.seal_public, int(time.time()))

    wallet = site.wallet("admin")
    async with Connection(open_transport(str(board.cable))) as connection:
        holder = Holder(wallet.login_key, wallet.grants()[0].data, wallet.anchor)
        data, _ = await commission(connection, holder, device_id, issue, lambda words: None)
    wallet.add_device(data)


@asynccontextmanager
async def kiosk(folder: Path, **board):
    """(site, board, radio): a commissioned kiosk-1 on an air of its own, and a visitor's radio on it."""
    air = Air()
    await air.start()
    try:
        async with VirtualBoard(folder / "board", air=air.name, **board) as running:
            await running.expect("status factory")
            site = make_site(folder / "site")
            await join(site, running)
            yield site, running, SharedRadio(air.name)
    finally:
        await air.stop()


def visiting(site: Site, user: str, radio: SharedRadio, step=lambda words: None):
    """A visit of a user's wallet to kiosk-1 over the radio."""
    return visit(BleTransport("kiosk-1", radio=radio), site.wallet(user), "kiosk-1", step)


def compile_firmware(target: Path) -> Path:
    """The firmware and the virtual board's routines under `target`, compiled as they are installed on a board."""
    virtual = boards.load("virtual")
    for name, content in build(virtual, None, MPY_VERSION).files.items() | root(virtual).items():
        file = target / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return target
