"""Who the device is: its key, the authority's credential for it, and the trust anchor of its site.

All three live in the key store as one value, so a power cut leaves the old identity or the new one. The private key is
made here and never leaves.
"""

from admit_protocol import anchor, cbor, credential, kdf
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, Conflict, LocalError, Untrusted

FACTORY = const("factory")
COMMISSIONED = const("commissioned")

_NAME = const("identity")
_SECRET = const(1)
_CREDENTIAL = const(2)
_ANCHOR = const(3)


class Identity:
    """The device's identity, kept in `keystore`."""

    def __init__(self, keystore, suite):
        self._keystore = keystore
        self._suite = suite
        self.key = None
        self.credential = None
        self.anchor = None
        stored = keystore.read(_NAME)
        if stored:
            self._load(cbor.decode(stored))

    @property
    def state(self):
        """FACTORY until the device has joined a site, then COMMISSIONED."""
        return COMMISSIONED if self.credential else FACTORY

    @property
    def device_id(self):
        """The name that the site gave the device, or "" in factory state."""
        return self.credential.device_id if self.credential else ""

    def private_key(self, secret):
        """A private key of this device's crypto, of a secret that is not its identity (test identities)."""
        return self._suite.private_key(secret)

    def make_key(self, contribution):
        """Make the device key once; later calls return the same one, so a torn commissioning can be repeated.

        `contribution` (32 bytes from the host) is mixed in: it cannot weaken our own randomness, only add to it.
        Returns the public key (64 bytes). Raises Conflict("identity-commissioned") outside factory state.
        """
        self._must_be_factory()
        if self.key is None:
            secret = _mixed_secret(self._suite, contribution)
            self._keystore.write(_NAME, cbor.encode({_SECRET: secret}))
            self._load({_SECRET: secret})
        return self.key.public

    def commission(self, credential_data, anchor_data):
        """Join a site. Both are checked against each other and our key before anything is stored.

        The very same credential again is accepted in silence, so that a host which missed the answer may repeat.
        Raises Conflict, Untrusted("identity-other-key") and what credential.verify raises.
        """
        if self.credential and self.credential.data == bytes(credential_data):
            return
        self._must_be_factory()
        if self.key is None:
            raise LocalError("identity-no-key", "ask for a key first")
        new_anchor = anchor.decode(anchor_data)
        new_credential = credential.parse(credential_data)
        credential.verify(new_credential, new_anchor, self._suite)
        if new_credential.public != self.key.public:
            raise Untrusted("identity-other-key", "this credential names another device's key")
        self._store(credential_data, anchor_data)

    def _must_be_factory(self):
        if self.credential:
            raise Conflict("identity-commissioned", "the device already belongs to a site: reset it first")

    def _store(self, credential_data, anchor_data):
        fields = cbor.decode(self._keystore.read(_NAME))
        fields[_CREDENTIAL] = bytes(credential_data)
        fields[_ANCHOR] = bytes(anchor_data)
        self._keystore.write(_NAME, cbor.encode(fields))
        self._load(fields)

    def _load(self, fields):
        self.key = self._suite.private_key(fields[_SECRET])
        if _CREDENTIAL in fields:
            self.anchor = anchor.decode(fields[_ANCHOR])
            self.credential = credential.parse(fields[_CREDENTIAL])


def _mixed_secret(suite, contribution):
    """A private key that is random if either our own source or the host's contribution is."""
    while True:
        secret = kdf.hmac_sha256(contribution, suite.random(32))
        try:
            suite.private_key(secret)
            return secret
        except AdmitError:  # zero or not below the group order: once in 2^32
            continue
