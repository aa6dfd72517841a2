"""Who may do what at the site, by all that its registry knows: why, who can, what can.

Owns: which rows of the registry bear upon a question, and what of a device's state the host can know.
Rules: a question about a user looks at that user's grants alone; the answer is access.py's, which is the device's. It
is about a device that has heard of everything.
Must not know: how a question was put, and how its answer is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from admit import access
from admit.registry import Registry
from admit.registry_model import policy_rule
from admit.registry_models import Device
from admit_protocol import credential, grant, rule, rule_index, standing


class Known:
    """A device's state as far as the host knows it: how old its policy is."""

    presence = 0

    def __init__(self, registry: Registry, device: Device | None):
        self._since: int | None = None
        if device is not None:
            self._since = registry.policy_issued_at(device) or credential.parse(device.credential).issued_at

    def used(self, _key: tuple) -> int:
        return 0

    def recent(self, _key: tuple, _seconds: int) -> int:
        return 0

    def approved(self, _selectors: list[str]) -> int:
        return 0

    def policy_age(self, moment: access.Moment) -> int | None:
        """As decisions.py has it."""
        if self._since is None:
            return 0
        return None if moment[1] is None else max(moment[1] - self._since, 0)


@dataclass(frozen=True)
class Allowance:
    """A rule of one of a user's grants: what it says now, and the ids of those denials that take something of it."""

    grant: grant.Grant
    rule: rule.Rule
    opinion: access.Opinion
    denied_by: tuple[str, ...]


def why(
    registry: Registry, user: str, device_id: str, request: access.Request, moment: access.Moment
) -> access.Verdict:
    """The verdict on a user's request. Raises NotFound registry-no-user or registry-no-device."""
    device = registry.device(device_id)
    grants = [grant.parse(row.data) for row in registry.grants(user)]
    revoked = _revoked(registry, user)
    rules = registry.policy_rules(device_id)
    return access.decide(grants, device_id, rules, request, moment, revoked, Known(registry, device))


def who_can(
    registry: Registry, device_id: str, request: access.Request, moment: access.Moment
) -> Iterator[tuple[str, access.Verdict]]:
    """(user, verdict) of everybody who may make the request at the device, by name."""
    device = registry.device(device_id)
    state, policy = Known(registry, device), rule_index.build(registry.policy_rules(device_id))
    shut_out = registry.revoked_selectors()
    audiences = [each for each in registry.audiences() if standing.is_for(_Audience(each), device_id)]
    for user, rows in groupby(registry.grants_to(audiences), lambda row: row.user_name):
        opinions = [
            access.judge(grant.parse(row.data), device_id, policy, request, moment, shut_out, state) for row in rows
        ]
        best = max(opinions, key=lambda opinion: opinion.nearness)
        if best.decision.allowed:
            yield user, access.Verdict(best.decision, best, tuple(opinions))


def what_can(registry: Registry, user: str, device_id: str | None, moment: access.Moment) -> Iterator[Allowance]:
    """What each rule of a user's grants that were not taken back allows, at one device or wherever they are for."""
    device = registry.device(device_id) if device_id else None
    revoked, state = _revoked(registry, user), Known(registry, device)
    denials = [(policy_rule(row), row.devices.split("\n")) for row in registry.denials()]
    for row in registry.grants(user):
        given = grant.parse(row.data)
        places = (device_id,) if device_id else given.audience
        if given.id not in revoked and (device_id is None or standing.is_for(given, device_id)):
            near = [one for one, devices in denials if any(_both(a, b) is not None for a in devices for b in places)]
            for one in given.rules:
                yield _allowance(given, one, device_id, near, moment, revoked, state)


class _Audience:
    """What standing.is_for looks at."""

    def __init__(self, lines: str):
        self.audience = lines.split("\n")


def _revoked(registry: Registry, user: str) -> set:
    """Ids of the user's grants that were taken back, and the user's selectors that no longer count."""
    return {bytes.fromhex(each) for each in registry.revoked(user)} | registry.shut_out(user)


def _allowance(given, one, device_id, denials, moment, revoked, state) -> Allowance:
    """What one rule says, whatever the arguments; and which denials take something of it."""
    conditions = {number: value for number, value in one.conditions.items() if number != rule.BOUNDS}
    alone = given._replace(rules=(one._replace(conditions=conditions),))
    place = device_id or _least(given.audience[0])

    def judge(method: int, path: str, *policy: rule.PolicyRule) -> access.Opinion:
        index = rule_index.build(policy) if policy else None
        return access.judge(alone, place, index, (method, path, None), moment, revoked, state)

    opinion = judge(one.methods & -one.methods, _least(one.pattern))
    denied_by = []
    for denial in denials:
        path, methods = _both(denial.pattern, one.pattern), denial.methods & one.methods
        if path is not None and methods:
            by = judge(methods & -methods, path, denial)
            if by.decision.reason in access.BY_POLICY:
                denied_by.append(denial.id)
                if device_id and methods == one.methods and _is_whole(denial, one):
                    opinion = by
    return Allowance(given, one, opinion, tuple(denied_by))


def _is_whole(denial: rule.PolicyRule, one: rule.Rule) -> bool:
    """Whether a denial that overlaps with a rule leaves no path and no argument of it."""
    covers = denial.pattern.endswith("*") or not one.pattern.endswith("*")
    return covers and rule.matches(denial.pattern, _least(one.pattern)) and rule.BOUNDS not in denial.conditions


def _least(pattern: str) -> str:
    """The shortest text that a pattern matches."""
    return pattern.removesuffix("*")


def _both(one: str, other: str) -> str | None:
    """The shortest text that both patterns match, or None."""
    longer = max(_least(one), _least(other), key=len)
    return longer if rule.matches(one, longer) and rule.matches(other, longer) else None
