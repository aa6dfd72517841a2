"""What a visit costs: message bytes, flights, the device's own multiplications while the visitor waits, and its time.

Times are ratios to the time of one bare GET /id over the same radio link, taken in the same run.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from figures import figure

from admit.suite import HostSuite
from admit_protocol import cbor, coap, edhoc, p256_curve
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import AdmitError
from kiosks import compile_firmware, kiosk, visiting
from rig import Phone, Rig, Site

HEAPS_KB = (320, 288, 272, 256, 240, 224, 208, 192, 176, 160)
ROUNDS = 9


def main():
    return messages() + work() + asyncio.run(over_the_radio()) + [smallest_heap()]


def visitor():
    """(a rig, a call that makes Alice's phone at it). Her side is the host's crypto, which p256 does not count."""
    site = Site()
    rig = Rig({}, site)
    key = HostSuite().generate()
    data = site.grant(key.public, [("/r", 1, {})])

    def phone():
        made = Phone(rig, key, data)
        made.suite = HostSuite()
        return made

    return rig, phone


def messages():
    """Bytes of a repeat visit's EDHOC messages: method 2, the device by its 1-byte kid, the user by 8 bytes."""
    rig, phone = visitor()
    first = phone()
    first.start()
    first.request(coap.GET, "/r")
    repeat = phone()
    message_2 = repeat.start(by_value=False).payload
    own = edhoc.cwt_credential(repeat.grant, repeat.grant[:8])
    message_1 = Initiator(repeat.suite, 2, [2], repeat.key, own.id_cred, own, b"\x00").message_1()
    return [
        figure("message_1", len(message_1), 37, "B"),
        figure("message_2", len(message_2), 102, "B"),
        figure("message_3", len(repeat.message_3), 28, "B"),
    ]


def work():
    """The device's online products and verifications: grant by value, recent peer, known peer after a reboot."""
    rig, phone = visitor()
    found = []
    for what, by_value, products, verifications in (
        ("grant by value", True, 2, 1),
        ("recent peer", False, 1, 0),
        ("known peer after a reboot", False, 2, 0),
    ):
        if "reboot" in what:
            rig.boot()
        rig.prepare()
        before = dict(p256_curve.counts)
        visit = phone()
        visit.start(by_value)
        assert visit.request(coap.GET, "/r").code == coap.CONTENT
        done = {name: p256_curve.counts[name] - before[name] for name in before}
        found.append(figure(f"{what}: variable-base products online", done["variable_base"], products))
        found.append(figure(f"{what}: signatures verified online", done["verify"], verifications))
        found.append(figure(f"{what}: fixed-base products online", done["fixed_base"], 0))
    return found


async def over_the_radio():
    """Flights of a repeat visit, and how long it takes beside one bare request on the same link."""
    bare, proofs, whole, flights = [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        async with kiosk(Path(folder)) as (site, _, radio):
            for number in range(ROUNDS):
                await asyncio.sleep(0.4)
                began, found, opened, asked, flights = await one_visit(site, radio, number)
                whole.append(asked - began)
                proofs.append(opened - found)
                bare.append(asked - opened)
    return [
        figure("flights of a repeat visit", flights, 4),
        figure("EDHOC and the first request / one bare GET /id", median(proofs) / median(bare)),
        figure("a repeat visit with scan and connect", 1000 * median(whole), unit="ms"),
    ]


async def one_visit(site, radio, number):
    """Moments of a visit: begun, kiosk found, door opened, one more bare request answered; and flights to the door."""
    moments = [time.perf_counter()]
    async with visiting(site, "alice", radio, lambda words: moments.append(time.perf_counter())) as session:
        body = cbor.encode({1: number.to_bytes(8, "big"), 2: {"seconds": 1}})
        await session.request(coap.POST, "/r/open", body)
        opened, flights = time.perf_counter(), session.connection.flights
        await session.connection.request(coap.request(coap.GET, "/id"))
    return moments[0], moments[-1], opened, time.perf_counter(), flights


def smallest_heap():
    """The smallest heap of MicroPython on this PC in which the firmware's .mpy files let a user log in."""
    with tempfile.TemporaryDirectory() as folder:
        firmware = compile_firmware(Path(folder) / "firmware")
        works = None
        for heap_kb in HEAPS_KB:
            if not asyncio.run(login(Path(folder) / str(heap_kb), firmware, heap_kb)):
                break
            works = heap_kb
    return figure("smallest heap for a login, from .mpy, 64-bit", works or 999, 256, "KB")


async def login(folder, firmware, heap_kb):
    settings = {"ROUTINES": str(firmware / "routines.mpy")}
    try:
        async with kiosk(folder, firmware=firmware, heap=f"{heap_kb}k", settings=settings) as (site, _, radio):
            async with visiting(site, "alice", radio) as session:
                return (await session.request(coap.POST, "/login")).code == coap.CHANGED
    except AdmitError:
        return False
