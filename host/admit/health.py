"""How a device is: asking it, and reading what it tells; today's answer, or one that the registry kept.

Owns: which entries there are, their types and bounds (docs/SPEC.md "/health"). What an older device does not tell is
None; what a newer one tells beyond it is left out.
Rules: nothing that is told is believed further than its type: it is a device's word on itself, under its own session.
A text is one line, without control characters, wherever it is shown.
Must not know: what is good or bad (health_findings.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

from admit.client import Session
from admit.plain import one_line
from admit_protocol import cbor, coap
from admit_protocol.errors import Malformed

_TEXT = 256
_MOST = 1 << 53
_LONGEST_S = 1 << 32  # a device's uptime is part of a date
_MAX_FAULTS, _MAX_SENSORS, _MAX_LINES = 16, 8, 64


@dataclass(frozen=True)
class Line:
    """A line of a device's log: its number, seconds since the start, how often it was there so far."""

    number: int
    uptime_s: int
    text: str
    times: int


@dataclass(frozen=True)
class Log:
    """Lines of a device's log, where to go on from, and how long the device has been running."""

    lines: list[Line]
    next: int
    uptime_s: int


async def ask(session: Session) -> bytes:
    """What the device tells of itself, as it told it and `parse` reads it. Raises Malformed health-body."""
    payload = (await session.request(coap.GET, "/health")).payload
    parse(payload)
    return payload


async def ask_log(session: Session, since: int = 0) -> Log:
    """The lines of the device's log from number `since` on. Raises Malformed health-log."""
    payload = (await session.request(coap.GET, "/health", query=f"log={since}")).payload
    body = cbor.expect(cbor.decode(payload), dict, "health-log")
    if not isinstance(body.get(2), list) or len(body[2]) > _MAX_LINES:  # an older device, which knows no log
        raise Malformed("health-log")
    return Log([_line(each) for each in body[2]], _count(body.get(1), "health-log"), _uptime(body.get(3)))


def parse(payload: bytes) -> dict:
    """The entries that we know, of their types; None for what a device does not tell. Raises Malformed health-body."""
    told = cbor.expect(cbor.decode(payload), dict, "health-body")
    return {name: _told(told.get(name), read) for name, read in ENTRIES.items()}


def _told(value, read: Callable):
    return None if value is None else read(value)


def _count(value, reason: str = "health-body") -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise Malformed(reason)
    return value


def _uptime(value) -> int:
    if _count(value, "health-log") > _LONGEST_S:
        raise Malformed("health-log")
    return value


def _text(value, reason: str = "health-body") -> str:
    if not isinstance(value, str) or len(value) > _TEXT:
        raise Malformed(reason)
    return one_line(value, _TEXT)


def _texts(value) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_FAULTS:
        raise Malformed("health-body")
    return [_text(each) for each in value]


def _counts(*names: str) -> Callable[[object], dict]:
    def read(value) -> dict:
        if not isinstance(value, dict):
            raise Malformed("health-body")
        return {name: _told(value.get(name), _count) for name in names}

    return read


def _exception(value) -> dict:
    if not isinstance(value, dict) or not isinstance(value.get("ended"), bool):
        raise Malformed("health-body")
    texts = {name: _text(value.get(name)) for name in ("what", "place")}
    return texts | {name: _told(value.get(name), _count) for name in ("boot", "uptime_s")} | {"ended": value["ended"]}


def _sensors(value) -> dict[str, float | None]:
    if not isinstance(value, dict) or len(value) > _MAX_SENSORS:
        raise Malformed("health-body")
    return {_text(name): _told(each, _number) for name, each in value.items()}


def _number(value) -> float:
    """A whole number, or [digits, decimals]."""
    digits, decimals = value if isinstance(value, list) and len(value) == 2 else (value, 0)
    if type(digits) is not int or type(decimals) is not int or not 0 <= decimals <= 3 or abs(digits) > _MOST:
        raise Malformed("health-body")
    return digits / 10**decimals if decimals else digits


def _line(value) -> Line:
    if not isinstance(value, list) or len(value) != 4:
        raise Malformed("health-log")
    number, uptime_s, text, times = value
    return Line(_count(number, "health-log"), _uptime(uptime_s), _text(text, "health-log"), _count(times, "health-log"))


ENTRIES: dict[str, Callable] = {
    "version": _text,
    "slot": _text,
    "board": _text,
    "boots": _count,
    "reset_cause": _text,
    "uptime_s": _count,
    "time": _count,
    "time_source": _text,
    "time_uncertain_s": _count,
    "policy_epoch": _count,
    "records": _count,
    "heap_free": _count,
    "heap_low": _count,
    "storage": _counts("total", "free", "writes"),
    "radio": _counts("connections", "drops", "refused"),
    "handshakes_failed": _count,
    "exceptions": _count,
    "last_exception": _exception,
    "sensors": _sensors,
    "faults": _texts,
}
