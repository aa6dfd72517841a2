"""NimBLE's part of a stand-in chip: a GATT server on an air, for the program behind tests/chip/bluetooth.py.

Owns: services as the program registered them, advertising as it asked for, links and their numbers, on bumble's real
ATT, GATT and L2CAP. Does what NimBLE does: advertising ends with each connection; numbers of links start at 0 and are
used again; a write is answered only when the program's handler has returned; an indication that nobody confirms ends
the link. `late` makes it NimBLE of ESP-IDF 5.5, which tells of a link LATE_S after it is there, when its MTU may long
be agreed on; one that breaks before comes as a connection that failed ("told") or not at all ("mute", before that was
mended). Must not know admit's service.
"""

import asyncio
import contextlib
import json

from bumble import att, core, hci
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from admit.virtual.radio import Radio

PUBLIC_ADDRESS = hci.Address("24:0A:C4:00:00:03", hci.Address.RANDOM_DEVICE_ADDRESS)
INTERVAL_MS = 0.625
TIMED_OUT = 13  # BLE_HS_ETIMEOUT
LATE_S = 0.06  # as measured with Windows at the other end
LATE = {None: 0, "told": 0x100, "mute": 0x200}


class ChipRadio:
    """The radio of one chip. `deliver(kind, a, b, payload)` hands an event to the program and awaits its handler."""

    def __init__(self, air: str, deliver, max_links: int):
        self.advertised: list[tuple[float, bytes, bytes]] = []  # every start: interval in ms, data, scan response
        self.links: dict[int, Connection] = {}
        self.late: str | None = None
        self._air = air
        self._deliver = deliver
        self._max_links = max_links
        self._mtu = 256
        self._radio: Radio | None = None
        self._characteristics: dict[int, Characteristic] = {}
        self._values: dict[int, bytes] = {}
        self._own_attributes = 0  # bumble's, before the program's
        self._tasks: set[asyncio.Task] = set()

    @property
    def on(self) -> bool:
        """Is it switched on?"""
        return self._radio is not None

    @property
    def advertising(self) -> bool:
        """Can it be heard?"""
        return self._radio is not None and self._radio.device.is_advertising

    async def switch_on(self) -> None:
        """A stack as it is after a start: no services but its own, no links."""
        await self.switch_off()
        self._radio = Radio(self._air, PUBLIC_ADDRESS)
        await self._radio.open()
        device = self._radio.device
        self._own_attributes = len(device.gatt_server.attributes)
        self.set_mtu(256)
        device.on(device.EVENT_CONNECTION, self._on_connection)

    async def switch_off(self) -> None:
        """Every link ends, as its peer sees it, and the program hears nothing."""
        radio, self._radio = self._radio, None
        for task in list(self._tasks):
            task.cancel()
        if radio:
            self.links.clear()
            await radio.close()

    def set_mtu(self, mtu: int) -> None:
        """What an exchange offers from now on."""
        if self._radio:
            self._radio.device.gatt_server.max_mtu = mtu

    def register(self, told: bytes) -> None:
        """Replace the program's services: JSON [[uuid, [[uuid, flags, handle], …]], …], UUIDs lowest byte first."""
        if not self._radio:
            return
        server = self._radio.device.gatt_server
        del server.attributes[self._own_attributes :]
        server.attributes_by_handle.clear()
        self._characteristics.clear()
        for uuid, characteristics in json.loads(told):
            server.add_service(Service(_uuid(uuid), [self._characteristic(*each) for each in characteristics]))

    def _characteristic(self, uuid: str, flags: int, handle: int) -> Characteristic:
        def on_write(connection, value):
            return self._on_write(connection, handle, bytes(value))

        def on_read(connection):
            return self._values.get(handle, b"")

        permissions = att.Attribute.Permissions(0)
        if flags & (Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE):
            permissions |= att.Attribute.WRITEABLE
        if flags & Characteristic.Properties.READ:
            permissions |= att.Attribute.READABLE
        value = att.AttributeValue(read=on_read, write=on_write)
        made = Characteristic(_uuid(uuid), Characteristic.Properties(flags), permissions, value)
        self._characteristics[handle] = made
        return made

    def set_value(self, handle: int, value: bytes) -> None:
        """What a read gives."""
        self._values[handle] = value

    async def advertise(self, units: int, connectable: bool, data: bytes, scan_response: bytes) -> None:
        """Start advertising; `units` of 0.625 ms, 0 for NimBLE's own choice."""
        self.advertised.append((units * INTERVAL_MS, data, scan_response))
        if not self._radio or len(self.links) >= self._max_links:
            return
        interval_ms = units * INTERVAL_MS or 30
        with contextlib.suppress(core.BaseBumbleError):
            await self._radio.device.start_advertising(
                advertising_data=data,
                scan_response_data=scan_response,
                advertising_interval_min=interval_ms,
                advertising_interval_max=interval_ms,
            )

    async def stop_advertising(self) -> None:
        """Fall silent."""
        if self._radio:
            with contextlib.suppress(core.BaseBumbleError):
                await self._radio.device.stop_advertising()

    def disconnect(self, number: int) -> None:
        """End a link."""
        if self._radio and number in self.links:
            self._spawn(self._radio.disconnect(self.links[number]))

    def indicate(self, number: int, handle: int, value: bytes) -> None:
        """Send an indication; its confirmation is delivered when it comes."""
        if number in self.links:
            self._spawn(self._indicate(number, self.links[number], handle, value))

    async def _indicate(self, number: int, connection: Connection, handle: int, value: bytes) -> None:
        assert self._radio
        server, characteristic = self._radio.device.gatt_server, self._characteristics[handle]
        try:
            await server.indicate_subscriber(connection, characteristic, value, force=True)
        except (TimeoutError, core.BaseBumbleError):
            if self.links.get(number) is connection:
                await self._deliver(b"i", number, handle, bytes((TIMED_OUT,)))
                self.disconnect(number)
            return
        if self.links.get(number) is connection:
            await self._deliver(b"i", number, handle, b"\0")

    def ask_mtu(self, number: int, mtu: int) -> None:
        """Begin an exchange of the MTU, which a central does that does not leave it at 23."""
        if number in self.links:
            self._spawn(self._ask_mtu(self.links[number], mtu))

    async def _ask_mtu(self, connection: Connection, mtu: int) -> None:
        with contextlib.suppress(TimeoutError, core.BaseBumbleError):
            await connection.gatt_client.request_mtu(mtu)

    def notify(self, number: int, handle: int, value: bytes) -> None:
        """Send a notification."""
        if self._radio and number in self.links:
            server, characteristic = self._radio.device.gatt_server, self._characteristics[handle]
            self._spawn(server.notify_subscriber(self.links[number], characteristic, value, force=True))

    # -- from the air --

    def _on_connection(self, connection: Connection) -> None:
        number = next(each for each in range(256) if each not in self.links)
        self.links[number] = connection
        address = connection.peer_address
        connection.on(connection.EVENT_CONNECTION_ATT_MTU_UPDATE, lambda: self._tell(b"m", number, connection.att_mtu))
        connection.once(connection.EVENT_DISCONNECTION, lambda _: self._on_disconnection(number, connection))
        self._tell(b"c", number, int(not address.is_public) | LATE[self.late], bytes(address)[::-1])
        if self.late:
            self._spawn(self._tell_later(number, connection))

    async def _tell_later(self, number: int, connection: Connection) -> None:
        await asyncio.sleep(LATE_S)
        if self.links.get(number) is connection:
            await self._deliver(b"t", number)

    def _on_disconnection(self, number: int, connection: Connection) -> None:
        if self.links.get(number) is connection:
            del self.links[number]
            self._tell(b"x", number)

    async def _on_write(self, connection: Connection, handle: int, value: bytes) -> None:
        number = next((each for each, link in self.links.items() if link is connection), None)
        if number is not None:
            await self._deliver(b"w", number, handle, value)

    def _tell(self, kind: bytes, a: int = 0, b: int = 0, payload: bytes = b"") -> None:
        self._spawn(self._deliver(kind, a, b, payload))

    def _spawn(self, work) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _uuid(lowest_first: str) -> core.UUID:
    return core.UUID.from_bytes(bytes.fromhex(lowest_first))
