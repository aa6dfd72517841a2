"""Approvals from the user's side: asking for others' consent, and giving one's own by signature.

Owns: what is signed: exactly what the device tells of the request, so whoever approves has seen it.
Must not know: how it is shown, and who is asked in the end: the device decides whose word counts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from admit.client import Session
from admit.wallet import Wallet
from admit_protocol import approval, cbor, coap, issuing
from admit_protocol.errors import Malformed, TimedOut

PAUSE_S = 1.0

# POST /approvals
_METHOD, _PATH, _ARGUMENTS, _APPROVAL = 1, 2, 3, 4


@dataclass(frozen=True)
class Request:
    """What somebody wants to do: `method` an AIF bit, `key` the 8 bytes that name theirs; how many of the `needed`
    others have approved it, and for how many seconds it still stands.
    """

    id: bytes
    who: str
    method: int
    path: str
    arguments: dict | None
    needed: int
    got: int
    expires_s: int
    key: bytes


_KINDS = (bytes, str, int, str, (dict, type(None)), int, int, int, bytes)


async def ask(session: Session, method: int, path: str, arguments: dict | None) -> bytes:
    """Ask for others' consent; the request's id. Raises Denied if that would not help, Conflict approval-needless."""
    body = {_METHOD: method, _PATH: path} | ({_ARGUMENTS: arguments} if arguments else {})
    response = await session.request(coap.POST, "/approvals", cbor.encode(body), coap.CONTENT_CBOR)
    told = cbor.expect(cbor.decode(response.payload), dict, "approval-body")
    return cbor.expect(told.get(1), bytes, "approval-body")


async def pending(session: Session) -> list[Request]:
    """What waits at the device: for this user's consent, and of this user's own."""
    response = await session.request(coap.GET, "/approvals")
    return [_request(each) for each in cbor.expect(cbor.decode(response.payload), list, "approval-list")]


async def wait(session: Session, identifier: bytes, tell: Callable[[Request], None]) -> None:
    """Return when enough others have approved; `tell(request)` is told how it stands. Raises TimedOut."""
    while True:
        found = [each for each in await _still_pending(session) if each.id == identifier]
        if not found:
            raise TimedOut("approval-expired", "not enough others approved it in time")
        tell(found[0])
        if found[0].got >= found[0].needed:
            return
        await asyncio.sleep(PAUSE_S)


async def _still_pending(session: Session) -> list[Request]:
    """As `pending`, and in another session if the device has forgotten this one: who waits long may be pushed out by
    other visits of their own.
    """
    try:
        return await pending(session)
    except TimedOut as lost:
        if lost.reason != "session-lost":
            raise
    await session.start()
    return await pending(session)


async def approve(session: Session, wallet: Wallet, device_id: str, request: Request) -> None:
    """Consent to the request. Raises Denied approval-own, approval-not-asked; NotFound approval-unknown."""
    digest = approval.digest(request.key, request.method, request.path, request.arguments)
    paper = issuing.approval(wallet.sign_key, wallet.anchor.site_id, device_id, request.id, digest)
    await session.request(coap.POST, "/approvals", cbor.encode({_APPROVAL: paper}), coap.CONTENT_CBOR)


def _request(item) -> Request:
    fields = cbor.expect(item, dict, "approval-list")
    if len(fields) != len(_KINDS):
        raise Malformed("approval-list")
    return Request(
        *(cbor.expect(fields.get(number, ()), kind, "approval-list") for number, kind in enumerate(_KINDS, 1))
    )
