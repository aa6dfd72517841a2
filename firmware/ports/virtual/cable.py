"""The virtual kiosk's cable: a pseudo-terminal, or whatever else its descriptor is."""

from ports.cable import LINK
from ports.cable import Cable as _Cable
from ports.virtual.wire import Wire


class Cable(_Cable):
    """The cable on descriptor `fd`."""

    def __init__(self, fd):
        super().__init__()
        self._wire = Wire(fd)

    def _write(self, data):
        self._wire.write(data)

    async def _run(self):
        while True:
            data = await self._wire.read(256)
            if not data:
                break
            self._feed(data)
        self.close(LINK)
