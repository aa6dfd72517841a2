"""A line from standard input while something else goes on."""

import asyncio
import os

import pytest

from admit_cli import asking
from admit_protocol.errors import LocalError


@pytest.fixture
def typing(monkeypatch):
    """Writes what is typed on standard input; None ends it."""
    reading, writing = os.pipe()
    file = os.fdopen(reading)
    monkeypatch.setattr("sys.stdin", file)
    monkeypatch.setattr(asking, "_read", b"")
    yield lambda text: os.close(writing) if text is None else os.write(writing, text)
    file.close()


def test_lines_come_one_by_one_and_the_loop_goes_on(typing):
    async def main():
        ticks = []

        async def tick():
            await asyncio.sleep(0)
            ticks.append("went on")
            typing(b" first \nsecond")

        asyncio.create_task(tick())
        assert await asking.ask_line("?") == "first"
        assert ticks == ["went on"]
        typing(b"\n\nlast")
        assert await asking.ask_line("?") == "second"
        assert await asking.ask_line("?") == ""
        typing(None)
        assert await asking.ask_line("?") == "last"
        with pytest.raises(LocalError) as caught:
            await asking.ask_line("What?")
        assert caught.value.reason == "answer-missing" and "What?" in caught.value.detail

    asyncio.run(main())
