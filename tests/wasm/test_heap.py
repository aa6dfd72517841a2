"""The heap of a 32-bit board: what is used after boot, and at most in a visit. `-s` shows the figures.

A visit that fits in HEAP is what an ESP32 must do beside NimBLE: it has 160 KB, of which 60 must be free after boot.
"""

import asyncio
import time

from admit import admin, telling_time
from admit.client import Holder
from admit.collect import deliver_bundle
from admit.connection import Connection
from admit.suite import HostSuite
from admit.visit import visit
from admit_protocol import bundle, cbor, coap, cose_encrypt, rule
from admit_provisioning.commission import commission
from footprint import ALIVE_AFTER_BOOT_LIMIT
from kiosks import authority, make_site
from wasm.boards import HEAP, SELDOM_HEAP, install, powered

AFTER_BOOT_LIMIT = 75_000  # bytes of HEAP
NOT_OURS = ("kiosk", "cryptolib", "bridge")  # what this build has instead of a chip


def test_boot_and_visits_fit_a_heap_of_110_kb(tmp_path, capsys):
    figures, sizes = asyncio.run(life(tmp_path))
    with capsys.disabled():
        print()
        for what, figure in [*sizes.items(), ("alive after boot", sum(sizes.values())), *figures.items()]:
            print(f"{figure:>8} {what}")
    assert sum(sizes.values()) <= ALIVE_AFTER_BOOT_LIMIT
    assert "admit_device.device" in sizes and len(sizes) > 10
    assert figures["bytes after boot"] <= AFTER_BOOT_LIMIT
    seldom = figures.pop("bytes at most, visit 3")  # an admin's
    assert max(figures.values()) <= HEAP and seldom <= SELDOM_HEAP


def sizes_of(modules, firmware):
    """Module → bytes of its .mpy, the largest first."""
    files = {name: firmware / f"{name.replace('.', '/')}.mpy" for name in modules if name not in NOT_OURS}
    packages = {name: firmware / name.replace(".", "/") / "__init__.mpy" for name in files}
    found = {name: file if file.exists() else packages[name] for name, file in files.items()}
    sizes = {name: file.stat().st_size for name, file in found.items() if file.exists()}
    return dict(sorted(sizes.items(), key=lambda each: -each[1]))


async def life(folder):
    """A kiosk is commissioned, loses its power, and is visited: (bytes of heap, sizes of what is alive after boot)."""
    firmware = install(folder / "firmware")
    site = make_site(folder / "site")
    async with powered(firmware) as board:
        await join(site, board)
        files = (await board.do("save"))["files"]
    figures = {}
    async with powered(firmware, files) as board:
        sizes = sizes_of((await board.settle())["modules"], firmware)
        figures["bytes after boot"] = board.used
        for number, who in enumerate(["alice", "alice", "admin"]):
            board.most = 0
            async with visit(board.transport("ble", number), site.wallet(who), "kiosk-1") as session:
                await (see if who == "admin" else enter)(session, site)
            figures[f"bytes at most, visit {number + 1}"] = board.most
            await board.settle()
            figures[f"bytes after visit {number + 1}"] = board.used
    return figures, sizes


async def join(site, board):
    """Commission the board over its cable."""
    wallet = site.wallet("admin")

    def issue(keys):
        return admin.commission(site, authority(site), "kiosk-1", keys.public, keys.seal_public, int(time.time()))

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
    """What an admin looks at, brings and takes along."""
    health = cbor.decode((await session.request(coap.GET, "/health")).payload)
    assert health["faults"] == []
    await session.request(coap.GET, "/journal")
    signer, now = authority(site), int(time.time())
    await telling_time.tell(session, lambda nonce: signer.answer_time("kiosk-1", nonce, now))
    rules = [[rule.LOCKDOWN, ["everyone"], ["user:admin"], "*", rule.ALL_METHODS, {}, "night"]]
    policy = (1, now, bytes(range(80)), ["user:mallory"], rules, None)
    plain = signer.issue_bundle("kiosk-1", [bundle.NOTHING, policy])
    await deliver_bundle(
        session, cose_encrypt.seal(HostSuite(), site.wallet("admin").device("kiosk-1").seal_public, plain)
    )
    carried = cbor.decode((await session.request(coap.GET, "/bundle", query="from=0")).payload)
    assert carried[1] == 1 and carried[2] is not None
    assert (await session.request(coap.GET, "/r")).code == coap.CONTENT
