"""What the tests of radios and transports need: a kiosk whose firmware is the test, and phones, all on one real air."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys

from bumble import core, hci
from bumble.device import Connection, Device

from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual import frames
from admit.virtual.air import Air
from admit.virtual.peripheral import Peripheral
from admit.virtual.radio import Radio
from admit_protocol.gatt_uuids import DOWNSTREAM, UPSTREAM

PATIENCE_S = 10.0


def run(story, timeout_s=30.0):
    """Run a test's coroutine function `story(air)` with an air of its own."""

    async def main():
        async with asyncio.timeout(timeout_s), on_air() as air:
            await story(air)

    asyncio.run(main())


@contextlib.asynccontextmanager
async def on_air():
    """An air for as long as the block lasts."""
    air = Air()
    await air.start()
    try:
        yield air
    finally:
        await air.stop()


async def until(condition, timeout_s=PATIENCE_S):
    """Wait until `condition()` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def python(*arguments, **environment):
    """Start another Python process that finds what this one finds; its stdout is a text pipe."""
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path} | environment,
    )


class Kiosk:
    """A virtual kiosk's radio; the test is its firmware. Use as an async context manager."""

    def __init__(self, air, name="kiosk-1", **options):
        ours, theirs = socket.socketpair()
        self._ours, self._theirs, self.name = ours, theirs, name
        self.radio = Peripheral(air.name, ours, **options)

    async def __aenter__(self):
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        await self.radio.start()
        self.reader, self.writer = await asyncio.open_unix_connection(sock=self._theirs)
        self.tell(frames.ADVERTISE, 0, self.name.encode())
        return self

    async def __aexit__(self, *_):
        await self.radio.stop()
        self.writer.close()

    def tell(self, kind, link=0, payload=b""):
        """Send a frame to the radio."""
        self.writer.write(frames.encode(kind, link, payload))

    async def hear(self, kind=None):
        """The next frame from the radio: (type, link, payload); of the `kind` that is expected."""
        async with asyncio.timeout(PATIENCE_S):
            frame = await frames.read(self.reader)
        assert kind is None or frame[0] == kind, frame
        return frame

    async def hears_nothing(self, seconds=0.1):
        """Does the radio stay silent for so long?"""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.readexactly(1)
        except TimeoutError:
            return True
        return False

    def lose_power(self):
        """The board is off from one moment to the next: its end of the socket is gone."""
        self.writer.transport.abort()


def phone(air, name=None, **options):
    """A client's transport with a radio of its own."""
    return BleTransport(name, radio=SharedRadio(air.name), **options)


class Central:
    """A bare bumble central, for what admit's own client would never do. Use as an async context manager."""

    device: Device

    def __init__(self, air):
        self._radio = Radio(air.name)

    async def __aenter__(self):
        await self._radio.open()
        self.device = self._radio.device
        return self

    async def __aexit__(self, *_):
        await self._radio.close()

    async def address_of(self, name):
        """Where the kiosk called `name` advertises."""
        found = asyncio.get_running_loop().create_future()

        def on_advertisement(advertisement):
            if name in advertisement.data.get_all(core.AdvertisingData.Type.COMPLETE_LOCAL_NAME) and not found.done():
                found.set_result(advertisement.address)

        self.device.on("advertisement", on_advertisement)
        await self.device.start_scanning()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await found
        finally:
            self.device.remove_listener("advertisement", on_advertisement)
            await self.device.stop_scanning()

    async def connect(self, name="kiosk-1", own_address_type=hci.OwnAddressType.RANDOM) -> Connection:
        """A link to the kiosk called `name`, nothing said on it yet."""
        address = await self.address_of(name)
        return await self.device.connect_le(address, own_address_type=own_address_type, timeout=PATIENCE_S)


async def characteristics(connection):
    """(downstream, upstream) of a kiosk, as bumble's client sees them."""
    client = connection.gatt_client
    await client.discover_services()
    found = {}
    for service in client.services:
        for each in await client.discover_characteristics((), service):
            found[each.uuid] = each
    return found[core.UUID(DOWNSTREAM)], found[core.UUID(UPSTREAM)]


def ending(connection):
    """A future of the reason code with which `connection` ends."""
    reason = asyncio.get_running_loop().create_future()
    connection.once(connection.EVENT_DISCONNECTION, reason.set_result)
    return reason
