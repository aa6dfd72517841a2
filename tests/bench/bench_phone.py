"""The phone's page in a real browser at a real firmware: whether it works each time, and what it costs.

The handshake's times are ratios to the emulated link's own time: that of one bare GET /id, taken in the same page. Only
what a person waits for is in seconds, on a processor that is six times slower.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from figures import figure

from admit import phone_site
from browser.emulated import DOWN
from browser.harness import Browser
from browser.person import Person
from browser.place import Place

RUNS = 200
ROUNDS = 15
SLOWER = 6
GET_ID = """(async () => {
  const { BluetoothTransport } = await import("/visit/bluetooth.js");
  const { Connection } = await import("/visit/connection.js");
  const coap = await import("/protocol/coap.js");
  const connection = new Connection(new BluetoothTransport());
  await connection.open(() => {});
  const taken = [];
  for (let i = 0; i < %d; i++) {
    const began = performance.now();
    await connection.request(coap.request(coap.GET, "/id"));
    taken.push((performance.now() - began) / 1000);
  }
  await connection.close();
  return taken;
})()"""


def main():
    return asyncio.run(measure())


async def measure():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Place(folder) as place, Browser(folder) as browser:
            return [
                *weights(),
                *await handshakes(browser, place),
                await slow(browser, place),
                await runs(browser, place),
            ]


def weights():
    """What there is to load."""
    content = phone_site.content()
    return [
        figure("files", len(content)),
        figure("all of them", sum(len(each) for each in content.values()), 280_000, "B"),
    ]


class Clock:
    """A fault that changes nothing, and notes when each message of a link came by."""

    def __init__(self):
        self.at = {}

    async def __call__(self, direction, number, value):
        self.at[number] = time.perf_counter()
        return [value]


async def handshakes(browser, place):
    """From message_1 to message_3, and what the page itself needs of that, by the time of a bare request."""
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    whole, own = [], []
    async with browser.phone(kiosk) as phone:
        alice = Person(phone)
        await alice.is_let_in(place, "/r/count")
        link = median(await phone.run(GET_ID % ROUNDS))
        await kiosk.left()
        for _ in range(ROUNDS):
            kiosk.fault = clock = Clock()
            await visit(alice, kiosk)
            whole.append(clock.at[3] - clock.at[1])
            own.append(clock.at[3] - clock.at[2])
    turns = [direction for direction, _ in kiosk.messages[-8:]]
    assert turns.count(DOWN) == len(turns) / 2
    await browser.bluetooth.clear()
    return [
        figure("a handshake, in bare requests", median(whole) / link),
        figure("the page's own part of it", median(own) / link),
    ]


async def slow(browser, place):
    """From a tap on a known kiosk until it is ready."""
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    taken = []
    async with browser.phone(kiosk) as phone:
        alice = Person(phone)
        await alice.is_let_in(place, "/r/count")
        await phone.throttle(SLOWER)
        for _ in range(5):
            began = time.perf_counter()
            await alice.connects()
            taken.append(time.perf_counter() - began)
            await alice.leaves(kiosk)
    await browser.bluetooth.clear()
    return figure(f"from a tap to ready, processor {SLOWER} times slower", median(taken), 3.0, "s")


async def visit(alice, kiosk):
    """There, log in, see what there is to do, and leave."""
    await alice.connects()
    await alice.named("Count").wait_for()
    await alice.leaves(kiosk)


async def runs(browser, place):
    """Load the page, go to the kiosk, do something, leave: each time."""
    kiosk = await browser.bluetooth.add("kiosk-1", place.radio)
    failed = 0
    async with browser.phone(kiosk) as phone:
        alice = Person(phone)
        await alice.is_let_in(place, "/r/count")
        before = place.counted
        for _ in range(RUNS):
            try:
                await phone.reload()
                await alice.connects()
                await alice.does("Count")
                await alice.leaves(kiosk)
            except AssertionError as error:
                failed += 1
                print(error)
        await place.board.expect(f"counter {before + RUNS - failed}")
    return figure(f"failures in {RUNS} runs from the first tap to the last", failed, 0)
