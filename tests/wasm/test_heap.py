"""The heap of a 32-bit board: what is used after boot, and at most in a visit. `-s` shows the figures."""

import asyncio
import time

from admit import admin
from admit.client import Holder
from admit.connection import Connection
from admit.visit import visit
from admit_protocol import cbor, coap
from admit_provisioning.commission import commission
from kiosks import authority, make_site
from wasm.boards import install, powered


def test_boot_and_visits_fit_a_heap_of_110_kb(tmp_path, capsys):
    figures = asyncio.run(life(tmp_path))
    with capsys.disabled():
        print()
        for what, figure in figures.items():
            print(f"{figure:>8} {what}")


async def life(folder):
    """A kiosk is commissioned, loses its power, and is visited."""
    firmware = install(folder / "firmware")
    site = make_site(folder / "site")
    async with powered(firmware) as board:
        await join(site, board)
        files = (await board.do("save"))["files"]
    figures = {}
    async with powered(firmware, files) as board:
        figures["modules after boot"] = len((await board.settle())["modules"])
        figures["bytes after boot"] = board.used
        for number, who in enumerate(["alice", "alice", "admin"]):
            board.most = 0
            async with visit(board.transport("ble", number), site.wallet(who), "kiosk-1") as session:
                await (see if who == "admin" else enter)(session, site)
            figures[f"bytes at most, visit {number + 1}"] = board.most
            await board.settle()
            figures[f"bytes after visit {number + 1}"] = board.used
        await board.do("names")
        print(board.console)
        print((await board.settle())["modules"])
    return figures


async def join(site, board):
    """Commission the board over its cable."""
    wallet = site.wallet("admin")

    def issue(public):
        return admin.commission(site, authority(site), "kiosk-1", public, int(time.time()))

    async with Connection(board.transport("serial", 1)) as connection:
        holder = Holder(wallet.login_key, wallet.grants()[0].data, wallet.anchor)
        data, _ = await commission(connection, holder, "kiosk-1", issue, lambda words: None)
    wallet.add_device(data)


async def enter(session, site):
    """Log in and open the door."""
    await session.request(coap.POST, "/login")
    body = cbor.encode({1: time.time_ns().to_bytes(8, "big"), 2: {"seconds": 1}})
    assert (await session.request(coap.POST, "/r/open", body)).code == coap.CHANGED
    await session.request(coap.DELETE, "/login")


async def see(session, site):
    """What an admin looks at, and brings."""
    health = cbor.decode((await session.request(coap.GET, "/health")).payload)
    assert health["faults"] == []
    await session.request(coap.GET, "/journal")
    bundle = authority(site).issue_bundle("kiosk-1", 1, [], int(time.time()))
    assert (await session.request(coap.POST, "/bundle", bundle)).code == coap.CHANGED
