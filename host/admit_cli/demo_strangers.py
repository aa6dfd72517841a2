"""Who cheats in `admit demo`: Mallory, with a grant that she signed herself, a replayed request, a kiosk of her own.

Each uses the public library as an attacker would. The return value is what stopped it; whatever else stops it, or
nothing, ends the demo with an error.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from admit import admin
from admit.admin import Access
from admit.client import Holder, Session, trusted_credential
from admit.connection import Connection
from admit.site import Site
from admit.transport import open_transport
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit.visit import visit
from admit_protocol import cbor, coap, coap_numbers, gatt
from admit_protocol.errors import LocalError, Refused
from admit_provisioning.commission import Keys, commission

_KIOSK = "kiosk-1"


async def make_mallory(folder: Path) -> tuple[Site, str]:
    """Mallory's own site, in which she may do everything, and its passphrase."""
    passphrase = secrets.token_urlsafe(18)
    return admin.create_site(folder, "Demo", passphrase, "mallory", {}, int(time.time())), passphrase


async def forged_grant(radio: str, site_folder: Path, mallory: tuple[Site, str]) -> str:
    """Mallory visits the real kiosk with a grant that her own authority signed. What the kiosk says."""
    hers, passphrase = mallory
    wallet, now = hers.wallet("mallory"), int(time.time())
    access = Access([_KIOSK], [("/r/open", 2, {})])
    admin.give(hers, hers.authority(lambda: passphrase), "mallory", access, now)
    holder = Holder(wallet.login_key, wallet.grants()[0].data, Site(site_folder).anchor)
    async with Connection(BleTransport(_KIOSK, radio=SharedRadio(radio))) as connection:
        session = Session(connection, holder, await trusted_credential(connection, holder.anchor, _KIOSK))
        await session.start()
        try:
            await session.request(coap.POST, "/r/open", cbor.encode({1: bytes(8)}))
        except Refused as refused:
            if (refused.reason, refused.detail) != ("handshake-refused", "grant-other-site"):
                raise
            return "another site's grant, refused"
    raise LocalError("demo-failed", "a forged grant opened the door")


class _Recorder(BleTransport):
    """A transport beside which somebody listens."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.heard: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.heard.append(data)
        await super().send(data)


async def record(radio: str, site_folder: Path, board: VirtualBoard) -> coap.Message:
    """Alice opens the door, and somebody listens: the message that opened it."""
    recorder = _Recorder(_KIOSK, radio=SharedRadio(radio))
    async with visit(recorder, Site(site_folder).wallet("alice"), _KIOSK) as session:
        await session.request(coap.GET, "/r")
        body = cbor.encode({1: secrets.token_bytes(8), 2: {"seconds": 1}})
        await session.request(coap.POST, "/r/open", body, coap.CONTENT_CBOR)
        await board.expect("door closed")
    return max((gatt.decode_value(each)[1] for each in recorder.heard[-3:]), key=lambda each: len(each.payload))


async def replay(radio: str, opening: coap.Message, board: VirtualBoard) -> str:
    """Send a recorded message again, from another radio. What the kiosk says to that."""
    opened = list(board.console).count("door open")
    async with Connection(BleTransport(_KIOSK, radio=SharedRadio(radio))) as connection:
        response = await connection.exchange(opening)
    if response.code != coap_numbers.UNAUTHORIZED or list(board.console).count("door open") != opened:
        raise LocalError("demo-failed", "a replayed request was served")
    return f"{coap.code_text(response.code)}, and the door stays closed"


@asynccontextmanager
async def impostor(folder: Path, mallory: tuple[Site, str]) -> AsyncIterator[str]:
    """A kiosk that calls itself kiosk-1, with a credential of Mallory's authority; the air that it is on."""
    site, passphrase = mallory
    wallet = site.wallet("mallory")

    def issue(keys: Keys) -> bytes:
        signer = site.authority(lambda: passphrase)
        return admin.commission(site, signer, _KIOSK, keys.public, keys.seal_public, int(time.time()))

    air = Air()
    await air.start()
    try:
        async with VirtualBoard(folder, air=air.name) as board:
            await board.expect("status factory")
            async with Connection(open_transport(str(board.cable))) as connection:
                holder = Holder(wallet.login_key, wallet.grants()[-1].data, wallet.anchor)
                await commission(connection, holder, _KIOSK, issue, lambda words: None)
            yield air.name
    finally:
        await air.stop()
