"""Who may do what, answered on the host: by the same rule code and in the same order as on a device.

Owns: the verdict over all grants of a user, what the visitor would still have to show, and which refusal explains best.
Rules: each grant is judged as a device would judge it; one that allows is enough. What only the device knows (a count,
a code, a consent) is taken as nothing used, and told as what is needed.
Must not know: the registry, and how a verdict is shown.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from admit.condition_forms import needs_text
from admit_protocol import rule, rule_index, standing
from admit_protocol.errors import Untrusted
from admit_protocol.standing import Grant

Request = tuple[int, str, dict | None]
Moment = tuple[int | None, int | None]

BY_POLICY = ("rule-denied", "rule-lockdown")

# How near an opinion is to an allowance, between those of rule.REASONS. A grant that would allow, but was taken back or
# has ended, explains more than a rule that never would, and less than one that does at another hour.
_ALLOWS = rule.REASONS.index("rule-allows")
_WITH_NEEDS = _ALLOWS - 0.3
_DENIED = _ALLOWS - 0.6
_WOULD_ALLOW = rule.REASONS.index("rule-method") + 0.5


class _Willing:
    """A state in which the visitor shows and brings whatever is asked for."""

    presence = rule.CODE | rule.BUTTON

    def __init__(self, state: Any):
        self.used, self.recent, self.policy_age = state.used, state.recent, state.policy_age

    def approved(self, _selectors: list[str]) -> int:
        return 1 << 64


@dataclass(frozen=True)
class Opinion:
    """What one grant says: `decision.rule` is an index into the rules of that link of its chain that decided.

    `needs`: what the visitor has to show or bring, in words; with it, and only so, it is allowed.
    """

    grant: Grant
    decision: rule.Decision
    nearness: float
    needs: tuple[str, ...] = ()

    @property
    def link(self) -> Grant | None:
        """The grant that decided: this one, or one that it was passed on from; None where none did."""
        links = (self.grant, *self.grant.chain)
        return next((each for each in links if each.id == self.decision.by), None)

    @property
    def rule(self) -> rule.Rule | None:
        """The rule that decided, or came nearest."""
        if self.link is None or self.decision.rule is None:
            return None
        return self.link.rules[self.decision.rule]


@dataclass(frozen=True)
class Verdict:
    """Allowed or denied, by the grant and the rule of the deciding opinion; None where no grant says anything."""

    decision: rule.Decision
    opinion: Opinion | None
    opinions: tuple[Opinion, ...]

    @property
    def grant(self) -> Grant | None:
        """The grant whose opinion decided."""
        return self.opinion.grant if self.opinion else None

    @property
    def rule(self) -> rule.Rule | None:
        """The rule of a grant that decided, or came nearest."""
        return self.opinion.rule if self.opinion else None

    @property
    def needs(self) -> tuple[str, ...]:
        """What has to be shown or brought before it is allowed."""
        return self.opinion.needs if self.opinion else ()


def decide(
    grants: Iterable[Grant],
    device_id: str,
    policy_rules: Sequence[rule.PolicyRule],
    request: Request,
    moment: Moment,
    revoked: Collection[Any] = frozenset(),
    state: Any = rule.NOTHING,
) -> Verdict:
    """The verdict on `request` = (method bit, path, arguments) at a device whose policy holds `policy_rules`.

    `revoked`: ids of grants (8 bytes), and selectors of people, who do not count. `moment` and `state` as rule.decide.
    """
    policy = rule_index.build(policy_rules) if policy_rules else None
    opinions = tuple(judge(given, device_id, policy, request, moment, revoked, state) for given in grants)
    if not opinions:
        return Verdict(rule.answer(False, "access-no-grant", "the user has no grant at all"), None, ())
    best = max(opinions, key=lambda opinion: opinion.nearness)
    return Verdict(best.decision, best, opinions)


def judge(
    given: Grant,
    device_id: str,
    policy: Any,
    request: Request,
    moment: Moment,
    revoked: Collection[Any] = frozenset(),
    state: Any = rule.NOTHING,
) -> Opinion:
    """What one grant says; `policy` is of rule_index.build, or None."""
    subject = rule.subject_of(given)
    try:
        for link in (given, *given.chain):
            standing.check(link, device_id, moment, revoked)
    except Untrusted as error:
        undying = tuple(link._replace(life=(None, None)) for link in subject)
        would = rule.decide(undying, policy, request, moment, _Willing(state)).allowed
        return Opinion(given, rule.answer(False, error.reason, error.detail), _WOULD_ALLOW if would else -1)
    decision = rule.decide(subject, policy, request, moment, state)
    if decision.reason in BY_POLICY:
        return Opinion(given, decision, _DENIED)
    if decision.reason in ("rule-presence", "rule-approvals"):
        willing = rule.decide(subject, policy, request, moment, _Willing(state))
        if willing.allowed:
            needs = _needs(subject, policy, request, moment, state)
            return Opinion(given, willing, _WITH_NEEDS, needs)
    return Opinion(given, decision, rule.REASONS.index(decision.reason))


def _needs(subject: Any, policy: Any, request: Request, moment: Moment, state: Any) -> tuple[str, ...]:
    """What the deciding rule of each link asks for."""
    found: list[str] = []
    for link in subject:
        decision = rule.decide((link,), policy, request, moment, _Willing(state))
        if decision.rule is None:
            conditions = next(one.conditions for one in policy[0] if one.id == decision.by)
        else:
            conditions = link.rules[decision.rule][2]
        found += needs_text(conditions)
    return tuple(dict.fromkeys(found))
