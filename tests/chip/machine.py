"""`machine` of MicroPython on an ESP32, on the Unix port: pins, PWM, watchdog, resets, RTC; what the port needs.

Written from docs/library/machine*.rst and ports/esp32/{modmachine,machine_pin,machine_pwm,machine_wdt,machine_rtc}.c.
Levels go to the world and come from it by `board_wire`. At least as strict as the chip: pins that the flash needs do
not exist, pins without an output driver refuse to be one, a watchdog that starves resets and cannot be stopped, a PWM
that is only made beeps at once. MicroPython's own table (machine_pin.h) has pins that a module's flash needs, or the
USB of its console: here there are none, on any board. Anything not here is an AttributeError. ADMIT_CHIP_WATCHDOG_MS is
the longest that a watchdog waits, so that a test need not.
"""

import _thread
import os
import time

import board_power
import board_wire
import utime
from board_power import DEEPSLEEP_RESET, HARD_RESET, PWRON_RESET, SOFT_RESET, WDT_RESET  # noqa: F401

import micropython
from micropython import const

_MOST_PINS = const(50)
_PWM_FREQUENCY, _PWM_DUTY = const(5000), const(32768)  # of a PWM that was asked for nothing: PWM_FREQ, half of the time
_MOST_FREQUENCY = const(40000000)
_RTC_MEMORY = const(2048)
_WATCH_MS = const(10)

# (pins, the first one without an output driver, PWM channels, MHz). Without the USB console's: S3 19, 20, C3 18, 19,
# C6 12, 13; and without the flash's: ESP32 6 to 8 and 11, S3 26 to 32, C3 11 to 17.
_CHIPS = {
    "esp32": ((0, 1, 2, 3, 4, 5, 9, 10, 25, 26, 27) + tuple(range(12, 24)) + tuple(range(32, 40)), 34, 16, 240),
    "esp32s3": (tuple(range(0, 19)) + (21,) + tuple(range(33, 49)), _MOST_PINS, 8, 240),
    "esp32c3": (tuple(range(0, 11)) + (20, 21), _MOST_PINS, 6, 160),
    "esp32c6": (tuple(range(0, 12)) + tuple(range(14, 24)), _MOST_PINS, 6, 160),
}
_PINS, _FIRST_INPUT_ONLY, _CHANNELS, _MOST_MHZ = _CHIPS[os.getenv("ADMIT_CHIP_NAME") or "esp32"]

_outside = bytearray(b"\xff" * _MOST_PINS)  # what the world applies to each pin; 0xff: nothing
_driven = bytearray(_MOST_PINS)
_pins = {}
_pwms = {}


class _Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_DOWN, PULL_UP = 1, 2
    IRQ_RISING, IRQ_FALLING = 1, 2
    DRIVE_0, DRIVE_1, DRIVE_2, DRIVE_3 = 0, 1, 2, 3

    def __init__(self, number):
        self.number = number
        self._mode = self._pull = None
        self._irq = None
        self._trigger = 0

    def init(self, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        """Set what is given: the level first, so that an output never shows another one."""
        if value is not None:
            self._drive(value)
        if mode is not None:
            if self.number >= _FIRST_INPUT_ONLY and mode & 2:
                raise ValueError("pin can only be input")
            self._mode = mode
        if pull != -1:
            self._pull = pull
        self._tell()

    def value(self, *level):
        """The level at the pin; or give the output one."""
        if not level:
            return self._level()
        self._drive(level[0])
        self._tell()

    def __call__(self, *level):
        return self.value(*level)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=IRQ_RISING | IRQ_FALLING):
        """Schedule `handler(pin)` at each edge that `trigger` names."""
        self._irq, self._trigger = handler, trigger

    def __repr__(self):
        return "Pin(%d)" % self.number

    def _drive(self, level):
        _driven[self.number] = 1 if level else 0

    def _level(self):
        if self._mode in (_Pin.OUT, _Pin.OPEN_DRAIN):
            return _driven[self.number]
        if _outside[self.number] != 0xFF:
            return _outside[self.number]
        return 1 if self._pull == _Pin.PULL_UP else 0  # floating reads as 0, which no program may rely on

    def _tell(self):
        if self._mode in (_Pin.OUT, _Pin.OPEN_DRAIN) and self.number not in _pwms:
            board_wire.tell(b"G", self.number, _driven[self.number])

    def _outside_changed(self, before):
        after = self._level()
        edge = _Pin.IRQ_RISING if after else _Pin.IRQ_FALLING
        if after != before and self._irq and self._trigger & edge:
            micropython.schedule(self._irq, self)


def _find(number):
    if isinstance(number, _Pin):
        return number
    if not isinstance(number, int) or number not in _PINS:
        raise ValueError("invalid pin")
    if number not in _pins:
        _pins[number] = _Pin(number)
    return _pins[number]


class Pin(_Pin):
    """`Pin(number)` is the one object of that pin; with more arguments it is set up, too."""

    def __new__(cls, number, *arguments, **settings):
        pin = _find(number)
        if arguments or settings:
            pin.init(*arguments, **settings)
        return pin

    def __init__(self, *_, **__):
        pass


class Signal:
    """A pin that may mean the opposite."""

    def __init__(self, pin, *, invert=False):
        self._pin = pin
        self._invert = bool(invert)

    def value(self, *level):
        if not level:
            return self._pin.value() ^ self._invert
        self._pin.value(bool(level[0]) ^ self._invert)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class PWM:
    """Pulses on a pin, from now on: half of the time, 5000 a second, unless told otherwise."""

    def __init__(self, pin, *, freq=-1, duty=-1, duty_u16=-1, duty_ns=-1):
        self._number = _find(pin).number
        if self._number >= _FIRST_INPUT_ONLY:
            raise OSError(-258)  # ESP_ERR_INVALID_ARG
        if self._number not in _pwms and len(_pwms) >= _CHANNELS:
            raise RuntimeError("out of PWM channels:%d" % _CHANNELS)
        self._freq, self._duty = _pwms.get(self._number, (_PWM_FREQUENCY, _PWM_DUTY))
        self.init(freq=freq, duty=duty, duty_u16=duty_u16, duty_ns=duty_ns)

    def init(self, *, freq=-1, duty=-1, duty_u16=-1, duty_ns=-1):
        """Set what is given."""
        if freq != -1 and not 0 < freq <= _MOST_FREQUENCY:
            raise ValueError("frequency must be from 1Hz to 40MHz")
        if duty != -1 and not 0 <= duty <= 1023:
            raise ValueError("duty must be from 0 to 1023")
        if duty_u16 != -1 and not 0 <= duty_u16 <= 65535:
            raise ValueError("duty_u16 must be from 0 to 65535")
        self._freq = freq if freq != -1 else self._freq
        if duty != -1:
            self._duty = duty << 6
        elif duty_u16 != -1:
            self._duty = duty_u16
        elif duty_ns != -1:
            self._duty = duty_ns * self._freq * 65536 // 1000000000
        _pwms[self._number] = (self._freq, self._duty)
        self._tell(self._freq, self._duty)

    def freq(self, *value):
        return self.init(freq=value[0]) if value else self._freq

    def duty(self, *value):
        return self.init(duty=value[0]) if value else self._duty >> 6

    def duty_u16(self, *value):
        return self.init(duty_u16=value[0]) if value else self._duty

    def deinit(self):
        """Stop; the pin is low."""
        _pwms.pop(self._number, None)
        self._tell(0, 0)

    def _tell(self, freq, duty):
        board_wire.tell(b"W", self._number, 0, freq.to_bytes(4, "big") + duty.to_bytes(2, "big"))


class WDT:
    """A watchdog: once started, it resets the chip when nobody feeds it for `timeout` ms. Nothing stops it."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _watch.timeout_ms = min(timeout, int(os.getenv("ADMIT_CHIP_WATCHDOG_MS") or timeout))
        self.feed()
        board_wire.tell(b"T", min(timeout, 65535))
        if not _watch.running:
            _watch.running = True
            _thread.start_new_thread(_watch.run, ())

    def feed(self):
        _watch.fed_ms = utime.ticks_ms()


class _Watch:
    running = False
    timeout_ms = fed_ms = 0

    def run(self):
        while utime.ticks_diff(utime.ticks_ms(), self.fed_ms) < self.timeout_ms:
            utime.sleep_ms(_WATCH_MS)
        board_wire.restart(WDT_RESET)


_watch = _Watch()


class RTC:
    """The clock, and 2048 bytes that outlive a restart but no loss of power (RTC_SLOW memory)."""

    def datetime(self, *value):
        """(year, month, day, weekday, hours, minutes, seconds, subseconds); the weekday is not looked at."""
        if value:
            year, month, day, _, hour, minute, second, _ = value[0]
            time.set_clock(time.mktime((year, month, day, hour, minute, second, 0, 0)))
            return None
        year, month, day, hour, minute, second, weekday, _ = time.gmtime()
        return (year, month, day, weekday, hour, minute, second, 0)

    def memory(self, *data):
        if not data:
            return bytes.fromhex(board_wire.kept.get("rtc", ""))
        if len(data[0]) > _RTC_MEMORY:
            raise ValueError("buffer too long")
        board_wire.kept["rtc"] = bytes(data[0]).hex()
        board_wire.tell(b"P", 0, 0, bytes(data[0]))


def bitstream(pin, encoding, timing, data):
    """Send `data` bit by bit to an addressable LED; `timing`: nanoseconds high and low of a 0, then of a 1."""
    if encoding != 0 or len(timing) != 4:
        raise ValueError
    if _find(pin).number >= _FIRST_INPUT_ONLY:
        raise ValueError("pin can only be input")
    board_wire.tell(b"B", _find(pin).number, 0, bytes(data))


def reset():
    """Start again as if the reset pin had been pulled."""
    board_wire.restart(HARD_RESET)


def soft_reset():
    """Start MicroPython again, once the program has left what it is in."""
    raise SystemExit(board_power.SOFT_EXIT)


def reset_cause():
    return board_power.cause()


def unique_id():
    """The six bytes of the chip's MAC."""
    return bytes.fromhex(os.getenv("ADMIT_CHIP_ID") or "240ac4000001")


_frequency = 160_000_000


def freq(*value):
    """The CPU's frequency; or set it to one that this chip has."""
    global _frequency
    if not value:
        return _frequency
    if value[0] // 1_000_000 not in (20, 40, 80, 160, _MOST_MHZ):
        most = ", 160MHz or 240MHz" if _MOST_MHZ == 240 else " or 160MHz"
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz" + most)
    _frequency = value[0]


def idle():
    utime.sleep_us(100)


def _on_level(number, level, _):
    pin = _pins.get(number)
    before = pin._level() if pin else 0
    _outside[number] = level
    if pin:
        pin._outside_changed(before)


for _number, _level in board_wire.kept.get("levels", {}).items():
    _outside[int(_number)] = _level
board_wire.listen(b"g", _on_level)
