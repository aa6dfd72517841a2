"""Sensors: what a routines file offers as `sensors`, numbers that /health tells.

    sensors = {"temperature_c": thermometer.read, "battery_v": lambda: adc.read_uv() / 1e6}

At most 8 functions by name, without parameters. What one returns is a number from -1,000,000 to 1,000,000, told with
three decimals; whatever else it does costs its own value and nothing more. Loaded at a start and for each question.
"""

from admit_device.faults import print_exception
from admit_protocol.const import const
from admit_protocol.errors import LocalError

_MOST_SENSORS = const(8)
_MOST = const(1_000_000)
_LETTERS = const("abcdefghijklmnopqrstuvwxyz0123456789_")
_NAME = const(24)  # characters


def declared(namespace):
    """The sensors among the names of a routines file. Raises LocalError("sensor-form")."""
    found = namespace.get("sensors", {})
    if not isinstance(found, dict) or len(found) > _MOST_SENSORS:
        raise LocalError("sensor-form", "sensors are at most 8 functions by name")
    for name in found:
        is_name = isinstance(name, str) and 0 < len(name) <= _NAME and not name.strip(_LETTERS)
        if not is_name or not callable(found[name]):
            raise LocalError("sensor-form", "a sensor is a function, and its name a-z, 0-9, _")
    return found


def read(sensors, doing):
    """What each says now: a whole number, or [digits, decimals]; None if it does not. `doing(what)` is told first."""
    told = {}
    for name in sorted(sensors):
        doing("sensor " + name)
        told[name] = _number(sensors[name])
    return told


def _number(sensor):
    try:
        value = sensor()
        if isinstance(value, bool) or not -_MOST <= value <= _MOST:
            return None
        digits, decimals = round(value * 1000), 3
    except Exception as error:  # a site's own code may raise anything
        print_exception(error)
        return None
    while decimals and digits % 10 == 0:
        digits, decimals = digits // 10, decimals - 1
    return [digits, decimals] if decimals else digits
