"""What may be wrong at a person's end, one thing after the other: each ends in a sentence that says what happened, and
with the button that helps they get to the kiosk after all.
"""

import asyncio
import contextlib

import pytest
from playwright.async_api import expect

from browser.person import Person, lasting
from kiosks import visiting

RADIO_LINKS = 4
GET = 1


@pytest.fixture(scope="module")
def alice(loop, browser, place):
    """Somebody who may do everything at kiosk-1, and was there before."""
    with lasting(loop, browser, place, "/r/*") as person:
        yield person


async def fails(alice, reason):
    """She goes to the kiosk, and is told why that did not work."""
    await alice.presses_text("kiosk-1")
    await alice.sees("failed")
    await alice.reads(f"e-{reason}")


async def gets_there(alice, kiosk):
    """What stood in the way is gone: the same once more works."""
    await alice.presses("try-again")
    await alice.sees("kiosk")
    await alice.leaves(kiosk)


async def test_the_chooser_is_closed(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    alice.phone.choice = None
    await fails(alice, "chooser-cancelled")
    alice.phone.choice = kiosk
    await gets_there(alice, kiosk)


async def test_bluetooth_is_off(browser, place, alice):
    await browser.bluetooth.switch(False)
    await fails(alice, "bluetooth-off")
    await browser.bluetooth.switch(True)
    kiosk = alice.phone.choice = await browser.bluetooth.add("kiosk-1", place.radio)
    await gets_there(alice, kiosk)


@pytest.mark.parametrize(("trouble", "told"), [("unreachable", "connect-failed"), ("serviceless", "device-wrong")])
async def test_a_kiosk_does_not_answer_the_call_or_something_else_was_chosen(browser, place, alice, trouble, told):
    """Something else, as a headset that says of itself that it is a kiosk, has none of a kiosk's services."""
    kiosk = await alice.comes_near(browser, place)
    setattr(kiosk, trouble, True)
    await fails(alice, told)
    setattr(kiosk, trouble, False)
    await gets_there(alice, kiosk)


async def test_so_many_are_at_the_kiosk_that_it_takes_nobody_else(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    kiosk.reach_s = 1.0
    async with contextlib.AsyncExitStack() as crowd:
        for _ in range(RADIO_LINKS):
            other = await crowd.enter_async_context(visiting(place.site, "admin", place.radio))
            await other.request(GET, "/r")  # whoever has proven nothing makes room
        await fails(alice, "connect-failed")
    await gets_there(alice, kiosk)


async def test_the_browser_may_not_use_bluetooth(browser, place, alice):
    """The page's host, or the person, has forbidden it."""
    server = browser.server
    kiosk = await alice.comes_near(browser, place)
    own, server.headers = server.headers, server.headers | {"Permissions-Policy": "bluetooth=()"}
    try:
        await alice.phone.reload()
        await fails(alice, "bluetooth-refused")
    finally:
        server.headers = own
    (told,) = alice.phone.troubles
    assert "Permissions policy" in told
    alice.phone.troubles.clear()
    await alice.presses("go-back")
    await alice.phone.reload()
    await alice.sees("home")
    await alice.connects()
    await alice.leaves(kiosk)


async def test_two_tabs_at_one_kiosk(browser, place, alice):
    """They would share a link, and each would hear the other's answers."""
    kiosk = await alice.comes_near(browser, place)
    other = await alice.phone.other_tab()
    await other.open()
    second = Person(other)
    await second.connects()
    await alice.page.bring_to_front()
    await fails(alice, "bluetooth-other-tab")
    await other.page.bring_to_front()
    await second.runs("Calibrate")
    await second.reads("run-done")  # nothing of that disturbs who is there
    await second.presses("ok")
    await second.leaves(kiosk)
    await other.page.close()
    await alice.page.bring_to_front()
    await gets_there(alice, kiosk)


async def test_who_does_not_wait_and_tries_anew(browser, place, alice):
    """What was cancelled is over at once, and nobody is in the way."""
    kiosk = await alice.comes_near(browser, place)
    kiosk.ringing = asyncio.Event()
    await alice.presses_text("kiosk-1")
    await alice.reads("connecting")
    await expect(alice.page.locator("[aria-current=step]")).to_contain_text(alice.words("connecting"))
    await alice.presses("cancel")
    await alice.sees("home")
    kiosk.ringing.set()
    await alice.connects()
    await alice.leaves(kiosk)


async def test_who_leaves_and_comes_back_at_once(browser, place, alice):
    """The visit that ends does not take the new one along."""
    kiosk = await alice.comes_near(browser, place)
    await alice.connects()
    await alice.presses("leave")
    await alice.connects()
    await expect(alice.named("Calibrate")).to_be_visible()
    await alice.leaves(kiosk)
