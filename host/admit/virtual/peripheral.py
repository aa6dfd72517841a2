"""The radio of a virtual kiosk: a GATT server on the air, for firmware that hangs on a socket.

Owns: the service of DESIGN section 6 (one characteristic to write, one that indicates), the number of links, when to
advertise, one indication outstanding a link. It does what NimBLE under MicroPython does, good and bad: an indication
longer than MTU - 3 is cut in silence (and counted). Must not know CoAP: a value is bytes.
"""

import asyncio
import contextlib
import socket

from bumble import core, data_types, hci
from bumble.att import Attribute, AttributeValue
from bumble.core import AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from admit.virtual import frames
from admit.virtual.radio import Radio
from admit_protocol.gatt_uuids import DOWNSTREAM, SERVICE, UPSTREAM

MAX_MTU = 515
MAX_LINKS = 4
MAX_NAME = 29  # bytes that fit a scan response
SHORT_NAME = 8  # bytes beside flags and service in an advertisement
ADVERTISING_INTERVAL_MS = 40
SETTLE_S = 3.0  # within this time a central has agreed on an MTU and subscribed, or it is announced as it is


class Link:
    """One central. `number` is what the firmware calls it; the firmware knows of it once `announced`."""

    def __init__(self, number: int, connection: Connection):
        self.number = number
        self.connection = connection
        self.announced = False
        self.indications: asyncio.Queue[bytes] = asyncio.Queue()
        self.tasks: list[asyncio.Task] = []


class Peripheral:
    """A radio at `name` (bumble's transport name) for the firmware at the other end of `wire`, a stream socket.

    `cut` counts indications that were longer than their link carries.
    """

    def __init__(
        self,
        name: str,
        wire: socket.socket,
        address: hci.Address | None = None,
        max_links: int = MAX_LINKS,
        max_mtu: int = MAX_MTU,
    ):
        self.cut = 0
        self._radio = Radio(name, address)
        self._wire = wire
        self._writer: asyncio.StreamWriter | None = None
        self._max_links = max_links
        self._max_mtu = max_mtu
        self._links: dict[int, Link] = {}
        self._last_number = 0
        self._kiosk_name: str | None = None
        self._advertising = asyncio.Lock()
        self._tasks: set[asyncio.Task] = set()

    @property
    def links(self) -> int:
        """How many centrals are connected."""
        return len(self._links)

    async def start(self) -> None:
        """Switch the radio on. It advertises as soon as the firmware gives it a name."""
        await self._radio.open()
        device = self._radio.device
        device.gatt_server.max_mtu = self._max_mtu
        device.gatt_server.on(device.gatt_server.EVENT_CHARACTERISTIC_SUBSCRIPTION, self._on_subscription)
        device.add_service(self._service())
        device.on(device.EVENT_CONNECTION, self._on_connection)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._wire)
        self._spawn(self._serve_firmware())

    async def stop(self) -> None:
        """Switch the radio off, as a power cut would."""
        for task in list(self._tasks):
            task.cancel()
        await self._radio.close()
        if self._writer:
            self._writer.close()

    def _service(self) -> Service:
        downstream: Characteristic = Characteristic(
            DOWNSTREAM,
            Characteristic.Properties.WRITE,
            Attribute.WRITEABLE,
            AttributeValue(write=self._on_write),
        )
        self._upstream: Characteristic = Characteristic(
            UPSTREAM, Characteristic.Properties.INDICATE, Attribute.READABLE
        )
        return Service(SERVICE, [downstream, self._upstream])

    # -- from the air --

    def _on_connection(self, connection: Connection) -> None:
        if len(self._links) >= self._max_links:  # cannot be: it does not advertise then
            self._spawn(self._radio.disconnect(connection))
            return
        link = Link(self._free_number(), connection)
        self._links[link.number] = link
        connection.once(connection.EVENT_DISCONNECTION, lambda _: self._on_disconnection(link))
        link.tasks = [self._spawn(self._settle(link)), self._spawn(self._indicate(link))]
        self._spawn(self._advertise())

    def _on_disconnection(self, link: Link) -> None:
        del self._links[link.number]
        for task in link.tasks:
            task.cancel()
        if link.announced:
            self._tell(frames.CLOSED, link)
        self._spawn(self._advertise())

    def _on_write(self, connection: Connection, value: bytes) -> None:
        if link := self._link_of(connection):
            self._announce(link)
            self._tell(frames.RECEIVED, link, bytes(value))

    def _on_subscription(self, connection, characteristic, _notify, indicate) -> None:
        link = self._link_of(connection)
        if link and indicate and characteristic is self._upstream:
            self._announce(link)

    def _announce(self, link: Link) -> None:
        """The firmware learns of a link when its MTU is settled: centrals exchange it before anything else."""
        if not link.announced:
            link.announced = True
            self._tell(frames.OPENED, link, link.connection.att_mtu.to_bytes(2, "big"))

    async def _settle(self, link: Link) -> None:
        """A central that does nothing is announced too, so that the firmware can drop it."""
        await asyncio.sleep(SETTLE_S)
        self._announce(link)

    # -- from the firmware --

    async def _serve_firmware(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, number, payload = await frames.read(self._reader)
                link = self._links.get(number)
                if kind == frames.ADVERTISE:
                    self._kiosk_name = payload.decode(errors="replace")
                    self._spawn(self._advertise())
                elif kind == frames.INDICATE and link:
                    link.indications.put_nowait(payload)
                elif kind == frames.DISCONNECT and link:
                    self._spawn(self._radio.disconnect(link.connection))
                elif kind == frames.RESET:
                    self._reset()
        self._spawn(self._radio.close())  # a board whose firmware is gone is off

    def _reset(self) -> None:
        """The chip starts anew: its links are gone, and it is silent until it has a name again."""
        self._kiosk_name = None
        for link in self._links.values():
            self._spawn(self._radio.disconnect(link.connection))
        self._spawn(self._advertise())

    async def _indicate(self, link: Link) -> None:
        """Indicate one value after another; each confirmation is told before the next one starts."""
        server, connection = self._radio.device.gatt_server, link.connection
        while True:
            value = await link.indications.get()
            self.cut += len(value) > connection.att_mtu - 3
            try:
                await server.indicate_subscriber(connection, self._upstream, value, force=True)
            except (TimeoutError, core.BaseBumbleError):
                # No confirmation in 30 s: this link carries no more of ATT. Bluetooth Core, part F, section 3.3.3.
                self._spawn(self._radio.disconnect(connection))
                return
            self._tell(frames.CONFIRMED, link)

    async def _advertise(self) -> None:
        """Advertise, or stop when all links are taken. Called after each change; the last call wins."""
        async with self._advertising:
            if self._radio.off.is_set():
                return
            with contextlib.suppress(core.BaseBumbleError):
                if self._kiosk_name is None or len(self._links) >= self._max_links:
                    await self._radio.device.stop_advertising()
                else:
                    await self._radio.device.start_advertising(
                        advertising_data=advertisement(self._kiosk_name),
                        scan_response_data=scan_response(self._kiosk_name),
                        advertising_interval_min=ADVERTISING_INTERVAL_MS,
                        advertising_interval_max=ADVERTISING_INTERVAL_MS,
                    )

    # -- helpers --

    def _tell(self, kind: bytes, link: Link, payload: bytes = b"") -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(frames.encode(kind, link.number, payload))

    def _link_of(self, connection: Connection) -> Link | None:
        return next((link for link in self._links.values() if link.connection is connection), None)

    def _free_number(self) -> int:
        """A number that no open link has, and the last one to close does not get again at once."""
        while True:
            self._last_number = self._last_number % 255 + 1
            if self._last_number not in self._links:
                return self._last_number

    def _spawn(self, work) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def advertisement(name: str) -> bytes:
    """Flags, the service, and as much of the name as fits: 31 bytes."""
    short = cut_text(name, SHORT_NAME)
    name_type = data_types.CompleteLocalName if short == name else data_types.ShortenedLocalName
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    services = data_types.CompleteListOf128BitServiceUUIDs([core.UUID(SERVICE)])
    return bytes(AdvertisingData([data_types.Flags(flags), services, name_type(short)]))


def scan_response(name: str) -> bytes:
    """The name."""
    return bytes(AdvertisingData([data_types.CompleteLocalName(cut_text(name, MAX_NAME))]))


def cut_text(text: str, size: int) -> str:
    """As many whole characters of `text` as fit into `size` bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore")
