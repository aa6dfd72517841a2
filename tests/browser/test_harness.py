"""The harness itself, with a page that does no more than carry values: what the other tests here stand on."""

from pathlib import Path

import PIL.Image
import pytest
import zxingcpp

from admit.phone_server import PhoneServer
from admit_protocol.gatt_uuids import DOWNSTREAM, SERVICE, UPSTREAM
from browser import emulated
from browser.harness import CAMERA, film, other_hosts

PAGE = b"""<!doctype html><title>carrier</title><link rel="icon" href="data:,"><script src="app.js"></script>"""
UUIDS = f'const SERVICE = "{SERVICE}", DOWNSTREAM = "{DOWNSTREAM}", UPSTREAM = "{UPSTREAM}";\n'
SCRIPT = UUIDS.encode() + Path(__file__).with_name("carrier.js").read_bytes()
GET_ID = [0x61, 0x01, 0xAA, 0xB2, 0x69, 0x64]  # M 1, C, a token of one byte; GET; Uri-Path "id"


class Carrier(PhoneServer):
    """Serves that page with the headers of the real one."""

    def __init__(self):
        super().__init__(0)
        self.content = {"index.html": PAGE, "app.js": SCRIPT, "config.json": b"{}"}


@pytest.fixture(scope="module")
def browser(browser):
    with browser.serving(Carrier()):
        yield browser


async def test_values_go_to_a_real_kiosk_and_back(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.lent(kiosk) as phone:
        await phone.open()
        assert await phone.run("meet()") == "kiosk-1"
        await phone.run(f"write({GET_ID})")
        (answer,) = [bytes(each) for each in await phone.run("heard(1)") if len(each) > 1]
        assert b"factory" not in answer and answer[1] == 0x45  # 2.05 Content
        assert [direction for direction, _ in kiosk.messages] == ["up", "down"]
        assert other_hosts(phone) == []


async def test_a_page_may_disconnect_and_call_again(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.lent(kiosk) as phone:
        await phone.open()
        await phone.run("meet()")
        await phone.run("server.disconnect()")
        assert await phone.run("call()") == "kiosk-1"
        await phone.run(f"write({GET_ID})")
        assert (await phone.run("heard(1)"))[0] == "gone"  # once for the first link, and not for the second
        await phone.reload()
        await phone.run("meet()")
        assert kiosk.connections == 3


async def test_a_link_breaks_where_it_is_told_to(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.lent(kiosk) as phone:
        await phone.open()
        for at, failed in ((1, "NetworkError"), (2, "")):
            kiosk.fault = emulated.dropping(at)
            await phone.run("meet()")
            assert await phone.run(f"failure(write({GET_ID}))") in (failed, "NotSupportedError")
            await phone.run("until(() => said.at(-1) === 'gone')")


CHANGES = [
    (emulated.truncating, lambda true: [true[: len(true) // 2]]),
    (emulated.oversizing, lambda true: [true + bytes(512 - len(true))]),
    (emulated.repeating, lambda true: [true, true]),
    (emulated.flipping, lambda true: [true[:-1] + bytes([true[-1] ^ 1])]),
]


async def test_messages_are_changed_on_their_way(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.lent(kiosk) as phone:
        for fault, expected in CHANGES:
            kiosk.messages.clear()
            await phone.open()
            await phone.run("meet()")
            kiosk.fault = fault(2)
            await phone.run(f"write({GET_ID})")
            (_, true) = kiosk.messages[1] if len(kiosk.messages) > 1 else (None, b"")
            wanted = len(expected(true or bytes(2)))
            heard = [bytes(each) for each in await phone.run(f"heard({wanted})")]
            assert heard[:wanted] == expected(kiosk.messages[1][1])
            await phone.reload()
            await kiosk.left()


async def test_a_message_waits_at_a_gate(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    kiosk.fault = gate = emulated.Gate(2)
    async with browser.lent(kiosk) as phone:
        await phone.open()
        await phone.run("meet()")
        await phone.run(f"write({GET_ID})")
        await gate.reached.wait()
        assert await phone.run("said") == []
        gate.open.set()
        await phone.run("heard(1)")


async def test_what_a_chooser_may_end_in(browser, place):
    first = await browser.bluetooth.add("kiosk-1", place.radio)
    second = await browser.bluetooth.add("kiosk-1", place.radio, shown="another")
    async with browser.lent(second) as phone:
        await phone.open()
        assert await phone.run("meet()") == "another"
        assert set(phone.offered) == {first.address, second.address}
        phone.choice = None
        assert await phone.run("failure(meet())") == "NotFoundError"
        phone.choice, first.unreachable = first, True
        assert await phone.run("failure(meet())") == "NetworkError"
        await browser.bluetooth.switch(False)
        assert await phone.run("failure(meet())") == "NotFoundError"
        assert not await phone.run("navigator.bluetooth.getAvailability()")
        await browser.bluetooth.switch(True)
        phone.choice = await browser.bluetooth.add("kiosk-1", place.radio)
        assert await phone.run("meet()") == "kiosk-1"


async def test_a_kiosk_without_power_is_out_of_reach(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.lent(kiosk) as phone:
        await phone.open()
        await phone.run("meet()")
        await place.board.kill()
        await phone.run("until(() => said.at(-1) === 'gone')")
        assert await phone.run("failure(call())") == "NetworkError"


async def test_two_pages_of_a_phone_share_a_link(browser, place):
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    async with browser.lent(kiosk) as phone:
        await phone.open()
        await phone.run("meet()")
        other = await phone.other_tab()
        await other.open()
        await other.run("meet()")
        assert kiosk.connections == 1
        await phone.run("server.disconnect()")
        await other.run(f"write({GET_ID})")
        assert await other.run("heard(1)")


async def test_a_camera_sees_what_it_is_shown(browser):
    browser.show("admit://invite#" + "A" * 60)
    picture = film("admit://invite#" + "A" * 60)
    head, _, frame = picture.partition(b"FRAME\n")
    width, height = CAMERA
    image = PIL.Image.frombytes("L", CAMERA, frame[: width * height])
    (code,) = zxingcpp.read_barcodes(image)
    assert (head[:9], code.text) == (b"YUV4MPEG2", "admit://invite#" + "A" * 60)
    async with browser.lent() as phone:
        await phone.open()
        seen = "navigator.mediaDevices.getUserMedia({video: true}).then((it) => it.getVideoTracks()[0].getSettings())"
        assert (await phone.run(seen))["width"] == width
    async with browser.phone(camera=False) as phone:
        await phone.open()
        assert await phone.run("failure(navigator.mediaDevices.getUserMedia({video: true}))") == "NotAllowedError"


async def test_a_page_in_trouble_fails_its_test(browser):
    with pytest.raises(AssertionError, match="Content Security Policy"):
        async with browser.phone() as phone:
            await phone.open()
            await phone.run("failure(fetch('https://elsewhere.example/'))")
    assert other_hosts(phone) == []  # the policy stopped it before anybody was asked
