"""From a board's cable to the screen: what the device says unasked, and the question how everything is.

Owns: opening the cable, for ourselves alone, and opening it again whenever it was gone; who is at its other end; and
the question, a diagnostic text, which a board that knows of a screen answers by telling all its outputs anew.
Must not know: what is made of it (shown.py).
"""

import asyncio
import contextlib

from admit import keyfiles, links
from admit.client import describe, trusted_anchor
from admit.codes import DeviceCode
from admit.connection import Connection
from admit.screen.shown import BUSY, MUTE, SILENT, UNPLUGGED, Kiosk, Shown
from admit.transport.serial import SerialTransport
from admit_protocol import credential
from admit_protocol.errors import AdmitError, Busy, NotFound, RemoteError, TimedOut

RETRY_S = 1.0
ASK_EVERY_S = 10.0
_ANSWER_S = 1.0  # that an answer may take
_ID_S = 6.0
_LOOK_S = 0.2
_UNANSWERED = 2  # so many questions: a board that still tells who it is does not know of a screen


async def watch(link: str, shown: Shown, page: str | None = None) -> None:
    """Show what happens at the cable `link`, until cancelled. `page`: the site's own, for the QR code.

    Raises LocalError serial-no-access, which does not mend itself.
    """
    while True:
        try:
            await _listen(SerialTransport(link, shown.hear), shown, page)
        except Busy:
            shown.link(BUSY)
        except (NotFound, TimedOut) as error:
            shown.link(SILENT if error.reason == "request-timeout" else UNPLUGGED)
        except RemoteError:  # somebody answers, and it is nothing that we know
            shown.link(SILENT)
        await asyncio.sleep(RETRY_S)


async def try_once(link: str) -> None:
    """Raise Busy serial-in-use or LocalError serial-no-access at once; a cable that is not there yet may come."""
    transport = SerialTransport(link)
    with contextlib.suppress(NotFound):
        await transport.open()
        await transport.close()


async def _listen(transport: SerialTransport, shown: Shown, page: str | None) -> None:
    async with Connection(transport) as connection:
        unanswered, status = 0, None
        while True:
            if status != shown.status:  # with it, the device may have joined a site or left it
                status = shown.status
                shown.met(await _meet(connection, page))
            shown.asked()
            await transport.tell("?\n")
            await _pause(connection, _ANSWER_S)
            unanswered = 0 if shown.answered() else unanswered + 1
            if unanswered >= _UNANSWERED:
                await _meet(connection, page)
                shown.link(MUTE)
                status = None
            await _pause(connection, _ANSWER_S if unanswered else ASK_EVERY_S, shown, status)


async def _meet(connection: Connection, page: str | None) -> Kiosk | None:
    """Who is there; None for a board that belongs to no site. Raises TimedOut request-timeout, or link-dropped."""
    try:
        async with asyncio.timeout(_ID_S):
            data = (await describe(connection)).credential
            return await _kiosk(connection, data, page) if data else None
    except TimeoutError:
        raise TimedOut("request-timeout", "nobody answers at the cable") from None


async def _kiosk(connection: Connection, data: bytes, page: str | None) -> Kiosk:
    known = credential.parse(data)
    try:
        site = (await trusted_anchor(connection, known.site_id)).name
    except AdmitError as error:
        if isinstance(error, TimedOut):
            raise
        site = ""
    fingerprint = keyfiles.fingerprint(known.public)
    label = DeviceCode(known.site_id, bytes.fromhex(fingerprint), known.device_id).text()
    return Kiosk(known.device_id, site, fingerprint, tuple(links.parts_on_page(page, label)))


async def _pause(connection: Connection, seconds: float, shown: Shown | None = None, status: str | None = None) -> None:
    """Let so much time pass, or until the device's status is another one. Raises what broke the connection."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end and (shown is None or shown.status == status):
        if connection.broken:
            raise connection.broken
        await asyncio.sleep(_LOOK_S)
