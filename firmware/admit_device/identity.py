"""Who the device is: its key, the authority's credential for it, and the trust anchor of its site.

All three live in the key store as one value, so a power cut leaves the old identity or the new one. The private key
never leaves. How the three come to be is commissioning.py's.
"""

from collections import namedtuple

from admit_device.ondemand import borrowed
from admit_protocol import cbor
from admit_protocol.const import const

FACTORY = const("factory")
COMMISSIONED = const("commissioned")
DYING = const("dying")
ORPHAN = const("orphan")  # it was taken over, and waits for the credential of the site whose anchor it has

# What is kept, by its key in the stored map.
SECRET = const(1)
CREDENTIAL = const(2)
ANCHOR = const(3)
TEST_ONLY = const(5)  # True if the key was made without a hardware source of randomness
LABEL = const(4)  # [secret of the sealed label, wrong proofs of it]; gone once the device has joined a site
ENDING = const(6)  # what storage holds must go; with a list the identity too: see wiping.py
NEXT = const(7)  # the secret of a key that is to be the device's, once the authority has signed for it: see rotation.py
OLD = const(8)  # the secret of the key before, for what is still sealed to it
HEIR = const(9)  # [the secret of the key that the device will have at another site, that site's id]: see ownership.py
RECEIPT = const(10)  # from the last change of sites, for the owner before
# Once the keys of ANCHOR were followed by others: see succession.py. [number of the last succession, key that signs,
# ECDH key, key that signed before or None once its grants no longer count, when that is or was]
SUCCEEDED = const(11)

_NAME = const("identity")
_SEAL = const(b"admit:seal")

# Of the site's anchor.Anchor, what a device needs; `number`: so many successions have led to these keys.
Anchor = namedtuple("Anchor", ("site_id", "number", "sign_public", "ecdh_public", "previous", "ends"))


class Identity:
    """The device's identity, kept in `keystore`. `key`, `credential` (credential.Credential) and `anchor` are None as
    long as there is none.
    """

    def __init__(self, keystore, suite):
        self.suite = suite
        self.key = self.credential = self.anchor = self.label = None
        self.label_failed_ms = 0
        self._keystore = keystore
        self._load(self._stored())

    @property
    def state(self):
        """FACTORY until the device has joined a site, then COMMISSIONED; DYING while a wipe is under way; ORPHAN while
        its credential is another site's than its anchor.
        """
        if self.ending or not self.credential:
            return DYING if self.ending else FACTORY
        return COMMISSIONED if self.credential.site_id == self.anchor.site_id else ORPHAN

    @property
    def device_id(self):
        """The name that the site gave the device, or "" in factory state."""
        return self.credential.device_id if self.credential else ""

    @property
    def seal_key(self):
        """The key to which bundles for this device are sealed: made of the device key's secret, for each of them."""
        return self.seal_key_of(self.kept(SECRET))

    def seal_key_of(self, secret):
        """The seal key that goes with a device key's secret."""
        with borrowed():
            from admit_protocol.derived_key import private_key

            return private_key(secret, _SEAL, self.suite)

    def kept(self, field):
        """What is kept as `field`, or None."""
        return self._stored().get(field)

    def keep(self, fields):
        """Store `fields` (values by SECRET, CREDENTIAL, ANCHOR, …; None removes one) beside what is there, in one
        write, and be that from now on.
        """
        stored = self._stored()
        stored.update(fields)
        stored = {field: value for field, value in stored.items() if value is not None}
        self._keystore.write(_NAME, cbor.encode(stored))
        self._load(stored)

    def _stored(self):
        stored = self._keystore.read(_NAME)
        return cbor.decode(stored) if stored else {}

    def _load(self, fields):
        self.label = fields.get(LABEL)
        self.ending = fields.get(ENDING)
        self.test_only = fields.get(TEST_ONLY, False)
        if SECRET in fields:
            with borrowed():
                self.key = self.suite.private_key(fields[SECRET])
        if CREDENTIAL in fields:
            with borrowed():
                from admit_protocol import anchor, credential

                whole = anchor.decode(fields[ANCHOR])
                now = fields.get(SUCCEEDED) or (0, whole.sign_public, whole.ecdh_public, None, 0)
                self.anchor = Anchor(whole.site_id, *now)
                self.credential = credential.parse(fields[CREDENTIAL])
