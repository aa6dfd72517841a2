"""Statements: what an admin said, before it becomes grants. Who may do what, where, when, and on which conditions.

Owns: a statement, its encoding, and its id, which follows from what it says: the same twice is seen to be the same.
Rules: nothing in it depends on who is in a group today, or on what a role allows.
Must not know: the database, keys, and who signs.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

import cbor2

from admit_protocol import aif, rule
from admit_protocol.kdf import sha256

Rules = tuple[tuple[str, int, dict], ...]  # (pattern, methods, conditions)

_ID_DIGITS = 6
_OF_AN_ACT = {rule.USES, rule.RATE, rule.PRESENCE, rule.APPROVALS}


@dataclass(frozen=True)
class Statement:
    """`subject` is user:NAME or group:NAME; times are unix seconds, None where there is no end. `conditions` hold for
    each rule, those of the role too; `delegate` says how often a grant may be passed on.
    """

    subject: str
    audience: tuple[str, ...]
    rules: Rules = ()
    role: str | None = None
    conditions: dict = field(default_factory=dict)
    not_before: int | None = None
    expires: int | None = None
    delegate: int = 0

    def encode(self) -> bytes:
        """All of it, in one form."""
        return cbor2.dumps(
            {
                "subject": self.subject,
                "role": self.role,
                "rules": [list(each) for each in self.rules],
                "on": list(self.audience),
                "conditions": self.conditions,
                "from": self.not_before,
                "until": self.expires,
                "delegate": self.delegate,
            },
            canonical=True,
        )

    def rules_with(self, of_role: Rules) -> list[rule.Rule]:
        """What it allows, `of_role` being what its role does.

        To read how a routine is called takes no code, no consent, and nothing off a count.
        """
        found = []
        for pattern, methods, bounds in (*of_role, *self.rules):
            reading = methods & aif.GET if pattern.startswith("/r/") and self.conditions.keys() & _OF_AN_ACT else 0
            if reading:
                free = {number: value for number, value in self.conditions.items() if number not in _OF_AN_ACT}
                found.append(rule.Rule(pattern, reading, free))
            if methods & ~reading:
                found.append(rule.Rule(pattern, methods & ~reading, bounds | self.conditions))
        return found


def decode(terms: bytes) -> Statement:
    """The statement that was encoded as `terms`."""
    said = cbor2.loads(terms)
    return Statement(
        subject=said["subject"],
        audience=tuple(said["on"]),
        rules=decode_rules(said["rules"]),
        role=said["role"],
        conditions=said["conditions"],
        not_before=said["from"],
        expires=said["until"],
        delegate=said["delegate"],
    )


def encode_rules(rules: Rules) -> bytes:
    """Rules in one form."""
    return cbor2.dumps([list(each) for each in rules], canonical=True)


def decode_rules(value: bytes | list) -> Rules:
    """The rules in their encoded or decoded form."""
    said = cbor2.loads(value) if isinstance(value, bytes) else value
    return tuple((pattern, methods, conditions) for pattern, methods, conditions in said)


def ids_of(kind: str, said: bytes) -> Iterator[str]:
    """Short ids for what is `said`, `kind` being their first letter: the first one that nothing else has is its own."""
    digits = base64.b32encode(sha256(kind.encode() + said)).decode().lower()
    return (f"{kind}-{digits[at : at + _ID_DIGITS]}" for at in range(len(digits) - _ID_DIGITS))
