"""A visit: the owner of a wallet goes to a device, over whatever transport, and is let in or not.

Joins wallet, transport and client: which grant, which device credential, and what is worth keeping for the next visit.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from admit.client import Holder, Session, check_credential, trusted_anchor, trusted_credential
from admit.connection import Connection
from admit.transport import Transport
from admit.wallet import Wallet
from admit_protocol import credential, grant
from admit_protocol.errors import AdmitError, NotFound, Refused, Untrusted, Unverified

_MAX_GRANTS = 4  # that a device lets count in one session


@asynccontextmanager
async def visit(
    transport: Transport,
    wallet: Wallet,
    device_id: str,
    step: Callable[[str], None] = lambda words: None,
    request: tuple[int, str, dict | None] | None = None,
    vouched: bytes | None = None,
) -> AsyncIterator[Session]:
    """A session with exactly the device `device_id`, which has proven itself; the wallet's grants are on their way: all
    that count there, or those that allow `request` = (method bit, path, arguments).

    `vouched`: a credential that the registry has of the device, which counts whichever key of the authority signed it:
    else nobody could tell a device of a new one. `step(words)` is told of each stage.
    Raises NotFound("wallet-no-grant") and other reasons not to go at all; Untrusted or Unverified if it is not that
    device; what the transport raises.
    """
    first, *further = [_whole(each) for each in wallet.grants_for(device_id, int(time.time()), request)]
    holder = Holder(wallet.login_key, first[0], wallet.anchor, first[1:], tuple(further[: _MAX_GRANTS - 1]))
    step(f"finding {device_id}")
    async with Connection(transport) as connection:
        step(f"proving {device_id}")
        yield await proven(connection, holder, wallet, device_id, vouched)


def _whole(given: grant.Grant) -> tuple[bytes, ...]:
    """A grant and those behind it, nearest first."""
    return (given.data, *(each.data for each in given.chain))


async def proven(
    connection: Connection, holder: Holder, wallet: Wallet, device_id: str, vouched: bytes | None = None
) -> Session:
    """A started session. A device that we met before is asked for nothing first; if it has a new key since, it is. If
    the site's authority has one, which the device follows and the wallet does not yet, it does so first.
    """
    try:
        return await _proven(connection, holder, wallet, device_id, vouched)
    except Unverified:
        if not await _followed(connection, wallet):
            raise
        return await _proven(connection, replace(holder, anchor=wallet.anchor), wallet, device_id, vouched)


async def _followed(connection: Connection, wallet: Wallet) -> bool:
    """Does the device show where the site's authority has gone, and from where the wallet is?"""
    try:
        return wallet.follow(await trusted_anchor(connection, wallet.anchor.site_id))
    except AdmitError:
        return False


async def _proven(
    connection: Connection, holder: Holder, wallet: Wallet, device_id: str, vouched: bytes | None
) -> Session:
    known = wallet.device(device_id)
    if known is not None and not wallet.is_struck_off(known) and _counts(known, holder, device_id, vouched):
        session = Session(connection, holder, known.data, known=True)
        try:
            await session.start()
            return session
        except (NotFound, Refused, Untrusted, Unverified):
            pass  # it may have been given a new key: its new credential tells, if the authority signed one
    data = await trusted_credential(connection, holder.anchor, device_id, vouched)
    _check_newer(credential.parse(data), known)
    wallet.check_device(credential.parse(data))
    session = Session(connection, holder, data)
    await session.start()
    wallet.add_device(data, is_vouched=data == vouched)
    return session


def _counts(known: credential.Credential, holder: Holder, device_id: str, vouched: bytes | None) -> bool:
    """Does a credential that was kept still count? Its key may, though the authority's that signed for it does not."""
    if known.data == vouched:
        return True
    try:
        check_credential(known.data, holder.anchor, device_id)
    except Unverified:
        return False
    return True


def _check_newer(found: credential.Credential, known: credential.Credential | None) -> None:
    """A key that the device had before it was given the one that we know has been copied, or it would be gone."""
    if known is not None and found.public != known.public and found.issued_at <= known.issued_at:
        raise Untrusted("device-older-key", f"{found.device_id} shows a key that was replaced")
