"""A kiosk under real MicroPython and its visitors over UDP: the everyday visit, and whoever would spoil it."""

import asyncio
import contextlib
import random
import socket

import pytest

from admit.client import Holder, Session, trusted_credential
from admit.connection import Connection
from admit.suite import HostSuite
from admit_protocol import cbor, coap, coap_numbers, credential
from admit_protocol.coap_udp import CON, NON, encode_datagram
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import Denied, Refused, TimedOut, Untrusted
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


def test_a_first_request_too_long_to_go_with_message_3_goes_behind_it(tmp_path):
    async def story(kiosk):
        revoked = [number.to_bytes(8, "big") for number in range(1000, 1200)]
        policy = kiosk.site.bundle(1, revoked, device_id=NAME, to=credential.parse(kiosk.credential).seal_public)
        assert 1024 < len(policy) <= 2048
        async with over_udp(kiosk) as connection:
            session = await first_visit(connection, kiosk.visitor("carol", BOBS))
            await session.request(coap.POST, "/bundle", policy)
            assert (connection.flights, session.sent_grant) == (10, True)
        async with over_udp(kiosk) as connection:
            session = await next_visit(connection, kiosk.visitor("dave", BOBS), kiosk.credential)  # so he thinks
            await session.request(coap.POST, "/bundle", policy)
            assert (connection.flights, session.sent_grant) == (12, True)

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
            with pytest.raises(TimedOut, match="session-lost"):  # sessions live in RAM
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
            assert (await connection.request(coap.request(coap.GET, "/r"))).code == coap_numbers.UNAUTHORIZED
            assert await listed(await first_visit(connection, alice)) == ["open"]

    run(story, tmp_path)


def with_key(holder, key):
    """The holder's grant in the hands of somebody with another key."""
    return Holder(key, holder.grant, holder.anchor)


def test_garbage_disturbs_nobody(tmp_path):
    dice = random.Random(7252)

    def senseless():
        """What is no CoAP, or answers nothing: it may come from Alice's own port too."""
        yield dice.randbytes(dice.randrange(64))
        yield b"\x40\x01" + dice.randbytes(1200)
        yield b"\x70\x00" + dice.randbytes(2)  # a RST for what was never sent
        yield b"\x60\x45" + dice.randbytes(2) + b"\xffanswer"
        yield b"\x40\xff" + dice.randbytes(2)

    def hostile(real):
        """Pieces of a real message_1, and ones with a bit turned over."""
        yield real[: dice.randrange(len(real))]
        damaged = bytearray(real)
        damaged[dice.randrange(len(real))] ^= 1 << dice.randrange(8)
        yield bytes(damaged)

    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        real = encode_datagram(CON, 0x1234, first_message())
        transport, stranger = kiosk.udp(), kiosk.udp()
        await stranger.open()
        async with Connection(transport) as connection:
            for _ in range(10):
                session = await first_visit(connection, alice)
                for _ in range(5):
                    for each in senseless():
                        await stranger.send(each)
                        await transport.send(each)
                    for each in hostile(real):
                        await stranger.send(each)
                    assert await listed(session) == ["open"]
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
            with pytest.raises(TimedOut, match="session-lost"):
                await listed(left)
            assert await listed(session) == ["open"]

    run(story, tmp_path)


def test_a_flood_of_first_messages_lets_alice_through_and_wears_no_flash(tmp_path):
    async def story(kiosk):
        alice = kiosk.visitor("alice", ALICES)
        async with over_udp(kiosk) as connection:
            await listed(await first_visit(connection, alice))
        async with flood(kiosk) as answered:
            before = stored(kiosk.board)
            while len(answered) < 100:
                await asyncio.sleep(0.01)
            assert stored(kiosk.board) == before
            async with over_udp(kiosk) as connection:
                session = await next_visit(connection, alice, kiosk.credential)
                count = len(answered)
                while len(answered) < count + 50:  # whatever comes, she is in
                    assert await listed(session) == ["open"]
                assert await invoke(session, "open", seconds=1) == [DONE, 1]

    run(story, tmp_path)


def stored(board):
    """Every file of the kiosk's storage."""
    return {file.name: file.read_bytes() for file in (board.storage / "data").iterdir()}


@contextlib.asynccontextmanager
async def flood(kiosk, ports=40, at_once=4):
    """message_1 upon message_1 from ever other ports, `at_once` on their way at any time; the list of the answers."""
    answered = []
    with contextlib.ExitStack() as opened:
        plugs = [opened.enter_context(plug()) for _ in range(ports)]
        tasks = [asyncio.create_task(attack(plugs[n::at_once], kiosk.address, answered)) for n in range(at_once)]
        try:
            yield answered
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def plug():
    """A socket on a port of its own."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind((HOST, 0))
    return made


async def attack(plugs, address, answered):
    """Send message_1 from one port after another, each when the one before was answered."""
    loop = asyncio.get_running_loop()
    message_1 = first_message()
    for number in range(1 << 16):
        source = plugs[number % len(plugs)]
        await loop.sock_sendto(source, encode_datagram(NON, number, message_1), address)
        answered.append(await loop.sock_recv(source, 2048))


def first_message():
    """A request with a proper message_1, whoever sends it."""
    message_1 = Initiator(HostSuite(), 2, [2], None, None, None, b"\x0e").message_1()
    request = coap.request(coap.POST, "/.well-known/edhoc", b"\xf5" + message_1, coap_numbers.CONTENT_CID_EDHOC)
    request.token = b"token"
    return request
