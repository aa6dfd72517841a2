"""A Bluetooth radio of our own on this PC: bumble's host stack on any controller that bumble can reach.

Owns: opening a controller by bumble's transport name (`tcp-client:127.0.0.1:6402`, `usb:0`), and noticing its loss, which
bumble itself does not tell those who hold links. Must not know what is advertised, scanned for or said.
"""

import asyncio
import contextlib

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.transport import open_transport
from bumble.transport.common import Transport

from admit_protocol.errors import LocalError

OPEN_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0


class Radio:
    """One controller and a bumble `device` on it. `address` is its random static address, or a new one."""

    device: Device

    def __init__(self, name: str, address: hci.Address | None = None):
        self.name = name
        self.address = address or hci.Address.generate_static_address()
        self.lost = asyncio.Event()
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
        except (OSError, ValueError, asyncio.TimeoutError, BaseBumbleError, hci.HCI_Error) as error:
            await self.close()
            raise LocalError("radio-unavailable", f"no Bluetooth controller at {self.name}: {reason(error)}") from error
        self._transport.source.terminated.add_done_callback(self._on_lost)

    async def close(self) -> None:
        """Switch the radio off; every link ends. Closing twice does nothing."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        with contextlib.suppress(Exception):  # a controller that does not answer is off already
            if not transport.source.terminated.done():
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self.device.host.send_sync_command(hci.HCI_Reset_Command())
        self._drop_links()
        await transport.close()

    async def disconnect(self, connection: Connection) -> None:
        """End a link; one that has just ended is no error."""
        with contextlib.suppress(asyncio.TimeoutError, hci.HCI_Error, BaseBumbleError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self.device.lookup_connection(connection.handle) is connection:
                    await connection.disconnect()

    def _on_lost(self, _) -> None:
        self.lost.set()
        self._drop_links()

    def _drop_links(self) -> None:
        """Tell those who hold links that these are gone: the controller no longer can."""
        for handle in list(self.device.connections):
            self.device.on_disconnection(handle, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


def reason(error: BaseException) -> str:
    """Why it failed, in words fit for a person."""
    if isinstance(error, asyncio.TimeoutError) and not str(error):
        return "no answer"
    return str(error) or type(error).__name__
