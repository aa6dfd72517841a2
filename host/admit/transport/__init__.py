"""How a client reaches a device: one class for each medium, all with the same few methods.

    await open()        raises what is wrong, and leaves nothing open then
    layer               the CoAP message layer of this link (GattLayer, UdpLayer, WebSocketLayer), there once open
    await send(data)    one GATT value or datagram, as `layer.outgoing` gives it
    await receive()     the next one from the device, for `layer.receive`
    await close()       ends the link; may be called twice
    description         what a person calls this link

When a link is gone, `send` and `receive` raise TimedOut("link-dropped"). Every error is an AdmitError.
"""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from admit_protocol.errors import LocalError

_WEBSOCKETS = {"ws": False, "wss": True, "coap+ws": False, "coaps+ws": True}  # scheme → by TLS?
_MAX_HOST = 255  # bytes of a Uri-Host: RFC 7252 section 5.10


class Transport(Protocol):
    """What every transport is."""

    description: str
    layer: Any

    async def open(self) -> None: ...
    async def send(self, data: bytes) -> None: ...
    async def receive(self) -> bytes: ...
    async def close(self) -> None: ...


def open_transport(name: str, retry: Callable[[int, int, str], None] | None = None) -> Transport:
    """The transport that `name` means; the caller opens it.

    `ble` (the only kiosk that is near), `ble:NAME` or `ble:ADDRESS`, `udp://HOST[:PORT]`, `wss://HOST[:PORT]#NAME` (the
    kiosk NAME behind a gateway; also ws, coap+ws and coaps+ws), and otherwise a serial port: its path or name, or any
    pyserial URL. `retry(attempt, attempts, reason)` hears of each failed attempt to connect. Raises
    LocalError("transport-name").
    """
    if name == "ble" or name.startswith("ble:"):
        return _ble(name[4:] or None, retry)
    if name.startswith("udp:"):
        return _udp(name)
    if is_gateway(name):
        return _websocket(name)
    if not name:
        raise LocalError("transport-name", "it is empty; try ble, ble:NAME, udp://HOST or a serial port")
    from admit.transport.serial import SerialTransport

    return SerialTransport(name)


def is_gateway(name: str) -> bool:
    """Does this name a gateway, behind which a kiosk is named after a `#`?"""
    return name.partition(":")[0] in _WEBSOCKETS


def reason_of(error: BaseException) -> str:
    """Why it failed, in words fit for a person: some errors, timeouts above all, carry none."""
    kind = type(error).__name__
    return str(error) or ("no answer" if kind == "TimeoutError" else kind)


def _ble(name: str | None, retry) -> Transport:
    try:
        from admit.transport.ble import BleTransport
    except ImportError as error:
        raise LocalError("ble-unavailable", "Bluetooth needs more: pip install 'admit[ble]'") from error
    return BleTransport(name, retry)


def _udp(name: str) -> Transport:
    from admit.transport.udp import PORT, UdpTransport

    url = urlsplit(name)
    try:
        host, port = url.hostname, url.port
    except ValueError as error:
        raise LocalError("transport-name", f"{name}: {error}") from error
    if not host or url.path.strip("/"):
        raise LocalError("transport-name", f"{name} is not udp://HOST or udp://HOST:PORT")
    return UdpTransport(host, port or PORT)


def _websocket(name: str) -> Transport:
    from admit.transport.websocket import WebSocketTransport

    url = urlsplit(name)
    try:
        port = url.port
    except ValueError as error:
        raise LocalError("transport-name", f"{name}: {error}") from error
    kiosk = unquote(url.fragment)
    if not url.hostname or "@" in url.netloc or url.path.strip("/") or url.query or len(kiosk.encode()) > _MAX_HOST:
        raise LocalError("transport-name", f"{name} is not {url.scheme}://HOST[:PORT]#KIOSK")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return WebSocketTransport(f"{host}:{port}" if port else host, kiosk or None, _WEBSOCKETS[url.scheme])
