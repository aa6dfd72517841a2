"""Who gains or loses access to what by a change of policy: which requests, on which devices, when.

Owns: who is concerned by a change, which requests stand for all that it may alter, and how what they get is summed up.
Rules: each verdict is access.judge's, which is the device's. People who have the same are judged once, and only those
whom a change concerns. A pattern stands for whatever it matches that nothing else names; a moment for the span of time
until the next one at which a window or a life begins or ends. What is asked for besides hours (a code, consent, a
count) and bounds of arguments are terms: they are compared, and count as fulfilled.
Must not know: files, the registry, and how it is shown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from admit import access, condition_forms, groups
from admit.policy_changes import Difference
from admit.policy_model import Denial, Key, Policy, ordered
from admit.policy_time import Span, Spread, spans
from admit.statements import Statement
from admit_protocol import aif, grant, rule, rule_index
from admit_protocol.rule_text import bounds_text

GAINS, LOSES, CHANGES = "gains", "loses", "changes"

Words = tuple[str, ...]
Way = tuple[Words, Words]  # what it asks for besides hours, what else it gives
Terms = frozenset[Way]  # the ways in which something is allowed; empty: denied
Selectors = frozenset[str]  # those of somebody that a denial names

_METHODS = tuple(1 << bit for bit in range(7))


class _Willing:
    """The state in which whatever a rule asks for is shown, approved and not used up."""

    presence = rule.CODE | rule.BUTTON
    used = recent = policy_age = staticmethod(lambda *_: 0)
    approved = staticmethod(lambda *_: 1 << 32)


@dataclass(frozen=True)
class Effect:
    """What some people gain, lose, or may do on other terms: requests (methods, path) on devices, in some hours.

    `spread`: when, within the whole of the time ahead.
    """

    act: str
    people: tuple[str, ...]
    requests: tuple[tuple[int, str], ...]
    devices: tuple[str, ...]
    spread: Spread
    before: Terms
    after: Terms


@dataclass(eq=False)
class _Shape:
    """What a statement says, whomever it means. Two that say the same are one object."""

    rules: list[rule.Rule]
    audience: tuple[str, ...]
    life: tuple[int | None, int | None]
    role: str | None
    delegate: int
    form: str


@dataclass(frozen=True)
class _Holding:
    """What somebody has, and which of their selectors matter."""

    shapes: frozenset[_Shape]
    selectors: Selectors


@dataclass(frozen=True)
class _Region:
    """Requests on devices that a change may alter."""

    pattern: str
    methods: int
    devices: tuple[str, ...]

    def covers(self, path: str) -> bool:
        return rule.matches(self.pattern, path)


@dataclass
class Reach:
    """The effects of a difference; `work` counts what was done to find them.

    `keys`: fingerprints of users' keys, for denials of single keys. `gone`: users who count no more.
    """

    difference: Difference
    now: int
    keys: Mapping[str, list[str]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    work: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        before, after = self.difference.before, self.difference.after
        shapes: dict[str, _Shape] = {}
        self._before, self._after = _Side(before, shapes, self.work), _Side(after, shapes, self.work)
        if before.members == after.members:
            self._after.theirs = self._before.theirs
        self._denials = [
            policy.denials[key]
            for each in self.difference.of("deny", "lockdown")
            for policy, key in ((before, each.before), (after, each.after))
            if key
        ]
        named = [one for policy in (before, after) for one in policy.denials.values()]
        self._mentioned = {name for one in named for name in (*one.subjects, *one.exceptions)}
        self._changed = {id(each) for each in self._denials}

    def effects(self) -> list[Effect]:
        """What people gain and lose, gains first."""
        alike: dict[tuple[_Holding, _Holding], list[str]] = {}
        for user in sorted(self._concerned()):
            for name, key in self._holders(user):
                holdings = tuple(side.holding(user, key, self._mentioned) for side in (self._before, self._after))
                if any(each.shapes for each in holdings):
                    alike.setdefault(holdings, []).append(name)  # type: ignore[arg-type]
        found: dict[tuple, list[str]] = {}
        for (before, after), people in alike.items():
            self.work["alike"] += 1
            for effect in self._effects(before, after):
                found.setdefault(effect, []).extend(people)
        made = [Effect(act, tuple(sorted(people)), *rest) for (act, *rest), people in found.items()]
        order = (GAINS, LOSES, CHANGES)
        return sorted(made, key=lambda each: (order.index(each.act), each.people, each.requests, each.devices))

    def _concerned(self) -> set[str]:
        """The users for whom anything may be another than it was."""
        difference, found = self.difference, set()
        roles = {each.name for each in difference.of("role")}
        for side, keys in ((self._before, "before"), (self._after, "after")):
            statements = side.policy.statements
            said = [statements[key] for each in difference.of("grant") if (key := getattr(each, keys))]
            if roles:
                said += [each for each in statements.values() if each.role in roles]
            for subject in {each.subject for each in said}:
                found |= groups.people_of(side.policy.members, subject)
            for denial in self._denials:
                found |= side.people(denial.subjects, self.keys)
        if self._before.theirs is not self._after.theirs:
            before, after = self._before.theirs, self._after.theirs
            found |= {name for name in {*before, *after} if before.get(name) != after.get(name)}
        self.work["concerned"] += len(found - self.gone)
        return found - self.gone

    def _holders(self, user: str) -> Iterator[tuple[str, str | None]]:
        """(how they are called, the selector of their key): more than one where a denial is about a key."""
        own = [f"key:{each}" for each in self.keys.get(user, ())]
        named = [each for each in own if each in self._mentioned]
        yield from ((f"{user} with {each}", each) for each in named)
        if len(named) < len(own) or not own:
            yield user, None

    def _effects(self, before: _Holding, after: _Holding) -> Iterator[tuple]:
        """The fields of effects on people with these holdings, without their names."""
        shapes = before.shapes | after.shapes
        regions = list(self._regions(before, after, shapes))
        places = {each for region in regions for each in region.devices}
        near_places = [each for each in shapes if any(_meet(a, b) for a in each.audience for b in places)]
        both = before.shapes & after.shapes  # what is new comes first: hours are told in its time zone
        ordered_shapes = sorted(near_places, key=lambda each: (each in both, each in before.shapes, each.form))
        denials = [one for side in (self._before, self._after) for one in side.denials_of(before, after, shapes)]
        found: dict[tuple, dict[str, set[tuple[int, str]]]] = {}
        paths = {each.pattern for each in regions} | {each.pattern for each in denials}
        for path in sorted(paths | {one.pattern for shape in ordered_shapes for one in shape.rules}):
            covering = [each for each in regions if each.covers(path)]
            near = [shape for shape in ordered_shapes if any(rule.matches(one.pattern, path) for one in shape.rules)]
            if covering and near:
                about = [one for one in denials if rule.matches(one.pattern, path)]
                for methods, device, change in self._at(path, before, after, covering, near, about):
                    found.setdefault(change, {}).setdefault(device, set()).add((methods, path))
        for (act, spread, old, new), by_device in found.items():
            by_requests: dict[tuple, list[str]] = {}
            for device, found_there in by_device.items():
                by_requests.setdefault(_widest_requests(found_there), []).append(device)
            for requests, devices in by_requests.items():
                yield act, requests, _widest(devices), spread, old, new

    def _regions(self, before: _Holding, after: _Holding, shapes: Iterable[_Shape]) -> Iterator[_Region]:
        for shape in before.shapes ^ after.shapes:
            for one in shape.rules:
                yield _Region(one.pattern, one.methods, shape.audience)
        moved = before.selectors ^ after.selectors
        for side in (self._before, self._after):
            for denial in side.denials_of(before, after, shapes):
                if id(denial) in self._changed or moved & {*denial.subjects, *denial.exceptions}:
                    yield _Region(denial.pattern, denial.methods, denial.devices)

    def _at(
        self,
        path: str,
        before: _Holding,
        after: _Holding,
        regions: list[_Region],
        shapes: list[_Shape],
        about: list[Denial],
    ) -> Iterator[tuple[int, str, tuple]]:
        """(methods, device pattern, change) for each change at a path."""
        rules = [(one, shape) for shape in shapes for one in shape.rules if rule.matches(one.pattern, path)]
        masks = [one.methods for one, _ in rules] + [one.methods for one in regions] + [one.methods for one in about]
        timed = [(one.conditions, shape.life) for one, shape in rules]
        times = list(spans(self.now, timed, [one.conditions for one in about]))
        places = {device for shape in shapes for device in shape.audience}
        places |= {device for denial in about for device in denial.devices}
        for methods in _alike([*masks, aif.GET]):
            here = [each for each in regions if each.methods & methods]
            for device in sorted(places):
                if any(rule.matches(each, device) for region in here for each in region.devices):
                    asked = (methods & -methods, path)
                    for change in self._changes(asked, device, before, after, times):
                        yield methods, device, change

    def _changes(
        self, asked: tuple, device: str, before: _Holding, after: _Holding, times: list[Span]
    ) -> Iterator[tuple]:
        """(act, spread, terms before, terms after) of a request at a device, for each of its changes."""
        changed: dict[tuple[Terms, Terms], list[tuple[int, int]]] = {}
        for number, span in enumerate(times):
            for place, moment in enumerate(span.moments):
                old = self._before.terms(before, asked, device, moment)
                new = self._after.terms(after, asked, device, moment)
                if old != new:
                    changed.setdefault((old, new), []).append((number, place))
        for (old, new), cells in changed.items():
            act = GAINS if not old else LOSES if not new else CHANGES
            for spread in Spread.over(times, cells):
                yield act, spread, old, new


class _Side:
    """One of the two policies, and the verdicts that it leads to."""

    def __init__(self, policy: Policy, shapes: dict[str, _Shape], work: Counter):
        self.policy, self._shapes, self._work = policy, shapes, work
        self.theirs = groups.memberships(policy.members)
        self._of_key: dict[Key, _Shape] = {}
        self._by_subject: dict[str, list[Key]] = {}
        for key, said in policy.statements.items():
            self._by_subject.setdefault(said.subject, []).append(key)
        self._denials = list(policy.denials.values())
        self._policies: dict[tuple[str, bool], tuple] = {}
        self._known: dict[tuple, Terms] = {}
        self._about: dict[Selectors, list[Denial]] = {}

    def holding(self, user: str, key: str | None, mentioned: set[str]) -> _Holding:
        """What a user has."""
        theirs = [groups.USER + user, *self.theirs.get(user, ())]
        shapes = frozenset(self._shape(each) for subject in theirs for each in self._by_subject.get(subject, ()))
        selectors = {*theirs, key} if key else set(theirs)
        return _Holding(shapes, frozenset(selectors & mentioned))

    def people(self, selectors: Iterable[str], keys: Mapping[str, list[str]]) -> set[str]:
        """Who may be meant by the subjects of a denial."""
        found: set[str] = set()
        for selector in selectors:
            kind, _, name = selector.partition(":")
            if kind == "key":
                found |= {user for user, own in keys.items() if name in own}
            elif kind in ("user", "group"):
                found |= groups.people_of(self.policy.members, selector)
            else:
                for subject in {
                    said.subject
                    for said in self.policy.statements.values()
                    if selector == rule.EVERYONE or said.role == name
                }:
                    found |= groups.people_of(self.policy.members, subject)
        return found

    def denials_of(self, before: _Holding, after: _Holding, shapes: Iterable[_Shape]) -> list[Denial]:
        """The denials that are about somebody with these holdings."""
        roles = {f"role:{each.role}" for each in shapes if each.role}
        names = frozenset({rule.EVERYONE, *before.selectors, *after.selectors, *roles})
        if names not in self._about:
            self._about[names] = [one for one in self._denials if not names.isdisjoint(one.subjects)]
        return self._about[names]

    def terms(self, holding: _Holding, asked: tuple[int, str], device: str, moment: int) -> Terms:
        """On which terms a holder may make a request at a moment."""
        found: set[Way] = set()
        for shape in holding.shapes:
            known = (shape, holding.selectors, asked, device, moment)
            if known not in self._known:
                self._known[known] = frozenset(self._ways(*known))
            found |= self._known[known]
        if any(not asks for asks, _ in found):
            found = {
                way for way in found if not way[0] or way[1]
            }  # who is asked for nothing need not do what asks more
        return frozenset(found)

    def _ways(
        self, shape: _Shape, selectors: Selectors, asked: tuple[int, str], device: str, moment: int
    ) -> Iterator[Way]:
        if not any(rule.matches(each, device) for each in shape.audience):
            return
        policy, bounded = self._policy(device, asked[0] == aif.GET)
        for one in shape.rules:
            if rule.matches(one.pattern, asked[1]) and one.methods & asked[0]:
                given = _grant(shape, one, selectors)
                request = (*asked, _arguments(one.conditions))
                self._work["judged"] += 1
                opinion = access.judge(given, device, policy, request, (moment, moment), (), _Willing())
                if opinion.decision.allowed:
                    asks = (*_asks(one), *self._limits(bounded, given, asked, device, moment))
                    yield asks, _gives(one, shape)

    def _limits(
        self, bounded: list[rule.PolicyRule], given: grant.Grant, asked: tuple[int, str], device: str, moment: int
    ) -> Iterator[str]:
        """What denials of some arguments take away."""
        for one in bounded:
            if rule.matches(one.pattern, asked[1]):
                request = (*asked, _arguments(one.conditions))
                alone = rule_index.build((one,))
                opinion = access.judge(given, device, alone, request, (moment, moment), (), _Willing())
                if opinion.decision.reason in access.BY_POLICY:
                    bounds = one.conditions[rule.BOUNDS]
                    yield f"but not with {', '.join(bounds_text(name, ends) for name, ends in sorted(bounds.items()))}"

    def _policy(self, device: str, whole: bool) -> tuple:
        """(the index of a device's denials, those of them that are about some arguments only), by what a GET sees."""
        if (device, whole) not in self._policies:
            here = [one for one in self._denials if any(rule.matches(each, device) for each in one.devices)]
            plain = [one.rule("it") for one in here if whole or rule.BOUNDS not in one.conditions]
            bounded = [one.rule("it") for one in here if not whole and rule.BOUNDS in one.conditions]
            self._policies[device, whole] = rule_index.build(plain) if plain else None, bounded
        return self._policies[device, whole]

    def _shape(self, key: Key) -> _Shape:
        if key not in self._of_key:
            said: Statement = self.policy.statements[key]
            rules, life = self.policy.rules_of(said), (said.not_before, said.expires)
            what = [(one.pattern, one.methods, ordered(one.conditions)) for one in rules]
            form = repr((what, said.audience, life, said.role, said.delegate))
            shape = _Shape(rules, said.audience, life, said.role, said.delegate, form)
            self._of_key[key] = self._shapes.setdefault(form, shape)
        return self._of_key[key]


def _grant(shape: _Shape, one: rule.Rule, selectors: Selectors) -> grant.Grant:
    """The grant that would be issued for one rule of a statement, as far as decisions depend on it."""
    name = next((each.removeprefix(groups.USER) for each in selectors if each.startswith(groups.USER)), "")
    others = sorted({*selectors, *([f"role:{shape.role}"] if shape.role else [])})
    return grant.Grant(
        data=b"",
        kid=b"",
        id=b"",
        site_id=b"",
        subject=name,
        audience=shape.audience,
        key=b"",
        sig_key=None,
        rules=(one,),
        issued_at=0,
        not_before=shape.life[0],
        expires=shape.life[1],
        selectors=tuple(others),
        delegate=shape.delegate,
        parent=None,
        enrol=0,
        chain=(),
    )


def _meet(one: str, other: str) -> bool:
    """Whether one of two patterns covers the other: else they have nothing in common."""
    return rule.matches(one, other) or rule.matches(other, one)


def _asks(one: rule.Rule) -> Words:
    asked = {number: value for number, value in one.conditions.items() if number not in (rule.LIFE, rule.TIMELESS)}
    bounds = one.conditions.get(rule.BOUNDS, {})
    return tuple([bounds_text(name, ends) for name, ends in sorted(bounds.items())] + condition_forms.words(asked))


def _gives(one: rule.Rule, shape: _Shape) -> Words:
    given = condition_forms.words({rule.TIMELESS: True}) if rule.TIMELESS in one.conditions else []
    if shape.delegate:
        given.append("may be passed on " + ("once" if shape.delegate == 1 else f"{shape.delegate} times"))
    return tuple(given)


def _arguments(conditions: dict) -> dict[str, int]:
    """Arguments within the bounds of a rule."""
    bounds = conditions.get(rule.BOUNDS, {})
    return {name: most if least is None else least for name, (least, most) in bounds.items()}


def _alike(masks: list[int]) -> list[int]:
    """The methods, put together that are in the same of the masks."""
    found: dict[tuple, int] = {}
    for bit in _METHODS:
        within = tuple(bool(mask & bit) for mask in masks)
        found[within] = found.get(within, 0) | bit
    return [mask for within, mask in found.items() if any(within)]


def _widest(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns without those that another one of them covers."""
    found = set(patterns)
    wide = [each for each in found if each.endswith("*")]
    covered = {each for each in found for other in wide if other != each and rule.matches(other, each)}
    return tuple(sorted(found - covered))


def _widest_requests(requests: set[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """(methods, pattern) for the requests, each path once, without what a wider pattern says for all its methods."""
    masks: dict[str, int] = {}
    for methods, path in requests:
        masks[path] = masks.get(path, 0) | methods
    wide = [each for each in masks if each.endswith("*")]
    kept = {
        path: mask
        for path, mask in masks.items()
        if not any(other != path and rule.matches(other, path) and not mask & ~masks[other] for other in wide)
    }
    return tuple((mask, path) for path, mask in sorted(kept.items()))
