"""An ESP32's outputs: relay, buzzer and whatever else board.json names, and a status LED that tells how the device is.

Owns: pins and patterns; and the boot button, which counts as pressed while the LED's patterns are shown. An output is
on for True, 1, "on" and "open", else off; one without a pin only keeps its value. "code" is blinked: a long flash, then
digit by digit. Where a screen stands at the cable's other end, and only there, each change is printed: names and codes
are nothing for whoever else has the cable. Must not know what the outputs mean.
"""

import asyncio
import time

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

# A code: a long flash, where to begin to count; for each digit so many short ones, ten for 0, and a pause. The longest
# takes 26 s, so that whoever missed a digit sees it once more while the code counts.
_WHITE = b"\x18\x18\x18"
_BEGIN_MS = (1500, 1000)
_FLASH_MS = (150, 200)
_DIGIT_PAUSE_MS = 800
_FORGET_MS = 3_600_000  # ticks wrap after days: nobody asks for a press of long ago


class Outputs:
    """Values by name. `pins`: GPIO numbers by name. `screen`: does one stand at the cable?"""

    def __init__(self, pins, screen=False):
        self._values = {}
        self._screen = screen
        self._pins = {name: _pin(gpio) for name, gpio in pins.items() if name not in _NOT_OUTPUTS}
        self._led = _pin(pins["led"]) if "led" in pins else None
        self._rgb = _pin(pins["rgb"]) if "rgb" in pins else None
        self._button = machine.Pin(pins["button"], machine.Pin.IN, machine.Pin.PULL_UP) if "button" in pins else None
        self._pressed_ms = None
        self._shown = None

    def set(self, name, value):
        """Give output `name` a value."""
        if self._screen and self._values.get(name) != value:
            _tell(name, value)
        self._values[name] = value
        if name in self._pins:
            self._pins[name].value(1 if value in _ON else 0)

    def get(self, name):
        """The value that `name` has, or None if it was never set; how many milliseconds ago "button" was pressed."""
        if name != "button":
            return self._values.get(name)
        return None if self._pressed_ms is None else time.ticks_diff(time.ticks_ms(), self._pressed_ms)

    def tell(self):
        """Tell the screen all that it missed."""
        for name in self._values:
            _tell(name, self._values[name])

    async def blink(self, alive=lambda: None):
        """Show the status, once through its pattern, or a code; a change is shown within a tenth of a second. Each of
        these calls `alive()`: a code may take longer than a watchdog waits.
        """
        shown = status, code = self._values.get("status"), self._values.get("code")
        pattern, colour = (_digits(code), _WHITE) if code else _PATTERNS.get(status, _PATTERNS["fault"])
        for step, length_ms in enumerate(pattern):
            self._show(step % 2 == 0, colour)
            while length_ms > 0:
                alive()
                await asyncio.sleep_ms(min(length_ms, 100))
                self._look()
                length_ms -= 100
                if (self._values.get("status"), self._values.get("code")) != shown:
                    return

    def _look(self):
        """Is the button pressed? It reads 0 then."""
        if self._button and not self._button.value():
            self._pressed_ms = time.ticks_ms()
        elif self._pressed_ms is not None and self.get("button") > _FORGET_MS:
            self._pressed_ms = None

    def _show(self, on, colour):
        shown = colour if on else _DARK
        if shown == self._shown:
            return
        self._shown = shown
        if self._led:
            self._led.value(1 if on else 0)
        if self._rgb:
            machine.bitstream(self._rgb, 0, _WS2812_NS, shown)


def _digits(code):
    """How long it is on, off, on, … for the digits of `code`."""
    lengths = list(_BEGIN_MS)
    for digit in code:
        lengths += _FLASH_MS * (int(digit) or 10)
        lengths[-1] = _DIGIT_PAUSE_MS
    lengths[-1] *= 2
    return lengths


def _tell(name, value):
    print(name, ("on" if value else "off") if isinstance(value, bool) else value)


def _pin(gpio):
    return machine.Pin(gpio, machine.Pin.OUT, value=0)
