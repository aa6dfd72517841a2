"""What a camera sees, what is pasted, and what stands in a page's address: invites, cards, keys, and what is none of
these.
"""

from playwright.async_api import expect

from admit import invitation, links
from browser.harness import other_hosts
from browser.person import Person, guest, label, read_code, visitor


async def test_an_invite_is_redeemed_by_the_camera_and_the_door_opens(browser, place):
    browser.show(place.invite("/r/calibrate"))
    async with visitor(browser, place) as (alice, kiosk):
        await alice.begins()
        await alice.sees("home")
        await alice.presses("scan")
        await alice.sees("link")
        await alice.reads("invite-why", name="kiosk-1")
        await alice.presses("redeem", name="kiosk-1")
        await alice.sees("confirm")
        await alice.presses("it-is-this")
        await alice.runs("Calibrate")
        await alice.reads("run-done")
        assert other_hosts(alice.phone) == []


async def test_an_invite_that_somebody_else_has_used(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    fragment = links.on_page(browser.address, place.invite("/r/calibrate")).split("#")[1]
    for name in ("alice", "mallory"):
        async with guest(browser, kiosk, name=name) as person:
            await person.begins(fragment)
            await person.sees("link")
            await person.presses("redeem", name="kiosk-1")
            await person.presses("it-is-this")
            await person.sees("kiosk")
            if name == "alice":
                await expect(person.named("Calibrate")).to_be_visible()
            else:
                await person.reads("e-invite-used")
                await person.reads("no-card")


async def test_a_key_is_shown_and_the_card_for_it_is_taken(browser, place):
    """The admin's way: the key's code, a grant for it, and an invitation's link back."""
    async with visitor(browser, place, name="Älice") as (alice, _):
        await alice.begins()
        await alice.goes_to("keys")
        await alice.presses("new-site")
        await alice.sees("key")
        key = links.parse(await read_code(alice))
        assert (type(key), key.name) == (links.Key, "Älice")
        data = place.issue("alice", [key.login, key.sign], ["/r/calibrate"])
        await alice.phone.open(
            f"invitation={links.Invitation(invitation.encode(place.site.anchor, data)).text().split('#')[1]}"
        )
        await alice.sees("link")
        await alice.presses("take")
        await alice.sees("card")
        await alice.reads("card-valid")


async def test_a_label_is_pasted_where_there_is_no_camera(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.phone(kiosk, camera=False) as phone:
        alice = Person(phone)
        await alice.begins()
        await alice.sees("home")
        await alice.presses("scan")
        await alice.reads("e-camera-refused")
        await alice.presses("type-it")
        await alice.sees("add")
        await alice.types("code-text", f"  {label(place)}\n")
        await alice.presses("go-on")
        await alice.sees("link")
        await alice.presses("connect")
        await alice.sees("confirm")


STRANGE = {
    "https://shop.example/offer?id=7": "link-unknown",
    "WIFI:S:guest;T:WPA;P:hunter2;;": "link-unknown",
    "admit://invite#AAAA": "invite-link",
    "ADMIT:S/0123456789": "link-sealed",
    "admit://key#" + "A" * 300: "invite-link",
}


async def test_a_code_that_is_none_of_ours(browser):
    """A sentence and a way on, whether it was scanned or pasted; and what it says goes nowhere."""
    async with guest(browser) as alice:
        await alice.begins()
        for text, reason in STRANGE.items():
            browser.show(text)
            await alice.presses("scan")
            await alice.reads(f"e-{reason}")
            await alice.presses("type-it")
            await alice.sees("add")
            await expect(alice.page.get_by_role("alert")).to_have_count(0)
            await alice.types("code-text", text)
            await alice.presses("go-on")
            await alice.reads(f"e-{reason}")
            assert "hunter2" not in await alice.page.locator("[role=alert]").inner_text()
            await alice.presses("back")
            await alice.sees_one_of("home", "scan")
            if await alice.page.locator("main").get_attribute("data-view") == "scan":  # beside which one may type
                await alice.presses("cancel")
            await alice.sees("home")
        assert other_hosts(alice.phone) == []


async def test_what_stands_in_the_address_is_a_secret_and_leaves_it_at_once(browser, place):
    secret = links.on_page(browser.address, place.invite("/r/open")).split("#")[1]
    async with browser.phone() as phone:
        alice = Person(phone)
        await alice.begins(secret)
        await alice.sees("link")
        assert alice.page.url == browser.address
        assert secret[7:40] not in "".join(phone.asked)
        assert secret[7:40] not in await phone.run("JSON.stringify([{...localStorage}, history.state])")
        assert secret[7:40] not in await alice.page.content()
