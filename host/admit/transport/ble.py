"""CoAP over GATT as a client, on whatever Bluetooth bleak reaches.

Owns: finding kiosks by admit's service, connecting with a reason for each retry, the smallest MTU, one write at a time,
and indications in their order. The environment's ADMIT_BLE names a radio of bumble's (`tcp-client:127.0.0.1:6402`,
`usb:0`) to be used instead of the system's Bluetooth; nothing else here differs between the two. Must not know CoAP.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from admit.transport import reason_of
from admit_protocol.errors import Conflict, LocalError, NotFound, TimedOut, Unsupported
from admit_protocol.gatt import GattLayer
from admit_protocol.gatt_uuids import DOWNSTREAM, MIN_MTU, SERVICE, UPSTREAM

if TYPE_CHECKING:
    from admit.transport.virtual import SharedRadio

SCAN_TIMEOUT_S = 8.0
OTHERS_S = 0.5  # after the first kiosk, how long to look whether there are others
CONNECT_TIMEOUT_S = 10.0
ATTEMPTS = 3
PAUSE_S = 0.3
MTU_SETTLES_S = 1.0
NO_MTU_YET = 23

# What goes wrong below bleak: its own errors, and what operating systems let through.
FAILURES = (BleakError, OSError, EOFError, TimeoutError)

Retry = Callable[[int, int, str], None]


class Kiosk(NamedTuple):
    """A kiosk that advertises; `address` is what the system calls it (not an address on macOS)."""

    name: str
    address: str
    rssi: int
    device: BLEDevice


class BleTransport:
    """GATT values to and from one kiosk: the one called `name` (or with that address), or the only one there is.

    `retry(attempt, attempts, reason)` is called before each new attempt. `radio` replaces the one of ADMIT_BLE.
    """

    layer: GattLayer
    token_length = 2  # bytes: on a connection nobody else can answer

    def __init__(self, name: str | None = None, retry: Retry | None = None, radio: "SharedRadio | None" = None):
        self.description = f"ble:{name}" if name else "ble"
        self.mtu = NO_MTU_YET
        self._name = name
        self._retry = retry
        self._radio = radio
        self._client: BleakClient | None = None
        self._values: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Find the kiosk and connect.

        Raises NotFound("ble-not-found"), Conflict("ble-several") if no name was given and there are several,
        LocalError("ble-unavailable"), Unsupported("gatt-mtu" or "ble-no-service"), TimedOut("ble-connect-failed").
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                kiosk = await self._find()
                await self._connect(kiosk)
                return
            except FAILURES as error:
                reason = reason_of(error)
            except NotFound:
                if attempt == 1:
                    raise
                reason = "it no longer advertises: every place at it is taken, or it is off"
            except BaseException:
                await self.close()
                raise
            await self.close()
            if attempt < ATTEMPTS:
                if self._retry is not None:
                    self._retry(attempt, ATTEMPTS, reason)
                await asyncio.sleep(PAUSE_S * attempt)
        raise TimedOut("ble-connect-failed", f"{self.description}, {ATTEMPTS} attempts; the last one: {reason}")

    async def send(self, data: bytes) -> None:
        """Write one value and wait for the kiosk's Bluetooth to acknowledge it. TimedOut("link-dropped")."""
        async with self._writing:
            if self._client is None:
                raise TimedOut("link-dropped", "not connected")
            try:
                await self._client.write_gatt_char(DOWNSTREAM, data, response=True)
            except FAILURES as error:
                raise TimedOut("link-dropped", reason_of(error)) from error

    async def receive(self) -> bytes:
        """The next value that the kiosk indicated. TimedOut("link-dropped") once the link is gone."""
        value = await self._values.get()
        if value is None:
            self._values.put_nowait(None)  # for whoever asks again
            raise TimedOut("link-dropped", "the Bluetooth link to the kiosk ended")
        return value

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client:
            with contextlib.suppress(*FAILURES):
                await client.disconnect()

    async def _find(self) -> Kiosk:
        kiosks = await scan(SCAN_TIMEOUT_S, self._radio, self._name)
        if not kiosks:
            what = f"the kiosk {self._name}" if self._name else "a kiosk"
            raise NotFound("ble-not-found", f"{what} was not heard for {SCAN_TIMEOUT_S:g} s")
        if len(kiosks) > 1:
            names = ", ".join(sorted(f"ble:{kiosk.name}" for kiosk in kiosks))
            raise Conflict("ble-several", f"several kiosks are near; name one: {names}")
        return kiosks[0]

    async def _connect(self, kiosk: Kiosk) -> None:
        self.description = f"ble:{kiosk.name}"
        self._values = asyncio.Queue()
        values = self._values
        self._client = BleakClient(
            kiosk.device,
            disconnected_callback=lambda _: values.put_nowait(None),
            services=[SERVICE],
            timeout=CONNECT_TIMEOUT_S,
            **_backend("BumbleClient", self._radio),
        )
        await self._client.connect()
        downstream = self._client.services.get_characteristic(DOWNSTREAM)
        if downstream is None or self._client.services.get_characteristic(UPSTREAM) is None:
            raise Unsupported("ble-no-service", f"{kiosk.name} does not speak CoAP over GATT")
        self.mtu = await settled_mtu(downstream)
        self.layer = GattLayer(False, self.mtu)
        await self._client.start_notify(UPSTREAM, lambda _, value: values.put_nowait(bytes(value)))


async def scan(
    timeout_s: float = SCAN_TIMEOUT_S, radio: "SharedRadio | None" = None, name: str | None = None
) -> list[Kiosk]:
    """The kiosks that advertise, the nearest first; with `name`, only the first one of that name or address.

    Ends a moment after the first one was heard. LocalError("ble-unavailable") if there is no Bluetooth.
    """
    heard: dict[str, Kiosk] = {}
    first = asyncio.Event()

    def on_advertisement(device, data):
        called = data.local_name or device.name or device.address
        if name is None or name in (called, device.address):
            heard[device.address] = Kiosk(called, device.address, data.rssi, device)
            first.set()

    try:
        async with BleakScanner(on_advertisement, [SERVICE], **_backend("BumbleScanner", radio)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(first.wait(), timeout_s)
                await asyncio.sleep(0 if name else OTHERS_S)
    except FAILURES as error:
        raise LocalError("ble-unavailable", reason_of(error)) from error
    kiosks = sorted(heard.values(), key=lambda kiosk: -kiosk.rssi)
    return kiosks[:1] if name else kiosks


async def settled_mtu(characteristic) -> int:
    """The link's ATT MTU, which some systems learn only a moment after connecting."""
    for _ in range(20):
        mtu = characteristic.max_write_without_response_size + 3
        if mtu >= MIN_MTU:
            break
        await asyncio.sleep(MTU_SETTLES_S / 20)
    return mtu


def _backend(kind: str, radio: "SharedRadio | None") -> dict[str, Any]:
    """The arguments that make bleak use bumble; none for the system's Bluetooth."""
    name = os.environ.get("ADMIT_BLE")
    if radio is None and not name:
        return {}
    from admit.transport import virtual

    return {"backend": getattr(virtual, kind), "radio": radio or virtual.shared_radio(name or "")}
