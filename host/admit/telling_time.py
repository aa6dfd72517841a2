"""Telling a device the time: it asks, the authority answers, and whoever visits carries both.

Owns: the exchange at /time. The device takes an answer within ten seconds of its question, in the same session; so the
authority has to be at hand, on this machine or online.
Must not know: where the authority's key is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from admit.client import Session
from admit_protocol import cbor, coap, time_answer
from admit_protocol.errors import Malformed

# GET /time
_EARLIEST, _LATEST, _SOURCE, _NONCE = 1, 2, 3, 4
SOURCES = ("unknown", "floor", "answer", "rtc")


@dataclass(frozen=True)
class Belief:
    """What a device believes the time to be: between two unix seconds, None where that is open; by one of SOURCES."""

    earliest: int | None
    latest: int | None
    source: str
    nonce: bytes


async def ask(session: Session) -> Belief:
    """What the device believes, and its question. Raises Malformed time-body."""
    body = cbor.expect(cbor.decode((await session.request(coap.GET, "/time")).payload), dict, "time-body")
    earliest, latest = [cbor.expect(body.get(key), (int, type(None)), "time-body") for key in (_EARLIEST, _LATEST)]
    source = cbor.expect(body.get(_SOURCE), str, "time-body")
    nonce = cbor.expect(body.get(_NONCE), bytes, "time-body")
    if source not in SOURCES or len(nonce) != time_answer.NONCE_LENGTH:
        raise Malformed("time-body")
    return Belief(earliest, latest, source, nonce)


async def tell(session: Session, answer: Callable[[bytes], bytes]) -> Belief:
    """Have the device's question answered by `answer(nonce)`, signed by the authority; what the device believed before.

    Raises what the device says against it: Conflict time-before-floor, Refused time-late.
    """
    before = await ask(session)
    await session.request(coap.POST, "/time", answer(before.nonce))
    return before
