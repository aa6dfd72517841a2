"""The product's main line, whole: a site, a kiosk under real MicroPython, its cable, its radio, a user, an admin.

What is real: MicroPython, the firmware, bumble's controllers and ATT, pyserial on a pseudo-terminal, SQLite.
"""

import asyncio
import time

import pytest

from admit import admin, journal_store, syncing
from admit.collect import fetch_journal
from admit_protocol import cbor, coap, journal_reader
from admit_protocol.errors import Denied
from kiosks import authority, kiosk, visiting


def test_the_main_line(tmp_path):
    asyncio.run(main_line(tmp_path))


async def main_line(tmp_path):
    async with kiosk(tmp_path) as (site, board, radio):
        await alice_opens(site, board, radio, flights=6)
        await alice_opens(site, board, radio, flights=4)
        admin.revoke(site, authority(site), site.registry.grants("alice"), int(time.time()))
        await tell(site, radio)
        async with visiting(site, "alice", radio) as session:
            with pytest.raises(Denied, match="grant-revoked"):
                await session.request(coap.POST, "/r/open", cbor.encode({1: b"87654321"}))
        await read_journal(site, radio)


async def alice_opens(site, board, radio, flights):
    async with visiting(site, "alice", radio) as session:
        body = cbor.encode({1: str(time.monotonic_ns())[-8:].encode(), 2: {"seconds": 1}})
        response = await session.request(coap.POST, "/r/open", body)
        assert cbor.decode(response.payload) == {1: 1, 2: 1}
        await board.expect("door open")
        assert session.connection.flights == flights
        with pytest.raises(Denied, match="rule-none"):
            await session.request(coap.POST, "/r/calibrate", cbor.encode({1: b"12345678", 2: {"grams": 1}}))
    await board.expect("door closed")


async def tell(site, radio):
    async with visiting(site, "admin", radio) as session:
        told = await syncing.deliver(session, site.registry, "kiosk-1", site.wallet("admin"))
    assert (told.epoch, told.bundles) == (1, 1)
    assert not site.registry.pending_bundles()


async def read_journal(site, radio):
    async with visiting(site, "admin", radio) as session:
        start = journal_store.position(site.registry, "kiosk-1")
        page = await fetch_journal(session, start[0])
    told = journal_store.collect(site.registry, "kiosk-1", page, int(time.time()))
    assert told.gap is None
    lines = [(journal_reader.KINDS[each.kind], each.what, journal_reader.OUTCOMES[each.outcome]) for each in told.new]
    assert lines[0] == ("commissioned", "kiosk-1", "done")
    assert lines.count(("decision", "POST /r/open", "allowed")) == 2
    assert lines.count(("decision", "POST /r/open", "denied")) == 1
    assert ("policy", "", "done") in lines
