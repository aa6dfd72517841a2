"""What of EDHOC a production device accepts: method 2, its own credential, and peers who hold a grant.

Only strangers.py (test identities) replaces this.
"""

from admit_device.access import Access
from admit_protocol.const import const

_TAG_SIGN1 = const(0xD2)  # tag 18: one byte, which is no part of CRED_x


class Profile:
    """The profile of every device that guards something."""

    methods = (2,)  # the user by static Diffie-Hellman, the device by signature
    access = Access

    def grants(self, storage, identity, suite):
        """The subjects that may come: holders of grants, and newcomers, who may be given one."""
        from admit_device.grants import Grants

        return Grants(storage, identity, suite)

    def own(self, identity):
        """(key, ID_CRED_R, CRED_R) with which the device authenticates."""
        own = identity.credential
        credential = _credential(own.data, own.public, own.kid)
        return identity.key, credential.id_cred, credential

    def credential(self, subject):
        """CRED_I of a peer: its grant, or the CCS of its key."""
        return _credential(subject.data, subject.key, subject.kid)

    def contexts(self, suite, identity):
        """Preshared OSCORE contexts as (context, subject): none."""
        return ()


def _credential(data, public, kid):
    """As edhoc.cwt_credential of a CWT that has been read before; a CCS stands for itself."""
    from admit_protocol.edhoc import credential_of

    return credential_of(data[1:] if data[0] == _TAG_SIGN1 else data, public, kid)
