"""The screen at the cable of a kiosk under real MicroPython: it hears who comes, and copes with what happens there."""

import asyncio
import contextlib
import time

import pytest

from admit import presence
from admit.codes import parse_device
from admit.connection import Connection
from admit.screen import feed
from admit.screen.shown import Shown
from admit.transport.serial import SerialTransport
from admit.virtual.board import VirtualBoard
from admit_protocol import coap
from admit_protocol.errors import Busy
from memory_ports import WEDNESDAY
from rig import ALL
from wired_kiosk import NAME, WiredKiosk, first_visit

LIMIT_S = 40
PAGE = "https://keys.example.org/"


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(feed, "RETRY_S", 0.05)
    monkeypatch.setattr(feed, "ASK_EVERY_S", 0.5)
    monkeypatch.setattr(feed, "_ANSWER_S", 0.3)
    monkeypatch.setattr(feed, "_LOOK_S", 0.02)


class Watched:
    """A kiosk, and what the screen at its cable shows."""

    def __init__(self, kiosk):
        self.kiosk, self.shown = kiosk, Shown()

    async def until(self, view):
        """Wait until it shows so; what it shows."""
        while (told := self.shown.view())["view"] != view:
            await asyncio.sleep(0.01)
        return told

    @contextlib.asynccontextmanager
    async def watching(self):
        task = asyncio.create_task(feed.watch(str(self.kiosk.board.cable), self.shown, PAGE))
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def play(folder, story, screen="1", join=True):
    """Run `story(watched)` with a kiosk."""

    async def main():
        settings = {"CLOCK_OFFSET_S": str(WEDNESDAY - int(time.time())), "SCREEN": screen}
        async with asyncio.timeout(LIMIT_S), VirtualBoard(folder / "board", settings=settings) as board:
            await board.expect("status factory")
            kiosk = WiredKiosk(board)
            if join:
                await kiosk.commission(kiosk.visitor("admin", ALL))
            await story(Watched(kiosk))
            assert kiosk.faults() == []

    asyncio.run(main())


def test_a_visit_is_shown_from_hello_to_thank_you(tmp_path):
    async def story(watched):
        kiosk = watched.kiosk
        async with watched.watching(), Connection(kiosk.udp()) as connection:
            told = await watched.until("waiting")
            assert (told["name"], told["site"]) == (NAME, "site")
            page, label = watched.shown.code
            assert page == PAGE + "#" and parse_device(label).device_id == NAME
            assert parse_device(label).fingerprint.hex() == told["fingerprint"]
            session = await first_visit(connection, kiosk.visitor("alice", ALL))
            await session.request(coap.POST, "/login")
            assert (await watched.until("hello"))["who"] == "alice"
            await presence.ask_code(session)
            told = await watched.until("code")
            assert told["who"] == "alice" and told["seconds"] > 50
            await presence.tell_code(session, told["code"])  # as Alice reads it
            await watched.until("hello")
            await session.request(coap.DELETE, "/login")
            assert (await watched.until("bye"))["who"] == "alice"

    play(tmp_path, story)


def test_a_screen_that_comes_late_or_missed_something_catches_up(tmp_path):
    async def story(watched):
        kiosk = watched.kiosk
        async with Connection(kiosk.udp()) as connection:
            session = await first_visit(connection, kiosk.visitor("alice", ALL))
            await session.request(coap.POST, "/login")
            await presence.ask_code(session)
            async with watched.watching():
                told = await watched.until("code")
                assert told["who"] == "alice" and told["seconds"] is None
                watched.shown.hear("visitor mallory\n")  # what was never so
                await presence.tell_code(session, told["code"])
                while (await watched.until("hello"))["who"] != "alice":
                    await asyncio.sleep(0.01)

    play(tmp_path, story)


def test_a_board_that_loses_power_is_missed_and_comes_back_by_itself(tmp_path):
    async def story(watched):
        kiosk = watched.kiosk
        async with watched.watching(), Connection(kiosk.udp()) as connection:
            session = await first_visit(connection, kiosk.visitor("alice", ALL))
            await session.request(coap.POST, "/login")
            await watched.until("hello")
            await kiosk.board.stop()
            await watched.until("unplugged")
            await kiosk.board.start()
            await watched.until("waiting")

    play(tmp_path, story)


def test_a_board_that_joins_a_site_is_shown_as_soon_as_it_has(tmp_path):
    async def story(watched):
        async with watched.watching():
            await watched.until("setup")
            async with Connection(watched.kiosk.udp()):
                pass
        await watched.kiosk.commission(watched.kiosk.visitor("admin", ALL))
        async with watched.watching():
            assert (await watched.until("waiting"))["name"] == NAME

    play(tmp_path, story, join=False)


def test_nobody_shares_the_cable_and_the_screen_says_so(tmp_path):
    async def story(watched):
        cable = str(watched.kiosk.board.cable)
        holder = SerialTransport(cable)
        await holder.open()
        with pytest.raises(Busy, match="serial-in-use"):
            await feed.try_once(cable)
        async with watched.watching():
            await watched.until("busy")
            await holder.close()
            await watched.until("waiting")
            with pytest.raises(Busy, match="serial-in-use"):
                await SerialTransport(cable).open()

    play(tmp_path, story)


def test_a_board_that_was_told_of_no_screen_tells_it_nothing(tmp_path):
    async def story(watched):
        kiosk, heard = watched.kiosk, []
        watched.shown.hear = heard.append
        async with watched.watching(), Connection(kiosk.udp()) as connection:
            await watched.until("mute")
            session = await first_visit(connection, kiosk.visitor("alice", ALL))
            await session.request(coap.POST, "/login")
            await presence.ask_code(session)
        assert heard == []
        assert not [line for line in kiosk.board.console if "alice" in line]  # nor does the console name her

    play(tmp_path, story, screen="0")


def test_a_cable_that_is_not_there_yet_is_waited_for(tmp_path):
    async def story():
        shown = Shown()
        await feed.try_once(str(tmp_path / "cable"))
        task = asyncio.create_task(feed.watch(str(tmp_path / "cable"), shown))
        while shown.view()["view"] != "unplugged":
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(story())


def test_who_asks_to_be_let_in_is_helped(tmp_path):
    async def story(watched):
        from admit import enrolling, wallet

        kiosk = watched.kiosk
        new = wallet.create(tmp_path / "zoe")
        anchor = kiosk.site.anchor
        async with watched.watching():
            told = await watched.until("waiting")
            where = NAME, anchor.site_id, bytes.fromhex(told["fingerprint"])
            async with enrolling.arrive(kiosk.udp(), new, *where) as (session, _):
                await enrolling.ask(session, new, "zoe <3")
                while not watched.shown.view().get("newcomer"):
                    await asyncio.sleep(0.01)
        assert not [line for line in kiosk.board.console if "zoe" in line]

    play(tmp_path, story)
