"""A phone at a kiosk: the first visit, the second, what is allowed and what is not, and how a person is told."""

import re
import time

import pytest
from playwright.async_api import expect

from admit import admin
from admit_protocol import rule
from browser.emulated import UP, Gate
from browser.person import Person, label, lasting, visitor
from kiosks import visiting

YEAR_S = 365 * 24 * 3600
CONDITIONS = [
    ("/r/open", 3, {rule.BOUNDS: {"seconds": [1, 3]}}),
    ("/r/calibrate", 3, {rule.PRESENCE: rule.CODE}),
    ("/r/light", 3, {rule.PRESENCE: rule.BUTTON}),
    "/r/broken",
]


@pytest.fixture(scope="module")
def alice(loop, browser, place):
    """Somebody at kiosk-1 whose card asks for something else with each routine."""
    with lasting(loop, browser, place, *CONDITIONS) as person:
        yield person


async def test_a_first_visit_from_the_label_on_the_kiosk(browser, place):
    async with visitor(browser, place, own=True) as (alice, kiosk):
        await alice.begins(label(place))
        assert "#" not in alice.page.url
        await alice.sees("link")
        await alice.presses("connect")
        await alice.sees("confirm")
        await alice.reads("proven")
        await alice.reads_text("Test site")
        before = len(kiosk.messages)
        assert [value[1] for direction, value in kiosk.messages if direction == UP] == [0x01, 0x01, 0x02]  # /id; EDHOC
        await alice.presses("it-is-this")
        await alice.sees("kiosk")
        await alice.reads("no-card")
        assert len(kiosk.messages) == before  # nothing of the person went to a kiosk that they have no card for


async def test_all_stages_are_shown_by_name(browser, place):
    async with visitor(browser, place, "/r/open") as (alice, kiosk):
        step = alice.page.locator("[aria-current=step]")
        for at in (1, 2):
            kiosk.fault = gate = Gate(at)
            await alice.presses_text("kiosk-1")
            await gate.reached.wait()
            await expect(step).to_contain_text(alice.words("proving"))
            await expect(alice.page.locator("#live")).to_contain_text(alice.words("proving"))
            gate.open.set()
            await alice.sees("kiosk")
            await alice.presses("leave")
            await alice.sees("home")


async def test_a_repeat_visit_takes_four_flights_to_the_result_and_two_for_each_more(browser, place):
    """RFC 9668: message_3 travels with the request."""
    async with visitor(browser, place, "/r/calibrate") as (alice, kiosk):
        await alice.connects()
        await alice.does("Calibrate")
        await alice.leaves(kiosk)
        kiosk.messages.clear()
        kiosk.fault = gate = Gate(5)
        await alice.named("Calibrate, Grams").click()
        await gate.reached.wait()
        await alice.reads("run-done")  # while the fifth has gone nowhere
        gate.open.set()
        await alice.presses("ok")
        await alice.sees("kiosk")
        await expect(alice.page.get_by_role("progressbar")).to_have_count(0)
        turns = [direction for direction, _ in kiosk.messages]
        assert turns[:8] == ["up", "down"] * 4  # EDHOC, the result; to log in, to list


async def test_what_is_not_granted_is_not_offered_and_why_is_told(browser, place):
    elsewhen = {rule.WINDOWS: [[1 << (time.gmtime().tm_wday + 3) % 7, 0, 0]]}
    async with visitor(browser, place, "/r/calibrate", ("/r/open", 3, elsewhen)) as (alice, _):
        await alice.connects()
        await expect(alice.named("Calibrate")).to_be_visible()
        assert await alice.named("Light").count() == 0
        await alice.looks_under_more("why-not")
        await alice.presses_text("Open")
        await alice.reads("e-rule-outside-window")


async def test_what_a_rule_bounds_is_refused_with_the_bounds(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    await alice.connects()
    await alice.presses_text("Open")
    field = alice.page.get_by_role("spinbutton")
    await expect(field).to_have_value("5")
    await alice.presses("start")
    await alice.reads("e-rule-argument")
    await alice.leaves_routine(kiosk)


async def test_numbers_choices_and_switches_are_typed_with_their_bounds(browser, place):
    async with visitor(browser, place, "/r/*") as (alice, _):
        await alice.connects()
        await alice.presses_text("Open")
        field = alice.page.get_by_role("spinbutton")
        await alice.presses("greater", name="Seconds")
        await expect(field).to_have_value("6")
        await field.fill("99")
        await field.blur()
        await expect(field).to_have_value("30")
        await expect(alice.button("greater", name="Seconds")).to_be_disabled()
        await alice.presses("back")
        await alice.presses_text("Light")
        await expect(alice.page.get_by_role("combobox").locator("option")).to_have_count(2)
        await alice.page.get_by_role("combobox").select_option("red")
        await expect(alice.page.get_by_role("switch")).to_be_checked()
        await alice.presses("start")
        await place.board.expect("lamp red")
        await alice.reads("run-done")


async def test_a_routine_that_breaks_is_told_and_leaks_nothing(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    await alice.connects()
    await alice.runs("Broken")
    await alice.reads("run-failed")
    assert "secret" not in await alice.text()
    await alice.leaves_routine(kiosk)


async def test_a_grant_that_was_taken_back(browser, place):
    async with visitor(browser, place, name="revoked-alice") as (alice, kiosk):
        row = place.give(alice.name, await alice.makes_keys(), "/r/open")
        await alice.takes(place, row.data)
        await alice.knows(place)
        await alice.connects()
        await alice.presses("leave")
        await alice.sees("home")
        admin.revoke(place.site, place.authority, [row], int(time.time()))
        await place.bring_news()
        await alice.presses_text("kiosk-1")
        await alice.reads("e-grant-revoked")
        await alice.presses("leave")
        await alice.goes_to("cards")
        await alice.reads("card-revoked")


async def test_a_grant_that_has_ended(browser, place):
    async with visitor(browser, place, "/r/open", expires=int(time.time()) - 5) as (alice, kiosk):
        await alice.presses_text("kiosk-1")
        await alice.reads("e-grant-expired")
        await alice.presses("leave")
        await alice.goes_to("cards")
        await alice.reads("card-expired")


@pytest.mark.parametrize("years", [-1, 1])
async def test_a_phone_whose_clock_is_a_year_off_still_opens_the_door(browser, place, years):
    """The kiosk knows the time, not the phone: a grant that seems to have ended is brought all the same."""
    async with visitor(browser, place, own=True) as (alice, _):
        await alice.page.clock.set_system_time((time.time() + years * YEAR_S) * 1000)
        now = int(time.time())
        await alice.is_let_in(place, "/r/open", not_before=now - 3600, expires=now + 3600)
        await alice.connects()
        await alice.runs("Open")
        await alice.reads("run-done")


async def test_a_kiosk_at_which_somebody_else_has_their_turn(browser, place):
    async with visitor(browser, place, "/r/open") as (alice, kiosk):
        async with visiting(place.site, "admin", place.radio) as session:
            await session.request(2, "/login")
            await alice.connects()
            await alice.reads("e-login-taken")
        await alice.presses("try-again")
        await expect(alice.page.get_by_text(alice.words("e-login-taken"))).to_have_count(0)


async def test_a_person_who_must_be_there_types_the_code_that_the_kiosk_shows(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    await alice.connects()
    await alice.runs("Calibrate")
    await alice.reads("run-code")
    await alice.reads_text("kiosk-1, Test site")
    shown = await place.shown_code()
    await alice.types("code-label", "0" * len(shown) if shown.strip("0") else "1" * len(shown))
    await alice.presses("go-on")
    await alice.reads("e-code-wrong")
    await alice.types("code-label", shown)
    await alice.presses("go-on")
    await alice.reads("run-done")
    await alice.leaves_routine(kiosk)


async def test_a_person_who_must_press_the_button(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    await alice.connects()
    await alice.runs("Light")
    await alice.reads("run-button")
    place.board.press()
    await alice.presses("pressed")
    await alice.reads("run-done")
    await alice.leaves_routine(kiosk)


async def test_the_other_language(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.phone(kiosk, locale="de-DE") as phone:
        erika = Person(phone, "erika", language="de")
        await erika.is_let_in(place, "/r/calibrate")
        await erika.connects()
        await erika.runs("Calibrate")
        await erika.reads("run-done")
        assert await phone.run("document.documentElement.lang") == "de"
        missing = re.findall(r"\b[a-z]+-[a-z]+-[a-z]+\b", await erika.text())
        assert missing == []  # a string that is missing shows as its name
