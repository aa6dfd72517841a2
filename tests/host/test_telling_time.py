"""A device is told the time by whoever has the authority at hand; and a visit takes along every grant that may help."""

import asyncio

import pytest

from admit.client import Holder, Session
from admit.connection import Connection
from admit.telling_time import ask, tell
from admit_protocol import cbor, coap, issuing
from admit_protocol.errors import Conflict, Denied, Malformed, Refused
from liars import Liar
from memory_ports import WEDNESDAY
from visitors import OPEN, SITE, grant_of, key_of, new_kiosk

HEALTH = [("/health", 1, {})]


def timeless_kiosk():
    rig = new_kiosk()
    rig.clock.seconds = None
    rig.boot()
    return rig


def visit(rig, work, rules=OPEN, further=(), link=None):
    """What `work(session)` gives, in a session of Alice's over a link of memory."""
    grants = tuple((grant_of("alice", each),) for each in further)
    holder = Holder(key_of("alice"), grant_of("alice", rules), SITE.anchor, (), grants)

    async def main():
        async with Connection(link or Liar(rig)) as connection:
            session = Session(connection, holder, rig.credential)
            await session.start()
            return await work(session)

    return asyncio.run(main())


def answer(now):
    return lambda nonce: issuing.time_answer(SITE.key, SITE.anchor.site_id, "kiosk-1", nonce, now)


def test_a_device_is_asked_what_it_believes_and_told_the_time():
    rig = timeless_kiosk()

    async def work(session):
        return await tell(session, answer(WEDNESDAY)), await ask(session)

    before, after = visit(rig, work)
    assert (before.source, before.earliest, before.latest) == ("floor", rig.device.clock.floor, None)
    assert after.source == "answer" and after.earliest <= WEDNESDAY <= after.latest


def test_what_the_device_says_against_it_is_told():
    rig = timeless_kiosk()
    rig.device.clock.raise_floor(WEDNESDAY + 7200)
    with pytest.raises(Conflict) as caught:
        visit(rig, lambda session: tell(session, answer(WEDNESDAY)))
    assert caught.value.reason == "time-before-floor"
    with pytest.raises(Refused) as caught:
        visit(rig, lambda session: tell(session, lambda nonce: answer(WEDNESDAY)(bytes(8))))
    assert caught.value.reason == "time-nonce"


@pytest.mark.parametrize(
    "body", [b"\x80", {1: 5}, {1: None, 2: None, 3: "sundial", 4: bytes(8)}, {1: None, 2: None, 3: "rtc", 4: b"short"}]
)
def test_a_body_that_makes_no_sense_is_refused(body):
    class Nonsense:
        async def request(self, *_):
            return coap.response(coap.CONTENT, body if isinstance(body, bytes) else cbor.encode(body))

    with pytest.raises(Malformed) as caught:
        asyncio.run(ask(Nonsense()))
    assert caught.value.reason == "time-body"


def test_further_grants_are_handed_in_before_anything_else_and_the_best_decides():
    async def work(session):
        return (await session.request(coap.GET, "/health")).code, (await session.request(coap.GET, "/r/open")).code

    assert visit(new_kiosk(), work, OPEN, [HEALTH]) == (coap.CONTENT, coap.CONTENT)
    with pytest.raises(Denied):
        visit(new_kiosk(), work, OPEN)


def test_who_has_one_grant_hands_in_nothing():
    rig = new_kiosk()
    link = Liar(rig)

    async def work(session):
        return await session.request(coap.GET, "/r/open")

    visit(rig, work, link=link)
    assert len([each for each in link.seen if each.option(coap.OSCORE) is not None]) == 1
