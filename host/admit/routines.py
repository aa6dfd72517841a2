"""A device's routines from the user's side: which there are, and invoking one exactly as often as was meant.

An invocation carries an id of ours. If the link drops before the outcome is here, the same id is asked again on a new
link: the device then tells the outcome, or runs the routine now, but never a second time.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from admit.client import Session
from admit_protocol import cbor, coap
from admit_protocol.errors import AdmitError, Busy, Denied, Malformed, TimedOut

ATTEMPTS = 4
PAUSE_S = 0.5
ID_LENGTH = 8

# POST /r/<name>
_ID, _ARGUMENTS = 1, 2
_STATE, _RESULT = 1, 2
STATES = {1: "done", 2: "failed", 3: "interrupted"}

Open = Callable[[], AbstractAsyncContextManager[Session]]


@dataclass(frozen=True)
class Outcome:
    """What became of an invocation: `state` is done, failed, or interrupted (by a reset, nobody knows how far)."""

    state: str
    result: Any


async def list_routines(session: Session) -> dict[str, dict]:
    """The signatures, by name, of the routines that this user may invoke now."""
    response = await session.request(coap.GET, "/r")
    return dict(sorted(cbor.expect(cbor.decode(response.payload), dict, "routines-body").items()))


async def invoke(
    open_session: Open,
    name: str,
    arguments: dict,
    retrying: Callable[[AdmitError], None] = lambda error: None,
    step: Callable[[str], None] = lambda words: None,
    overcome: Callable[[Session, Denied], Awaitable[bool]] | None = None,
) -> Outcome:
    """Invoke a routine once. `open_session()` makes a visit; `retrying(error)` is told before each further one.

    `step(words)` is told each time that the device is about to be asked. `overcome(session, denied)` may do what is
    still to be done for it, and says whether to ask again.

    Raises Denied, NotFound, Refused; TimedOut if the device stays away, and then nobody knows whether it happened.
    """
    identifier = os.urandom(ID_LENGTH)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with open_session() as session:
                while True:
                    step(f"invoking {name}")
                    try:
                        return await _ask(session, name, identifier, arguments)
                    except Denied as denied:
                        if overcome is None or not await overcome(session, denied):
                            raise
        except (TimedOut, Busy) as error:
            if attempt == ATTEMPTS:
                raise
            retrying(error)
            await asyncio.sleep(PAUSE_S * attempt)
    raise AssertionError


async def _ask(session: Session, name: str, identifier: bytes, arguments: dict) -> Outcome:
    body = cbor.encode({_ID: identifier, _ARGUMENTS: arguments})
    response = await session.request(coap.POST, f"/r/{name}", body, coap.CONTENT_CBOR)
    outcome = cbor.expect(cbor.decode(response.payload), dict, "invocation-outcome")
    if outcome.get(_STATE) not in STATES:
        raise Malformed("invocation-outcome", "a state that this version does not know")
    return Outcome(STATES[outcome[_STATE]], outcome.get(_RESULT))
