"""A kiosk under real MicroPython and its visitors over UDP: the everyday visit, and whoever would spoil it."""

import asyncio
import contextlib
import random
import socket

import pytest

from admit.client import Holder, Session, describe, trusted_credential
from admit.connection import Connection
from admit.suite import HostSuite
from admit_protocol import cbor, coap
from admit_protocol.coap_udp import NON, encode_datagram
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import Denied, Refused, Untrusted
from rig import ALL, Site
from wired_kiosk import ALICES, BOBS, HOST, NAME, first_visit, invoke, listed, next_visit, wired_kiosk

DONE = 1
LIMIT_S = 60


def run(story, folder):
    """Run `story(kiosk)`."""

    async def main():
        async with asyncio.timeout(LIMIT_S), wired_kiosk(folder) as kiosk:
            await story(kiosk)

    asyncio.run(main())


def over_udp(kiosk):
    return Connection(kiosk.udp())


def test_alice_may_what_her_rules_allow_and_is_told_why_not(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with over_udp(kiosk) as connection:
            session = await first_visit(connection, alice)
            assert await listed(session) == ["open"]
            assert await invoke(session, "open", seconds=1) == [DONE, 1]
            await kiosk.board.expect("door open")
            await kiosk.board.expect("door closed")
            for name, arguments, reason, rule in (
                ("open", {"seconds": 4}, "rule-argument", 0),
                ("light", {}, "rule-outside-window", 1),
                ("calibrate", {"grams": 1}, "rule-none", None),
                ("nothing", {}, "rule-none", None),
            ):
                with pytest.raises(Denied) as denied:
                    await invoke(session, name, b"22222222", **arguments)
                assert (denied.value.reason, denied.value.rule) == (reason, rule)
            assert (kiosk.count("door open"), kiosk.count("lamp white")) == (1, 0)

    run(story, tmp_path)


def test_a_repeat_visit_takes_four_flights_and_names_the_grant(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with over_udp(kiosk) as connection:
            session = await first_visit(connection, alice)
            await invoke(session, "open", seconds=1)
            assert (connection.flights, session.sent_grant) == (6, True)  # two of them for the kiosk's credential
        async with over_udp(kiosk) as connection:
            session = await next_visit(connection, alice, kiosk.credential)
            assert await invoke(session, "open", b"87654321", seconds=1) == [DONE, 1]
            assert (connection.flights, session.sent_grant) == (4, False)
        stranger = kiosk.visitor("bob", BOBS)
        async with over_udp(kiosk) as connection:
            session = await next_visit(connection, stranger, kiosk.credential)  # so he thinks
            assert await listed(session) == ["light"]
            assert (connection.flights, session.sent_grant) == (8, True)

    run(story, tmp_path)


def test_the_same_invocation_is_done_once_across_a_new_link_and_a_power_cut(tmp_path):
    async def story(kiosk):
        alice, admin = kiosk.visitor("alice", ALICES), kiosk.visitor("admin", ALL)
        async with over_udp(kiosk) as connection:
            session = await first_visit(connection, alice)
            assert await invoke(session, "open", seconds=1) == [DONE, 1]
            async with over_udp(kiosk) as another:
                again = await next_visit(another, alice, kiosk.credential)
                assert await invoke(again, "open", seconds=1) == [DONE, 1]
            await kiosk.board.restart()
            await kiosk.board.expect("status ready")
            with pytest.raises(Refused, match="4.01"):  # sessions live in RAM
                await listed(session)
            session = await next_visit(connection, alice, kiosk.credential)
            assert await invoke(session, "open", seconds=1) == [DONE, 1]
            assert (session.sent_grant, kiosk.count("door open")) == (False, 1)
        async with over_udp(kiosk) as connection:
            session = await first_visit(connection, admin)
            health = cbor.decode((await session.request(coap.GET, "/health")).payload)
            assert health["boots"] == 2

    run(story, tmp_path)


def test_who_watches_the_door_sees_it_open_and_close(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with over_udp(kiosk) as one, over_udp(kiosk) as two:
            watcher, visitor = await first_visit(one, alice), await first_visit(two, alice)
            seen = watcher.observe("/r/open")
            assert door(await anext(seen)) == "closed"
            await invoke(visitor, "open", seconds=1)
            assert [door(await anext(seen)), door(await anext(seen))] == ["open", "closed"]
            await seen.aclose()
            await invoke(visitor, "open", b"87654321", seconds=1)  # of this she is not told any more
            await kiosk.board.expect("door closed")
            assert await listed(watcher) == ["open"]

    run(story, tmp_path)


def door(response):
    return cbor.decode(response.payload)["outputs"]["door"]["value"]


def test_two_visitors_at_once_each_get_their_own(tmp_path):
    async def story(kiosk):
        alice, bob = kiosk.visitor("alice", ALICES), kiosk.visitor("bob", BOBS)
        async with over_udp(kiosk) as one, over_udp(kiosk) as two:
            sessions = await asyncio.gather(first_visit(one, alice), first_visit(two, bob))

            async def visit(session, routines, denied):
                for _ in range(20):
                    assert await listed(session) == routines
                with pytest.raises(Denied, match="rule-none"):
                    await invoke(session, denied)

            await asyncio.gather(visit(sessions[0], ["open"], "calibrate"), visit(sessions[1], ["light"], "open"))
            assert await invoke(sessions[1], "light", colour="red") == [DONE, None]
            await kiosk.board.expect("lamp red")

    run(story, tmp_path)


def test_whoever_is_not_who_they_say_gets_nowhere(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        mallory = kiosk.visitor("mallory", ALL, Site("other", b"other"))
        async with over_udp(kiosk) as connection:
            with pytest.raises(Untrusted, match="credential-other-site"):
                await trusted_credential(connection, mallory.anchor, NAME)
            with pytest.raises(Untrusted, match="device-other"):
                await trusted_credential(connection, alice.anchor, "kiosk-2")
            for holder, reason in (
                (mallory, "grant-other-site"),
                (with_key(alice, mallory.key), "edhoc-mac-3"),
            ):
                session = Session(connection, holder, kiosk.credential)
                await session.start()
                with pytest.raises(Refused, match=reason):
                    await invoke(session, "open", seconds=1)
            assert (await connection.request(coap.request(coap.GET, "/r"))).code == coap.UNAUTHORIZED
            assert await listed(await first_visit(connection, alice)) == ["open"]

    run(story, tmp_path)


def with_key(holder, key):
    """The holder's grant in the hands of somebody with another key."""
    return Holder(key, holder.grant, holder.anchor)


def test_garbage_disturbs_nobody(tmp_path):
    dice = random.Random(7252)

    def garbage(real):
        yield dice.randbytes(dice.randrange(1, 64))
        yield bytes([0x40 | dice.randrange(64)]) + dice.randbytes(dice.randrange(0, 1300))
        yield real[: dice.randrange(len(real))]
        damaged = bytearray(real)
        damaged[dice.randrange(len(real))] ^= 1 << dice.randrange(8)
        yield bytes(damaged)
        yield b"\x70\x00" + dice.randbytes(2)  # a RST for something that was never sent
        yield b"\x60\x45" + dice.randbytes(2) + b"\xffanswer"

    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        outer = coap.request(coap.POST, "/.well-known/edhoc", b"\xf5" + dice.randbytes(60), coap.CONTENT_CID_EDHOC)
        real = b"\x44\x02\x12\x34tokn" + coap.encode_body(outer.options, outer.payload)
        transport, stranger = kiosk.udp(), kiosk.udp()
        await stranger.open()
        async with Connection(transport) as connection:
            session = await first_visit(connection, alice)
            for _ in range(40):
                for each in garbage(real):
                    await stranger.send(each)
                    await transport.send(each)
                assert await listed(session) == ["open"]
            session = await first_visit(connection, alice)
            assert await invoke(session, "open", seconds=1) == [DONE, 1]
        await stranger.close()

    run(story, tmp_path)


def test_abandoned_handshakes_are_in_nobodys_way(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        for _ in range(30):
            async with over_udp(kiosk) as connection:
                await next_visit(connection, alice, kiosk.credential)  # and not another word
        async with over_udp(kiosk) as connection:
            left = await first_visit(connection, alice)
            session = await first_visit(connection, alice)  # she began anew
            assert await invoke(session, "open", seconds=1) == [DONE, 1]
            with pytest.raises(Refused, match="edhoc-unexpected"):
                await listed(left)
            assert await listed(session) == ["open"]

    run(story, tmp_path)


def test_a_flood_of_first_messages_lets_alice_through_and_wears_no_flash(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with over_udp(kiosk) as connection:
            await listed(await first_visit(connection, alice))
        async with flood(kiosk, ports=40) as answered:
            before = stored(kiosk.board)
            while len(answered) < 200:
                await asyncio.sleep(0.01)
            assert stored(kiosk.board) == before
            async with over_udp(kiosk) as connection:
                session = await patient_visit(connection, alice, kiosk.credential)
                assert await listed(session) == ["open"]
                assert await invoke(session, "open", seconds=1) == [DONE, 1]
        async with over_udp(kiosk) as connection:
            assert (await describe(connection)).state == "commissioned"

    run(story, tmp_path)


def stored(board):
    """Every file of the kiosk's storage."""
    return {file.name: file.read_bytes() for file in (board.storage / "data").iterdir()}


@contextlib.asynccontextmanager
async def flood(kiosk, ports):
    """message_1 after message_1 from many ports, as fast as the kiosk answers; the list of its answers."""
    initiator = Initiator(HostSuite(), 2, [2], None, None, None, b"\x0e")
    message_1 = coap.request(coap.POST, "/.well-known/edhoc", b"\xf5" + initiator.message_1(), coap.CONTENT_CID_EDHOC)
    answered = []
    sockets = [attacker() for _ in range(ports)]
    tasks = [asyncio.create_task(attack(each, kiosk.address, message_1, answered)) for each in sockets]
    try:
        yield answered
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in sockets:
            each.close()


def attacker():
    plug = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plug.setblocking(False)
    plug.bind((HOST, 0))
    return plug


async def patient_visit(connection, holder, credential):
    for attempt in range(100):
        try:
            session = await next_visit(connection, holder, credential)
            await listed(session)
            print("ATTEMPTS", attempt + 1)
            return session
        except Refused as e:
            print("refused", e)


async def attack(plug, address, message_1, answered):
    loop = asyncio.get_running_loop()
    for number in range(1, 10000):
        datagram = encode_datagram(NON, number, message_1)
        await loop.sock_sendto(plug, datagram, address)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                answered.append(await loop.sock_recv(plug, 2048))
