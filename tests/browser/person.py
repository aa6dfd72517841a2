"""Somebody with a phone: what they press, read and type, in the words that the page says; and what an admin does for
them behind the scenes.

Owns: finding things on a page as a screen reader does, by role and name. The names come from the page's own strings, so
a test says which button, and not how it is worded. Must not know: how views are built.
"""

import base64
import contextlib
import io
import json
import re

import PIL.Image
import zxingcpp
from playwright.async_api import expect

from admit import invitation, links
from admit.codes import DeviceCode
from admit_protocol import credential
from admit_protocol.notice import fingerprint
from browser.harness import LIMIT_MS, Phone
from imports import ROOT

expect.set_options(timeout=LIMIT_MS)

_WALLET = """(async () => {
  const { openWallet } = await import("/store/wallet.js");
  const { parseLink } = await import("/protocol/label.js");
  const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const wallet = await openWallet();
  %s
})()"""


# As a person would who goes back to the first page, and forgets each site; links that were scanned are forgotten, too.
_EMPTY = """
  const { goHome, set, state } = await import("/acts/state.js");
  const { refresh } = await import("/acts/wallet.js");
  const { visit } = state;
  goHome();
  await visit?.kiosk?.close();
  for (const { id } of [...(await wallet.sites()), ...(await wallet.lostKeys())]) await wallet.removeSite(id);
  localStorage.clear();
  set({ link: null, made: null, near: null });
  await refresh();
  goHome(); // which led to the lost keys, if there were any
"""


class Person:
    """Who holds `phone`; `name` is what they call themselves, and what the site calls them."""

    def __init__(self, phone: Phone, name: str = "alice", language: str = "en"):
        self.phone = phone
        self.name = name
        self._strings = strings(language)

    @property
    def page(self):
        """playwright's page."""
        return self.phone.page

    async def waits(self, seconds: float) -> None:
        """So much time goes by in the page, with whatever it has to do meanwhile."""
        await self.page.clock.fast_forward(seconds * 1000)

    def words(self, key: str, **values) -> str:
        """What the page says for a key of its strings."""
        forms = self._strings.get(key, key).split("|")
        form = forms[1] if len(forms) > 1 and values.get("n") != 1 else forms[0]
        return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], "")), form)

    # what they see

    async def sees(self, view: str) -> None:
        """The page shows this view."""
        await expect(self.page.locator("main")).to_have_attribute("data-view", view)

    async def sees_one_of(self, *views: str) -> None:
        """The page shows one of these views."""
        await expect(self.page.locator("main")).to_have_attribute("data-view", re.compile("|".join(views)))

    async def reads(self, key: str, **values) -> None:
        """The page says so, somewhere."""
        await expect(self.page.locator("main")).to_contain_text(self.words(key, **values))

    async def reads_text(self, text: str) -> None:
        """The page has this text, whatever the language."""
        await expect(self.page.locator("main")).to_contain_text(text)

    async def text(self) -> str:
        """All that stands on the page."""
        return await self.page.locator("main").inner_text()

    def button(self, key: str, **values):
        """The button of that name."""
        return self.named(self.words(key, **values))

    def named(self, name: str):
        """The button that begins with this text."""
        return self.page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}", re.IGNORECASE)).first

    # what they do

    async def presses(self, key: str, **values) -> None:
        """Press a button."""
        await self.button(key, **values).click()

    async def presses_text(self, text: str) -> None:
        """Press the button that begins with this text: a routine, a card, a kiosk."""
        await self.named(text).click()

    async def types(self, label: str, text: str, **values) -> None:
        """Type into the field of that label."""
        await self.page.get_by_label(self.words(label, **values)).fill(text)

    async def begins(self, fragment: str = "") -> None:
        """Open the page for the first time, choose a name, and have a key made."""
        if fragment or not self.phone.is_open:
            await self.phone.open(fragment)
        await self.sees("welcome")
        await self.types("your-name", self.name)
        await self.presses("make-key")

    async def comes_near(self, browser, place, device: str = "kiosk-1", shown: str | None = None):
        """They stand before a kiosk, which their browser will choose; it."""
        kiosk = self.phone.choice = await browser.bluetooth.add(device, place.radio, shown)
        await self.page.bring_to_front()
        if await self.page.locator("main").get_attribute("data-view") != "home":  # an earlier test failed
            await self.phone.open()
            await self.sees("home")
        return kiosk

    async def follows(self, label: str) -> None:
        """Come for the first time by what a kiosk's label says, and connect."""
        await self.begins(label)
        await self.sees("link")
        await self.presses("connect")

    async def connects(self, name: str = "kiosk-1") -> None:
        """From the first page to a kiosk that was met before, which is then proven."""
        await self.presses_text(name)
        await self.sees("kiosk")

    async def visits_new(self) -> None:
        """From the first page to a kiosk that was never met, which the browser's chooser shows."""
        if await self.page.locator("main").get_attribute("data-view") != "home":
            await self.goes_to("home")
        await self.presses("find")
        await self.presses("it-is-this")
        await self.sees("kiosk")

    async def goes_to(self, tab: str) -> None:
        """To one of the first pages, by the bar at the foot: home, cards, keys, settings."""
        await self.page.get_by_role("navigation").get_by_role("button", name=self.words(tab)).click()
        await self.sees(tab)

    async def looks_under_more(self, key: str) -> None:
        """At a kiosk: what is offered beside its routines."""
        await self.page.get_by_text(self.words("more"), exact=True).click()
        await self.presses(key)

    async def goes_home(self) -> None:
        """To the first page from wherever they are, by the phone's Back button; a visit ends by that."""
        await self.phone.run('import("/acts/state.js").then(({ goHome }) => goHome())')
        await self.sees("home")

    async def leaves(self, kiosk) -> None:
        """End the visit, from the kiosk's page or one that says that it failed; their links end."""
        await self.button("leave").or_(self.button("go-back")).click()
        await self.sees("home")
        await kiosk.left()

    async def leaves_routine(self, kiosk) -> None:
        """The same from what came of a routine."""
        await self.button("ok").or_(self.button("go-back")).click()
        await self.sees("kiosk")
        await self.leaves(kiosk)

    async def runs(self, routine: str) -> None:
        """Press a routine, and start it as it is proposed if it has a form."""
        await self.presses_text(routine)
        start = self.button("start")
        if await self.page.locator("main").get_attribute("data-view") == "routine":
            await start.click()

    async def does(self, routine: str) -> None:
        """Run a routine from the kiosk's page to its good end, and back."""
        await self.runs(routine)
        await self.reads("run-done")
        await self.presses("ok")

    # what goes on behind

    async def wallet(self, script: str):
        """Run something with the page's own wallet, as `wallet`."""
        return await self.phone.run(_WALLET % script)

    async def makes_keys(self) -> list[bytes]:
        """Their public keys, in a wallet that knows no site yet."""
        if not self.phone.is_open:
            await self.phone.open()
        await self.sees("welcome")
        return [
            base64.b64decode(each)
            for each in await self.wallet(
                f"const {{ publics }} = await wallet.newSite({{ name: {json.dumps(self.name)} }});"
                "return publics.map((each) => btoa(String.fromCharCode(...each)));"
            )
        ]

    async def is_let_in(self, place, *rules, on: str = "kiosk-1", met: bool = True, last: str = "", **life) -> bytes:
        """Somebody with a grant, as place.issue makes it, who was at the kiosk before if `met`, and ran the routine
        `last` there, without arguments, which the first page then offers again. Returns the grant."""
        data = place.issue(self.name, await self.makes_keys(), rules, on, **life)
        await self.takes(place, data)
        if last:
            name = f"admit-last-{place.site.anchor.site_id.hex()}-{on}"
            await self.phone.run(f"localStorage.setItem('{name}', '{json.dumps({'name': last, 'args': []})}')")
        if met:
            await self.knows(place, on)
        return data

    async def takes(self, place, data: bytes) -> None:
        """An invitation to a grant is in the wallet."""
        link = links.Invitation(invitation.encode(place.site.anchor, data)).text()
        await self.wallet(f"await wallet.accept(await parseLink({json.dumps(link)}));")

    async def knows(self, place, device_id: str = "kiosk-1", size: int = 512) -> None:
        """They were at this kiosk before."""
        data = base64.b64encode(place.credential(device_id)).decode()
        site = place.site.anchor.site_id.hex()
        await self.wallet(
            f"await wallet.addDevice('{site}', bytes('{data}'));"
            f"await wallet.rememberDevice('{site}', '{device_id}', {{ maxPayload: {size} }});"
        )
        await self.sees("home")
        await expect(self.named(device_id)).to_be_visible()


@contextlib.asynccontextmanager
async def guest(browser, *kiosks, name="alice"):
    """Somebody with a lent phone, whose page knows nobody; nothing of theirs is left on it."""
    async with browser.lent(*kiosks) as phone:
        person = Person(phone, name)
        await phone.page.bring_to_front()
        yield person
        await person.wallet(_EMPTY)
        await person.sees("welcome")
        for kiosk in kiosks:
            await kiosk.left()  # a visit that ends just now tells the kiosk so first


@contextlib.asynccontextmanager
async def visitor(browser, place, *rules, name="alice", shown=None, device="kiosk-1", own=False, **life):
    """Somebody whose phone chooses the kiosk `device`, `shown` so, that is near: both of them. The phone is a `guest`'s
    or, if it is their `own`, a new one.

    With `rules`, they are let in as Person.is_let_in says, and `life` is its.
    """
    kiosk = await browser.bluetooth.add(device, place.radio, shown)
    async with contextlib.AsyncExitStack() as stack:
        if own:
            person = Person(await stack.enter_async_context(browser.phone(kiosk)), name)
        else:
            person = await stack.enter_async_context(guest(browser, kiosk, name=name))
        if rules:
            await person.is_let_in(place, *rules, **life)
        yield person, kiosk


@contextlib.contextmanager
def lasting(loop, browser, place, *rules, **more):
    """A fixture's: somebody let in as Person.is_let_in says, for many tests. Each finds them on the first page, and
    leaves them there.
    """
    stack = contextlib.AsyncExitStack()
    person = Person(loop.run(stack.enter_async_context(browser.phone())))
    loop.run(person.is_let_in(place, *rules, **more))
    yield person
    loop.run(stack.aclose())


def strings(language: str) -> dict[str, str]:
    """The page's strings, those that it fetches later too."""
    files = (ROOT / f"phone/strings/{language}{part}.json" for part in ("", "-more"))
    return {key: text for file in files for key, text in json.loads(file.read_text()).items()}


def label(place, device_id: str = "kiosk-1") -> str:
    """The text of a kiosk's public label."""
    found = credential.parse(place.credential(device_id))
    return DeviceCode(place.site.anchor.site_id, fingerprint(found.public), device_id).text()


async def read_code(person: Person) -> str:
    """The text of the QR code on the page, read from a picture of it as another phone would."""
    picture = PIL.Image.open(io.BytesIO(await person.page.locator("svg.qr").screenshot(scale="css")))
    (code,) = zxingcpp.read_barcodes(picture, zxingcpp.BarcodeFormat.QRCode)
    return code.text
