"""What an ESP32 tells whoever stands before it: a screen at its cable, or a person who reads its LED."""

import asyncio
import time

import pytest

from admit import presence
from admit.connection import Connection
from admit.screen import feed
from admit.screen.shown import Shown
from admit_protocol import coap, rule
from admit_protocol.errors import Denied
from esp32_kiosk import CONFIG, LED, commissioned
from wired_kiosk import first_visit, invoke

GUARDED = [("/r/open", 3, {rule.PRESENCE: rule.CODE})]
BEGIN_S, PAUSE_S = 1.0, 0.45  # a flash of more begins a code; a darkness of more ends a digit


def serve(story, folder, **options):
    async def main():
        async with asyncio.timeout(90), commissioned(folder, **options) as (kiosk, admin):
            await story(kiosk, admin)

    asyncio.run(main())


class Eyes:
    """Somebody who looks at the LED: when it went on and off."""

    def __init__(self, world):
        self.seen = []
        self._world, self._on_wire = world, world._on_wire
        world._on_wire = self._see

    def _see(self, kind, a, b, payload):
        if kind == b"G" and a == LED:
            self.seen.append((b, time.monotonic()))
        self._on_wire(kind, a, b, payload)

    def code(self):
        """The digits of the first whole code that was seen, or None."""
        digits, count, is_counting = "", 0, False
        for (level, since), (_, until) in zip(self.seen, self.seen[1:], strict=False):
            length = until - since
            if level and length > BEGIN_S:
                digits, count, is_counting = "", 0, True
            elif level and is_counting:
                count += 1
            elif count and length > PAUSE_S:
                digits, count = digits + str(count % 10), 0
                if len(digits) == 6:
                    return digits
        return None


def test_a_person_reads_the_code_from_the_led_and_the_door_opens(tmp_path):
    """And the cable, where no screen was promised, hears nothing of it."""

    async def story(kiosk, admin):
        heard, eyes = [], Eyes(kiosk.world)
        async with Connection(kiosk.cable(heard.append)) as line, kiosk.over_the_air() as connection:
            await line.request(coap.request(coap.GET, "/id"))
            session = await first_visit(connection, kiosk.visitor("alice", GUARDED))
            with pytest.raises(Denied, match="rule-presence"):
                await invoke(session, "open", seconds=1)
            await presence.ask_code(session)
            eyes.seen.clear()
            await kiosk.world.until(lambda: eyes.code() is not None, 60)
            await presence.tell_code(session, eyes.code())
            assert await invoke(session, "open", b"23456789", seconds=1) == [1, 1]
            await line.transport.tell("?\n")
            await line.request(coap.request(coap.GET, "/id"))
        assert heard == []

    serve(story, tmp_path)


def test_a_screen_at_the_cable_is_told_who_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "_ANSWER_S", 0.5)

    async def story(kiosk, admin):
        shown = Shown()

        async def until(view):
            while (told := shown.view())["view"] != view:
                await asyncio.sleep(0.01)
            return told

        watching = asyncio.create_task(feed.watch(str(kiosk.board.cable), shown))
        await until("waiting")
        async with kiosk.over_the_air() as connection:
            session = await first_visit(connection, kiosk.visitor("alice", GUARDED))
            await session.request(coap.POST, "/login")
            assert (await until("hello"))["who"] == "alice"
            await presence.ask_code(session)
            await presence.tell_code(session, (await until("code"))["code"])
            await until("hello")
        assert (await until("bye"))["who"] == "alice"  # her phone went away
        watching.cancel()

    serve(story, tmp_path, config=CONFIG | {"screen": True})
