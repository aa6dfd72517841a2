"""The product's main line, whole: a site, a kiosk under real MicroPython, its cable, its radio, a user, an admin.

What is real: MicroPython, the firmware, bumble's controllers and ATT, pyserial on a pseudo-terminal, SQLite.
"""

import asyncio
import time

import pytest

from admit import admin, journal_store
from admit.admin import Access
from admit.client import describe
from admit.collect import deliver_bundle, fetch_journal
from admit.connection import Connection
from admit.transport import open_transport
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit.visit import visit
from admit_protocol import cbor, coap, journal
from admit_protocol.errors import Denied
from admit_provisioning.commission import commission

PASSPHRASE = "correct horse"


def test_the_main_line(tmp_path):
    asyncio.run(main_line(tmp_path))


async def main_line(tmp_path):
    now = int(time.time())
    site = admin.create_site(tmp_path / "site", "Test", PASSPHRASE, "admin", {}, now)
    signer = site.authority(lambda: PASSPHRASE)
    air = Air()
    await air.start()
    async with VirtualBoard(tmp_path / "board", air=air.name) as board:
        await board.expect("status factory")
        await provision(site, signer, board)
        radio = SharedRadio(air.name)
        admin.add_user(site, "alice", None, now)
        grant = admin.give(site, signer, "alice", Access(["kiosk-1"], [("/r/open", 3, {})]), now)
        alice = site.wallet("alice")
        await alice_opens(board, alice, radio, flights=6)
        await alice_opens(board, alice, radio, flights=4)
        admin.revoke(site, signer, [grant], now)
        await tell(site, radio)
        async with visit(BleTransport("kiosk-1", radio=radio), alice, "kiosk-1") as session:
            with pytest.raises(Denied, match="grant-revoked"):
                await session.request(coap.POST, "/r/open", cbor.encode({1: b"87654321"}))
        await read_journal(site, radio)
    await air.stop()


async def provision(site, signer, board):
    wallet = site.wallet("admin")

    def issue(public):
        return admin.commission(site, signer, "kiosk-1", public, int(time.time()))

    from admit.client import Holder

    async with Connection(open_transport(str(board.cable))) as connection:
        holder = Holder(wallet.login_key, wallet.grants()[0].data, wallet.anchor)
        data, health = await commission(connection, holder, "kiosk-1", issue, print)
        wallet.add_device(data)
        assert health["boots"] == 1
        assert (await describe(connection)).state == "commissioned"
    await board.expect("status ready")


async def alice_opens(board, wallet, radio, flights):
    transport = BleTransport("kiosk-1", radio=radio)
    async with visit(transport, wallet, "kiosk-1") as session:
        body = cbor.encode({1: str(time.monotonic_ns())[-8:].encode(), 2: {"seconds": 1}})
        response = await session.request(coap.POST, "/r/open", body)
        assert cbor.decode(response.payload) == {1: 1, 2: 1}
        await board.expect("door open")
        assert session.connection.flights == flights
        with pytest.raises(Denied, match="rule-none"):
            await session.request(coap.POST, "/r/calibrate", cbor.encode({1: b"12345678", 2: {"grams": 1}}))
    await board.expect("door closed")


async def tell(site, radio):
    (row,) = site.registry.pending_bundles()
    async with visit(BleTransport("kiosk-1", radio=radio), site.wallet("admin"), "kiosk-1") as session:
        site.registry.bundle_held("kiosk-1", await deliver_bundle(session, row.data))
    assert not site.registry.pending_bundles()


async def read_journal(site, radio):
    async with visit(BleTransport("kiosk-1", radio=radio), site.wallet("admin"), "kiosk-1") as session:
        start = journal_store.position(site.registry, "kiosk-1")
        first, head, records, signed = await fetch_journal(session, start[0])
    told = journal_store.collect(site.registry, "kiosk-1", (first, head), records, signed, int(time.time()))
    assert told.gap is None
    lines = [(journal.KINDS[each.kind], each.what, journal.OUTCOMES[each.outcome]) for each in told.new]
    assert lines[0] == ("commissioned", "kiosk-1", "done")
    assert lines.count(("decision", "POST /r/open", "allowed")) == 2
    assert lines.count(("decision", "POST /r/open", "denied")) == 1
    assert ("policy", "", "done") in lines
