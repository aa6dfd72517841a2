"""The site's authority has other keys: a phone follows at its next visits, goes on opening doors, and says so."""

import asyncio
import time

import pytest

from admit import succeeding, syncing
from admit.transport.ble import BleTransport
from admit.visit import visit
from browser.person import visitor
from browser.place import Place

DAY_S = 24 * 3600
HELD = """
  const { successions = [] } = (await wallet.sites())[0].anchor;
  const [record] = (await wallet.database.transact(["grants"], (change) => change.all("grants"))).values();
  return [successions.length, record.ends !== undefined, record.renewed !== undefined];
"""


@pytest.fixture(scope="module")
def place(loop, tmp_path_factory):
    """A site of its own, whose keys may change."""
    made = Place(tmp_path_factory.mktemp("succession"))
    loop.run(made.__aenter__())
    yield made
    loop.run(made.__aexit__(None, None, None))


async def tells(place, renews=False):
    """An admin is at kiosk-1, as by `admit sync`: it follows; if it `renews`, it is vouched for anew, and has what was
    signed anew for its holders.
    """
    wallet, registry = place.site.wallet("admin"), place.site.registry
    vouched = registry.device("kiosk-1").credential
    async with visit(BleTransport("kiosk-1", radio=place.radio), wallet, "kiosk-1", vouched=vouched) as session:
        await syncing.deliver(session, registry, "kiosk-1", wallet)
        if renews:
            now = int(time.time())
            assert await succeeding.renew(session, place.site, place.authority, wallet, "kiosk-1", now)


async def counts_until(alice, kiosk, held):
    """A visit, during which the phone comes to hold this: successions, an end for its card, a card signed anew."""
    await alice.connects()
    await alice.does("Count")
    while await alice.wallet(HELD) != held:
        await asyncio.sleep(0.1)
    await alice.leaves(kiosk)


async def says_so(alice):
    """Does the card say that the site has new keys?"""
    await alice.goes_to("cards")
    await alice.presses_text(alice.words("card-valid"))
    await alice.sees("card")
    said = await alice.text()
    await alice.presses("back")
    await alice.goes_to("home")
    return "The site has new keys" in said


async def test_a_phone_follows_the_authority_to_other_keys(browser, place):
    async with visitor(browser, place) as (alice, kiosk):
        row = place.give("alice", await alice.makes_keys(), "/r/count")
        await alice.takes(place, row.data)
        await alice.knows(place)
        await counts_until(alice, kiosk, [0, False, False])
        succeeding.succeed(place.site, place.authority, int(time.time()), DAY_S)
        await counts_until(alice, kiosk, [0, False, False])  # neither of them has heard of it
        await tells(place)
        await counts_until(alice, kiosk, [1, True, False])  # the kiosk shows its old credential, and has other keys
        assert await says_so(alice)
        await tells(place, renews=True)
        await counts_until(alice, kiosk, [1, True, True])  # it shows the new one, and has the card signed anew
        assert not await says_so(alice)


async def test_a_phone_that_missed_it_follows_from_the_kiosks_new_credential_alone(browser, place):
    before = place.credential(), place.site.anchor
    async with visitor(browser, place) as (alice, kiosk):
        await alice.is_let_in(place, "/r/count")
        succeeding.succeed(place.site, place.authority, int(time.time()), DAY_S)
        await tells(place, renews=True)
        assert (place.credential(), place.site.anchor.successions) != (before[0], before[1].successions)
        await alice.connects()  # which is proven by what the first keys lead to
        await alice.does("Count")
        number = len(place.site.anchor.successions)
        assert (await alice.wallet(HELD))[:2] == [number, True]
