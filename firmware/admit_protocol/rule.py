"""Who may do what, on which resource, when, how often and with whose consent: the one place that decides, on the device
and on the host.

Owns: rules and their conditions, calendar windows, the priority among rules, the decision and its reason. `rule_reader`
reads rules, `rule_index` finds them among many, `rule_text` puts a refusal in words, `standing` says whether the grant
around them counts.
Rules: pure and total. `decide` never raises on rules that `rule_reader` let through; what it does not understand it
refuses; only a rule that holds in full allows, and every link of a chain must be allowed by itself. A lockdown comes
before a denial, and a denial before whatever allows. The time is an argument, and may be unknown or uncertain: what
holds must hold for certain, and only what is certain not to hold denies nothing.
Must not know: how rules came here, what a clock, a counter or a message is.
"""

from collections import namedtuple

from .const import const
from .kdf import sha256
from .shapes import Rule as Rule

# The conditions of a rule, by number. All that are there must hold; an unknown one never holds.
WINDOWS = const(1)  # [[days, start_minute, end_minute], ...]: bit 0 of days: Monday; end <= start: into the next day
ZONE = const(2)  # [[from_unix, offset_minutes], ...] ascending: local time is UTC plus the offset last begun
BOUNDS = const(3)  # {argument name: [least or null, most or null]}
USES = const(4)  # so many requests on this device, ever
RATE = const(5)  # [so many requests, at most MAX_RATE, within so many seconds]
PRESENCE = const(6)  # CODE or BUTTON: the visitor stands there
APPROVALS = const(7)  # [so many others, [selectors of whom]] have approved this very request
TIMELESS = const(8)  # true: while the time is unknown, windows and ends count as open
FRESH = const(9)  # the device's policy is at most so many seconds old
LIFE = const(10)  # [from or null, until or null], unix seconds

CODE = const(1)  # the kiosk shows it, the visitor types it
BUTTON = const(2)

# What a rule of the policy does. Lockdown and denial differ in their priority and in what people are told.
ALLOW = const(0)
DENY = const(1)
LOCKDOWN = const(2)

MAX_RATE = const(32)  # a device remembers no more of one rule
ALL_METHODS = const(0x7F)  # GET to iPATCH in AIF's mask, RFC 9237 section 3
DAY_MINUTES = const(1440)
EVERYONE = "everyone"  # the selector of all; others: user:NAME group:NAME role:NAME key:HEX16

_GET = const(1)
_NEWEST = const(10)  # condition
_FEW = const(16)  # rules, which are looked through faster than an index
_DAY_S = const(86400)
_OPEN = (None, None)

# What a rule says, from what is farthest from an allowance to what is nearest. It is asked in this order, so that the
# reason told is the last thing that is in the way. Below: by place.
REASONS = (
    "rule-none",
    "rule-method",
    "rule-unknown-condition",
    "rule-argument",
    "rule-used-up",
    "rule-expired",
    "rule-time-unknown",
    "rule-outside-zone",
    "rule-not-yet-valid",
    "rule-outside-window",
    "rule-stale",
    "rule-rate",
    "rule-presence",
    "rule-approvals",
    "rule-allows",
    "rule-denied",
    "rule-lockdown",
)
_METHOD = const(1)
_UNKNOWN_CONDITION = const(2)
_ARGUMENT = const(3)
_USED_UP = const(4)
_EXPIRED = const(5)
_TIME_UNKNOWN = const(6)
_OUTSIDE_ZONE = const(7)
_NOT_YET = const(8)
_OUTSIDE_WINDOW = const(9)
_STALE = const(10)
_RATE = const(11)
_PRESENCE = const(12)
_APPROVALS = const(13)
_ALLOWS = const(14)  # a denial stands as many places behind it as its effect says

# A rule of the device's policy; `subjects` and `exceptions` are lists of selectors, `id` a text.
PolicyRule = namedtuple("PolicyRule", ("effect", "subjects", "exceptions", "pattern", "methods", "conditions", "id"))

# A grant as it is judged: its id; the selectors that name its holder, of which the first `trusted` are the authority's
# word; its rules; when it lives; where its rules are many, an index of them. A subject is a tuple of these, the grant
# at hand first, then the one that it was passed on from, and so on.
Link = namedtuple("Link", ("id", "selectors", "trusted", "rules", "life", "index"))

# allowed: bool. reason: a slug. rule: index among the rules of the grant that decided, or that came nearest, or None.
# detail: for people, what would have to change; "" when allowed. by: what decided: the id of a grant (8 bytes) or of a
# rule of the policy (text), or None. uses: keys (by, index) whose count goes up before the request is done.
Decision = namedtuple("Decision", ("allowed", "reason", "rule", "detail", "by", "uses"))


class _Nothing:
    """The state in which nothing was used, approved or shown, and the policy is new."""

    presence = 0
    used = recent = approved = policy_age = lambda *_: 0


NOTHING = _Nothing()


def decide(subject, policy, request, moment, state):
    """The Decision on `request` = (method bit, path, arguments as a dict or None).

    `subject`: of `subject_of`. `policy`: of `rule_index.build`, or None. `moment`: (earliest, latest) unix seconds,
    both None if the time is unknown, the latter if only a floor is known. `state`: what was used, shown and approved,
    as NOTHING has it. Within a link, the first rule that holds in full allows; if none does, the reason is that of the
    rule that came nearest. The first link that is refused decides.
    """
    if policy:
        from .rule_index import find
    found = [find(policy, link, request[1]) if policy else () for link in subject]
    for effect in (LOCKDOWN, DENY):
        for one in [one for rules in found for one in rules if one[0] == effect]:
            if _denies(one, request, moment):
                return _refused(_ALLOWS + effect, one[3:6], one[6], None, request, moment)
    uses = []
    first = None
    for link, rules in zip(subject, found):
        step, one, by, index = _nearest(link, rules, request, moment, state)
        if step != _ALLOWS:
            return _refused(step, one, by, index, request, moment)
        first = first or (by, index)
        key = (by, index or 0)
        if (USES in one[2] or RATE in one[2]) and key not in uses:
            uses.append(key)
    if not first:
        return _refused(0, None, None, None, request, moment)
    return Decision(True, REASONS[_ALLOWS], first[1], "", first[0], tuple(uses))


def answer(allowed, reason, detail=""):
    """A Decision that no rule made."""
    return Decision(allowed, reason, None, detail, None, ())


def subject_of(grant):
    """The subject that the holder of a verified grant is; nobody, if what it was passed on from is missing."""
    chain = (grant,) + grant.chain
    if chain[-1].parent is not None:
        return ()
    links = []
    for place, each in enumerate(chain):
        index = None
        if len(each.rules) > _FEW:
            from .rule_index import index_patterns

            index = index_patterns([one[0] for one in each.rules])
        selectors = selectors_of(each)
        trusted = len(selectors)
        if each.parent is not None:
            # Name and groups are what another holder wrote: they can only take away. But whom the authority invited is
            # in those groups that the invite says.
            invite = chain[place + 1]
            selectors = selectors[:2] + (invite.selectors if invite.enrol else ()) + selectors[2:]
            trusted = len(selectors) - 1 - len(each.selectors)
        links.append(Link(each.id, selectors, trusted, each.rules, (each.not_before, each.expires), index))
    return tuple(links)


def selectors_of(grant):
    """The selectors that name a grant's holder: whom the key proves first, then whom the grant's issuer says."""
    return (EVERYONE, key_selector(grant.key), "user:" + grant.subject) + grant.selectors


def key_selector(public):
    """The selector of a login key, 64 bytes."""
    return "key:" + sha256(public)[:8].hex()


def method_bit(code):
    """The mask of a CoAP method code 1..7 as in AIF (RFC 9237 section 3); 0, which no mask holds, for any other."""
    return 1 << code - 1 if 1 <= code <= 7 else 0


def matches(pattern, text):
    """Whether `text` is `pattern`, or begins with it up to its final `*`. For paths and for device names."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def _nearest(link, of_policy, request, moment, state):
    """(place in REASONS, rule, by, index) of what allows or comes nearest: a link's own rules, or the policy's."""
    if link.index:
        from .rule_index import find_patterns

        own = find_patterns(link.index, request[1])
    else:
        own = [index for index, one in enumerate(link.rules) if matches(one[0], request[1])]
    named = [(link.rules[index], link.id, index) for index in own]
    named += [(one[3:6], one[6], None) for one in of_policy if one[0] == ALLOW]
    best = (0, None, link.id, None)
    for one, by, index in named:
        step = _weigh(one, (by, index or 0), link.life, request, moment, state)
        if step > best[0]:
            best = (step, one, by, index)
        if step == _ALLOWS:
            break
    return best


def _weigh(one, key, life, request, moment, state):
    """What a rule whose pattern matches says, a place in REASONS; `key` names it to `state`, `life` is its grant's."""
    conditions = one[2]
    get = conditions.get
    if not one[1] & request[0]:
        return _METHOD
    if [number for number in conditions if not 1 <= number <= _NEWEST]:
        return _UNKNOWN_CONDITION
    if exceeds(conditions, request) is not False:
        return _ARGUMENT
    if USES in conditions and state.used(key) >= get(USES):
        return _USED_UP
    step = (
        life_step(life, moment, TIMELESS in conditions)
        or life_step(get(LIFE, _OPEN), moment, TIMELESS in conditions)
        or _window_step(conditions, moment)
    )
    if step:
        return step
    if FRESH in conditions:
        age_s = state.policy_age(moment)
        if age_s is None or age_s > get(FRESH):
            return _STALE
    if RATE in conditions and state.recent(key, get(RATE)[1]) >= get(RATE)[0]:
        return _RATE
    if PRESENCE in conditions and not state.presence & get(PRESENCE):
        return _PRESENCE
    if APPROVALS in conditions and state.approved(get(APPROVALS)[1]) < get(APPROVALS)[0]:
        return _APPROVALS
    return _ALLOWS


def _denies(one, request, moment):
    """Whether a denial applies, or may apply."""
    return (
        one[4] & request[0]
        and exceeds(one[5], request) is not True
        and life_step(one[5].get(LIFE, _OPEN), moment, False) not in (_EXPIRED, _NOT_YET)
        and _window_step(one[5], moment) != _OUTSIDE_WINDOW
    )


def exceeds(conditions, request):
    """Whether an argument is out of its bounds; None if a number is missing, so that it cannot be told."""
    exceeding = False
    if request[0] != _GET:  # which carries no arguments
        for name, ends in conditions.get(BOUNDS, {}).items():
            value = (request[2] or {}).get(name)
            if isinstance(value, bool) or not isinstance(value, int):
                exceeding = exceeding or None
            elif (ends[0] is not None and value < ends[0]) or (ends[1] is not None and value > ends[1]):
                exceeding = True
    return exceeding


def life_step(life, moment, timeless):
    """What a life (from, until), either may be None, says at a moment: a place in REASONS, 0 if it holds."""
    begin, end = life
    earliest, latest = moment
    if end is not None and earliest is not None and earliest >= end:
        return _EXPIRED
    if begin is not None and latest is not None and latest < begin:
        return _NOT_YET
    if timeless and latest is None:
        return 0
    if end is not None and (latest is None or latest >= end):
        return _TIME_UNKNOWN
    if begin is not None and (earliest is None or earliest < begin):
        return _TIME_UNKNOWN
    return 0


def _window_step(conditions, moment):
    """The same of windows. A time uncertain by a day or more is not in them for certain, nor out of them."""
    if WINDOWS not in conditions:
        return 0
    earliest, latest = moment
    if latest is None and TIMELESS in conditions:
        return 0
    if earliest is None or latest is None or latest - earliest >= _DAY_S:
        return _TIME_UNKNOWN
    steps = []
    for begin, end, offset in offsets(conditions.get(ZONE), earliest, latest):
        if offset is None:
            return _OUTSIDE_ZONE
        steps.append(_coverage(conditions[WINDOWS], begin // 60 + offset, end // 60 + offset))
    return steps[0] if min(steps) == max(steps) else _TIME_UNKNOWN


def offsets(zone, begin, end):
    """[(begin, end, offset in minutes), ...]: a span of time cut where the zone changes; None before it knows."""
    spans = []
    offset = 0 if zone is None else None
    for begun, following in zone or ():
        if begun > end:
            break
        if begun > begin:
            spans.append((begin, begun - 1, offset))
            begin = begun
        offset = following
    spans.append((begin, end, offset))
    return spans


def _coverage(windows, begin, end):
    """What windows say to all local minutes from `begin` to `end`, counted from 1970, both included."""
    opened = []
    for day in range(begin // DAY_MINUTES - 1, end // DAY_MINUTES + 1):
        for days, start, stop in windows:
            if days >> (day + 3) % 7 & 1:  # 1970-01-01 was a Thursday
                opens = day * DAY_MINUTES + start
                shuts = day * DAY_MINUTES + stop + (0 if start < stop else DAY_MINUTES)
                if opens <= end and shuts > begin:
                    opened.append((opens, shuts))
    if not opened:
        return _OUTSIDE_WINDOW
    for opens, shuts in sorted(opened):
        if opens <= begin < shuts:
            begin = shuts
    return 0 if begin > end else _TIME_UNKNOWN


def _refused(step, one, by, index, request, moment):
    from .rule_text import refusal_text

    return Decision(False, REASONS[step], index, refusal_text(step, one, by, request, moment), by, ())
