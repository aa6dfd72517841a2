"""Web Bluetooth as Chromium emulates it, with the virtual kiosks' air behind it: a page's GATT operations become those
of a real central on the air, so the firmware sees a visitor, and the page sees the firmware's very bytes.

Owns: the browser-wide emulation over the DevTools protocol (BluetoothEmulation), one `Peripheral` for each kiosk that
can be chosen, and what is done to its messages on their way (`Peripheral.fault`).
Rules: the emulation's moods are met here and nowhere else. It crashes on a second answer to a prompt, hangs on what is
left unanswered, never tells that a page disconnects, and cannot notify: init.js, in the page, does these last two.
Must not know: what the values mean. An empty one, which only acknowledges, is one byte.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Error as PlaywrightError

from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit_protocol.errors import AdmitError
from admit_protocol.gatt_uuids import DOWNSTREAM, SERVICE, UPSTREAM

INIT = Path(__file__).with_name("init.js")
UP, DOWN = "up", "down"
MESSAGE_2 = b"\xff\x58\x64"  # the payload marker, and a byte string of 100 bytes: G_Y, CIPHERTEXT_2
CCC_DESCRIPTOR = "00002902-0000-1000-8000-00805f9b34fb"
REFUSED, LOST = 0x3E, 0x0E  # of HCI: connection failed to be established; of ATT: unlikely error
DISCOVERY_S = 0.5  # after a connection, a page asks what is there
REACH_S = 10.0  # to find and call a kiosk that is there

# Called with (direction, number, value) of each message that is more than an acknowledgement; numbers count from 1 in
# both directions together. Returns the values that go on in its place. May raise Drop.
Fault = Callable[[str, int, bytes], Awaitable[list[bytes]]]


class Drop(Exception):
    """The link breaks here."""


class Bluetooth:
    """The browser's Bluetooth: `session` is a CDP session of the browser itself."""

    def __init__(self, session):
        self._session = session
        self._peripherals: dict[str, Peripheral] = {}
        self._tasks: set[asyncio.Task] = set()
        self.troubles: list[str] = []
        session.on("BluetoothEmulation.gattOperationReceived", self._on_gatt)
        session.on("BluetoothEmulation.characteristicOperationReceived", self._on_characteristic)

    async def start(self) -> None:
        """Switch it on, with nobody near."""
        await self.call("enable", state="powered-on", leSupported=True)

    async def switch(self, on: bool) -> None:
        """Switch the adapter on or off. Whoever was near must be added anew."""
        await self.clear()
        await self.call("disable")
        await self.call("enable", state="powered-on" if on else "absent", leSupported=True)

    async def clear(self) -> None:
        """Nobody is near any more."""
        for each in list(self._peripherals.values()):
            await each.gone()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._peripherals:
            self._peripherals.clear()
            await self.call("disable")
            await self.start()

    async def add(self, name: str, radio: SharedRadio, shown: str | None = None) -> "Peripheral":
        """The kiosk `name` on this air is near, and may be chosen; it may be `shown` by another name."""
        address = f"C0:00:00:00:00:{len(self._peripherals) + 1:02X}"
        made = self._peripherals[address] = Peripheral(self, address, name, shown or name, radio)
        await made.appear()
        return made

    async def call(self, method: str, **parameters):
        """Call the emulation."""
        return await self._session.send(f"BluetoothEmulation.{method}", parameters)

    async def catch_up(self) -> None:
        """Whatever the browser has told before is known: events and answers come in their order."""
        await self._session.send("Browser.getVersion")

    def spawn(self, work) -> asyncio.Task:
        """Run something beside the test; what goes wrong in it is in `troubles`."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.troubles.append(repr(task.exception()))

    def _on_gatt(self, event) -> None:
        if peripheral := self._peripherals.get(event["address"]):
            self.spawn(peripheral.on_gatt(event["type"]))

    def _on_characteristic(self, event) -> None:
        if peripheral := self._peripherals.get(event["characteristicId"].split("_")[0]):
            peripheral.owes_answer()
            self.spawn(peripheral.on_characteristic(event))


class Peripheral:
    """One kiosk as the browser sees it. `messages` is every message of all its links, as (direction, value)."""

    def __init__(self, bluetooth: Bluetooth, address: str, name: str, shown: str, radio: SharedRadio):
        self.address = address
        self.name = name
        self._shown = shown
        self.fault: Fault | None = None
        self.unreachable = False
        self.reach_s = REACH_S
        self.serviceless = False  # as a headset is, for a kiosk's page
        self.ringing: asyncio.Event | None = None  # until which a call is not answered
        self.messages: list[tuple[str, bytes]] = []
        self.connections = 0
        self._bluetooth = bluetooth
        self._radio = radio
        self._link: Link | None = None
        self._ending = asyncio.Lock()
        self._operating = asyncio.Lock()  # held while the browser waits for an answer
        self._described = asyncio.Event()
        self._owed = 0
        self._quits = asyncio.Event()  # set while the browser waits for no answer about a characteristic
        self._quits.set()
        self._free = asyncio.Event()
        self._free.set()
        self._listeners: list = []  # phones whose page is connected

    async def appear(self) -> None:
        """Be there to be chosen: as one that the system is connected to, which needs no advertisement."""
        known = {"name": self._shown, "manufacturerData": [], "knownServiceUuids": [SERVICE]}
        await self._call("simulatePreconnectedPeripheral", address=self.address, **known)

    async def advertise(self) -> None:
        """Be heard by a chooser that is open."""
        record = {"name": self._shown, "uuids": [SERVICE], "appearance": 0, "txPower": 0, "manufacturerData": []}
        await self._call(
            "simulateAdvertisement", entry={"deviceAddress": self.address, "rssi": -50, "scanRecord": record}
        )

    def called_by(self, phone) -> None:
        """A page is about to connect, and will hear what it says."""
        if phone not in self._listeners:
            self._listeners.append(phone)

    async def left_by(self, phone) -> None:
        """A page disconnected, was loaded anew or closed. The link ends with the last one."""
        if phone in self._listeners:
            self._listeners.remove(phone)
        if not self._listeners:
            await self.gone()

    async def on_gatt(self, kind: str) -> None:
        """The browser wants a connection, or to know what is there."""
        async with self._operating:
            code = 0
            if kind == "connection":
                code = await self._connect()
            else:
                await self._describe()
            await self._call("simulateGATTOperationResponse", address=self.address, type=kind, code=code)
        if kind == "discovery":
            self._described.set()

    def owes_answer(self) -> None:
        """The browser wants something of a characteristic."""
        self._owed += 1
        self._quits.clear()

    async def on_characteristic(self, event) -> None:
        """The browser writes, or subscribes."""
        kind, code, link = event["type"], 0, self._link
        if kind == "write":
            code = await link.write(base64.b64decode(event["data"])) if link else LOST
        elif kind == "unsubscribe-from-notifications":
            self._bluetooth.spawn(self.gone())
        answer = {"characteristicId": event["characteristicId"], "type": kind, "code": code}
        with contextlib.suppress(PlaywrightError):  # the page has gone
            await self._call("simulateCharacteristicOperationResponse", **answer)
        self._owed -= 1
        if not self._owed:
            self._quits.set()
        if link and link.ended.is_set():
            await self.gone()

    async def hear(self, value: bytes) -> None:
        """Indicate a value to every page that listens."""
        for phone in list(self._listeners):
            await phone.indicate(value)

    async def gone(self) -> None:
        """The link ends, for both sides; who calls while it does waits for that. Nothing happens if there is none."""
        async with self._ending:
            async with self._operating:
                link, self._link = self._link, None
            if link is None:
                return
            await link.close()
            with contextlib.suppress(TimeoutError):  # a page that has gone will not ask what is there
                async with asyncio.timeout(DISCOVERY_S):
                    await self._described.wait()
            await self._bluetooth.catch_up()
            await self._quits.wait()  # what is left unanswered now hangs for ever, and every chooser with it
            async with self._operating:
                await self._call("simulateGATTDisconnection", address=self.address)
                await self.appear()  # which it is no more after that
            self._free.set()

    async def left(self) -> None:
        """Wait until no page is connected to it."""
        await self._free.wait()

    async def _connect(self) -> int:
        if self.unreachable:
            return REFUSED
        if self.ringing:
            await self.ringing.wait()
        self.connections += 1
        link = Link(self, BleTransport(self.name, radio=self._radio))
        try:
            async with asyncio.timeout(self.reach_s):
                await link.open()
        except (AdmitError, TimeoutError):
            await link.close()
            return REFUSED
        self._link = link
        self._free.clear()
        self._described.clear()
        return 0

    async def _describe(self) -> None:
        """The services, which the emulation forgets with each connection."""
        if self.serviceless:
            return
        service = (await self._call("addService", address=self.address, serviceUuid=SERVICE))["serviceId"]
        await self._add(service, DOWNSTREAM, write=True)
        upstream = await self._add(service, UPSTREAM, indicate=True)
        await self._call("addDescriptor", characteristicId=upstream, descriptorUuid=CCC_DESCRIPTOR)

    async def _add(self, service: str, uuid: str, **properties) -> str:
        made = await self._call("addCharacteristic", serviceId=service, characteristicUuid=uuid, properties=properties)
        return made["characteristicId"]

    async def _call(self, method: str, **parameters):
        return await self._bluetooth.call(method, **parameters)


class Link:
    """One connection of a real central to the kiosk, and the messages on it. `ended` is set when it is over."""

    def __init__(self, peripheral: Peripheral, transport: BleTransport):
        self.ended = asyncio.Event()
        self._peripheral = peripheral
        self._transport = transport
        self._number = 0
        self._reading: asyncio.Task | None = None

    async def open(self) -> None:
        """Find the kiosk and connect. Raises AdmitError."""
        await self._transport.open()
        self._reading = asyncio.ensure_future(self._read())

    async def write(self, value: bytes) -> int:
        """A value of the page's to the kiosk; an ATT error if the link ends meanwhile."""
        sending, ending = asyncio.ensure_future(self._send(value)), asyncio.ensure_future(self.ended.wait())
        await asyncio.wait((sending, ending), return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, ending):
            task.cancel()
        await asyncio.gather(sending, ending, return_exceptions=True)
        return LOST if self.ended.is_set() else 0

    async def close(self) -> None:
        """Disconnect; writes end."""
        self.ended.set()
        if self._reading and self._reading is not asyncio.current_task():
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._transport.close()

    async def _send(self, value: bytes) -> None:
        try:
            for each in await self._passed(UP, value):
                await self._transport.send(each)
        except (Drop, AdmitError):
            self.ended.set()

    async def _read(self) -> None:
        try:
            while True:
                for each in await self._passed(DOWN, await self._transport.receive()):
                    await self._peripheral.hear(each)
        except (Drop, AdmitError):
            await self._peripheral.gone()

    async def _passed(self, direction: str, value: bytes) -> list[bytes]:
        if len(value) < 2:
            return [value]
        self._number += 1
        self._peripheral.messages.append((direction, value))
        fault = self._peripheral.fault
        return await fault(direction, self._number, value) if fault else [value]


# What may happen to message number `at` of a link.


def dropping(at: int) -> Fault:
    """The link breaks in the place of that message."""

    async def fault(direction, number, value):
        if number == at:
            raise Drop
        return [value]

    return fault


def replacing(at: int, change: Callable[[bytes], list[bytes]]) -> Fault:
    """Other values come in the place of that message."""

    async def fault(direction, number, value):
        return change(value) if number == at else [value]

    return fault


def truncating(at: int) -> Fault:
    """Only its first half comes."""
    return replacing(at, lambda value: [value[: len(value) // 2]])


def oversizing(at: int) -> Fault:
    """It comes longer than any value may be, as far as the air carries."""
    return replacing(at, lambda value: [(value + bytes(512))[:512]])


def repeating(at: int) -> Fault:
    """It comes twice."""
    return replacing(at, lambda value: [value, value])


def losing(at: int) -> Fault:
    """It is lost, and the link lives on."""
    return replacing(at, lambda value: [])


def flipping(at: int, place: int = -1) -> Fault:
    """One bit of it is another."""

    def flipped(value: bytes) -> list[bytes]:
        changed = bytearray(value)
        changed[place] ^= 1
        return [bytes(changed)]

    return replacing(at, flipped)


def every_message_2(change: Callable[[bytes], bytes]) -> Fault:
    """Each message_2 of EDHOC is another: the payload that comes down and is a byte string of 100 bytes."""

    async def fault(direction, number, value):
        return [change(value)] if direction == DOWN and MESSAGE_2 in value else [value]

    return fault


def last_bit(value: bytes) -> bytes:
    """The value with its last bit changed."""
    return value[:-1] + bytes([value[-1] ^ 1])


class Once:
    """A fault until it has done something; `done` is set then."""

    def __init__(self, fault: Fault):
        self.done = asyncio.Event()
        self._fault = fault

    async def __call__(self, direction: str, number: int, value: bytes) -> list[bytes]:
        if self.done.is_set():
            return [value]
        try:
            passed = await self._fault(direction, number, value)
        except Drop:
            self.done.set()
            raise
        if passed != [value]:
            self.done.set()
        return passed


class Late:
    """A fault by which message number `at` comes after the next one that goes the same way, on whatever link: `came` is
    set then.
    """

    def __init__(self, at: int):
        self.came = asyncio.Event()
        self._at = at
        self._kept: tuple[str, bytes] | None = None

    async def __call__(self, direction: str, number: int, value: bytes) -> list[bytes]:
        if self.came.is_set():
            return [value]
        if self._kept is None:
            if number == self._at:
                self._kept = direction, value
                return []
            return [value]
        if direction != self._kept[0]:
            return [value]
        self.came.set()
        return [value, self._kept[1]]


class Silence:
    """A fault that loses every message from number `at` on; `reached` is set with the first."""

    def __init__(self, at: int):
        self.reached = asyncio.Event()
        self._at = at

    async def __call__(self, direction: str, number: int, value: bytes) -> list[bytes]:
        if number < self._at:
            return [value]
        self.reached.set()
        return []


class Pause:
    """A fault that holds all back until `open` is set."""

    def __init__(self):
        self.open = asyncio.Event()

    async def __call__(self, direction: str, number: int, value: bytes) -> list[bytes]:
        await self.open.wait()
        return [value]


class Gate:
    """A fault that holds message number `at` back until `open` is set, or the link is to `drop` there; `reached` is set
    when it is there.
    """

    def __init__(self, at: int):
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self._at = at
        self._drops = False

    def drop(self) -> None:
        """Let it come no further: the link ends."""
        self._drops = True
        self.open.set()

    async def __call__(self, direction: str, number: int, value: bytes) -> list[bytes]:
        if number == self._at:
            self.reached.set()
            await self.open.wait()
            if self._drops:
                raise Drop
        return [value]
