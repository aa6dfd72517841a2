"""CoAP over WebSockets as a client: the way to a kiosk through a gateway (RFC 8323).

Owns: one WebSocket, and what goes wrong on the way to it. The gateway only forwards: it is nobody's word for anything,
and TLS to it keeps bystanders out, no more. Must not know what a message says.
"""

import asyncio
import contextlib
import ssl

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from admit.coap_ws import OUR_MAX_MESSAGE, PATH, SUBPROTOCOL, WebSocketLayer
from admit.transport import reason_of
from admit_protocol.errors import AdmitError, NotFound, Refused, TimedOut, Unverified

CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
_MAX_WORDS = 200


class WebSocketTransport:
    """Messages to and from the kiosk `host` behind the gateway at `authority` (HOST:PORT); `secure`: by TLS."""

    layer: WebSocketLayer

    def __init__(self, authority: str, host: str | None, secure: bool):
        self._url = f"{'wss' if secure else 'ws'}://{authority}{PATH}"
        self.description = f"{'wss' if secure else 'ws'}://{authority}" + (f"#{host}" if host else "")
        self._host = host
        self._socket: ClientConnection | None = None

    async def open(self) -> None:
        """Connect, and send our CSM.

        NotFound("gateway-unreachable"), TimedOut("gateway-unreachable"), Unverified("gateway-certificate"),
        Refused("gateway-refused") with what the gateway says.
        """
        self.layer = WebSocketLayer(self._host)
        try:
            self._socket = await connect(
                self._url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                ping_interval=None,  # RFC 8323 section 4.4: CoAP has its own
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=OUR_MAX_MESSAGE + 1,  # so that the layer says what is wrong
                proxy=None,
            )
        except (InvalidHandshake, OSError, EOFError, TimeoutError) as error:
            raise _refusal(self.description, error) from error
        try:
            if self._socket.subprotocol != SUBPROTOCOL:
                raise Refused("gateway-refused", f"{self.description} does not speak CoAP")
            await self._flush()
        except BaseException:
            await self.close()
            raise

    async def send(self, data: bytes) -> None:
        """Send one message. TimedOut("link-dropped") once the connection is gone."""
        if self._socket is None:
            raise TimedOut("link-dropped", "not connected")
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise _dropped(error) from error

    async def receive(self) -> bytes:
        """The next message. TimedOut("link-dropped") once the connection is gone."""
        if self._socket is None:
            raise TimedOut("link-dropped", "not connected")
        try:
            return await self._socket.recv()  # type: ignore[return-value]  # text is the layer's to refuse
        except ConnectionClosed as error:
            raise _dropped(error) from error

    async def close(self) -> None:
        """End the connection: by a Release, or by the Abort that is due."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self.layer.deadline() is None:
            self.layer.release()
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while (data := self.layer.outgoing()) is not None:
                    await socket.send(data)
        await socket.close()

    async def _flush(self) -> None:
        while (data := self.layer.outgoing()) is not None:
            await self.send(data)


def _refusal(description: str, error: BaseException) -> AdmitError:
    """Why there is no connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unverified("gateway-certificate", f"{description}: {error.verify_message}")
    if isinstance(error, InvalidStatus):
        words = error.response.body.decode(errors="replace").strip()[:_MAX_WORDS]
        words = "".join(each if each.isprintable() else " " for each in words)
        return Refused("gateway-refused", f"{description}: {error.response.status_code} {words}".rstrip())
    if isinstance(error, InvalidHandshake) and not isinstance(error, InvalidMessage):
        return Refused("gateway-refused", f"{description}: {reason_of(error)}")
    if isinstance(error, TimeoutError):
        return TimedOut("gateway-unreachable", f"{description}: no answer")
    return NotFound("gateway-unreachable", f"{description}: {reason_of(error)}")


def _dropped(error: ConnectionClosed) -> TimedOut:
    words = error.rcvd.reason if error.rcvd else ""
    return TimedOut("link-dropped", words or "the connection to the gateway ended")
