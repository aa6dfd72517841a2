"""Plan and apply: from a policy.toml to what it would change, and to the one act that changes it.

Owns: the order of reading, comparing, rehearsing and doing, and what a concurrent change means for each.
Rules: what is applied is what was planned, against the registry that it was planned against, or nothing.
Must not know: how a plan is shown.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from zoneinfo import ZoneInfo

from admit import policy_changes, policy_file
from admit.authority import Authority
from admit.compile_access import Changes
from admit.editing import editing, rehearsing
from admit.policy_changes import Difference
from admit.policy_model import Policy, Present, present
from admit.policy_reach import Effect, Reach
from admit.registry_model import version_of
from admit.site import Site
from admit_protocol import rule
from admit_protocol.errors import Conflict, LocalError

_ATTEMPTS = 3  # to read and rehearse without being disturbed

_CHANGED = "registry-changed"


@dataclass(frozen=True)
class Plan:
    """What a file would change: the difference, whom it concerns, what would follow, and what to look at."""

    name: str
    digest: str  # SHA-256 of the file, hex
    present: Present
    difference: Difference
    effects: list[Effect]
    followed: Changes
    now: int
    warnings: list[str] = field(default_factory=list)

    @property
    def version(self) -> int:
        """The registry's version that it was planned against."""
        return self.present.version

    @property
    def is_empty(self) -> bool:
        """Whether the registry holds already what the file says."""
        return not self.difference.changes


def plan(site: Site, name: str, data: bytes, zone: ZoneInfo, now: int, base: int | None = None) -> Plan:
    """What the file `name` that holds `data` would change.

    Raises what policy_file.parse does, Conflict policy-contradiction or role-used; Conflict registry-changed if there
    is a `base`, and it is not the registry's version.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _plan(site, name, data, zone, now, base)
        except Conflict as error:
            if error.reason != _CHANGED or base is not None or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def apply(site: Site, signer: Authority, planned: Plan, now: int) -> Changes:
    """Do what was planned, in one transaction. Nothing is done for an empty plan.

    Raises Conflict registry-changed if the registry is not what it was planned against.
    """
    if planned.is_empty:
        return Changes()
    with editing(site, signer, now, version=planned.version) as edit:
        policy_changes.carry_out(edit, planned.difference, planned.present)
        policy_changes.note_applied(edit, planned.name, planned.digest, planned.difference)
    return edit.changes


def _plan(site: Site, name: str, data: bytes, zone: ZoneInfo, now: int, base: int | None) -> Plan:
    with site.registry.reading() as session:
        held = present(session, now)
    if base not in (None, held.version):
        raise Conflict(_CHANGED, f"the registry is at version {held.version}, not at {base}")
    draft = policy_file.parse(name, _text(name, data), policy_file.Known(held.users, held.revoked, zone, now))
    difference = policy_changes.compare(held.policy, draft.policy)
    warnings = draft.warnings + policy_changes.check_contradictions(difference, draft)
    followed = Changes()
    if difference.changes:
        with rehearsing(site, now) as edit:
            if version_of(edit.session) != held.version:
                raise Conflict(_CHANGED, "somebody else changed who may do what meanwhile")
            policy_changes.carry_out(edit, difference, held)
        followed, warnings = edit.changes, warnings + edit.warnings
        warnings += _lock_out(difference)
    reach = Reach(difference, now, _keys(site, difference), held.revoked)
    return Plan(name, sha256(data).hexdigest(), held, difference, reach.effects(), followed, now, warnings)


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LocalError("policy-form", f"{name}: byte {error.start} is no UTF-8") from None


def _keys(site: Site, difference: Difference) -> dict[str, list[str]]:
    """The fingerprints of users' keys, if a denial is about a key."""
    named = [one for policy in (difference.before, difference.after) for one in policy.denials.values()]
    if not any(each.startswith("key:") for one in named for each in (*one.subjects, *one.exceptions)):
        return {}
    return {user: [key.fingerprint for key in keys] for user, keys in site.registry.all_keys().items()}


def _lock_out(difference: Difference) -> list[str]:
    """What to say if nobody is left who may do everything everywhere."""
    if _has_admin(difference.before) and not _has_admin(difference.after):
        return ["nobody would be left who may do everything on all devices, as an admin does"]
    return []


def _has_admin(policy: Policy) -> bool:
    everything = rule.Rule("*", rule.ALL_METHODS, {})
    return any("*" in said.audience and everything in policy.rules_of(said) for said in policy.statements.values())
