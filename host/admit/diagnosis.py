"""All that is known of a device's state, in one file that may be given away: what it tells, what was kept of it, and
what looks wrong, in words.

Owns: which parts there are, and the file: a zip, the same bytes for the same parts.
Rules: no secret, since nothing is read that holds one: neither key files nor wallets nor the authority's, and of the
registry only what is listed here. People are named as a device names them, by half a hash of their key. What cannot be
had is said, and the rest is there all the same.
"""

import csv
import io
import json
import platform
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from admit.forms import utc
from admit.health import Log
from admit.health_findings import Look, Sample
from admit.keyfiles import fingerprint
from admit.plain import plain
from admit.registry import Registry
from admit_protocol import cbor, journal, journal_reader
from admit_protocol.errors import Malformed, NotFound

_RECORDS = 200
_BEGIN = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip knows: when it was made is in README.txt
_COLUMNS = ("boots", "uptime_s", "heap_free", "heap_low", "handshakes_failed", "exceptions", "policy_epoch", "version")


@dataclass
class Told:
    """What a device told at a visit: its answers as they came (CBOR), its log, and what it did not answer, and why."""

    release: bytes | None = None
    log: Log | None = None
    missing: dict[str, str] = field(default_factory=dict)


def bundle(look: Look, told: Told, registry: Registry | None, version: str, now: int) -> dict[str, bytes]:
    """The parts by name, README.txt first. `version`: this admit's; `now`: unix seconds."""
    parts = {"health.json": _json(_health(look)), "machine.json": _json(_machine(version, now))}
    parts["history.csv"] = _history([*look.earlier, look.now]).encode()
    missing = dict(told.missing)
    if told.release is not None:
        try:
            parts["release.json"] = _json(plain(cbor.decode(told.release)))
        except Malformed as error:
            missing["release.json"] = f"it cannot be read ({error.reason})"
    if told.log is not None:
        parts["log.txt"] = log_text(told.log, now).encode()
    if registry is not None:
        parts |= _known(look.device, registry)
    return {"README.txt": _readme(look, missing, parts, version, now).encode()} | dict(sorted(parts.items()))


def pack(parts: dict[str, bytes]) -> bytes:
    """The parts as a zip."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name, _BEGIN)
            entry.external_attr = 0o644 << 16
            file.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def log_text(log: Log, now: int) -> str:
    """A device's log, with the times at which its lines were written if it was asked at `now`."""
    started = now - log.uptime_s
    return "".join(f"{utc(started + each.uptime_s)}  {line_words(each.text, each.times)}\n" for each in log.lines)


def line_words(text: str, times: int) -> str:
    """A line of a log, and how often it was there."""
    return text if times == 1 else f"{text} (x{times})"


def _readme(look: Look, missing: dict[str, str], parts: dict[str, bytes], version: str, now: int) -> str:
    lines = [f"Diagnosis of {look.device}, made {utc(now)} by admit {version}.", ""]
    lines += ["What looks wrong", ""]
    lines += [f"- {each.state}: {each.words} Try: {each.fix}." for each in look.findings] or ["- Nothing."]
    if missing:
        lines += ["", "What could not be had", ""]
        lines += [f"- {name}: {why}" for name, why in missing.items()]
    lines += ["", "What is in here (bytes, SHA-256)", ""]
    lines += [f"- {name}  {len(data)}  {sha256(data).hexdigest()}" for name, data in sorted(parts.items())]
    lines += ["", "There is no key, passphrase, code or name of a person in it: people are half a hash of their key."]
    return "\n".join(lines) + "\n"


def _health(look: Look) -> dict:
    findings = [{"state": each.state, "words": each.words, "fix": each.fix} for each in look.findings]
    last = next((each for each in [look.now, *reversed(look.earlier)] if each.told is not None), None)
    told = {"told": last.told, "told_at": utc(last.at)} if last else {"told": None, "told_at": None}
    return {"device": look.device, "state": look.state, "asked_at": utc(look.now.at), "findings": findings} | told


def _machine(version: str, now: int) -> dict:
    about = {"admit": version, "python": platform.python_version(), "system": platform.system()}
    return about | {"release": platform.release(), "machine": platform.machine(), "time": utc(now)}


def _history(samples: Sequence[Sample]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["time", *_COLUMNS, "storage_free", "writes", "reset_cause", "no_answer"])
    for each in samples:
        told = each.told or {}
        storage = told.get("storage") or {}
        numbers = [told.get(name) for name in _COLUMNS]
        more = [storage.get("free"), storage.get("writes"), told.get("reset_cause"), each.reason]
        writer.writerow([utc(each.at), *(_cell(value) for value in [*numbers, *more])])
    return out.getvalue()


def _cell(value):
    """A value that no spreadsheet takes for a formula."""
    return "" if value is None else f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value


def _known(device_id: str, registry: Registry) -> dict[str, bytes]:
    """What the registry knows of a device, but of people."""
    try:
        device = registry.device(device_id)
    except NotFound:
        return {}
    head, board = registry.last_head(device_id), registry.board_of(device_id)
    known: dict[str, Any] = {"device": device_id, "fingerprint": fingerprint(device.public)}
    known["added"] = utc(device.added_at)
    known |= {"epoch": device.epoch, "held_epoch": device.held_epoch, "credential": device.credential.hex()}
    known |= {"journal_seen": utc(head.seen_at) if head else None, "records": head.count if head else 0}
    if board is not None:
        steps = registry.steps(board.board_id)
        known["board"] = {"board": board.board, "id": board.board_id, "set_hash": plain(board.set_hash)}
        known["provisioning"] = [{"at": utc(each.at), "step": each.step, "event": each.event} for each in steps]
    return {"registry.json": _json(known), "journal.txt": _journal(device_id, registry).encode()}


def _journal(device_id: str, registry: Registry) -> str:
    """The latest records collected, as the device wrote them. `admit journal verify` proves them."""
    head = registry.last_head(device_id)
    stored = registry.record_bytes(device_id, max(0, head.count - _RECORDS) if head else 0)
    lines = []
    for number, data in stored:
        record = journal_reader.parse_record(data)
        when = utc(record.time) if record.time is not None else "-"
        why = record.extra.get(journal.REASON, "")
        kind = journal_reader.KINDS.get(record.kind, str(record.kind))
        outcome = journal_reader.OUTCOMES.get(record.outcome, str(record.outcome))
        who = record.who.hex() if record.who else "-"
        lines.append("  ".join(str(each) for each in (number, when, kind, who, record.what, outcome, why)).rstrip())
    return "".join(f"{each}\n" for each in lines)


def _json(value) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
