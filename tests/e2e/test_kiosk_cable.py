"""A kiosk under real MicroPython on its cable: how it joins a site, and visits over a line that is not always clean."""

import asyncio
import random

import pytest
import serial

from admit.client import describe
from admit.connection import Connection
from admit.transport.serial import SerialTransport
from admit_protocol import cbor, coap, credential, slip
from admit_protocol.errors import Conflict, Denied, Refused, TimedOut
from admit_provisioning.commission import commission, install, make_key
from rig import ALL, Site
from wired_kiosk import (
    ALICES,
    BOBS,
    NAME,
    factory_kiosk,
    first_visit,
    invoke,
    listed,
    next_visit,
    wired_kiosk,
)

DONE = 1
LIMIT_S = 60


def run(story, folder, kiosks=wired_kiosk):
    """Run `story(kiosk)`."""

    async def main():
        async with asyncio.timeout(LIMIT_S), kiosks(folder) as kiosk:
            await story(kiosk)

    asyncio.run(main())


def test_a_kiosk_joins_a_site_over_its_cable_and_nothing_else(tmp_path):
    async def story(kiosk):
        admin = kiosk.visitor("admin", ALL)
        async with Connection(kiosk.udp()) as network:
            assert (await describe(network)).state == "factory"
            with pytest.raises(Denied, match="commissioning-cable-only"):
                await make_key(network)
            health, steps = await kiosk.commission(admin)
            assert (health["boots"], len(steps)) == (1, 4)
            description = await describe(network)
            assert (description.state, description.credential) == ("commissioned", kiosk.credential)
        await kiosk.board.expect("status ready")
        _, steps = await kiosk.commission(admin)  # finds that all is done, and proves it
        assert len(steps) == 2

    run(story, tmp_path, factory_kiosk)


def test_a_torn_commissioning_is_finished_by_the_next_one(tmp_path):
    async def story(kiosk):
        async with Connection(kiosk.cable()) as line:
            keys = await make_key(line)
        await kiosk.board.restart()
        await kiosk.board.expect("status factory")
        async with Connection(kiosk.cable()) as line:
            with pytest.raises(Refused, match="identity-other-key"):
                await install(line, kiosk.site.vouch(NAME, kiosk.site.key.public), kiosk.site.anchor)
            with pytest.raises(Refused, match="credential-other-site"):
                await install(line, kiosk.vouch(keys), Site("other", b"other").anchor)
            assert (await describe(line)).state == "factory"
            await install(line, kiosk.vouch(keys), kiosk.site.anchor)  # whose answer is lost, say
        await kiosk.board.restart()
        await kiosk.board.expect("status ready")
        health, _ = await kiosk.commission(kiosk.visitor("admin", ALL))
        assert (credential.parse(kiosk.credential).public, health["boots"]) == (keys.public, 3)

    run(story, tmp_path, factory_kiosk)


def test_a_kiosk_joins_once(tmp_path):
    async def story(kiosk):
        other = Site("other", b"other")
        async with Connection(kiosk.cable()) as line:
            for holder, name in (
                (kiosk.visitor("admin", ALL, other), NAME),
                (kiosk.visitor("admin", ALL), "kiosk-2"),
            ):
                with pytest.raises(Conflict, match="device-commissioned"):
                    await commission(line, holder, name, lambda keys: other.vouch(NAME, *keys[:2]), lambda words: None)
            for attempt in (make_key(line), install(line, kiosk.credential[:-1] + b"\0", other.anchor)):
                with pytest.raises(Conflict, match="identity-commissioned"):
                    await attempt
            assert await listed(await first_visit(line, kiosk.visitor("alice", ALICES))) == ["open"]

    run(story, tmp_path)


def test_alice_visits_over_the_cable(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with Connection(kiosk.cable()) as line:
            session = await first_visit(line, alice)
            assert await invoke(session, "open", seconds=1) == [DONE, 1]
            assert (line.flights, session.sent_grant) == (12, True)  # message_3 in blocks
            await kiosk.board.expect("door open")
            await kiosk.board.expect("door closed")
            with pytest.raises(Denied, match="rule-outside-window"):
                await invoke(session, "light")
        async with Connection(kiosk.cable()) as line:
            session = await next_visit(line, alice, kiosk.credential)
            assert await listed(session) == ["open"]
            assert (line.flights, session.sent_grant) == (4, False)

    run(story, tmp_path)


def test_a_long_answer_comes_over_the_cable_in_blocks(tmp_path):
    async def story(kiosk):
        async with Connection(kiosk.cable()) as line:
            session = await first_visit(line, kiosk.visitor("admin", ALL))
            for _ in range(60):
                await session.request(coap.GET, "/r/open")
            flights = line.flights
            response = await session.request(coap.GET, "/journal")
            assert len(cbor.decode(response.payload)[3]) >= 60
            assert line.flights - flights == 2 * (len(response.payload) // 1024 + 1) > 4

    run(story, tmp_path)


class NoisyCable(SerialTransport):
    """A line on which rubbish stands before each frame of ours."""

    def __init__(self, url, rubbish):
        super().__init__(url)
        self._rubbish = rubbish

    async def send(self, data):
        for each in self._rubbish(data):
            await asyncio.to_thread(self._port.write, each)
        await super().send(data)


def test_rubbish_on_the_line_disturbs_nobody(tmp_path):
    dice = random.Random(1055)

    def rubbish(datagram):
        frame = slip.encode_coap(datagram)
        yield dice.randbytes(dice.randrange(200))  # and no delimiter
        yield frame[: dice.randrange(1, len(frame))]
        damaged = bytearray(frame)
        damaged[dice.randrange(1, len(frame) - 1)] ^= 1 << dice.randrange(8)
        yield bytes(damaged)
        yield slip.encode_diagnostic("a modem says hello\n")
        yield slip.encode_coap(dice.randbytes(dice.randrange(64)))
        yield b"\xc0" + b"\xa9" * 3000

    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with Connection(NoisyCable(str(kiosk.board.cable), rubbish)) as line:
            session = await first_visit(line, alice)
            for _ in range(20):
                assert await listed(session) == ["open"]
            assert await invoke(session, "open", seconds=1) == [DONE, 1]

    run(story, tmp_path)


def test_what_stood_on_the_line_before_is_nobodys_business(tmp_path):
    async def story(kiosk):
        with serial.serial_for_url(str(kiosk.board.cable)) as line:
            line.write(b"AT+GMR\r\n\xc0\xa9\x40\x01")
        async with Connection(kiosk.cable()) as line:
            assert await listed(await first_visit(line, kiosk.visitor("alice", ALICES))) == ["open"]

    run(story, tmp_path)


def test_an_unplugged_visit_leaves_nothing_in_the_way(tmp_path):
    async def story(kiosk):
        alice, bob = kiosk.visitor("alice", ALICES), kiosk.visitor("bob", BOBS)
        for _ in range(5):
            async with Connection(kiosk.cable()) as line:
                left = await first_visit(line, alice)  # message_3 never comes
        async with Connection(kiosk.cable()) as line:
            assert await listed(await first_visit(line, bob)) == ["light"]
            left.connection = line
            with pytest.raises(TimedOut, match="session-lost"):
                await listed(left)

    run(story, tmp_path)


def test_one_on_the_cable_and_one_on_the_network(tmp_path):
    async def story(kiosk):
        alice, bob = kiosk.visitor("alice", ALICES), kiosk.visitor("bob", BOBS)
        async with Connection(kiosk.cable()) as line, Connection(kiosk.udp()) as network:
            sessions = await asyncio.gather(first_visit(line, alice), first_visit(network, bob))

            async def visit(session, routines):
                for _ in range(20):
                    assert await listed(session) == routines

            await asyncio.gather(visit(sessions[0], ["open"]), visit(sessions[1], ["light"]))
            sessions[0].connection, sessions[1].connection = network, line  # a session is the key's, not the link's
            assert await invoke(sessions[0], "open", seconds=1) == [DONE, 1]
            assert await invoke(sessions[1], "light", colour="red") == [DONE, None]
            await kiosk.board.expect("door open")
            await kiosk.board.expect("lamp red")

    run(story, tmp_path)
