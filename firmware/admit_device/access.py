"""Who may do what here: the grants that the device has verified, what was revoked, and the decision.

The decision itself is admit_protocol.rule's, the same code that answers `admit why` on the host. This file knows which
grant speaks for whom, and keeps verified grants so that a repeat visit costs no signature check.
"""

from admit_device.ondemand import borrowed
from admit_protocol import grant, rule
from admit_protocol.const import const
from admit_protocol.errors import Replayed, StorageError, Untrusted

MAX_GRANTS = const(32)
_GRANT = const("grant-")
_POLICY = const("policy")


class Access:
    """The device's verified grants and its policy (epoch and revocations)."""

    def __init__(self, storage, clock, identity, suite):
        self._storage = storage
        self._clock = clock
        self._identity = identity
        self._suite = suite
        self.epoch = 0
        self.revoked = ()
        self._load_policy()

    def find(self, kid):
        """The verified grant that `kid` names, or None; what is not 8 bytes long names none."""
        data = self._kept(_name(kid)) if len(kid) == grant.KID_LENGTH else None
        return grant.parse(data) if data else None

    def verify(self, data):
        """A grant that the peer sent by value: parsed, and its signature and site checked against our anchor.

        Whether it counts on this device and at this moment is for `decide`, which can say why under encryption.
        """
        candidate = grant.parse(data)
        grant.verify_issuer(candidate, self._identity.anchor.sign_public, self._identity.anchor.site_id, self._suite)
        return candidate

    def remember(self, verified):
        """Keep a verified grant whose holder has proven the key; one of many others, at random, makes room for it.

        There is no list of them beside the files themselves, so a power cut cannot make the two disagree.
        """
        name = _name(verified.kid)
        if self._kept(name) is not None:
            return
        kept = [each for each in self._storage.names() if each.startswith(_GRANT)]
        if len(kept) >= MAX_GRANTS:
            self._storage.remove(kept[self._suite.random(1)[0] % len(kept)])
        self._storage.write(name, verified.data)

    def _kept(self, name):
        """A damaged grant counts as none: its holder is asked for it, and what they bring is written over it."""
        try:
            return self._storage.read(name)
        except StorageError as error:
            if error.reason != "storage-corrupt":
                raise
            return None

    def decide_standing(self, subject):
        """Whether this subject's grant counts here and now, whatever it allows: a rule.Decision."""
        try:
            subject.check(self._identity.device_id, self._clock.now(), self.revoked)
        except Untrusted as error:
            return rule.Decision(False, error.reason, None, error.detail)
        return rule.Decision(True, "grant-counts", None, "")

    def decide(self, subject, method, path, arguments=None):
        """The decision on one request (method: AIF bit): first whether the grant counts, then its rules."""
        standing = self.decide_standing(subject)
        if not standing.allowed:
            return standing
        return rule.decide(subject.rules, (method, path, arguments), self._clock.now())

    def apply_bundle(self, data):
        """Take a policy bundle from whoever carried it: the authority's signature decides. Whole or not at all.

        False if it is the very bundle in force, so that two couriers may bring the same one. Raises Untrusted,
        Unverified, Malformed, and Replayed("bundle-stale") for an older one.
        """
        with borrowed():
            from admit_protocol import bundle

            fresh = bundle.parse(data)
            bundle.verify(fresh, self._identity.anchor, self._identity.device_id, self._suite)
        is_new = data != self._storage.read(_POLICY)
        if is_new:
            if fresh.epoch <= self.epoch:
                raise Replayed("bundle-stale", "epoch %d is in force here" % self.epoch)
            self._storage.write(_POLICY, data)
            self.epoch, self.revoked = fresh.epoch, tuple(fresh.revoked)  # at once: what comes next may be refused
        self._clock.raise_floor(fresh.issued_at)
        return is_new

    def _load_policy(self):
        stored = self._storage.read(_POLICY)
        if stored:
            with borrowed():
                from admit_protocol import bundle

                policy = bundle.parse(stored)
            self.epoch, self.revoked = policy.epoch, tuple(policy.revoked)


def _name(kid):
    return _GRANT + bytes(kid).hex()
