"""Who may do what, answered on the host: by the same rule code and in the same order as on a device.

Owns: the verdict over all grants of a user, and which refusal explains best.
Rules: each grant is judged as a device would judge it, which sees one grant a session; one that allows is enough.
Must not know: the registry, and how a verdict is shown.
"""

from dataclasses import dataclass

from admit_protocol import grant, rule, standing
from admit_protocol.errors import Untrusted

# From what is farthest from an allowance to what is nearest. A grant that would allow, but was taken back or has ended,
# explains more than a rule that never would, and less than one that does at another hour.
_WOULD_ALLOW = "does not count"
_REASONS = (
    "rule-none",
    "rule-method",
    _WOULD_ALLOW,
    "rule-unknown-condition",
    "rule-argument",
    "rule-time-unknown",
    "rule-outside-zone",
    "rule-outside-window",
)


@dataclass(frozen=True)
class Opinion:
    """What one grant says: `decision.rule` is an index into its rules."""

    grant: grant.Grant
    decision: rule.Decision
    nearness: int


@dataclass(frozen=True)
class Verdict:
    """Allowed or denied, by the grant and the rule of the deciding opinion; None where no grant says anything."""

    decision: rule.Decision
    grant: grant.Grant | None
    opinions: tuple[Opinion, ...]

    @property
    def rule(self) -> rule.Rule | None:
        """The rule that decided, or came nearest."""
        if self.grant is None or self.decision.rule is None:
            return None
        return self.grant.rules[self.decision.rule]


def decide(
    grants: list[grant.Grant],
    device_id: str,
    request: tuple[int, str, dict | None],
    now: int | None,
    revoked: set[bytes],
) -> Verdict:
    """The verdict on `request` = (method bit, path, arguments) at a device; `revoked` are ids of grants."""
    opinions = tuple(_opinion(given, device_id, request, now, revoked) for given in grants)
    if not opinions:
        return Verdict(rule.Decision(False, "access-no-grant", None, "the user has no grant at all"), None, ())
    best = max(opinions, key=lambda opinion: opinion.nearness)
    return Verdict(best.decision, best.grant, opinions)


def _opinion(
    given: grant.Grant, device_id: str, request: tuple[int, str, dict | None], now: int | None, revoked: set[bytes]
) -> Opinion:
    by_rules = rule.decide(given.rules, request, now)
    try:
        standing.check(given, device_id, now, revoked)
    except Untrusted as error:
        refused = rule.Decision(False, error.reason, None, error.detail)
        return Opinion(given, refused, _REASONS.index(_WOULD_ALLOW) if by_rules.allowed else -1)
    if by_rules.allowed:
        return Opinion(given, by_rules, len(_REASONS))
    return Opinion(given, by_rules, _REASONS.index(by_rules.reason))
