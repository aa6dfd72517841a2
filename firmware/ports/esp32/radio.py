"""An ESP32's radio: the GATT server of DESIGN section 6, on MicroPython's `bluetooth` over NimBLE.

Owns: service, MTU, advertising, one indication at a time. MicroPython calls `_irq` on NimBLE's own thread: it only puts
what happened into a ring that was made beforehand, and `_run` does the rest on the asyncio loop. What finds no place
costs its peer the link, so nothing is lost in silence. Must not know CoAP: a value is bytes. No pairing, no bonding.

ESP-IDF 5.5 tells of a link only after it has asked the central for its version and features, and ATT works meanwhile:
an MTU or a value may come before the link's own beginning, and a link that breaks before has none.
"""

import asyncio

import bluetooth

from admit_protocol.const import const
from admit_protocol.errors import LocalError
from admit_protocol.gatt_uuids import DOWNSTREAM, MIN_MTU, SERVICE, UPSTREAM
from ports.faults import guarded, print_exception

_CONNECT = const(1)
_DISCONNECT = const(2)
_WRITE = const(3)
_INDICATE_DONE = const(20)
_MTU_EXCHANGED = const(21)

_FLAG_WRITE = const(0x08)
_FLAG_INDICATE = const(0x20)

_MAX_VALUE = const(512)
_MTU = const(515)
_FIRST_MTU = const(23)  # a link's, until both sides have agreed on another

_RING = const(64)
_MAX_WAITING = const(8)  # events of one link
_HANDLES = const(31)  # mask: a connection handle of NimBLE is smaller

_ASK_MTU_MS = const(500)  # so long a central may take to ask for an MTU itself; then we do
_SETTLE_MS = const(2500)  # and so long after that until it is told of as it is

_INTERVAL_US = const(40_000)
_AGAIN_MS = const(50)
_ANEW_MS = const(5000)  # so often in any case: not every link whose beginning ended the advertising is told of
_TRIES = const(20)
_MAX_LINKS = const(4)
_FEWEST_LINKS = const(3)

_FLAGS = const(b"\x02\x01\x06")  # general discoverable, no BR/EDR
_SHORT_NAME = const(8)  # bytes beside flags and service in 31
_MAX_NAME = const(29)


class _Link:
    """A central. The listener knows of it once it is `announced`."""

    def __init__(self):
        self.mtu = _FIRST_MTU
        self.begun = False  # its own event came, not only one of what came over it
        self.announced = False
        self.indicating = False  # an indication is on its way, not confirmed yet


class Radio:
    """A link server of kind "ble". Making it switches the radio on: best before anything that needs much memory.

    NimBLE in MicroPython is built for four links, and so many were seen on an ESP32; ESP-IDF's default for that chip's
    controller is three. So it counts on three, and on a fourth once the chip advertises beside three.
    """

    kind = "ble"

    def __init__(self):
        self.max_links = _FEWEST_LINKS
        self._events = [0] * _RING  # kind << 16 | link
        self._values = [None] * _RING
        self._first = self._next = 0
        self._put = bytearray(_HANDLES + 1)  # events of each link so far, modulo 256: written by `_irq` alone
        self._taken = bytearray(_HANDLES + 1)  # and by `_run` alone
        self._lost = bytearray(_HANDLES + 1)
        self._flag = asyncio.ThreadSafeFlag()
        self._links = {}
        self._name = self._listener = self._task = None
        self._waits = False  # to advertise again
        self._ble = bluetooth.BLE()
        self._ble.active(True)
        self._ble.irq(self._irq)
        self._ble.config(mtu=_MTU)
        self._register()

    def live(self):
        """Is the radio on? Then the chip's random numbers come from its noise."""
        return self._ble.active()

    async def start(self, listener, name):
        """Advertise as `name` and tell `listener` of every link from now on."""
        self._listener = listener
        self._task = asyncio.create_task(self._run())
        asyncio.create_task(self._stay_on_air())
        self.advertise(name)

    def advertise(self, name):
        """Advertise under `name` from now on: 8 bytes of it in each advertisement, 29 for who asks."""
        self._name = name
        self._ble.config(gap_name=_cut(name, _MAX_NAME))
        self._advertise()

    def send(self, link, data):
        """Indicate `data` (at most 512 bytes); `listener.confirmed(link)` tells when the next one may follow."""
        known = self._links.get(link)
        if known is None:
            raise LocalError("radio-link-closed")
        if len(data) > min(_MAX_VALUE, known.mtu - 3):  # NimBLE would cut it in silence
            raise LocalError("radio-too-long")
        if not self._indicate(link, known, data):
            asyncio.create_task(self._indicate_later(link, known, data))

    def close(self, link):
        """Drop a link. `listener.closed` follows; a link that is gone already is no error."""
        if not self._disconnect(link) and link in self._links:
            self._forget_queued(link)
            self._closed(link)

    def _register(self):
        up, down = bluetooth.UUID(UPSTREAM), bluetooth.UUID(DOWNSTREAM)
        service = (bluetooth.UUID(SERVICE), ((down, _FLAG_WRITE), (up, _FLAG_INDICATE)))
        ((self._downstream, self._upstream),) = self._ble.gatts_register_services((service,))
        self._ble.gatts_set_buffer(self._downstream, _MAX_VALUE)

    # -- on NimBLE's thread: nothing is made here but the bytes of a written value --

    def _irq(self, event, data):
        try:
            if event == _WRITE:
                if data[1] == self._downstream:
                    # Every link writes to the same place: only now does it hold what this one wrote.
                    self._queue(event, data[0], self._ble.gatts_read(self._downstream))
            elif event == _MTU_EXCHANGED:
                self._queue(event, data[0], data[1])
            elif event == _INDICATE_DONE:
                self._queue(event, data[0], data[2])
            elif event == _CONNECT or event == _DISCONNECT:
                self._queue(event, data[0], None)
        except Exception:  # no memory for the value. What leaves here would switch the handler off for good.
            self._lost[data[0] & _HANDLES] = 1
            self._flag.set()

    def _queue(self, event, link, value):
        at, place = link & _HANDLES, self._next
        after = (place + 1) % _RING
        if after == self._first or (self._put[at] - self._taken[at]) & 0xFF >= _MAX_WAITING:
            self._lost[at] = 1
        else:
            self._events[place] = event << 16 | link
            self._values[place] = value
            self._put[at] = (self._put[at] + 1) & 0xFF
            self._next = after
        self._flag.set()

    # -- on the loop --

    async def _run(self):
        while True:
            await self._flag.wait()
            while self._first != self._next:
                self._guarded(self._take)
                self._guarded(self._drop_lost)
                await asyncio.sleep(0)  # who never stops writing must not starve the watchdog, nor a door that is open
            self._guarded(self._drop_lost)

    def _guarded(self, step):
        try:
            step()
        except Exception as error:  # whatever it was about, the next event is another's
            print_exception(error)

    def _take(self):
        """Do what the oldest event asks for."""
        place = self._first
        event, value = self._events[place], self._values[place]
        self._values[place] = None
        self._first = (place + 1) % _RING
        event, link = event >> 16, event & 0xFFFF
        at = link & _HANDLES
        self._taken[at] = (self._taken[at] + 1) & 0xFF
        if event == _CONNECT:
            self._connected(link)
        elif event == _DISCONNECT:
            self._closed(link)
        elif link in self._links or event != _INDICATE_DONE:
            if link not in self._links:
                self._begin(link)
            guarded(self, link, self._tell, event, link, value)

    def _forget_queued(self, link):
        """What a link said before it ended, its end having been lost, must not begin it anew."""
        place = self._first
        while place != self._next:
            if self._events[place] & 0xFFFF == link:
                self._events[place] = _INDICATE_DONE << 16 | link  # which begins nothing, and means nothing without it
            place = (place + 1) % _RING

    def _tell(self, event, link, value):
        known = self._links[link]
        if event == _MTU_EXCHANGED:
            known.mtu = value
            if value >= MIN_MTU:  # else the central gets the time to see for itself why it is not served
                self._announce(link, known)
        elif event == _WRITE:
            self._announce(link, known)
            self._listener.received(link, value)
        elif known.indicating:  # else it is one that could not be sent, which NimBLE tells too: it is tried again
            known.indicating = False
            if value:  # refused, or not confirmed in 30 s
                self.close(link)
            else:
                self._listener.confirmed(link)

    def _connected(self, link):
        if link not in self._links or self._links[link].begun:
            self._closed(link, advertise=False)  # whoever had that handle before
            self._begin(link)
        self._links[link].begun = True

    def _begin(self, link):
        known = self._links[link] = _Link()
        asyncio.create_task(self._settle(link, known))
        self._advertise()

    def _closed(self, link, advertise=True):
        known = self._links.pop(link, None)
        if known is not None and known.announced:
            self._listener.closed(link)
        if advertise:
            self._advertise()

    def _announce(self, link, known):
        """The listener learns of a link when its MTU is settled: centrals ask for one before anything else."""
        if not known.announced:
            known.announced = True
            self._listener.opened(link, known.mtu)

    async def _settle(self, link, known):
        """Ask a central for an MTU that does not ask by itself; tell of one that never says anything, too."""
        await asyncio.sleep_ms(_ASK_MTU_MS)
        if self._links.get(link) is known and not known.announced:
            try:
                self._ble.gattc_exchange_mtu(link)
            except OSError:  # it does not speak it, or is about to
                pass
        await asyncio.sleep_ms(_SETTLE_MS)
        if self._links.get(link) is known:
            guarded(self, link, self._announce, link, known)

    def _drop_lost(self):
        if not any(self._lost):
            return
        for at in range(len(self._lost)):
            if self._lost[at]:
                self._lost[at] = 0
                for link in [each for each in self._links if each & _HANDLES == at] or [at]:
                    self.close(link)

    def _disconnect(self, link):
        """Ask NimBLE to end a connection; False if there is none."""
        try:
            return self._ble.gap_disconnect(link)
        except OSError:  # ending already; or it cannot be asked now, and what comes over it is reason to again
            return True

    def _indicate(self, link, known, data):
        try:
            self._ble.gatts_indicate(link, self._upstream, data)
            known.indicating = True
            return True
        except OSError:  # no buffer free at the moment, most likely
            return False

    async def _indicate_later(self, link, known, data):
        for _ in range(_TRIES):
            await asyncio.sleep_ms(_AGAIN_MS)
            if self._links.get(link) is not known or self._indicate(link, known, data):
                return
        self.close(link)

    def _advertise(self):
        """Advertise if there is room for one more. NimBLE stops by itself at each connection."""
        if self._name is None or len(self._links) >= _MAX_LINKS:
            return
        try:
            self._ble.gap_advertise(_INTERVAL_US, _advertisement(self._name), resp_data=_scan_response(self._name))
            self.max_links = max(self.max_links, len(self._links) + 1)
        except OSError:
            if len(self._links) < self.max_links and not self._waits:
                self._waits = True
                asyncio.create_task(self._advertise_later())

    async def _advertise_later(self):
        await asyncio.sleep_ms(_AGAIN_MS)
        self._waits = False
        self._advertise()

    async def _stay_on_air(self):
        while True:
            await asyncio.sleep_ms(_ANEW_MS)
            self._guarded(self._advertise)


def _advertisement(name):
    """Flags, the service, and as much of the name as fits: 31 bytes."""
    short = _cut(name, _SHORT_NAME)
    kind = 9 if short == name.encode() else 8
    return _FLAGS + _field(7, bytes(bluetooth.UUID(SERVICE))) + _field(kind, short)


def _scan_response(name):
    return _field(9, _cut(name, _MAX_NAME))


def _field(kind, data):
    return bytes((len(data) + 1, kind)) + data


def _cut(text, size):
    """As many whole characters of `text` as fit into `size` bytes of UTF-8, encoded."""
    while len(text.encode()) > size:
        text = text[:-1]
    return text.encode()
