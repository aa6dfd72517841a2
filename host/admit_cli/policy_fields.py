"""A plan in the fields that --json gives, and what of it is counted."""

from admit import condition_forms, forms, policy_changes
from admit.access_models import PolicyRuleRow, StatementRow
from admit.compile_access import Changes
from admit.policy_changes import Change
from admit.policy_model import Denial, Key, Policy
from admit.policy_plan import Plan
from admit.policy_reach import CHANGES, GAINS, LOSES, Effect, Terms
from admit.statements import Rules, Statement
from admit_cli.words import utc
from admit_protocol import rule
from admit_protocol.rule_text import windows_text


def plan_fields(plan: Plan) -> dict:
    """The plan, as programs read it."""
    return {
        "file": plan.name,
        "sha256": plan.digest,
        "version": plan.version,
        "changes": [_change(plan, each) for each in plan.difference.changes],
        "effects": [_effect(each) for each in plan.effects],
        "counts": counts(plan),
        "warnings": plan.warnings,
    }


def counts(plan: Plan) -> dict[str, int]:
    """How much changes, for how many people, and what follows."""
    acts = (GAINS, LOSES, CHANGES)
    people = {act: {name for each in plan.effects if each.act == act for name in each.people} for act in acts}
    return {
        **policy_changes.tally(plan.difference.changes),
        **{act: len(names) for act, names in people.items()},
        **followed(plan.followed),
    }


def followed(changes: Changes) -> dict[str, int]:
    """What follows for grants, invites and devices."""
    return {
        "grants_issued": len(changes.issued),
        "grants_taken_back": len(changes.revoked),
        "invites_taken_back": len(changes.invites),
        "devices_to_tell": len(changes.devices),
    }


def ids_of(plan: Plan, change: Change) -> list[str]:
    """The ids of a grant or a denial: those that the registry gave it, or the one that the file gives it."""
    said = said_of(plan.difference.after, change.after)
    if isinstance(said, Denial) and said.name:
        return [said.name]
    return [row.id for row in rows_of(plan, change)]


def rows_of(plan: Plan, change: Change) -> list[StatementRow | PolicyRuleRow]:
    """The rows of what was there before."""
    if change.before is None:
        return []
    held = plan.present
    return [*(held.statement_rows if change.kind == "grant" else held.denial_rows)[change.before]]


def said_of(policy: Policy, key: Key | None) -> Statement | Denial | None:
    """The grant or the denial that a key is of."""
    return None if key is None else policy.statements.get(key) or policy.denials.get(key)


def origin(plan: Plan, change: Change) -> str:
    """Why something is there that the file does not say."""
    row = rows_of(plan, change)[-1]
    applied = plan.present.applied
    since = ", by hand since the last apply" if applied is not None and row.issued_at > applied.at else ""
    return f"not in the file; made by {row.who or 'somebody'} on {(utc(row.issued_at) or '')[:10]}{since}"


def rule_texts(rules: Rules) -> list[str]:
    """Rules in words."""
    return [forms.rule_text(rule.Rule(*each)) for each in rules]


def bounds_of(denial: Denial) -> Rules:
    """What a denial denies, without its hours and its life."""
    bounds = {number: value for number, value in denial.conditions.items() if number == rule.BOUNDS}
    return ((denial.pattern, denial.methods, bounds),)


def terms_words(conditions: dict) -> list[str]:
    """What is asked for besides bounds, hours and a life, in words."""
    return condition_forms.words(
        {number: value for number, value in conditions.items() if number not in (rule.LIFE, rule.BOUNDS)}
    )


def _change(plan: Plan, change: Change) -> dict:
    before, after, name = plan.difference.before, plan.difference.after, change.name or ""
    sides: list = [before.members.get(name), after.members.get(name)]
    if change.kind == "role":
        sides = [rule_texts(side.roles[name]) if name in side.roles else None for side in (before, after)]
    elif change.kind != "group":
        sides = [_said(said_of(before, change.before)), _said(said_of(after, change.after))]
    return {
        "kind": change.kind,
        "act": change.act,
        "name": change.name,
        "ids": [] if change.name else ids_of(plan, change),
        "before": sides[0],
        "after": sides[1],
        "why": origin(plan, change) if change.removed and change.before else None,
    }


def _said(said: Statement | Denial | None) -> dict | None:
    if said is None:
        return None
    if isinstance(said, Statement):
        life, rules, devices = (said.not_before, said.expires), said.rules, said.audience
        own: dict = {"to": [said.subject], "except": [], "role": said.role, "delegate": said.delegate}
    else:
        life, rules, devices = said.conditions.get(rule.LIFE, (None, None)), bounds_of(said), said.devices
        own = {"to": list(said.subjects), "except": list(said.exceptions), "role": None, "delegate": 0}
    return {
        **own,
        "rules": rule_texts(rules),
        "on": list(devices),
        "hours": [windows_text([each]) for each in said.conditions.get(rule.WINDOWS, ())],
        "not_before": utc(life[0]),
        "expires": utc(life[1]),
        "terms": terms_words(said.conditions),
    }


def _effect(effect: Effect) -> dict:
    spread = effect.spread
    return {
        "act": effect.act,
        "people": list(effect.people),
        "requests": [{"methods": forms.methods_text(methods), "path": path} for methods, path in effect.requests],
        "on": list(effect.devices),
        "hours": [windows_text([each]) for each in spread.windows],
        "utc_offset_minutes": spread.offset if spread.windows else None,
        "from": utc(spread.begin),
        "until": utc(spread.end),
        "before": _terms(effect.before),
        "after": _terms(effect.after),
    }


def _terms(terms: Terms) -> list[dict]:
    return [{"asks": list(asks), "gives": list(gives)} for asks, gives in sorted(terms)]
