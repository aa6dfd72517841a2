"""Every view, as album.py has it; those that take two people are in test_people.py."""

import asyncio
import time

import pytest

from admit_protocol import rule
from browser import emulated
from browser.album import Album
from browser.harness import SMALL
from browser.person import Person, label, visitor


async def test_views_without_a_kiosk(browser, place):
    async with visitor(browser, place, name="Alice") as (alice, _):
        album = Album(alice)
        await alice.phone.open(label(place))
        await alice.sees("welcome")
        await album.takes("welcome")
        await alice.types("your-name", alice.name)
        await alice.presses("make-key")
        await alice.sees("link")
        await album.takes("label")
        await alice.presses("cancel")
        await alice.sees("home")
        await album.takes("home-empty")
        await alice.goes_to("cards")
        await album.takes("cards-empty")
        browser.show(None)
        await alice.presses("scan")
        await alice.sees("scan")
        await album.takes("scan")
        await alice.presses("type-it")
        await album.takes("add")
        await alice.types("code-text", "WIFI:S:guest;;")
        await alice.presses("go-on")
        await alice.reads("e-link-unknown")
        await album.takes("link-unknown")


async def test_views_of_a_wallet(browser, place):
    async with visitor(browser, place, name="Alice") as (alice, _):
        album = Album(alice)
        now = int(time.time())
        week = ("/r/open", 3, {rule.WINDOWS: [[31, 480, 1080]], rule.BOUNDS: {"seconds": [1, 3]}})
        await alice.is_let_in(place, week, "/r/light", delegate=2, last="light", expires=now + 9_000_000)
        publics = [
            bytes(each) for each in await alice.wallet("return (await wallet.sites())[0].publics.map((p) => [...p]);")
        ]
        await alice.takes(place, place.issue("Alice", publics, ["/r/parcel"], expires=now - 5))
        await alice.takes(place, place.issue("Alice", publics, ["/r/calibrate"], not_before=now + 90_000))
        await album.takes("home")
        await alice.goes_to("cards")
        await album.takes("cards")
        await alice.presses_text(alice.words("card-valid"))
        await alice.sees("card")
        await album.takes("card")
        await alice.presses("share")
        await alice.sees("share")
        await album.takes("share")
        await alice.presses("cancel")
        await alice.presses("back")
        await alice.goes_to("keys")
        await album.takes("keys")
        await alice.presses_text("Test site")
        await alice.sees("key")
        await album.takes("key")
        await alice.presses("ok")
        await alice.goes_to("settings")
        await album.takes("settings")
        await alice.presses("lost")
        await alice.sees("lost")
        await album.takes("lost")


async def test_views_at_a_kiosk(browser, place):
    async with visitor(browser, place, name="Alice") as (alice, kiosk):
        album = Album(alice)
        present = ("/r/calibrate", 3, {rule.PRESENCE: rule.CODE})
        await alice.is_let_in(place, "/r/open", "/r/light", present, "/r/broken", met=False)
        kiosk.ringing = asyncio.Event()
        await alice.presses("find")
        await alice.reads_text(alice.words("connecting"))
        await album.takes("connect")
        kiosk.ringing.set()
        await alice.sees("confirm")
        await album.takes("confirm")
        await alice.presses("it-is-this")
        await alice.named("Light").wait_for()
        await album.takes("kiosk")
        await alice.presses_text("Open")
        await album.takes("routine-number")
        await alice.presses("start")
        await alice.reads("run-done")
        await album.takes("run-done")
        await alice.presses("ok")
        await alice.presses_text("Light")
        await album.takes("routine-choice")
        await alice.presses("back")
        await alice.runs("Broken")
        await alice.reads("run-failed")
        await album.takes("run-failed")
        await alice.presses("ok")
        await alice.runs("Calibrate")
        await alice.reads("run-code")
        await album.takes("run-code")
        await alice.presses("cancel")
        await alice.sees("kiosk")
        await alice.looks_under_more("why-not")
        await album.takes("why")


async def test_views_of_what_goes_wrong(browser, place):
    async with visitor(browser, place, name="Alice") as (alice, kiosk):
        album = Album(alice)
        await alice.is_let_in(place, "/r/open")
        kiosk.unreachable = True
        await alice.presses_text("kiosk-1")
        await alice.sees("failed")
        await album.takes("failed")
        await alice.presses("go-back")
        await alice.sees("home")
        kiosk.unreachable = False
        kiosk.fault = emulated.every_message_2(emulated.last_bit)
        await alice.presses_text("kiosk-1")
        await alice.sees("warning")
        await album.takes("warning")


@pytest.mark.parametrize("language", ["en", "de"])
async def test_no_text_is_cut_at_the_largest_letters(browser, language):
    """Text of twice the size on the smallest screen: WCAG 1.4.4, 1.4.10."""
    async with browser.phone(size=SMALL, locale=language) as phone:
        alice = Person(phone, language=language)
        await phone.open()
        await alice.sees("welcome")
        await phone.run("document.documentElement.style.setProperty('font-size', '200%')")
        wide = await phone.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
