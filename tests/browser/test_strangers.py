"""Who is not the kiosk that was chosen gets nothing of the person, and the person is warned by the whole page."""

import pytest
from playwright.async_api import expect

from browser.emulated import DOWN, MESSAGE_2, UP, every_message_2, last_bit
from browser.person import label, lasting, visitor
from sites import site_on

MESSAGE_2_LENGTH = 103  # bytes of that payload, with its marker


@pytest.fixture(scope="module")
def others(loop, place, tmp_path_factory):
    """On the air too: swapped-1 of the same site, and foreign-1 of another."""

    async def set_up():
        folder = tmp_path_factory.mktemp("elsewhere")
        elsewhere = site_on(folder / "site", f"sqlite:///{folder}/registry.sqlite")
        await place.add_board("swapped-1")
        await place.add_board("foreign-1", elsewhere)
        return elsewhere

    elsewhere = loop.run(set_up())
    yield elsewhere
    elsewhere.registry.close()


@pytest.fixture(scope="module")
def alice(loop, browser, place):
    """Somebody who may do everything everywhere, and was at kiosk-1 before."""
    with lasting(loop, browser, place, "/r/*", on="*", met=False) as person:
        loop.run(person.knows(place))
        yield person


def asked(kiosk):
    """The codes and the first options of what went to a kiosk: GET /id, POST /.well-known/edhoc…"""
    return [value for direction, value in kiosk.messages if direction == UP]


async def is_warned(person, kiosk, reason):
    """The page is a warning, and a request that a session protects was never made."""
    await person.sees("warning")
    await person.reads("warn")
    await person.reads(f"e-{reason}")
    assert await person.page.get_by_role("heading", level=1).count() == 1
    assert await person.page.evaluate("document.body.className") == "alarm"
    assert person.name.encode() not in b"".join(asked(kiosk))
    await person.leaves(kiosk)


async def test_another_kiosk_of_the_site_in_the_place_of_the_one_meant(browser, place, others, alice):
    """As when two were swapped, or one renamed: it is proven, and still not the one."""
    kiosk = await alice.comes_near(browser, place, "swapped-1", shown="kiosk-1")
    await alice.presses_text("kiosk-1")
    await is_warned(alice, kiosk, "device-other")


async def test_another_kiosk_than_the_label_says(browser, place, others):
    async with visitor(browser, place, device="swapped-1", shown="kiosk-1") as (alice, kiosk):
        await alice.follows(label(place, "kiosk-1"))
        await is_warned(alice, kiosk, "device-other")


async def test_a_kiosk_of_another_site(browser, place, others, alice):
    kiosk = await alice.comes_near(browser, place, "foreign-1", shown="kiosk-1")
    await alice.presses_text("kiosk-1")
    await is_warned(alice, kiosk, "credential-other-site")


async def test_a_kiosk_for_which_nobody_vouches(browser, place, others):
    async with visitor(browser, place, device="foreign-1") as (alice, _):
        await alice.begins()
        await alice.sees("home")
        await alice.presses("find")
        await alice.sees("warning")
        await alice.reads("warn-unknown")
        await alice.presses("scan-label")
        await alice.sees("scan")


async def test_an_impostor_with_the_true_credential_and_without_its_key(browser, place, alice):
    """message_2 comes, and its signature is not the kiosk's."""
    kiosk = await alice.comes_near(browser, place)
    kiosk.fault = every_message_2(last_bit)
    await alice.presses_text("kiosk-1")
    await is_warned(alice, kiosk, "impostor")


async def test_an_impostor_at_a_first_visit(browser, place):
    async with visitor(browser, place) as (alice, kiosk):
        kiosk.fault = every_message_2(last_bit)
        await alice.follows(label(place))
        await is_warned(alice, kiosk, "impostor")


async def test_an_impostor_that_repeats_what_the_kiosk_once_said(browser, place, alice):
    kiosk = await alice.comes_near(browser, place)
    await alice.connects()
    await alice.leaves(kiosk)
    said = next(value for direction, value in kiosk.messages if direction == DOWN and MESSAGE_2 in value)
    said = said[said.index(MESSAGE_2) :]
    assert len(said) == MESSAGE_2_LENGTH
    kiosk.messages.clear()
    kiosk.fault = every_message_2(lambda value: value[: value.index(MESSAGE_2)] + said)
    await alice.presses_text("kiosk-1")
    await expect(alice.button("go-back")).to_be_visible()  # what it says makes no sense, or its signature is wrong
    await alice.sees_one_of("warning", "failed")
    assert len(asked(kiosk)[-1]) < 100  # message_1 or GET /id: nothing of the person
    await alice.leaves(kiosk)
