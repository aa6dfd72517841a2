"""A relay: a phone far away and a kiosk here, and between them somebody who forwards each value, some time later.

Owns: the way of Bluetooth, where a box plays the kiosk for the phone and the phone for the kiosk, and the way of
datagrams. It understands nothing and changes nothing: that is all that a relay can.
"""

import asyncio
import contextlib
import socket

from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual import frames
from admit.virtual.air import Air
from admit.virtual.peripheral import Peripheral
from admit_protocol.errors import TimedOut


class BleRelay:
    """From an air of its own, where the phone is, to the kiosk on `air`. `name`: what it advertises there."""

    def __init__(self, air: Air, delay_s: float, name: str = "kiosk-1"):
        self.forwarded = 0  # values, both ways
        self._here, self._delay_s, self._name = air, delay_s, name
        self._there = Air()
        self._links: dict[int, BleTransport] = {}
        self._tasks: set[asyncio.Task] = set()

    async def __aenter__(self) -> "BleRelay":
        await self._there.start()
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setblocking(False)
        self._box = Peripheral(self._there.name, theirs)
        await self._box.start()
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._writer.write(frames.encode(frames.ADVERTISE, 0, self._name.encode()))
        self._spawn(self._serve())
        return self

    async def __aexit__(self, *_) -> None:
        await self._box.stop()  # which ends our tasks: a BleTransport may swallow being cancelled
        self._writer.close()
        for near in list(self._links.values()):
            await near.close()
        await asyncio.gather(*self._tasks)
        await self._there.stop()

    def phone(self) -> BleTransport:
        """The way of a phone that is far away."""
        return BleTransport(self._name, radio=SharedRadio(self._there.name))

    async def _serve(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, number, value = await frames.read(self._reader)
                if kind == frames.OPENED:
                    near = self._links[number] = BleTransport(radio=SharedRadio(self._here.name))
                    await near.open()
                    self._spawn(self._back(number, near))
                elif kind == frames.RECEIVED:
                    self._later(self._links[number].send(value))
                elif kind == frames.CLOSED and number in self._links:
                    self._spawn(self._links.pop(number).close())

    async def _back(self, number: int, near: BleTransport) -> None:
        with contextlib.suppress(TimedOut):
            while True:
                value = await near.receive()
                self._later(self._indicate(number, value))

    async def _indicate(self, number: int, value: bytes) -> None:
        self._writer.write(frames.encode(frames.INDICATE, number, value))

    def _later(self, step) -> None:
        """Values of one direction keep their order: each is as late as the other."""
        self.forwarded += 1

        async def carry():
            await asyncio.sleep(self._delay_s)
            with contextlib.suppress(TimedOut):
                await step

        self._spawn(carry())

    def _spawn(self, work) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class UdpRelay(asyncio.DatagramProtocol):
    """To the kiosk at `address`: a phone sends its datagrams to `self.address`, from one port at a time."""

    def __init__(self, address: tuple[str, int], delay_s: float):
        self.forwarded = 0
        self._kiosk, self._delay_s = address, delay_s
        self._phone: tuple[str, int] | None = None

    async def __aenter__(self) -> "UdpRelay":
        loop = asyncio.get_running_loop()
        self._line, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.address = self._line.get_extra_info("sockname")
        return self

    async def __aexit__(self, *_) -> None:
        self._line.close()

    def datagram_received(self, data, source):
        if source != self._kiosk:
            self._phone = source
        target = self._phone if source == self._kiosk else self._kiosk
        self.forwarded += 1
        asyncio.get_running_loop().call_later(self._delay_s, self._line.sendto, data, target)
