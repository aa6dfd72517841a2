"""The kiosk's own screen in a real browser: each view, in each language, light and dark, on each kind of screen.

Pictures of all of them go into the folder that ADMIT_PICTURES names, if it names one.
"""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from admit.screen.server import MAX_STREAMS, ScreenServer
from admit.screen.shown import BUSY, MUTE, SILENT, UNPLUGGED, Kiosk, Shown
from imports import ROOT

SIZES = {"pi": (800, 480), "pc": (1920, 1080), "upright": (480, 800), "small": (320, 480)}
LABEL = ("https://keys.example.org/#", "ADMIT:D/44HW2HJVH73P4BX69JD7VT2DXSDZQBH7H9C6GZ3BD5QQ6TSD64")
KIOSK = Kiosk("kiosk-1", "Example Works", "6fdbf21f3a5e4c01", LABEL)
LONG = "Maximiliane-Alexandra von Hohenstein-Wittgenstein-Berleburg"
OVER = "((all) => [all.scrollWidth - innerWidth, all.scrollHeight - innerHeight])(document.documentElement)"
PICTURES = os.environ.get("ADMIT_PICTURES")

# view: (what the device says, what is read in English, in German)
VIEWS = {
    "waiting": ([], "Scan with your phone", "Mit dem Handy scannen"),
    "newcomer": (["newcomer asks"], "Somebody new asks to be let in", "Jemand Neues bittet um Einlass"),
    "takeover": (["takeover 167"], "to change hands in 6 days 23 hours", "wechselt in 6 Tagen 23 Stunden den Besitzer"),
    "hello": (["visitor alice"], "Hello alice", "Hallo alice"),
    "code": (["asker alice", "code 042317"], "Code for alice", "Code für alice"),
    "bye": (["visitor alice", "visitor "], "Thank you, alice", "Danke, alice"),
    "fault": (["status fault"], "Something is wrong here", "Hier stimmt etwas nicht"),
    "setup": (["status factory"], "Not in use yet", "Noch nicht in Betrieb"),
    "unplugged": ([UNPLUGGED], "The cable fell out", "Das Kabel ist ab"),
    "busy": ([BUSY], "The cable is taken", "Das Kabel ist belegt"),
    "silent": ([SILENT], "The kiosk does not answer", "Der Kiosk antwortet nicht"),
    "mute": ([MUTE], "This kiosk knows of no screen", "Dieser Kiosk kennt keinen Bildschirm"),
    "long": ([f"visitor {LONG}", f"asker {LONG}", "code 987654"], f"Code for {LONG}", f"Code für {LONG}"),
}


@pytest.fixture
def server():
    shown = Shown()
    shown.met(KIOSK)
    made = ScreenServer(0, shown)
    with made.beside():
        yield made
        made.ended.set()
        shown.link(UNPLUGGED)


def say(shown, lines):
    """The device says how it is, and then these lines; or that happens to its cable."""
    if lines and lines[0] in (UNPLUGGED, BUSY, SILENT, MUTE):
        shown.link(lines[0])
        return
    shown.asked()
    shown.hear("status ready\n")
    shown.answered()
    for line in lines:
        shown.hear(line + "\n")


@contextlib.asynccontextmanager
async def screen(browser, server, lang="en", dark=False, size="pi"):
    """A page that shows it; what it asked for, and complained of, as `asked` and `troubles`."""
    width, height = SIZES[size]
    scheme = "dark" if dark else "light"
    context = await browser._chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", bypass_csp=False
    )
    page = await context.new_page()
    page.asked, page.troubles = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.troubles.append(message.text))
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    try:
        await page.goto(f"{server.address}?lang={lang}")
        yield page
        assert page.troubles == []
        assert [each for each in page.asked if not each.startswith(server.address)] == []
    finally:
        await context.close()


async def test_each_view_fits_each_screen_and_says_what_is_so(browser, server):
    """One screen after the other, and beside it one in German that is dark."""
    async with screen(browser, server) as page, screen(browser, server, "de", dark=True) as other:
        for view, (lines, english, german) in VIEWS.items():
            begin(server)
            say(server.shown, lines)
            await page.get_by_text(english).wait_for()
            for size, (width, height) in SIZES.items():
                await page.set_viewport_size({"width": width, "height": height})
                for scheme in ("light", "dark") if PICTURES else ():
                    await page.emulate_media(color_scheme=scheme)
                    await keep(page, f"screen-{view}-{size}-{scheme}")
                over = await page.evaluate(OVER)
                assert over[0] <= 0 and (over[1] <= 0 or size == "small"), (view, size, over)
            await other.get_by_text(german).wait_for()
            assert await other.evaluate("document.documentElement.lang") == "de"
            await keep(other, f"screen-{view}-de")


def begin(server):
    """What was shown is forgotten, as when the program begins."""
    before, server.shown = server.shown, Shown()
    server.shown.met(KIOSK)
    before.link(UNPLUGGED)  # who waits for news of that looks again


async def keep(page, name):
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


@pytest.mark.parametrize("view", ["waiting", "code", "hello", "unplugged"])
async def test_who_does_not_see_it_hears_it(browser, server, view):
    say(server.shown, VIEWS[view][0])
    tools = subprocess.run([ROOT / "tools/phone-tools"], check=True, capture_output=True, text=True).stdout.strip()
    axe = (Path(tools) / "axe-core/axe.min.js").read_text()
    async with screen(browser, server, dark=view == "code") as page:
        await page.get_by_text(VIEWS[view][1]).wait_for()
        assert await page.get_by_role("heading", level=1).count() == 1
        if view == "code":  # digit by digit
            assert await page.locator("#code").get_attribute("aria-label") == "0 4 2 3 1 7"
        if view == "waiting":
            assert await page.get_by_role("img", name="QR code of the kiosk kiosk-1").is_visible()
        await page.evaluate(axe)
        found = await page.evaluate("axe.run().then((result) => result.violations.map((each) => each.id))")
        assert found == []


async def test_it_changes_as_things_happen_and_what_it_is_told_is_text(browser, server):
    say(server.shown, [])
    async with screen(browser, server) as page:
        await page.get_by_text("Scan with your phone").wait_for()
        server.shown.hear("visitor <img src=x onerror=alert(1)>\n")
        await page.get_by_text("Hello <img src=x onerror=alert(1)>").wait_for()
        server.shown.hear("asker bob\n")
        server.shown.hear("code 123456\n")
        await page.get_by_text("Code for bob").wait_for()
        left = await page.locator("#left").evaluate("(bar) => bar.value")
        assert 55 <= left <= 60
        assert "seconds left" in await page.locator("#count").inner_text()
        server.shown.hear("code \n")
        await page.get_by_text("Hello <img").wait_for()
        assert await page.locator("img[src='x']").count() == 0


async def test_a_screen_too_many_is_shown_as_soon_as_there_is_room(browser, server):
    """A refused stream ends for a browser: the page asks anew."""
    say(server.shown, [])
    for _ in range(MAX_STREAMS):
        server.streams.acquire()
    async with screen(browser, server) as page:
        await page.get_by_text("The screen’s program has ended").wait_for()
        for _ in range(MAX_STREAMS):
            server.streams.release()
        await page.get_by_text("Scan with your phone").wait_for()
        assert all("503" in each for each in page.troubles)
        page.troubles.clear()


async def test_when_its_program_ends_it_says_so(browser, server):
    say(server.shown, [])
    async with screen(browser, server) as page:
        await page.get_by_text("Scan with your phone").wait_for()
        server.ended.set()
        server.shown.link(UNPLUGGED)
        server.shutdown()
        server.server_close()
        await page.get_by_text("The screen’s program has ended").wait_for()
        page.troubles.clear()  # that nobody answers any more


async def test_a_phone_reads_its_code_off_the_screen(browser, server):
    import io

    import zxingcpp
    from PIL import Image

    say(server.shown, [])
    for dark in (False, True):
        async with screen(browser, server, dark=dark) as page:
            await page.locator("#qr").wait_for()
            await page.locator("#qr").evaluate("(picture) => picture.decode()")
            (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(await page.screenshot())))
            assert found.text == "".join(LABEL)
