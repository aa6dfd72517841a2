"""Who may do what here: the policy in force, and what decisions need to remember.

Stays alive, so it holds bytes and numbers and little else. Deciding is decisions.py's, how a policy comes here
policy.py's, which grants there are grants.py's.
"""

from admit_device.ondemand import borrowed
from admit_protocol.const import const

_ID_LENGTH = const(8)
_POST = const(2)


class Revoked:
    """What was taken back: `in` asks for a grant's id (8 bytes) or a selector (text).

    `ids`: all of them one behind the other, ascending; they may be many, and so are searched and not listed.
    """

    def __init__(self, ids, selectors):
        self.ids = ids
        self.selectors = selectors

    def __contains__(self, item):
        if isinstance(item, str):
            return item in self.selectors
        low, high = 0, len(self.ids) // _ID_LENGTH
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle * _ID_LENGTH : (middle + 1) * _ID_LENGTH] < item:
                low = middle + 1
            else:
                high = middle
        return self.ids[low * _ID_LENGTH : (low + 1) * _ID_LENGTH] == item


class Access:
    """The policy: `epoch`, `issued_at`, `revoked` and whether it `has_rules`. Where it is damaged (`is_damaged`),
    nobody knows who was taken back, so no grant counts until the authority's next bundle.

    `boots`: the number of this start. `index`: of the policy's rules, as long as there is somebody to decide for.
    `pending`, `tries`, `asked`: what approvals.py, attempts.py and presence.py remember.
    """

    def __init__(self, storage, clock, identity, suite):
        self.storage = storage
        self.clock = clock
        self.identity = identity
        self.suite = suite
        self.boots = 0
        self.pending, self.tries = [], {}
        self.asked = None, None
        with borrowed():
            from admit_device.policy import load

            load(self)

    def decide_standing(self, grant, diagnosing=False):
        """Whether a grant (standing.Grant) counts here and now, whatever it allows: a rule.Decision.

        `diagnosing`: to learn how the device is, with a damaged policy too.
        """
        with borrowed():
            from admit_device.decisions import standing

            return standing(self, grant, diagnosing)

    def has_standing(self, session):
        """Does any grant of the session count here and now, and does no lockdown or denial shut its holder out?"""
        return self.visit(session, _POST, "/login").allowed

    def visit(self, session, method, path):
        """The rule.Decision on what a grant is enough for that counts, whatever it allows: decisions.visit."""
        with borrowed():
            from admit_device.decisions import visit

            return visit(self, session, (method, path, None))

    def decide(self, session, method, path, arguments=None, **how):
        """The rule.Decision on one request (method: AIF bit) by the best of the session's grants: decisions.decide."""
        with borrowed():
            from admit_device.decisions import decide

            return decide(self, session, (method, path, arguments), **how)

    def spend(self, request):
        """Count what an allowed request (request.Request) uses up, before it is done: decisions.spend."""
        if request.decision.uses or self.pending:
            with borrowed():
                from admit_device.decisions import spend

                spend(self, request)

    def apply_bundle(self, data):
        """Take a sealed policy bundle from whoever carried it: see policy.py."""
        with borrowed():
            from admit_device.policy import apply_bundle

            return apply_bundle(self, data)
