"""Who may do what here: the policy in force (which grants were taken back), and the decision.

The decision itself is admit_protocol.rule's, the same code that answers `admit why` on the host; whether a grant counts
is admit_protocol.standing's; both are there with front.py, and otherwise not needed. Which grants there are is
grants.py's, how a policy comes here policy.py's.
"""

from admit_device.ondemand import borrowed
from admit_protocol.errors import Untrusted


class Access:
    """Decides for subjects (grant.Grant) that have proven their key. `epoch` and `revoked` are the policy's; where that
    is damaged (`is_damaged`), nobody knows who was taken back, so no grant counts until the authority's next bundle.
    """

    def __init__(self, storage, clock, identity, suite):
        self.storage = storage
        self.clock = clock
        self.identity = identity
        self.suite = suite
        with borrowed():
            from admit_device.policy import stored_policy

            self.is_damaged, self.epoch, self.revoked = stored_policy(storage)

    def decide_standing(self, subject, diagnosing=False):
        """Whether this subject's grant counts here and now, whatever it allows: a rule.Decision.

        `diagnosing`: to learn how the device is, with a damaged policy too.
        """
        from admit_protocol import rule, standing

        if self.is_damaged and not diagnosing:
            return rule.Decision(False, "policy-damaged", None, "the device needs a new bundle of its authority")
        try:
            standing.check(subject, self.identity.device_id, self.clock.now(), self.revoked)
        except Untrusted as error:
            return rule.Decision(False, error.reason, None, error.detail)
        return rule.Decision(True, "grant-counts", None, "")

    def decide(self, subject, method, path, arguments=None, diagnosing=False):
        """The decision on one request (method: AIF bit): first whether the grant counts, then its rules."""
        from admit_protocol import rule

        decision = self.decide_standing(subject, diagnosing)
        if not decision.allowed:
            return decision
        return rule.decide(subject.rules, (method, path, arguments), self.clock.now())

    def apply_bundle(self, data):
        """Take a policy bundle from whoever carried it: see policy.py."""
        with borrowed():
            from admit_device.policy import apply_bundle

            return apply_bundle(self, data)
