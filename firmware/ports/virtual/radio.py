"""The virtual kiosk's radio: BLE links that a runner on the PC keeps, told over a socket pair.

Owns: the frames of docs/SPEC.md "Virtual radio" (type, link, length, payload), parsed and made here on the firmware's
side. Each value is what one GATT write or indication carried. Must not know CoAP.
"""

import asyncio

from admit_protocol.const import const
from admit_protocol.errors import LocalError
from ports.faults import guarded
from ports.virtual.wire import Wire

_HEADER = const(4)
MAX_VALUE = const(512)


class Radio:
    """A link server of kind "ble": at most `max_links` at once, one indication outstanding on each."""

    kind = "ble"
    max_links = 4

    def __init__(self, fd):
        self._wire = Wire(fd)
        self._links = set()
        self._listener = None
        self._task = None

    async def start(self, listener, name):
        """Advertise as `name` and tell `listener` of every link from now on."""
        self._listener = listener
        self._task = asyncio.create_task(self._run())
        self.advertise(name)

    def advertise(self, name):
        """Advertise under `name` (text, at most 29 bytes of UTF-8) from now on."""
        self._frame(b"A", 0, name.encode())

    def send(self, link, data):
        """Indicate `data` (at most 512 bytes); `listener.confirmed(link)` tells when the next one may follow."""
        if link not in self._links:
            raise LocalError("radio-link-closed")
        if len(data) > MAX_VALUE:
            raise LocalError("radio-too-long")
        self._frame(b"I", link, data)

    def close(self, link):
        """Drop a link. `listener.closed` follows; a link that is gone already is no error."""
        if link in self._links:
            self._frame(b"D", link, b"")

    def _frame(self, kind, link, payload):
        frame = kind + bytes((link,)) + len(payload).to_bytes(2, "big") + payload
        if not self._wire.write(frame):
            raise LocalError("radio-stuck")

    async def _run(self):
        buffer = b""
        while True:
            data = await self._wire.read(256)
            if not data:  # a board does not outlive whoever powers it
                raise SystemExit
            buffer += data
            while len(buffer) >= _HEADER:
                end = _HEADER + int.from_bytes(buffer[2:4], "big")
                if len(buffer) < end:
                    break
                guarded(self, buffer[1], self._tell, buffer[0:1], buffer[1], buffer[_HEADER:end])
                buffer = buffer[end:]

    def _tell(self, kind, link, payload):
        if kind == b"O":
            self._links.add(link)
            self._listener.opened(link, int.from_bytes(payload, "big"))
        elif kind == b"X" and link in self._links:
            self._links.remove(link)
            self._listener.closed(link)
        elif kind == b"R" and link in self._links:
            self._listener.received(link, payload)
        elif kind == b"C" and link in self._links:
            self._listener.confirmed(link)
