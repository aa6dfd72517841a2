"""What looks wrong with a device, in words, and what to do about it.

Owns: the limits from which on something is worth a word. Each finding follows from what the device told, now or before,
and from what the registry knows; none is more than a hint to whoever is called at night.
Must not know: how the words are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from admit_protocol.errors import AdmitError, Malformed

FAIL, WARN = "fail", "warn"

_HEAP_FEW, _HEAP_LOW = 4 * 1024, 12 * 1024  # bytes
_SPACE_FEW, _SPACE_LOW = 0.02, 0.10  # of the storage
_WRITES_A_DAY = 20_000  # littlefs spreads them over some hundred blocks of 100,000 erasures each
_KNOCKS = 20  # handshakes that failed since the start
_CLOCK_S = 300  # off, or uncertain
_RESTARTS = 3  # in a day
_DROPS = 0.5  # of at least ten links
_DAY_S = 86400
_LEAK = 0.25  # of the free heap, lost within one run
_LEAK_SAMPLES = 6


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong: FAIL (somebody is affected) or WARN, in words, and what helps."""

    state: str
    words: str
    fix: str


@dataclass(frozen=True)
class Sample:
    """How a device was, at a time (unix seconds): what health.parse read, or None and the reason of no answer."""

    at: int
    told: dict | None
    reason: str | None = None


@dataclass
class Known:
    """What is known of a device beside what it tells: its samples before, the oldest first; the epoch of its policy."""

    earlier: Sequence[Sample] = field(default_factory=list)
    epoch: int | None = None


class Look:
    """A device and what is to be said of it: `now` after `known.earlier`; `error` is why it did not answer."""

    def __init__(self, device: str, now: Sample, known: Known, error: AdmitError | None = None):
        self.device, self.now, self.earlier, self.error = device, now, list(known.earlier), error
        self.findings: list[Finding] = look(now, known)
        self.state = "silent" if now.told is None else state(self.findings)


def look(now: Sample, known: Known) -> list[Finding]:
    """What looks wrong, the worst first."""
    told = now.told
    if told is None:
        return [_silent(now, known)]
    found = [
        *_faults(told),
        *_ends(told),
        *_memory(told, known),
        *_storage(told),
        *_time(now, told),
        *_policy(told, known),
        *_links(told),
        *_restarts(now, told, known),
        *_sensors(told),
    ]
    return sorted(found, key=lambda each: each.state != FAIL)


def state(findings: Sequence[Finding]) -> str:
    """ "ok", or the worst of them."""
    return min((each.state for each in findings), default="ok")  # "fail" < "warn"


def samples(rows, parse) -> list[Sample]:
    """Rows of the registry as Samples; one that cannot be read any more is left out."""
    found = []
    for row in rows:
        try:
            found.append(Sample(row.at, parse(row.data) if row.data is not None else None, row.reason))
        except Malformed:
            pass
    return found


def _silent(now: Sample, known: Known) -> Finding:
    seen = [each.at for each in known.earlier if each.told is not None]
    words = f"It could not be asked: {now.reason}"
    words += f". It was last seen {span(now.at - seen[-1])} ago" if seen else ". It never was since health is kept"
    return Finding(FAIL, words + ".", "power, distance, its radio: admit doctor; then go there with its cable")


def _faults(told: dict):
    for each in told["faults"] or []:
        yield Finding(FAIL, f"It says of itself: {each}.", _FIXES.get(each.partition(":")[0], "admit diagnose"))


_FIXES = {
    "routines": "mend the routines file and install it again; the last line of admit logs says where it failed",
    "radio": "switch it off and on; if it stays, change the board",
    "policy": "admit sync brings a whole policy",
    "journal": "admit journal saves what can be read; then provision the board again",
}


def _ends(told: dict):
    last = told["last_exception"]
    if told["reset_cause"] == "watchdog":
        doing = f", which was doing {last['place']}" if last and last["what"] == "watchdog" else ""
        yield Finding(FAIL, f"Its watchdog ended the last run{doing}.", "look for an endless loop in the routines")
    elif last and last["ended"] and last["boot"] is not None and told["boots"] is not None:
        ago = told["boots"] - last["boot"]
        if 0 <= ago <= 3:
            words = f"Run {last['boot']} was ended by {last['what']} at {last['place']}."
            yield Finding(WARN, words, "send admit diagnose to whoever maintains the firmware or the routines")
    if told["exceptions"]:
        number, what = told["exceptions"], f": {last['what']} at {last['place']}" if last and not last["ended"] else ""
        words = f"It has met {number} exception{'s' * (number > 1)} in this run, the last one{what}."
        yield Finding(WARN, words, "admit logs shows the others")


def _memory(told: dict, known: Known):
    low = told["heap_low"]
    if low is not None and low < _HEAP_LOW:
        state = FAIL if low < _HEAP_FEW else WARN
        yield Finding(state, f"It had only {low:,} bytes of memory left at worst.", "fewer or smaller routines")
    run = [each.told["heap_free"] for each in known.earlier if each.told and each.told["boots"] == told["boots"]]
    run = [each for each in [*run, told["heap_free"]] if each is not None][-_LEAK_SAMPLES:]
    falls = all(later < earlier for earlier, later in zip(run, run[1:], strict=False))
    if len(run) == _LEAK_SAMPLES and falls and run[-1] < run[0] * (1 - _LEAK):
        words = f"Its free memory falls and falls: {run[0]:,} bytes, now {run[-1]:,}."
        yield Finding(WARN, words, "look for a list in the routines that only grows; a restart helps for a while")


def _storage(told: dict):
    storage = told["storage"] or {}
    total, free, writes = (storage.get(name) for name in ("total", "free", "writes"))
    if total and free is not None and free < total * _SPACE_LOW:
        state = FAIL if free < total * _SPACE_FEW else WARN
        yield Finding(
            state, f"Its storage is nearly full: {free:,} of {total:,} bytes free.", "admit journal, admit sync"
        )
    if writes and told["uptime_s"] is not None:
        a_day = writes * _DAY_S // max(told["uptime_s"], 3600)
        if a_day > _WRITES_A_DAY:
            yield Finding(WARN, f"It writes {a_day:,} times a day: that wears its flash.", "admit journal shows what")


def _time(now: Sample, told: dict):
    if told["time_source"] in ("unknown", "floor"):
        words = "It does not know the time: grants with hours or an end may not count."
        yield Finding(WARN, words, "admit sync sets it")
        return
    if told["time"] is not None and abs(told["time"] - now.at) > _CLOCK_S:
        words = f"Its clock is off by {span(abs(told['time'] - now.at))}, if this machine's is right."
        yield Finding(WARN, words, "admit sync sets it")
    elif (told["time_uncertain_s"] or 0) > _CLOCK_S:
        yield Finding(WARN, f"Its time is uncertain by {span(told['time_uncertain_s'])}.", "admit sync sets it")


def _policy(told: dict, known: Known):
    held = told["policy_epoch"]
    if held is None or known.epoch is None or held == known.epoch:
        return
    if held < known.epoch:
        words = f"It has not heard of the newest policy: it holds epoch {held}, of {known.epoch}."
        yield Finding(WARN, words, "admit sync")
    else:
        words = f"It holds policy epoch {held}, and this registry made only {known.epoch}."
        yield Finding(FAIL, words, "this registry is older than the one that was in use: restore the newest backup")


def _links(told: dict):
    failed = told["handshakes_failed"] or 0
    if failed > _KNOCKS:
        words = f"{failed:,} handshakes failed since it started: somebody knocks, or a phone does not know its new key."
        yield Finding(WARN, words, "admit logs says why they failed")
    radio = told["radio"] or {}
    links, drops, refused = (radio.get(name) or 0 for name in ("connections", "drops", "refused"))
    if links >= 10 and drops > links * _DROPS:
        words = f"It ended {drops:,} of {links:,} radio links itself: they said nothing, or proved nothing."
        yield Finding(WARN, words, "phones at the edge of its range, or a scanner that only connects")
    if refused >= 10:
        yield Finding(
            WARN, f"Its places on the air were all taken {refused:,} times.", "too many visitors for one radio"
        )


def _restarts(now: Sample, told: dict, known: Known):
    day = [each.told for each in known.earlier if each.told and each.at >= now.at - _DAY_S]
    before = [each["boots"] for each in day if each["boots"] is not None]
    if not before or told["boots"] is None:
        return
    restarts = told["boots"] - before[0]
    if restarts >= _RESTARTS:
        words = f"It restarted {restarts} times within a day, the last time by {told['reset_cause']}."
        yield Finding(WARN, words, "its supply and its cable first; then admit logs")
    elif restarts < 0:
        words = f"It counts {told['boots']} starts and had counted {before[0]}: it was wiped, or is another board."
        yield Finding(FAIL, words, "admit status, admit journal verify")


def _sensors(told: dict):
    for name, value in (told["sensors"] or {}).items():
        if value is None:
            yield Finding(
                WARN, f"Its sensor {name} tells nothing.", "its wiring; admit logs says if its function failed"
            )


def span(seconds: int) -> str:
    """A length of time as people say it: "45 s", "12 min", "3 h 05 min", "2 days 4 h"."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // _DAY_S
    if days:
        return f"{days} day{'s' * (days > 1)} {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
