"""What breaks on the way, at every message and at every stage: nothing is done twice, nothing hangs, and the person is
told in a sentence, with a button that helps.
"""

import pytest
from playwright.async_api import expect

from browser import emulated
from browser.emulated import Gate
from browser.person import visitor

# Of a repeat visit on which a routine is run: EDHOC 1 and 2; the invocation and its outcome; the login; the list.
MESSAGES = range(1, 9)
MESSAGE_2, OUTCOME = 2, 4


def counting(browser, place, **phone):
    """Somebody on the first page, who ran `count` the last time, and the kiosk."""
    return visitor(browser, place, "/r/*", last="count", **phone)


async def gets_there(alice, before, is_proven=False):
    """Whatever broke, the person ends with the outcome, by pressing what the page offers; and it happened once."""
    done = alice.page.get_by_role("heading", name=alice.words("run-done"), exact=True)
    trap, retry, asks = alice.button("go-back"), alice.button("try-again"), alice.button("find-out")
    while not await done.is_visible():
        await expect(done.or_(trap).or_(retry).or_(asks).first).to_be_visible()
        if await asks.is_visible():
            await asks.click()
        elif await retry.is_visible():
            await retry.click()
        elif await trap.is_visible():  # what was changed on its way may be an impostor's: the page stops
            assert not is_proven
            await alice.sees("warning")
            await trap.click()
            await alice.connects()
    await alice.reads("result", value=before + 1)


async def reloads(alice, kiosk):
    """Have the page loaded anew, which ends the visit."""
    await alice.phone.reload()
    await alice.sees("home")
    await kiosk.left()


async def leaves(alice, kiosk):
    """The same by what the page offers, from an outcome, once it is known what else there is to do."""
    await alice.presses("ok")
    await expect(alice.named("Calibrate").or_(alice.button("try-again")).first).to_be_visible()
    await alice.leaves(kiosk)


async def test_the_connection_is_lost_at_each_message(browser, place):
    async with counting(browser, place) as (alice, kiosk):
        before = place.counted
        for number, at in enumerate(MESSAGES):
            kiosk.fault = fault = emulated.Once(emulated.dropping(at))
            await alice.presses_text("Count")
            await gets_there(alice, before + number)
            await fault.done.wait()
            await leaves(alice, kiosk)


CHANGES = [emulated.truncating, emulated.oversizing, emulated.repeating, emulated.flipping]


async def test_a_value_is_not_what_was_sent(browser, place):
    """Before the kiosk has proven itself it may be an impostor's; after that it is a broken link's."""
    async with counting(browser, place) as (alice, kiosk):
        before = place.counted
        for number, (change, at) in enumerate((change, at) for change in CHANGES for at in (MESSAGE_2, OUTCOME)):
            kiosk.fault = emulated.Once(change(at))
            await alice.presses_text("Count")
            await gets_there(alice, before + number, is_proven=at == OUTCOME)
            await leaves(alice, kiosk)


async def test_a_bit_that_changes_in_a_proven_session_is_no_trap(browser, place):
    async with counting(browser, place) as (alice, kiosk):
        before = place.counted
        await alice.connects()  # from now on the kiosk knows their grant, and answers with the outcome
        await expect(alice.named("Calibrate")).to_be_visible()
        await alice.leaves(kiosk)
        kiosk.fault = emulated.Once(emulated.flipping(OUTCOME))
        await alice.presses_text("Count")
        await alice.reads("e-altered")
        await alice.sees("run")
        await alice.presses("try-again")
        await alice.reads("run-done")
        await alice.reads("result", value=before + 1)


@pytest.mark.parametrize("at", [MESSAGE_2, OUTCOME])
async def test_a_value_comes_too_late_after_what_followed_it(browser, place, at):
    async with counting(browser, place) as (alice, kiosk):
        before = place.counted
        kiosk.fault = late = emulated.Late(at)
        await alice.presses_text("Count")
        await gets_there(alice, before)
        await late.came.wait()
        await leaves(alice, kiosk)


async def test_the_page_is_loaded_anew_at_each_stage(browser, place):
    """An invocation of which nobody knows how it ended is asked about, not done again."""
    async with counting(browser, place) as (alice, kiosk):
        for at in (1, 2, 3, 4, 6):
            before = place.counted
            kiosk.fault = gate = Gate(at)
            await alice.presses_text("Count")
            await gate.reached.wait()
            if at == OUTCOME:
                await place.board.expect(f"counter {before + 1}")
            kiosk.fault = None
            gate.open.set()
            await reloads(alice, kiosk)
            await alice.connects()
            if at in (3, OUTCOME):
                await alice.presses("find-out")
                await alice.reads("run-done")
                await alice.reads("result", value=before + 1)
                await leaves(alice, kiosk)
            else:
                await expect(alice.named("Count")).to_be_visible()
                assert await alice.button("find-out").count() == 0
                await alice.leaves(kiosk)


async def test_the_kiosk_loses_its_power_at_each_stage(browser, place):
    async with counting(browser, place) as (alice, kiosk):
        for at in (1, 2, 4, 6):
            kiosk.fault = gate = Gate(at)
            await alice.presses_text("Count")
            await gate.reached.wait()
            await place.board.kill()
            kiosk.unreachable = True  # as it is, and quicker to find out
            gate.drop()
            if at > OUTCOME:
                await alice.presses("ok")
            help_ = alice.button("try-again")
            await expect(help_).to_be_visible()
            await alice.reads("e-connect-failed")
            kiosk.fault, kiosk.unreachable = None, False
            await place.power()
            await help_.click()
            told = [alice.words(key) for key in ("run-done", "run-interrupted")]
            found = [alice.page.get_by_role("heading", name=each, exact=True) for each in told]
            await expect(found[0].or_(found[1]).or_(alice.named("Calibrate")).first).to_be_visible()
            await alice.goes_home()
            await kiosk.left()


async def test_a_kiosk_that_falls_silent_is_given_up(browser, place):
    async with counting(browser, place, own=True) as (alice, kiosk):
        await alice.page.clock.install()
        silent = kiosk.fault = emulated.Silence(2)
        await alice.presses_text("Count")
        await silent.reached.wait()
        await alice.page.clock.fast_forward(60_000)
        await alice.sees("failed")
        await alice.reads("e-request-timeout")
        kiosk.fault = None
        await alice.presses("try-again")
        await alice.reads("run-done")
