"""A Bluetooth radio of our own on this PC: bumble's host stack on any controller that bumble can reach.

Owns: opening a controller by bumble's transport name (`tcp-client:127.0.0.1:6402`, `usb:0`), and noticing its loss.
Whoever holds a link then hears of its end with the code 0. Must not know what is advertised, scanned for or said.
"""

import asyncio
import contextlib

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.transport import open_transport
from bumble.transport.common import Transport

from admit.transport import reason_of
from admit_protocol.errors import LocalError

OPEN_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0


class Radio:
    """One controller and a bumble `device` on it. `address` is its random static address, or a new one.

    `off` is set once the radio was closed or lost.
    """

    device: Device

    def __init__(self, name: str, address: hci.Address | None = None):
        self.name = name
        self.address = address or hci.Address.generate_static_address()
        self.off = asyncio.Event()
        self._transport: Transport | None = None

    async def open(self) -> None:
        """Reach the controller and reset it. Raises LocalError("radio-unavailable")."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                self._transport = await open_transport(self.name)
                self.device = Device.from_config_with_hci(
                    DeviceConfiguration(name="admit", address=self.address), *self._transport
                )
                await self.device.power_on()
        except (OSError, ValueError, TimeoutError, BaseBumbleError, hci.HCI_Error) as error:
            await self.close()
            raise LocalError(
                "radio-unavailable", f"no Bluetooth controller at {self.name}: {reason_of(error)}"
            ) from error
        self._transport.source.terminated.add_done_callback(lambda _: self.off.set())

    async def close(self) -> None:
        """Switch the radio off; every link ends. Closing twice does nothing."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        answers = not self.off.is_set()
        self.off.set()
        try:
            with contextlib.suppress(Exception):  # a controller that does not answer is off already
                if answers:
                    async with asyncio.timeout(CLOSE_TIMEOUT_S):
                        await self.device.host.send_sync_command(hci.HCI_Reset_Command())
        finally:
            self.device.host.emit("flush")  # which ends the links, as the controller's loss does
            await transport.close()

    async def disconnect(self, connection: Connection) -> None:
        """End a link; one that has just ended is no error."""
        with contextlib.suppress(TimeoutError, hci.HCI_Error, BaseBumbleError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self.device.lookup_connection(connection.handle) is connection:
                    await connection.disconnect()
