"""Decisions: a session's grants, the policy, the time and what was done before are held against a request.

The rules are decided by admit_protocol.rule, the same code that answers `admit why` on the host; whether a grant counts
is admit_protocol.standing's. This file brings together what they ask for. Loaded while somebody may ask.
"""

from admit_device.ondemand import borrowed
from admit_protocol import rule
from admit_protocol.const import const
from admit_protocol.errors import Untrusted
from admit_protocol.standing import check

_ALWAYS = const(0xFFFFFF)


def standing(access, grant, diagnosing=False):
    """Whether the grant, and each that it was passed on from, counts here and now: a rule.Decision."""
    if access.is_damaged and not diagnosing:
        return rule.answer(False, "policy-damaged", "the device needs a new bundle of its authority")
    if not grant.audience:
        return rule.answer(False, "grant-needed", "the device knows no grant of this key: hand it in, or enrol")
    device_id, moment = access.identity.device_id, access.clock.moment()
    try:
        for link in (grant,) + grant.chain:
            check(link, device_id, moment, access.revoked)
    except Untrusted as error:
        return rule.answer(False, error.reason, error.detail)
    return _invited(access, grant) or rule.answer(True, "grant-counts")


def visit(access, session, request):
    """Whether the session's holder counts here, and no rule of the policy shuts them out: for what needs no rule."""

    def by(grant):
        decision = access.decide_standing(grant)
        policy = index(access) if decision.allowed else None
        if policy is None:
            return decision
        everything = (("*", rule.ALL_METHODS, {}),), (None, None), None
        links = [rule.Link(*(link[:3] + everything)) for link in rule.subject_of(grant)]
        by_policy = rule.decide(links, policy, request, access.clock.moment(), rule.NOTHING)
        return decision if by_policy.allowed else by_policy

    return _best(session, by)


def decide(access, session, request, diagnosing=False, again=False, wrap=None):
    """The rule.Decision on `request` = (method bit, path, arguments) by the best of the session's grants.

    `again`: it was allowed and counted before, and is only repeated. `wrap(state)`: another state to decide by.
    """

    def by(grant):
        counts = access.decide_standing(grant, diagnosing)
        if not counts.allowed:
            return counts
        state = State(access, session, grant, request, again)
        judged = wrap(state) if wrap else state
        decision = rule.decide(rule.subject_of(grant), index(access), request, access.clock.moment(), judged)
        if state.is_lost and decision.reason in ("rule-used-up", "rule-rate"):
            return rule.answer(False, "uses-lost", "the count of earlier uses is lost: ask for a new grant")
        return decision

    return _best(session, by)


def spend(access, request):
    """Count what an allowed request (request.Request) uses up, before it is done.

    Raises Busy("uses-full"), StorageError; then nothing is counted, and nothing may be done.
    """
    session, keys = request.session, request.decision.uses
    if keys:
        from admit_device.uses import Uses

        ids = [key[0] for key in keys if not isinstance(key[0], str)]  # of grants; the policy's rules have names
        chains = [(grant,) + grant.chain for grant in session.grants]
        chain = next(each for each in chains if all([one in [link.id for link in each] for one in ids]))
        uses = [_use(access, chain, key) for key in keys]
        for root in {each[2] for each in uses}:
            of_root = [each for each in uses if each[2] == root]
            Uses(access.storage, access.clock, access.boots, root).count(of_root)
    if access.pending:
        from admit_device.approvals import consume

        consume(access, session, (request.method_bit, "/" + "/".join(request.path), request.arguments))


def index(access):
    """The index of the policy's rules, or None if there are none."""
    if access.has_rules and access.index is None:
        with borrowed():
            from admit_device.policy import stored_rules
            from admit_protocol.rule_index import build

            access.index = build(stored_rules(access))
    return access.index


class State:
    """What a rule asks beside the request and the time: see rule.decide. `is_lost`: a count that it asked for is."""

    def __init__(self, access, session, grant, request, again):
        self._access, self._session, self._request = access, session, request
        self._chain = (grant,) + grant.chain
        self._again = again
        self.is_lost = False

    @property
    def presence(self):
        """A mask: rule.CODE and rule.BUTTON, as far as they were shown."""
        if self._again:
            return rule.CODE | rule.BUTTON
        now_ms = self._access.clock.monotonic_ms()
        code_ms, button_ms = self._session.present
        return (rule.CODE if now_ms < code_ms else 0) | (rule.BUTTON if now_ms < button_ms else 0)

    def used(self, key):
        """How often the rule `key` was used."""
        return self._counted(key, lambda uses: uses.used(key))

    def recent(self, key, seconds):
        """How often it was in the last so many seconds."""
        return self._counted(key, lambda uses: uses.recent(key, seconds))

    def approved(self, selectors):
        """How many others, of these, have approved this very request."""
        if self._again:
            return _ALWAYS
        if not self._access.pending:
            return 0
        from admit_device.approvals import approved

        return approved(self._access, self._session, self._request, selectors)

    def policy_age(self, moment):
        """How old the policy is at most, in seconds, or None; a device that never had one knows what it joined with."""
        since = self._access.issued_at or self._access.identity.credential.issued_at
        return None if moment[1] is None else max(moment[1] - since, 0)

    def _counted(self, key, ask):
        if self._again:
            return 0
        from admit_device.uses import Uses

        access = self._access
        uses = Uses(access.storage, access.clock, access.boots, _use(access, self._chain, key)[2])
        if uses.is_lost((access if isinstance(key[0], str) else self._chain[-1]).issued_at):
            self.is_lost = True
            return _ALWAYS
        return ask(uses)


def _best(session, ask):
    """The decision of the grant that allows, or else of the one that comes nearest to it."""
    best = nearest = None
    for grant in session.grants:
        decision = ask(grant)
        if decision.allowed:
            return decision
        step = rule.REASONS.index(decision.reason) if decision.reason in rule.REASONS else -1
        if best is None or step > nearest:
            best, nearest = decision, step
    return best


def _invited(access, grant):
    """What is in the way of a grant that comes of an invite, or None: the invite itself lets nobody in, and one that
    was made from it only whom /enrol has let in by it.
    """
    chain = (grant,) + grant.chain
    if not chain[-1].enrol:
        return None
    if len(chain) == 1:
        return rule.answer(False, "grant-is-invite", "an invite is redeemed at /enrol")
    from admit_device.enrolled import is_enrolled, keys_of

    if is_enrolled(access.storage, chain[-1].id, keys_of(chain[-2])):
        return None
    return rule.answer(False, "grant-not-enrolled", "redeem the invite here first")


def _use(access, chain, key):
    """What uses.py asks about the rule `key`: (id, index, root, end, whether uses are limited, RATE's seconds)."""
    if isinstance(key[0], str):
        root, expires = key[0], None
        conditions = next(each.conditions for each in index(access)[0] if each.id == key[0])
    else:
        link = next(each for each in chain if each.id == key[0])
        root, expires, conditions = chain[-1].id, link.expires, link.rules[key[1]][2]
    return key[0], key[1], root, expires, rule.USES in conditions, conditions.get(rule.RATE, (0, 0))[1]
