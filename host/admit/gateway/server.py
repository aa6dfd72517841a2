"""The gateway itself: where it listens, whom it lets in, and what it says to those who wanted a web page.

Owns: the listening socket with its TLS, the opening handshake, and the visitors there are. It serves no page on
purpose: whoever serves the phone's page could use the keys in it.
"""

import asyncio
import errno
import itertools
import logging
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from admit.coap_ws import OUR_MAX_MESSAGE, PATH, SUBPROTOCOL
from admit.gateway.kiosks import Kiosk, SharedKiosk
from admit.gateway.limits import Limits, Pace, Places
from admit.gateway.visitor import Visitor
from admit.transport import Transport, open_transport
from admit_protocol.errors import AdmitError, Busy, LocalError

_CLOSE_S = 2.0
_MAX_READ = 4 * OUR_MAX_MESSAGE  # what is longer never gets here; between the two there is an Abort that says so
_KNOCKING = 32  # connections at once, beyond the visitors, that have not said yet what they want
_LINES_A_SECOND, _LINES_AT_ONCE = 2.0, 20  # of those who are refused: they shall not fill a disk

_SENTENCES = {
    HTTPStatus.NOT_FOUND: "This is an admit gateway. It serves no pages: it carries CoAP over WebSockets at " + PATH,
    HTTPStatus.UPGRADE_REQUIRED: "This is an admit gateway: connect with a WebSocket client (subprotocol coap).",
    HTTPStatus.FORBIDDEN: "Pages from there may not use this gateway.",
    HTTPStatus.BAD_REQUEST: "Offer the WebSocket subprotocol coap (RFC 8323).",
}

_log = logging.getLogger("admit.gateway.websockets")  # its texts are for whoever debugs websockets
_log.addHandler(logging.NullHandler())
_log.propagate = False


class Gateway:
    """Forwards between WebSockets and `kiosks`, from `start` to `stop`; an async context manager too.

    `tls`: None for none. `origins`: the pages that may connect; empty: any. `say(words)` is told who comes and goes.
    """

    visitor_class = Visitor

    def __init__(
        self,
        kiosks: Iterable[Kiosk],
        origins: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
        say: Callable[[str], None] = lambda words: None,
        limits: Limits | None = None,
    ):
        self.kiosks = {kiosk.name.lower(): kiosk for kiosk in kiosks}
        self.visitors: set[Visitor] = set()
        self.port = 0  # where it listens
        self.origins = {each.lower() for each in origins}
        self._tls = tls
        self._say = lambda words: say(_plain(words))
        self._limits = limits or Limits()
        self._places = Places(self._limits)
        self._knocking: set[ServerConnection] = set()
        self._numbers = itertools.count(1)
        self._told = Pace(_LINES_A_SECOND, _LINES_AT_ONCE, time.monotonic)
        self._server: Server | None = None
        self._sweeper: asyncio.Task | None = None

    async def __aenter__(self) -> "Gateway":
        await self.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_) -> None:
        await self.stop()

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 is any free one. Raises Busy("gateway-port"), LocalError("gateway-listen")."""
        server = serve(
            self._visit,
            host,
            port,
            ssl=self._tls,
            process_request=self._check,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            create_connection=self._knock,  # type: ignore[arg-type]
            compression=None,
            ping_interval=None,  # RFC 8323 section 4.4: CoAP has its own
            open_timeout=self._limits.opening_s,
            close_timeout=_CLOSE_S,
            max_size=_MAX_READ,
            max_queue=4,
            write_limit=16 * 1024,
            server_header=None,
            logger=_log,
        )
        try:
            self._server = await server
        except OSError as error:
            raise _refusal(host, port, error) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Release every visitor, close every link."""
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        if self._server:
            self._server.close(close_connections=False)
            await _all(each.release("the gateway ends") for each in list(self.visitors))
            for connection in list(self._knocking):
                connection.transport.abort()
            await self._server.wait_closed()
        await _all(kiosk.close() for kiosk in self.kiosks.values())

    def _knock(self, *arguments, **more) -> ServerConnection:
        """A connection of which the handshake is still to come."""
        return _Knocking(self._knocking, self._limits.connections + _KNOCKING, *arguments, **more)

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse whoever wants something else, or may not come in; None lets them in."""
        headers = request.headers
        if request.path != PATH:
            return self._refuse(connection, HTTPStatus.NOT_FOUND)
        if "websocket" not in headers.get("Upgrade", "").lower():
            return self._refuse(connection, HTTPStatus.UPGRADE_REQUIRED)
        origin = ", ".join(headers.get_all("Origin"))
        if self.origins and origin and origin.lower() not in self.origins:
            return self._refuse(connection, HTTPStatus.FORBIDDEN, f"a page from {origin[:100]}")
        offered = [each.strip() for value in headers.get_all("Sec-WebSocket-Protocol") for each in value.split(",")]
        if SUBPROTOCOL not in offered:
            return self._refuse(connection, HTTPStatus.BAD_REQUEST)
        try:
            self._places.check(_address(connection))
        except Busy as busy:
            full = busy.reason == "gateway-full"
            status = HTTPStatus.SERVICE_UNAVAILABLE if full else HTTPStatus.TOO_MANY_REQUESTS
            return self._refuse(connection, status, words=busy.detail)
        return None

    def _refuse(self, connection: ServerConnection, status: HTTPStatus, why: str = "", words: str = "") -> Response:
        words = words or _SENTENCES[status]
        if self._told.allows():
            self._say(f"{_address(connection)} is turned away ({status.value}): {why or words}")
        response = connection.respond(status, words + "\n")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        if status is HTTPStatus.UPGRADE_REQUIRED:
            response.headers["Upgrade"] = "websocket"
        return response

    async def _visit(self, connection: ServerConnection) -> None:
        address, name = _address(connection), f"visitor {next(self._numbers)}"
        self._knocking.discard(connection)
        assert connection.request
        origin = connection.request.headers.get("Origin")
        own_name = _host_in(connection.request.headers.get("Host", ""))
        try:
            with self._places.place(address):
                self._say(f"{name} comes from {address}" + (f", by the page {origin[:100]}" if origin else ""))
                visitor = self.visitor_class(
                    connection, self.kiosks, self._limits, own_name, lambda words: self._say(f"{name} {words}")
                )
                self.visitors.add(visitor)
                began = time.monotonic()
                try:
                    await visitor.serve()
                finally:
                    self.visitors.discard(visitor)
                    seconds = time.monotonic() - began
                    self._say(f"{name} leaves after {seconds:.0f} s: {visitor.received} bytes in, {visitor.sent} out")
        except Busy as busy:
            await connection.close(1013, busy.detail)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep_s)
            await _all([*(each.sweep() for each in self.visitors), *(each.sweep() for each in self.kiosks.values())])


class _Knocking(ServerConnection):
    """A connection that counts among those who have not said yet what they want; there are only so many."""

    def __init__(self, knocking: set[ServerConnection], most: int, *arguments, **more):
        super().__init__(*arguments, **more)
        self._others, self._most = knocking, most

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._others.add(self)
        if len(self._others) > self._most:
            transport.abort()

    def connection_lost(self, exc) -> None:
        self._others.discard(self)
        super().connection_lost(exc)


def kiosks_at(links: Mapping[str, str], limits: Limits | None = None) -> list[Kiosk]:
    """The kiosks that are reached by those links, by name, as admit.transport.open_transport has them; raises what that
    raises.
    """
    radio = asyncio.Lock()  # a radio looks for one kiosk at a time
    return [_kiosk_at(name, link, limits or Limits(), radio) for name, link in links.items()]


def _kiosk_at(name: str, link: str, limits: Limits, radio: asyncio.Lock) -> Kiosk:
    from admit.transport.serial import SerialTransport

    def way() -> Transport:
        return open_transport(link)

    if isinstance(way(), SerialTransport):
        return SharedKiosk(name, way, limits)
    if not link.startswith("ble"):
        return Kiosk(name, way, limits, limits.datagram_links)
    kiosk = Kiosk(name, way, limits, limits.links)
    kiosk.opening = radio
    return kiosk


def _refusal(host: str, port: int, error: OSError) -> AdmitError:
    if error.errno == errno.EADDRINUSE:
        return Busy("gateway-port", f"another program listens on {host}:{port}")
    return LocalError("gateway-listen", f"{host}:{port}: {error.strerror or error}")


def _host_in(header: str) -> str:
    """The host of a Host header; "" for nonsense."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _plain(words: str) -> str:
    """Words without control characters: visitors choose a part of what is said of them."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in words)


def _address(connection: ServerConnection) -> str:
    try:
        return connection.remote_address[0]
    except (OSError, TypeError, IndexError):  # it has just left
        return "?"


async def _all(work) -> None:
    """Do all of it at once; what one of them meets does not keep the others from it."""
    await asyncio.gather(*work, return_exceptions=True)
