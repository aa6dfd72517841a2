"""A journal's records in words: keys become people, numbers of rules become rules, seconds become hours.

Owns: the fields of a record as people and programs read it.
Rules: a device names nobody but by key; who that is the registry knows, or nobody. What is not known is shown as it
is.
Must not know: where the words go.
"""

from collections.abc import Iterator
from functools import cache
from zoneinfo import ZoneInfo

from admit import forms
from admit.registry import Registry
from admit_protocol import grant, journal, rule
from admit_protocol.errors import NotFound
from admit_protocol.journal_reader import EXTRAS, KINDS, OUTCOMES, Record

_SHORT_S = 120  # of uncertainty that nobody reads about

# Why something was denied, for people who were not there.
REASONS = {
    "grant-enrolled-other": "the invite was used up by other keys",
    "grant-expired": "the grant had ended",
    "grant-is-invite": "an invite alone opens nothing",
    "grant-needed": "whoever came had no grant",
    "grant-not-enrolled": "the key was not enrolled for the invite",
    "grant-not-yet-valid": "the grant had not begun",
    "grant-other-device": "the grant was for another device",
    "grant-revoked": "the grant had been taken back",
    "grant-time-unknown": "the grant ends, and the device did not know the time",
    "policy-damaged": "the device's policy was damaged",
    "rule-approvals": "others had not approved",
    "rule-argument": "the arguments were out of bounds",
    "rule-denied": "the policy denies it",
    "rule-expired": "the rule had ended",
    "rule-lockdown": "there was a lockdown",
    "rule-method": "a rule allows it, but not in this way",
    "rule-none": "no rule allows it",
    "rule-not-yet-valid": "the rule had not begun",
    "rule-outside-window": "it was outside the hours",
    "rule-outside-zone": "it was outside the years of which the hours are known",
    "rule-presence": "nobody had proved to stand there",
    "rule-rate": "it was too often in a short time",
    "rule-stale": "the device's policy was too old",
    "rule-time-unknown": "the device did not know the time",
    "rule-unknown-condition": "the device did not know a condition",
    "rule-used-up": "it was used up",
}


class Names:
    """What the registry calls those whom records name. It is asked once for each."""

    def __init__(self, registry: Registry):
        self._registry = registry
        self.person = cache(self._person)
        self._grant = cache(self._found_grant)

    def rule(self, record: Record) -> rule.Rule | None:
        """The rule of a grant that decided, or came nearest; None for what is none, or is not known."""
        by, index = record.extra.get(journal.BY), record.extra.get(journal.RULE)
        if not isinstance(by, bytes) or not isinstance(index, int) or isinstance(index, bool):
            return None
        found = self._grant(by)
        return found.rules[index] if found and 0 <= index < len(found.rules) else None

    def _person(self, key: bytes | None) -> str | None:
        """Whose key that is; its digits if nobody's; None if none is named."""
        return None if key is None else self._registry.person(key) or f"key {key.hex()}"

    def _found_grant(self, grant_id: bytes) -> grant.Grant | None:
        try:
            return grant.parse(self._registry.grant(grant_id.hex()).data)
        except NotFound:
            return None  # an invite's, or one that its holder passed on


def fields(record: Record, names: Names, zone: ZoneInfo) -> dict:
    """One record, with times in `zone`."""
    kind = KINDS.get(record.kind, str(record.kind))
    return {
        "no": record.seq,
        "time": time_text(record, zone),
        "unix_time": record.time,
        "uncertain_s": record.extra.get(journal.UNCERTAIN_S, 0) if record.time is not None else None,
        "who": names.person(record.who),
        "key": record.who.hex() if record.who else None,
        "kind": kind,
        "what": record.what if record.kind == journal.DECISION else f"{kind} {record.what}".strip(),
        "outcome": OUTCOMES.get(record.outcome, str(record.outcome)),
        "why": "; ".join(_why(record, names)) or None,
        "extra": {EXTRAS.get(key, str(key)): value for key, value in record.extra.items()},
    }


def time_text(record: Record, zone: ZoneInfo) -> str | None:
    """When it was, and how sure the device was of it; None if it did not know."""
    if record.time is None:
        return None
    if record.extra.get(journal.FLOOR):
        return f"after {forms.moment_text(record.time, zone)}"
    spread = record.extra.get(journal.UNCERTAIN_S, 0)
    if not isinstance(spread, int) or spread <= _SHORT_S:
        return forms.moment_text(record.time, zone)
    return f"{forms.moment_text(record.time + spread // 2, zone)} ±{-(-spread // 120)} min"


def _why(record: Record, names: Names) -> Iterator[str]:
    """What a record adds to its outcome: the reason first, then the rule in words if we know it."""
    extra = dict(record.extra)
    for known in (journal.UNCERTAIN_S, journal.FLOOR):
        extra.pop(known, None)
    if journal.REASON in extra:
        yield str(extra.pop(journal.REASON))
    if one := names.rule(record):
        del extra[journal.RULE], extra[journal.BY]
        yield forms.rule_text(one)
    for key, value in sorted(extra.items()):
        if key == journal.KEY and isinstance(value, bytes):
            yield f"for {names.person(value)}"
            continue
        yield f"{EXTRAS.get(key, key)} {value.hex() if isinstance(value, bytes) else value}"
