"""Several phones at one kiosk: a card is shared, a request is consented to, a newcomer is let in."""

import contextlib

from playwright.async_api import expect

from admit_protocol import rule
from browser import emulated
from browser.album import Album
from browser.person import guest, label, read_code


@contextlib.asynccontextmanager
async def two(browser, place):
    """Two people's phones, each with a radio of its own, and the kiosk near both."""
    one = await browser.bluetooth.add("kiosk-1", place.radio)
    other = await browser.bluetooth.add("kiosk-1", place.radio)
    async with guest(browser, one, name="alice") as alice, guest(browser, other, name="bob") as bob:
        yield alice, bob


async def test_a_card_is_shared_narrower_and_opens_the_door(browser, place):
    async with two(browser, place) as (alice, bob):
        await bob.begins()
        await bob.goes_to("keys")
        await bob.presses("new-site")
        await bob.sees("key")
        browser.show(await read_code(bob))
        await alice.is_let_in(place, "/r/open", "/r/calibrate", delegate=1)
        await alice.page.bring_to_front()
        await alice.goes_to("cards")
        await alice.presses_text(alice.words("card-valid"))
        await alice.presses("share")
        await alice.presses("scan-key")
        await alice.reads("share-with", name="bob")
        await Album(alice).takes("share-with")
        await alice.page.get_by_role("switch", name="Open").uncheck()
        await alice.presses("make")
        await alice.sees("shared")
        await Album(alice).takes("shared")
        browser.show(await read_code(alice))
        await bob.page.bring_to_front()
        await bob.phone.reload()
        await bob.sees("key")
        await bob.presses("ok")
        await bob.goes_to("home")
        await bob.presses("scan")
        await bob.sees("link")
        await bob.presses("take")
        await bob.sees("card")
        await bob.reads_text("alice")
        await bob.presses("back")
        await bob.visits_new()
        assert await bob.named("Open").count() == 0
        await bob.runs("Calibrate")
        await bob.reads("run-done")


async def test_somebody_else_consents(browser, place):
    consent = {rule.APPROVALS: [1, ["group:guards"]]}
    async with two(browser, place) as (alice, gina):
        gina.name = "gina"
        await alice.is_let_in(place, ("/r/calibrate", 3, consent))
        await gina.is_let_in(place, "/r/light", selectors=["group:guards"])
        await alice.page.bring_to_front()
        await alice.connects()
        await alice.runs("Calibrate")
        await alice.reads("consent-why")
        await Album(alice).takes("run-approvals")
        await gina.page.bring_to_front()
        await gina.connects()
        await gina.looks_under_more("approvals")
        await gina.reads_text("Calibrate")
        await gina.reads_text("alice")
        await Album(gina).takes("approvals")
        alice.phone.choice.fault = before = emulated.Pause()  # who asked does not act on it yet
        await gina.presses("approve")
        await gina.reads("consent-is", got=1, n=1, minutes=10)
        before.open.set()
        await alice.page.bring_to_front()
        await alice.reads("run-done")


async def test_who_stands_beside_is_let_in_by_a_code(browser, place):
    await place.restart()  # with as many sessions as it holds, a newcomer's is the first to go
    async with two(browser, place) as (alice, bob):
        await alice.is_let_in(place, "/r/calibrate", "/enrol", delegate=1)
        await bob.begins(label(place))
        await bob.sees("link")
        await bob.presses("connect")
        await bob.presses("it-is-this")
        await bob.presses("ask-here")
        await bob.sees("ask")
        await Album(bob).takes("ask")
        code = (await bob.page.locator(".secret").inner_text()).replace(" ", "")
        await alice.page.bring_to_front()
        await alice.connects()
        await alice.looks_under_more("pair")
        await alice.reads("pair-whom", name="bob")
        await Album(alice).takes("pair")
        await alice.types("code-of", code, name="bob")
        await alice.presses("let-in")
        await alice.sees("kiosk")
        await bob.page.bring_to_front()
        await expect(bob.named("Calibrate")).to_be_visible()
