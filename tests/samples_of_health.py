"""Devices that tell of their health, for tests and pictures: a week of samples of each kind of trouble."""

from zoneinfo import ZoneInfo

from admit.health_findings import Known, Look, Sample
from admit_protocol import cbor

NOW = 1795600800  # 2026-11-25 10:00 UTC
DAY_S = 86400
UTC = ZoneInfo("UTC")


def told(**more):
    """What a healthy device tells, as health.parse reads it; `more` replaces entries."""
    entries = {"version": "1.4.0", "slot": "a", "board": "esp32_s3_generic", "boots": 12, "reset_cause": "power"}
    entries |= {"uptime_s": 3 * DAY_S, "time": NOW, "time_source": "rtc", "time_uncertain_s": 0, "policy_epoch": 7}
    entries |= {"records": 4213, "heap_free": 61000, "heap_low": 23500, "handshakes_failed": 2, "exceptions": 0}
    entries |= {"storage": {"total": 2097152, "free": 1402880, "writes": 912}, "last_exception": None, "faults": []}
    entries |= {"radio": {"connections": 310, "drops": 4, "refused": 0}, "sensors": {"temperature_c": 21.5}}
    return entries | more


def encoded(**more):
    """The same as a device encodes it."""
    entries = told(**more)
    entries["sensors"] = {name: _number(value) for name, value in entries["sensors"].items()}
    return cbor.encode(entries)


def _number(value):
    return value if isinstance(value, int | None) else [round(value * 1000), 3]


def healthy(name="kiosk-1", samples=168):
    """A device that was asked every hour, and was well."""
    hours = range(samples - 1, 0, -1)
    earlier = [
        Sample(NOW - hour * 3600, told(**_at(hour), boots=11 if hour > 72 else 12, time=NOW - hour * 3600))
        for hour in hours
    ]
    return Look(name, Sample(NOW, told()), Known(earlier, 7))


def troubled(name="kiosk-2"):
    """One that restarts, fills up, leaks and was silent for a day."""
    earlier = []
    for hour in range(167, 0, -1):
        if 60 < hour < 84:
            earlier.append(Sample(NOW - hour * 3600, None, "ble-not-found"))
            continue
        free = 61000 - (167 - hour) % 40 * 1200
        more = _at(hour) | {"boots": 40 + (167 - hour) // 40, "heap_free": free, "heap_low": max(free - 9000, 2100)}
        more |= {"storage": {"total": 2097152, "free": 30000 + hour * 4000, "writes": 20000}}
        earlier.append(Sample(NOW - hour * 3600, told(**more, time=NOW - hour * 3600)))
    ended = {"what": "MemoryError", "place": "routines.py:40 log < kiosk.py:52 expire", "boot": 44, "uptime_s": 88000}
    last = {"boots": 45, "reset_cause": "watchdog", "heap_free": 9000, "heap_low": 2100, "handshakes_failed": 240}
    last |= {"storage": {"total": 2097152, "free": 30000, "writes": 90000}, "last_exception": ended | {"ended": True}}
    last |= {"faults": ["routines: the watchdog ended the last run"], "sensors": {"temperature_c": None}}
    return Look(name, Sample(NOW, told(**last)), Known(earlier, 8))


def silent(name="kiosk-3"):
    """One that answers no more."""
    earlier = [Sample(NOW - hour * 3600, told(**_at(hour))) for hour in range(167, 30, -1)]
    return Look(name, Sample(NOW, None, "no such kiosk is in reach (ble-not-found)"), Known(earlier, 7))


def hostile(name="<b>kiosk</b>"):
    """One whose every word is markup, or steers a terminal."""
    words = "<script>alert(1)</script>\x1b[31m\u202e&\"'"
    last = {"what": words, "place": words, "boot": 12, "uptime_s": 1, "ended": True}
    more = {"version": words, "board": words, "slot": words, "reset_cause": words, "last_exception": last}
    return Look(name, Sample(NOW, told(**more, faults=[words], sensors={words: 1.5})), Known([], 7))


def _at(hour):
    wave = (hour * 7919) % 24
    radio = {"connections": max(310 - hour * 2, 1), "drops": 4, "refused": 0}
    more = {"heap_free": 61000 - wave * 150, "heap_low": 23500, "radio": radio}
    return more | {"sensors": {"temperature_c": 19 + abs(12 - hour % 24) * 0.4}, "handshakes_failed": 2}
