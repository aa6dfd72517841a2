"""A bleak backend over bumble: the same calls as for the system's Bluetooth, on a radio that bumble can reach.

Owns: bleak's two backend interfaces in bumble's terms, with bleak's errors. A process has one radio for each transport
name of bumble's and shares it like a real adapter: several scans and links at once. Must not know admit's service.
"""

import asyncio
import contextlib
import weakref
from typing import Any
from uuid import UUID

from bleak import BleakGATTCharacteristic
from bleak.assigned_numbers import CHARACTERISTIC_PROPERTIES
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import att, core, hci
from bumble.device import Advertisement, Connection, Device
from bumble.gatt_client import CharacteristicProxy
from bumble.gatt_client import Client as GattClient

from admit.transport import reason_of
from admit.virtual.radio import Radio
from admit_protocol.errors import AdmitError

WANTED_MTU = 515

_radios: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, "SharedRadio"]] = weakref.WeakKeyDictionary()


def shared_radio(name: str) -> "SharedRadio":
    """This program's radio at `name`, a transport name of bumble's."""
    radios = _radios.setdefault(asyncio.get_running_loop(), {})
    return radios.setdefault(name, SharedRadio(name))


class SharedRadio:
    """A radio that is open while somebody uses it."""

    def __init__(self, name: str):
        self.name = name
        self.connecting = asyncio.Lock()  # a controller calls one advertiser at a time
        self.scans = 0
        self._opening = asyncio.Lock()
        self._users = 0
        self._radio: Radio | None = None

    async def acquire(self) -> Radio:
        """Return the open radio; `release` it afterwards."""
        async with self._opening:
            if self._radio is None or self._radio.off.is_set():
                radio = Radio(self.name)
                try:
                    await radio.open()
                except AdmitError as error:
                    raise BleakError(str(error)) from error
                self._radio = radio
            self._users += 1
            return self._radio

    async def release(self) -> None:
        """The last one to leave switches the radio off."""
        async with self._opening:
            self._users -= 1
            if self._users == 0 and self._radio:
                await self._radio.close()
                self._radio = None


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner; `radio` is where it listens."""

    def __init__(self, detection_callback, service_uuids, scanning_mode, *, radio: SharedRadio, **_: Any):
        super().__init__(detection_callback, service_uuids)
        self._passive = scanning_mode == "passive"
        self._shared = radio
        self._radio: Radio | None = None

    async def start(self) -> None:
        self.seen_devices.clear()
        self._radio = await self._shared.acquire()
        self._radio.device.on("advertisement", self._on_advertisement)
        self._shared.scans += 1
        try:
            if self._shared.scans == 1:
                await self._radio.device.start_scanning(active=not self._passive)
        except core.BaseBumbleError as error:
            await self.stop()
            raise BleakError(reason_of(error)) from error

    async def stop(self) -> None:
        radio, self._radio = self._radio, None
        if radio is None:
            return
        radio.device.remove_listener("advertisement", self._on_advertisement)
        self._shared.scans -= 1
        with contextlib.suppress(core.BaseBumbleError):
            if self._shared.scans == 0 and not radio.off.is_set():
                await radio.device.stop_scanning()
        await self._shared.release()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        found = advertisement_data(advertisement)
        address = advertisement.address.to_string(with_type_qualifier=False)
        if self.is_allowed_uuid(found.service_uuids):
            device = self.create_or_update_device(address, address, found.local_name, advertisement.address, found)
            self.call_detection_callbacks(device, found)


def advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    """bumble's advertisement in bleak's words."""
    kinds = core.AdvertisingData.Type
    data = advertisement.data
    names = data.get_all(kinds.COMPLETE_LOCAL_NAME) + data.get_all(kinds.SHORTENED_LOCAL_NAME)
    uuids = [
        to_uuid(uuid)
        for kind in (
            kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            kinds.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            kinds.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
            kinds.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
        )
        for uuids in data.get_all(kind)
        for uuid in uuids
    ]
    return AdvertisementData(
        local_name=str(names[0]) if names else None,
        manufacturer_data={},
        service_data={},
        service_uuids=list(dict.fromkeys(uuids)),
        tx_power=None,
        rssi=advertisement.rssi,
        platform_data=(advertisement,),
    )


def to_uuid(uuid: core.UUID) -> str:
    """A UUID as bleak writes it: 128 bits, lower case, with dashes."""
    return str(UUID(bytes=uuid.uuid_128_bytes[::-1]))


class BumbleClient(BaseBleakClient):
    """bleak's client; `radio` is where it calls from."""

    def __init__(self, address_or_ble_device: BLEDevice | str, *, radio: SharedRadio, **rest: Any):
        super().__init__(
            address_or_ble_device, disconnected_callback=rest["disconnected_callback"], timeout=rest["timeout"]
        )
        details = getattr(address_or_ble_device, "details", None)
        self._peer = details if isinstance(details, hci.Address) else hci.Address(self.address)
        self._shared = radio
        self._radio: Radio | None = None
        self._connection: Connection | None = None
        self._dropped: asyncio.Future[str] | None = None  # done with the reason when the link has ended

    @property
    def name(self) -> str:
        return self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_: Any) -> None:
        if self.is_connected:
            raise BleakError("already connected")
        self._radio = await self._shared.acquire()
        try:
            async with self._shared.connecting:
                connection = await self._call(self._radio.device)
            await self._doing(connection.gatt_client.request_mtu(WANTED_MTU))
            self.services = await self._doing(self._discover(connection.gatt_client))
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        radio, self._radio = self._radio, None
        if radio is None:
            return
        if self._connection:
            await radio.disconnect(self._connection)
        self._connection = None
        await self._shared.release()

    async def pair(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("admit does not rely on bonding")

    async def unpair(self) -> None:
        raise NotImplementedError("admit does not rely on bonding")

    async def read_gatt_char(self, characteristic, *, use_cached: bool = False, **_: Any) -> bytearray:
        return bytearray(await self._doing(characteristic.obj.read_value()))

    async def read_gatt_descriptor(self, descriptor, *, use_cached: bool = False, **_: Any) -> bytearray:
        return bytearray(await self._doing(descriptor.obj.read_value()))

    async def write_gatt_char(self, characteristic, data, response: bool) -> None:
        await self._doing(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor, data) -> None:
        await self._doing(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(self, characteristic, callback, **_: Any) -> None:
        await self._doing(characteristic.obj.subscribe(lambda value: callback(bytearray(value))))

    async def stop_notify(self, characteristic) -> None:
        await self._doing(characteristic.obj.unsubscribe())

    async def _call(self, device: Device) -> Connection:
        self._dropped = asyncio.get_running_loop().create_future()
        try:
            connection = await self._doing(device.connect_le(self._peer, timeout=self._timeout))
        except asyncio.CancelledError:  # the controller would go on calling
            await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            raise
        self._connection = connection
        connection.once(connection.EVENT_DISCONNECTION, self._on_disconnected)
        return connection

    def _on_disconnected(self, code: int) -> None:
        assert self._dropped
        self._connection = None
        name = hci.HCI_Constant.error_name(code).removesuffix("_ERROR").replace("_", " ").lower()
        self._dropped.set_result(name if code else "the radio was switched off or lost")
        if self._disconnected_callback:
            self._disconnected_callback()

    async def _doing(self, work):
        """Await `work` of bumble's, but not longer than the link lasts, and put what goes wrong into bleak's errors."""
        if self._dropped is None:
            work.close()
            raise BleakError("not connected")
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._dropped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
        if self._dropped.done() and (task.cancelled() or not task.done()):
            raise BleakError(f"disconnected: {self._dropped.result()}")
        try:
            return task.result()
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except (core.BaseBumbleError, TimeoutError) as error:
            raise BleakError(reason_of(error)) from error

    async def _discover(self, client: GattClient) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in await client.discover_services():
            entry = BleakGATTService(service, service.handle, to_uuid(service.uuid))
            found.add_service(entry)
            for characteristic in await client.discover_characteristics((), service):
                await self._add_characteristic(found, entry, characteristic)
        return found

    async def _add_characteristic(
        self, found: BleakGATTServiceCollection, entry: BleakGATTService, characteristic: CharacteristicProxy
    ) -> None:
        properties = [name for bit, name in CHARACTERISTIC_PROPERTIES.items() if characteristic.properties & bit]
        item = BleakGATTCharacteristic(
            characteristic,
            characteristic.handle,
            to_uuid(characteristic.uuid),
            properties,
            lambda: self.mtu_size - 3,
            entry,
        )
        found.add_characteristic(item)
        for descriptor in await characteristic.discover_descriptors():
            found.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, to_uuid(descriptor.type), item))
