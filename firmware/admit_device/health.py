"""How the device is: GET /health, and its log, GET /health?log=N. Loaded for each request.

Everything is of a known type and bounded: a question costs an admin one answer of a block or two, whatever happened.
docs/SPEC.md "/health" has the body. Must not know which board it is: its ports tell.
"""

import gc

from admit_device import crash, faults, sensors
from admit_protocol import cbor
from admit_protocol.coap import CONTENT, CONTENT_CBOR, response
from admit_protocol.const import const

_LOG_NEXT = const(1)
_LOG_LINES = const(2)
_UPTIME = const(3)
_LOOK_MS = const(3600 * 1000)
_LOOKERS = const(8)

# Texts in one piece: a name that is nowhere else in the firmware would stay in a board's heap for good.
_NAMES = const(
    "version boots uptime_s time time_source time_uncertain_s policy_epoch heap_free heap_low records board slot"
    " reset_cause faults storage radio handshakes_failed exceptions last_exception sensors"
)


def answer(request, device):
    """The response to GET /health. Raises Malformed("request-query")."""
    since = request.query("log", None)
    if not request.again and not device.journal.is_damaged:
        _write_down(request, device.journal)
    body = _health(device) if since is None else _log(since)
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def _write_down(request, journal):
    """Journal that this person looks at how the device is, unless that was written down within the hour: whoever
    watches asks often.
    """
    now_ms, who = journal.clock.monotonic_ms(), request.session.subject.key
    looks = [each for each in journal.looks if now_ms - each[1] < _LOOK_MS]
    if who not in [each[0] for each in looks]:
        journal.decision(who, "GET /health", request.decision, request.session.root)
        looks = looks[1 - _LOOKERS :] + [(who, now_ms)]
    journal.looks = looks


def _log(since):
    """Lines from number `since` on: where to go on, and [number, seconds since the start, text, how often]."""
    found = [list(each) for each in faults.lines if each[0] >= since]
    uptime_s = faults.clock.monotonic_ms() // 1000
    return {_LOG_NEXT: faults.totals[0], _LOG_LINES: found, _UPTIME: uptime_s}


def _health(device):
    ports, clock = device.ports, device.clock
    free = _heap_free()
    device.heap_low = low = free and min(free, device.heap_low)
    measured = sensors.read(device.sensors, ports.doing)
    slot, total, left = ports.vitals()
    earliest, latest = clock.moment()
    values = (
        device.version,
        device.boots,
        clock.monotonic_ms() // 1000,
        clock.now(),
        clock.source,
        None if latest is None else latest - earliest,
        device.access.epoch,
        free,
        low,
        device.journal.count,
        ports.name,
        slot,
        ports.reset_cause,
        _faults(device),
        _named("total free writes", (total, left, ports.storage.writes)),
        _named("connections drops refused", faults.totals[2:5]),
        faults.totals[5],
        faults.totals[1],
        _last_exception(device),
        measured,
    )
    return _named(_NAMES, values)


def _faults(device):
    """What is wrong, and what everybody should know."""
    found = device.faults()
    if device.takeover[0]:
        from admit_device.takeover import shown

        found.append("takeover: by another site in %d h" % (shown(device)[1] // 3600))
    return found


def _heap_free():
    """Bytes of heap that are left, garbage not counted; None on a PC."""
    gc.collect()
    return gc.mem_free() if hasattr(gc, "mem_free") else None


def _named(names, values):
    return dict(zip(names.split(" "), values))


def _last_exception(device):
    """The last one of this run, else what ended an earlier one."""
    found, ended = faults.last, False
    if found:
        found = found[:2] + (device.boots, found[2])
    else:
        found, ended = crash.read(device.ports.storage), True
    return found and _named("what place boot uptime_s ended", tuple(found) + (ended,))
