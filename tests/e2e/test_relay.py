"""Relays: a phone far away, a kiosk here, and somebody between them who forwards every value 8, 100 or 500 ms later.

A relay needs no key and breaks no encryption. Where a rule asks for nothing but the key it gets its phone in, and these
tests say so. Where the rule asks for the code it gains nothing; what an accomplice at the kiosk can do is here, too.
"""

import asyncio
import contextlib
import time

import pytest

from admit import presence
from admit.client import trusted_credential
from admit.connection import Connection
from admit.suite import HostSuite
from admit.transport.ble import BleTransport
from admit.transport.udp import UdpTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit_protocol import rule
from admit_protocol.errors import Busy, Denied, Untrusted
from memory_ports import WEDNESDAY
from relay import BleRelay, UdpRelay
from rig import ALL
from wired_kiosk import WiredKiosk, first_visit, invoke, next_visit

OPEN = [("/r/open", 3, {})]
CODE = [("/r/open", 3, {rule.PRESENCE: rule.CODE})]
BUTTON = [("/r/open", 3, {rule.PRESENCE: rule.BUTTON})]
DONE = [1, 1]
DISTANCES = [0.008, 0.1, 0.5]
LIMIT_S = 60


def play(folder, story):
    """Run `story(kiosk, air)` with a kiosk of a site, on an air and a network."""

    async def main():
        air = Air()
        await air.start()
        settings = {"CLOCK_OFFSET_S": str(WEDNESDAY - int(time.time()))}
        try:
            async with asyncio.timeout(LIMIT_S), VirtualBoard(folder, air=air.name, settings=settings) as board:
                await board.expect("status factory")
                kiosk = WiredKiosk(board)
                await kiosk.commission(kiosk.visitor("admin", ALL))
                await story(kiosk, air)
                assert kiosk.faults() == []
        finally:
            await air.stop()

    asyncio.run(main())


@contextlib.asynccontextmanager
async def far_away(kiosk, air, way, delay_s):
    """A connection of a phone that is far away."""
    if way == "udp":
        async with UdpRelay(kiosk.address, delay_s) as relay, Connection(UdpTransport(*relay.address)) as connection:
            yield connection
    else:
        async with BleRelay(air, delay_s) as relay, Connection(relay.phone()) as connection:
            yield connection
    assert relay.forwarded >= 6  # it did go through somebody's hands


def opened(kiosk):
    return kiosk.count("door open")


def shown(kiosk):
    """The code that the kiosk shows, to whoever looks."""
    return [line.split()[1] for line in kiosk.board.console if line.startswith("code ") and len(line) > 6][-1]


def wrong(code, by=1):
    return f"{(int(code) + by) % 1000000:06}"


@pytest.mark.parametrize("delay_s", DISTANCES)
@pytest.mark.parametrize("way", ["ble", "udp"])
def test_a_relay_gets_in_where_no_presence_is_asked_and_gains_nothing_where_it_is(tmp_path, way, delay_s):
    async def story(kiosk, air):
        async with far_away(kiosk, air, way, delay_s) as connection:
            session = await first_visit(connection, kiosk.visitor("alice", OPEN))
            began = time.monotonic()
            assert await invoke(session, "open", seconds=1) == DONE  # the relay's loot, and no secret
            assert time.monotonic() - began > 2 * delay_s
        assert opened(kiosk) == 1
        async with far_away(kiosk, air, way, delay_s) as connection:
            session = await next_visit(connection, kiosk.visitor("bob", CODE), kiosk.credential)
            with pytest.raises(Denied, match="rule-presence"):
                await invoke(session, "open", seconds=1)
            await presence.ask_code(session)  # the kiosk shows it to whoever stands there: nobody of theirs
            with pytest.raises(Denied, match="presence-button"):
                await presence.tell_button(session)
            with pytest.raises(Denied, match="code-wrong"):
                await presence.tell_code(session, wrong(shown(kiosk)))
            with pytest.raises(Denied, match="rule-presence"):
                await invoke(session, "open", b"23456789", seconds=1)
        assert opened(kiosk) == 1

    play(tmp_path, story)


@pytest.mark.parametrize("way", ["ble", "udp"])
def test_five_guesses_from_afar_and_then_each_waits_longer_whatever_the_power(tmp_path, way):
    async def story(kiosk, air):
        bob = kiosk.visitor("bob", CODE)
        for _ in range(2):
            async with far_away(kiosk, air, way, 0.008) as connection:
                session = await first_visit(connection, bob)
                await presence.ask_code(session)
                with contextlib.suppress(Busy):
                    for number in range(5):
                        with pytest.raises(Denied, match="code-wrong"):
                            await presence.tell_code(session, wrong(shown(kiosk), number + 1))
                with pytest.raises(Busy, match="code-wait"):
                    await presence.tell_code(session, shown(kiosk))  # even if the next one were right
            await kiosk.board.restart()  # and a power cut gives no try back
            await kiosk.board.expect("status ready")
        assert opened(kiosk) == 0

    play(tmp_path, story)


def test_an_accomplice_who_reads_the_code_out_gets_a_far_phone_in(tmp_path):
    """What the code proves: that somebody reads this kiosk and tells whoever holds the phone. Documented so."""

    async def story(kiosk, air):
        async with far_away(kiosk, air, "ble", 0.1) as connection:
            session = await first_visit(connection, kiosk.visitor("bob", CODE))
            await presence.ask_code(session)
            await presence.tell_code(session, shown(kiosk))
            assert await invoke(session, "open", seconds=1) == DONE

    play(tmp_path, story)


def test_the_code_that_somebody_here_is_shown_is_of_no_use_to_a_relayed_session(tmp_path):
    """The relay's accomplice reads Alice's code over her shoulder, for a session of Bob's that waits far away."""

    async def story(kiosk, air):
        here = BleTransport(radio=SharedRadio(air.name))
        async with far_away(kiosk, air, "udp", 0.1) as far, Connection(here) as near:
            bobs = await first_visit(far, kiosk.visitor("bob", CODE))
            alices = await first_visit(near, kiosk.visitor("alice", CODE))
            await presence.ask_code(bobs)
            await presence.ask_code(alices)
            code = shown(kiosk)
            with pytest.raises(Denied, match="presence-none"):
                await presence.tell_code(bobs, code)
            await presence.tell_code(alices, code)
            assert await invoke(alices, "open", seconds=1) == DONE
            with pytest.raises(Denied, match="presence-none"):
                await presence.tell_code(bobs, code)
            with pytest.raises(Denied, match="rule-presence"):
                await invoke(bobs, "open", b"23456789", seconds=1)

    play(tmp_path, story)


def test_a_press_by_anybody_lets_a_far_phone_in_where_the_rule_asks_for_no_more(tmp_path):
    """`--presence button` proves that somebody is there; `--presence code` that they read for this session."""

    async def story(kiosk, air):
        async with far_away(kiosk, air, "ble", 0.1) as connection:
            session = await first_visit(connection, kiosk.visitor("bob", BUTTON))
            with pytest.raises(Denied, match="presence-button"):
                await presence.tell_button(session)
            kiosk.board.press()  # a passer-by
            await presence.tell_button(session)
            assert await invoke(session, "open", seconds=1) == DONE
        async with far_away(kiosk, air, "ble", 0.1) as connection:
            session = await next_visit(connection, kiosk.visitor("carol", CODE), kiosk.credential)
            kiosk.board.press()
            await presence.tell_button(session)
            with pytest.raises(Denied, match="rule-presence"):
                await invoke(session, "open", b"23456789", seconds=1)
        assert opened(kiosk) == 1

    play(tmp_path, story)


def test_a_fake_that_leads_to_another_kiosk_is_told_from_the_one_that_was_chosen(tmp_path):
    """She stands before a box that says it is kiosk-2; behind it is kiosk-1. Her phone says nothing of her to it."""

    async def story(kiosk, air):
        alice = kiosk.visitor("alice", CODE)
        async with BleRelay(air, 0.1, name="kiosk-2") as relay, Connection(relay.phone()) as connection:
            with pytest.raises(Untrusted, match="device-other"):
                await trusted_credential(connection, alice.anchor, "kiosk-2")
            known = kiosk.site.vouch("kiosk-2", HostSuite().generate().public)  # the real one, which she has met before
            with pytest.raises(Untrusted, match="device-other"):
                await next_visit(connection, alice, known)
        assert opened(kiosk) == 0

    play(tmp_path, story)


def test_a_fake_of_this_very_kiosk_that_shows_its_code_gets_it_from_her(tmp_path):
    """What no code stops: she stands before a box that looks and answers like kiosk-1, since behind it kiosk-1 answers,
    and that shows what an accomplice reads there. Only the place can tell her: what stands on her phone, and where she
    is. See docs/THREATS.md.
    """

    async def story(kiosk, air):
        async with BleRelay(air, 0.1) as fake, Connection(fake.phone()) as connection:
            session = await first_visit(connection, kiosk.visitor("alice", CODE))  # it is kiosk-1 that it has proven
            await presence.ask_code(session)
            on_the_fake = shown(kiosk)
            await presence.tell_code(session, on_the_fake)
            assert await invoke(session, "open", seconds=1) == DONE  # the real door, where the accomplice stands

    play(tmp_path, story)
