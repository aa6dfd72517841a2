"""policy.toml: who may do what in one file that people review, read strictly.

Owns: the file's keys and forms, which are the command line's (forms.py, condition_forms.py), and what is refused of it.
Rules: whatever cannot mean something, or could mean two things, is refused with its place. A file does not become wrong
by time alone: what has ended is left out, and told.
Must not know: what the registry holds, beside who there is.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

from admit import condition_forms, contradictions, forms, granting, groups
from admit.names import check_name
from admit.policy_model import Denial, Key, Policy, denial_key, has_ended, is_made_up, normal, statement_key
from admit.policy_source import Path, Source, Table
from admit.statements import Rules, Statement
from admit_protocol import grant, rule, rule_reader
from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound

_TOP = ("tz", "until", "roles", "groups", "grant", "deny", "lockdown")
_TIMES = ("days", "hours", "tz", "from", "until")
_CONDITIONS = ("uses", "rate", "presence", "approvals", "fresh", "timeless")
_GRANT = ("to", "role", "allow", "routines", "on", *_TIMES, *_CONDITIONS, "delegate")
_DENY = ("id", "to", "except", "what", "on", *_TIMES)
_MOST_USES = (1 << 32) - 1
_LONGEST_ID = 16
_LOOK_AHEAD_S = 15 * 86400  # in which each window opens, although clocks may skip an hour of it once
_EVERYTHING: tuple[str, int, dict] = ("*", rule.ALL_METHODS, {})


@dataclass(frozen=True)
class Known:
    """What a file may speak of: users, of whom some no longer count; the site's time zone; and what time it is."""

    users: Collection[str]
    revoked: Collection[str]
    zone: ZoneInfo
    now: int


@dataclass
class Draft:
    """The policy that a file says, where it says each grant and denial (by key), and what its writer should know."""

    source: Source
    policy: Policy
    places: dict[Key, Path] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def parse(name: str, text: str, known: Known) -> Draft:
    """The policy in the text of the file `name`.

    Raises LocalError policy-form, form-…, admin-name, grant-…, denial-form, window-never-opens; NotFound
    registry-no-user, -group, -role; Conflict group-cycle, user-revoked, policy-twice. Each names its place.
    """
    return _Reader(Source(name, text), known).read()


class _Reader:
    def __init__(self, source: Source, known: Known):
        self._source, self._known = source, known
        self._top = Table(source, (), source.content, _TOP)
        self._zone = self._top.form("tz", forms.parse_zone) or known.zone
        self._until = self._top.moment_text("until")
        self._draft = Draft(source, Policy({}, {}, {}, {}))
        self._formed: set[str] = set()  # rules of grants that were checked

    def read(self) -> Draft:
        policy = self._draft.policy
        roles = {name: self._role(name, value) for name, value in self._tables("roles")}
        members = {name: self._group(name, value) for name, value in self._tables("groups")}
        self._draft.policy = policy = Policy(roles, members, {}, {})
        self._check_groups()
        for number, value in enumerate(self._list("grant")):
            self._grant(Table(self._source, ("grant", number), value, _GRANT))
        for effect, kind in ((rule.DENY, "deny"), (rule.LOCKDOWN, "lockdown")):
            for number, value in enumerate(self._list(kind)):
                self._denial(effect, Table(self._source, (kind, number), value, _DENY))
        self._check_names(policy)
        return self._draft

    def _tables(self, kind: str) -> Iterable[tuple[str, object]]:
        found = self._source.content.get(kind, {})
        if not isinstance(found, dict):
            raise self._source.fail((kind,), f"must be a table: [{kind}]")
        for name in found:
            try:
                check_name(name)
            except LocalError as error:
                raise self._source.fail((kind, name), error.detail, error.reason) from None
        return found.items()

    def _list(self, kind: str) -> list:
        found = self._source.content.get(kind, [])
        if not isinstance(found, list):
            raise self._source.fail((kind,), f"must be written [[{kind}]], once for each")
        return found

    def _role(self, name: str, value: object) -> Rules:
        table = Table(self._source, ("roles", name), value, ("allow", "routines"))
        rules = self._rules(table, "routines", "allow")
        if not rules:
            raise table.fail(None, "allows nothing: say what with allow or routines", "grant-nothing")
        return rules

    def _rules(self, table: Table, routines: str, allow: str) -> Rules:
        named = [*(table.forms(routines, forms.routine) or ()), *(table.forms(allow, forms.parse_allow) or ())]
        if any(named.count(each) > 1 for each in named):
            raise table.fail(None, "the same rule stands there twice", "policy-twice", Conflict)
        return tuple(named)

    def _group(self, name: str, value: object) -> list[str]:
        table = Table(self._source, ("groups",), {name: value}, (name,))
        members = table.forms(name, condition_forms.parse_subject) or []
        if len(set(members)) < len(members):
            raise table.fail(name, "somebody stands there twice", "policy-twice", Conflict)
        return sorted(members)

    def _check_groups(self) -> None:
        members = self._draft.policy.members
        for name, inside in members.items():
            table = Table(self._source, ("groups",), {}, ())
            self._check_selectors(table, name, inside)
        try:
            groups.check_acyclic(members)
        except Conflict as error:
            name = error.detail.partition(" ")[0]
            raise self._source.fail(("groups", name), error.detail, error.reason, Conflict) from None

    def _check_selectors(self, table: Table, key: str, selectors: Iterable[str]) -> None:
        """Whether there is whoever is meant."""
        policy = self._draft.policy
        for selector in selectors:
            kind, _, name = selector.partition(":")
            if kind == "user" and name not in self._known.users:
                raise table.fail(key, f"no user {name}", "registry-no-user", NotFound)
            if kind == "user" and name in self._known.revoked:
                raise table.fail(key, f"{name} was revoked", "user-revoked", Conflict)
            if kind == "group" and name not in policy.members:
                raise table.fail(key, f"no group {name} in this file", "registry-no-group", NotFound)
            if kind == "role" and name not in policy.roles:
                raise table.fail(key, f"no role {name} in this file", "registry-no-role", NotFound)

    def _grant(self, table: Table) -> None:
        subject = table.form("to", condition_forms.parse_subject)
        if subject is None:
            raise table.fail(None, 'say to whom: to = "alice", or "group:night-shift"')
        self._check_selectors(table, "to", [subject])
        role = table.text("role")
        self._check_selectors(table, "role", [f"role:{role}"] if role is not None else [])
        zone, (begin, end) = self._zone_of(table), self._life(table, required=True)
        approvals = table.form("approvals", condition_forms.parse_approvals)
        self._check_selectors(table, "approvals", approvals[1] if approvals else ())
        conditions = condition_forms.conditions(
            table.number("uses", 1, _MOST_USES),
            table.form("rate", condition_forms.parse_rate),
            self._presence(table),
            approvals,
            table.form("fresh", condition_forms.parse_duration),
            table.flag("timeless"),
        )
        said = Statement(
            subject,
            tuple(self._devices(table)),
            self._rules(table, "routines", "allow"),
            role,
            self._window(table, zone, begin, end) | conditions,
            begin,
            end,
            table.number("delegate", 0, grant.MAX_DELEGATE) or 0,
        )
        self._put_grant(table, normal(said))

    def _put_grant(self, table: Table, said: Statement) -> None:
        self._check_form(table, said)
        if has_ended(said, self._known.now):
            self._draft.warnings.append(f"{self._source.place(table.path)}: it has ended, and grants nothing any more")
            return
        key = statement_key(said, self._known.now)
        self._keep(table, key)
        self._draft.policy.statements[key] = said  # type: ignore[index]

    def _check_form(self, table: Table, said: Statement) -> None:
        """Whether a grant could say it; what is said of many people is tried once."""
        rules = self._draft.policy.rules_of(said)
        form = repr(rules)
        if form not in self._formed:
            table.told(None, granting.check_rules, rules)
            self._formed.add(form)

    def _denial(self, effect: int, table: Table) -> None:
        name = self._denial_name(table)
        subjects = table.forms("to", condition_forms.parse_selector)
        if subjects is None and effect == rule.DENY:
            raise table.fail(None, 'say to whom: to = ["alice"], ["group:guests"], ["everyone"]')
        subjects = [rule.EVERYONE] if subjects is None else subjects
        exceptions = table.forms("except", condition_forms.parse_selector) or []
        self._check_selectors(table, "to", subjects)
        self._check_selectors(table, "except", exceptions)
        zone, (begin, end) = self._zone_of(table), self._life(table, required=False)
        conditions = self._window(table, zone, begin, end)
        if (begin, end) != (None, None):
            conditions[rule.LIFE] = [begin, end]
        devices = tuple(sorted(self._devices(table)))
        what = table.forms("what", _parse_what)
        if what == []:
            raise table.fail("what", "denies nothing; leave it out to deny everything", "denial-form")
        for number, (pattern, methods, bounds) in enumerate(what or [_EVERYTHING]):
            own = (name if number == 0 else f"{name}.{number + 1}") if name else None
            who = tuple(sorted(subjects)), tuple(sorted(exceptions))
            self._put_denial(table, Denial(effect, *who, devices, pattern, methods, bounds | conditions, own))

    def _put_denial(self, table: Table, denial: Denial) -> None:
        try:
            rule_reader.parse_policy_rule([*denial.said, denial.name or "d-"])
        except Malformed as error:
            raise table.fail(None, error.detail or error.reason, "denial-form") from None
        if has_ended(denial, self._known.now):
            self._draft.warnings.append(f"{self._source.place(table.path)}: it has ended, and denies nothing any more")
            return
        key = denial_key(denial, self._known.now)
        self._keep(table, key)
        self._draft.policy.denials[key] = denial  # type: ignore[index]

    def _denial_name(self, table: Table) -> str | None:
        name = table.form("id", check_name)
        if name is not None and (is_made_up(name) or len(name.encode()) > _LONGEST_ID):
            raise table.fail("id", f"choose a word of at most {_LONGEST_ID} bytes that is not like d-abcdef")
        return name

    def _keep(self, table: Table, key: Key) -> None:
        if key in self._draft.places:
            other = self._source.place(self._draft.places[key])
            raise table.fail(None, f"says the same as {other}", "policy-twice", Conflict)
        self._draft.places[key] = table.path

    def _devices(self, table: Table) -> list[str]:
        devices = table.texts("on")
        if not devices:
            raise table.fail(None if devices is None else "on", 'say where: on = ["kiosk-1", "lobby-*"], ["*"]')
        table.told("on", granting.check_devices, devices)
        return devices

    def _presence(self, table: Table) -> str | None:
        presence = table.text("presence")
        if presence is not None and presence not in condition_forms.PRESENCE:
            raise table.fail("presence", f"must be {' or '.join(condition_forms.PRESENCE)}")
        return presence

    def _zone_of(self, table: Table) -> ZoneInfo:
        return table.form("tz", forms.parse_zone) or self._zone

    def _life(self, table: Table, required: bool) -> tuple[int | None, int | None]:
        """The begin and the end, unix seconds; None where there is none."""
        zone = self._zone_of(table)
        first, last = table.moment_text("from"), table.moment_text("until")
        begin = None if first is None else table.told("from", forms.parse_moment, first, zone)
        key: str | None = "until" if last is not None else None
        if last is None and required:
            if self._until is None:
                raise table.fail(None, 'say until when: until = 2027-06-30, or "never"; or once, above all tables')
            last = self._until
        if last is None or last == forms.NEVER:
            return begin, None
        end = table.told(key, _end, last, zone.key)
        if begin is not None and end <= begin:
            raise table.fail(key, "it would end before it begins", "form-date")
        return begin, end

    def _window(self, table: Table, zone: ZoneInfo, begin: int | None, end: int | None) -> dict:
        days, hours = table.form("days", forms.parse_days), table.form("hours", forms.parse_hours)
        now = self._known.now
        if (days, hours) == (None, None):
            return {}
        first = max(begin or now, now)
        conditions = table.told("hours" if hours else "days", _window, days, hours, zone.key, begin or now, end)
        short = end is not None and now < end < first + _LOOK_AHEAD_S
        if short and contradictions.never_opens(conditions, first, end):
            raise table.fail(
                "hours" if hours else "days",
                "between its begin and its end there are no such hours",
                "window-never-opens",
            )
        return dict(conditions)

    def _check_names(self, policy: Policy) -> None:
        """No two denials have one id."""
        seen: set[str] = set()
        for key, denial in policy.denials.items():
            if denial.name in seen:
                place = self._draft.places[key]
                raise self._source.fail(
                    (*place, "id"), f"'{denial.name}' is another one's id", "policy-twice", Conflict
                )
            seen.update([denial.name] if denial.name else [])


def _parse_what(text: str) -> tuple[str, int, dict]:
    """A routine's name, or PATH:METHOD."""
    return forms.parse_allow(text) if ":" in text else forms.routine(text)


@lru_cache(maxsize=256)
def _end(text: str, zone: str) -> int:
    return forms.parse_moment(text, forms.parse_zone(zone), last=True)


@lru_cache(maxsize=256)
def _window(days: int | None, hours: tuple[int, int] | None, zone: str, begin: int, end: int | None) -> dict:
    """forms.window_conditions, which takes its time, for many grants with the same hours."""
    return forms.window_conditions(days, hours, forms.parse_zone(zone), begin, end)
