"""A browser for tests: the real page, from the server that `admit phone` runs, and Bluetooth that reaches the virtual
kiosks' air.

Owns: one headless Chromium, of which each `Phone` is a profile of its own (keys, storage, service worker); the camera,
whose picture is a file; and a record of all that a page asked of the network or complained of.
Rules: nothing in the page is replaced but what the emulation lacks (emulated.py). A phone at whose end something is in
`troubles` has failed its test.
"""

import base64
import contextlib
import re
import subprocess
from pathlib import Path

import segno
from playwright.async_api import Browser as Chromium
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from admit.phone_server import PhoneServer
from browser.emulated import INIT, Bluetooth, Peripheral
from imports import ROOT

PHONE, SMALL, DESKTOP = (390, 844), (320, 640), (1280, 900)
CAMERA = (640, 480)
LIMIT_MS = 60_000  # that a page may take for anything that a test waits for
_NO_WORKER = "Service Worker registration blocked by Playwright"
_FLAGS = [
    "--enable-features=WebBluetooth",
    "--use-fake-device-for-media-stream",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",  # whatever a page might ask for is not there
]


class Browser:
    """One Chromium, one server, one Bluetooth. `async with` it; then `phone()` makes phones."""

    def __init__(self, folder: Path, server: PhoneServer | None = None):
        self._picture = folder / "camera.y4m"
        self.server = server or PhoneServer(0)
        self._stack = contextlib.AsyncExitStack()
        self._free: list[Phone] = []
        self._chromium: Chromium

    async def __aenter__(self) -> "Browser":
        self._stack.enter_context(self.server.beside())
        self.address = self.server.address
        self.show(None)
        playwright = await self._stack.enter_async_context(async_playwright())
        tool = subprocess.run([ROOT / "tools/chromium"], check=True, capture_output=True, text=True)
        self._chromium = await playwright.chromium.launch(
            executable_path=tool.stdout.strip(),
            args=[*_FLAGS, f"--use-file-for-fake-video-capture={self._picture}"],
        )
        self._stack.push_async_callback(self._chromium.close)
        self.bluetooth = Bluetooth(await self._chromium.new_browser_cdp_session())
        await self.bluetooth.start()
        # One page that looked for Bluetooth and stays, or the emulation ends with the first page that is loaded anew.
        keeper = await (await self._chromium.new_context()).new_page()
        await keeper.goto(f"{self.address}config.json")
        await keeper.evaluate("navigator.bluetooth.getAvailability()")
        return self

    async def __aexit__(self, *_) -> None:
        await self._stack.aclose()

    @contextlib.contextmanager
    def serving(self, server: PhoneServer):
        """Phones that load the page meanwhile have it from this server."""
        own = self.server, self.address
        with server.beside():
            self.server, self.address = server, server.address
            try:
                yield
            finally:
                self.server, self.address = own

    @contextlib.asynccontextmanager
    async def phone(self, *kiosks: Peripheral, camera: bool = True, size=PHONE, worker: bool = False, **settings):
        """A new phone, which chooses the first of `kiosks`. Fails at its end if its page had troubles.

        Only with `worker` it has service workers, which load everything once more. `settings` are playwright's.
        """
        context = await self._chromium.new_context(
            viewport=dict(zip(("width", "height"), size, strict=True)),
            service_workers="allow" if worker else "block",
            reduced_motion="reduce",
            permissions=["camera"] if camera else [],
            **{"locale": "en-GB", "timezone_id": "UTC"} | settings,
        )
        context.set_default_timeout(LIMIT_MS)
        phone = Phone(self, context, kiosks[0] if kiosks else None)
        try:
            await phone.start()
            yield phone
            phone.check()
        finally:
            await phone.close()

    @contextlib.asynccontextmanager
    async def lent(self, *kiosks: Peripheral):
        """A phone as `phone` makes it without settings, which goes from hand to hand: a new one takes as long as two
        visits. Its page is where the one before has left it; person.py's `guest` empties its wallet. Whoever changes
        more than that takes a phone of their own. One in whose hands a test failed is not lent again.
        """
        phone = self._free.pop() if self._free else await self._stack.enter_async_context(self.phone())
        phone.choice = kiosks[0] if kiosks else None
        phone.asked.clear()
        try:
            yield phone
        except BaseException:
            phone.troubles.clear()  # what broke the test is told; the browser's end has no part in it
            raise
        await phone.hang_up()
        phone.check()
        self._free.append(phone)

    def show(self, text: str | None) -> None:
        """What every camera sees from now on: a QR code of `text`, or a grey wall. A running camera sees no change."""
        self._picture.write_bytes(film(text))


class Phone:
    """A browser profile with a page.

    choice     which kiosk is chosen when the browser asks: a Peripheral; None: the chooser is closed
    offered    addresses that the last chooser showed
    asked      every URL that its pages and workers requested
    troubles   errors that a page did not catch, and what the browser complained of
    """

    def __init__(self, browser: Browser, context, choice: Peripheral | None):
        self.browser = browser
        self.context = context
        self.choice = choice
        self.offered: list[str] = []
        self.asked: list[str] = []
        self.troubles: list[str] = []
        self.page = None
        self._answered: set[str] = set()
        self._kiosk: Peripheral | None = None
        self._session = None
        self._tabs: dict = {}

    async def start(self) -> None:
        """Open a page, empty as yet."""
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("weberror", lambda error: self.troubles.append(str(error.error)))
        self.context.on("console", self._on_console)
        await self.context.expose_binding("admitTestCalls", lambda source: self._tabs[source["page"]]._calls())
        await self.context.expose_binding("admitTestLeft", lambda source: self._tabs[source["page"]].hang_up())
        await self.context.add_init_script(path=INIT)
        await self._take(await self.context.new_page())

    @property
    def is_open(self) -> bool:
        """Is it on the page's first address?"""
        return self.page.url == self.browser.address

    def check(self) -> None:
        """Raise what was in the way of its page, if anything was."""
        found = "\n".join(self.troubles)
        self.troubles.clear()
        if found:
            raise AssertionError(found)

    async def open(self, fragment: str = "") -> None:
        """Load the page, as from a link with this fragment."""
        await self.page.goto(f"{self.browser.address}{'#' if fragment else ''}{fragment.removeprefix('#')}")
        await self.page.bring_to_front()

    async def reload(self) -> None:
        """Load it anew; its links end, as they do when a page goes."""
        await self.hang_up()
        await self.page.reload()
        await self.page.bring_to_front()

    async def other_tab(self) -> "Phone":
        """A second page of the same profile, in a Phone of its own, which ends with this one."""
        other = Phone(self.browser, self.context, self.choice)
        other.troubles, other.asked, other._tabs = self.troubles, self.asked, self._tabs
        await other._take(await self.context.new_page())
        return other

    async def close(self) -> None:
        """Close it, with everything that it stored."""
        await self.hang_up()
        await self.context.close()

    async def run(self, expression: str):
        """What a JavaScript expression gives in the page, whose policy forbids it to nobody but the page itself."""
        done = await self._session.send(
            "Runtime.evaluate",
            {
                "expression": expression,
                "awaitPromise": True,
                "returnByValue": True,
                "userGesture": True,
                "allowUnsafeEvalBlockedByCSP": True,
            },
        )
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return done["result"].get("value")

    async def tell_browser(self, method: str, **parameters):
        """Call the DevTools protocol for this page."""
        return await self._session.send(method, parameters)

    async def picture(self) -> bytes:
        """A PNG of what is on the screen now: large, and quickly made."""
        taken = await self.tell_browser("Page.captureScreenshot", format="png", optimizeForSpeed=True)
        return base64.b64decode(taken["data"])

    async def throttle(self, factor: int) -> None:
        """Let its processor be so many times slower."""
        await self.tell_browser("Emulation.setCPUThrottlingRate", rate=factor)

    async def indicate(self, value: bytes) -> None:
        """Deliver a value that a kiosk indicated."""
        with contextlib.suppress(PlaywrightError):  # it was closed in this moment
            await self.run(f"window.admitTestIndicate?.('{base64.b64encode(value).decode()}')")

    async def _take(self, page) -> None:
        self.page, self._tabs[page] = page, self
        self._session = await self.context.new_cdp_session(page)
        self._session.on("DeviceAccess.deviceRequestPrompted", self._on_prompt)
        await self._session.send("DeviceAccess.enable")

    def _on_prompt(self, event) -> None:
        self.browser.bluetooth.spawn(self._choose(event["id"], [each["id"] for each in event["devices"]]))

    async def _choose(self, prompt: str, offered: list[str]) -> None:
        """Answer a prompt, once: it comes again whenever a device is heard, and a second answer ends the browser."""
        self.offered = offered
        if prompt in self._answered:
            return
        if self.choice is None:
            self._answered.add(prompt)
            await self._session.send("DeviceAccess.cancelPrompt", {"id": prompt})
        elif self.choice.address in offered:
            self._answered.add(prompt)
            self._kiosk = self.choice
            await self._session.send("DeviceAccess.selectPrompt", {"id": prompt, "deviceId": self.choice.address})

    def _calls(self) -> None:
        self._kiosk.called_by(self)

    async def hang_up(self) -> None:
        """Its page's links end."""
        if self._kiosk:
            await self._kiosk.left_by(self)

    def _on_console(self, message) -> None:
        if message.type in ("error", "warning") and message.text != _NO_WORKER:
            self.troubles.append(f"{message.type}: {message.text}")


def film(text: str | None) -> bytes:
    """A film of one picture, which a camera shows over and over: YUV4MPEG2, 4:2:0."""
    width, height = CAMERA
    luma = bytearray(b"\xb0" * (width * height))
    if text is not None:
        _draw(luma, width, height, text)
    frame = b"FRAME\n" + bytes(luma) + b"\x80" * (width * height // 2)
    return b"YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n" % CAMERA + frame * 2


def _draw(luma: bytearray, width: int, height: int, text: str) -> None:
    """A QR code in the middle of a picture."""
    rows = list(segno.make_qr(text, error="l", boost_error=False).matrix_iter(border=4))
    scale = min(width, height) // len(rows)
    left, top = (width - len(rows) * scale) // 2, (height - len(rows) * scale) // 2
    for y, row in enumerate(rows):
        line = b"".join((b"\x10" if dark else b"\xeb") * scale for dark in row)
        for each in range(top + y * scale, top + (y + 1) * scale):
            luma[each * width + left : each * width + left + len(line)] = line


def other_hosts(phone: Phone) -> list[str]:
    """What was asked of anybody but the page's own server."""
    own = re.compile(rf"{re.escape(phone.browser.address)}|data:|blob:{re.escape(phone.browser.address)}")
    return [url for url in phone.asked if not own.match(url)]
