"""An ESP32's outputs: relay, buzzer and whatever else board.json names, and a status LED that tells how the device is.

Owns: pins and patterns. An output is on for True, 1, "on" and "open", else off; one without a pin only keeps its value.
Must not know what the outputs mean.
"""

import asyncio

import machine

_ON = (True, "on", "open")
_NOT_OUTPUTS = ("button", "led", "rgb")

# Milliseconds on, off, on, …; and the colour, as an addressable LED takes it: green, red, blue.
_PATTERNS = {
    "factory": ((500, 500), b"\x00\x00\x18"),
    "ready": ((50, 2950), b"\x18\x00\x00"),
    "logged in": ((1000,), b"\x18\x18\x18"),
    "fault": ((100, 100, 100, 700), b"\x00\x18\x00"),
    "wiping": ((100, 100), b"\x08\x18\x00"),
}
_WS2812_NS = (400, 850, 800, 450)
_DARK = b"\x00\x00\x00"


class Outputs:
    """Values by name. `pins`: GPIO numbers by name."""

    def __init__(self, pins):
        self._values = {}
        self._pins = {name: _pin(gpio) for name, gpio in pins.items() if name not in _NOT_OUTPUTS}
        self._led = _pin(pins["led"]) if "led" in pins else None
        self._rgb = _pin(pins["rgb"]) if "rgb" in pins else None
        self._shown = None

    def set(self, name, value):
        """Give output `name` a value."""
        self._values[name] = value
        if name in self._pins:
            self._pins[name].value(1 if value in _ON else 0)

    def get(self, name):
        """The value that `name` has, or None if it was never set."""
        return self._values.get(name)

    async def blink(self):
        """Show the status, once through its pattern; a new status is shown within a tenth of a second."""
        status = self._values.get("status")
        pattern, colour = _PATTERNS.get(status, _PATTERNS["fault"])
        for step, length_ms in enumerate(pattern):
            self._show(step % 2 == 0, colour)
            while length_ms > 0 and self._values.get("status") == status:
                await asyncio.sleep_ms(min(length_ms, 100))
                length_ms -= 100

    def _show(self, on, colour):
        shown = colour if on else _DARK
        if shown == self._shown:
            return
        self._shown = shown
        if self._led:
            self._led.value(1 if on else 0)
        if self._rgb:
            machine.bitstream(self._rgb, 0, _WS2812_NS, shown)


def _pin(gpio):
    return machine.Pin(gpio, machine.Pin.OUT, value=0)
