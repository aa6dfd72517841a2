"""What of EDHOC a production device accepts: method 2, its own credential, and peers who hold a grant.

Only strangers.py (test identities) replaces this.
"""

from admit_device.access import Access
from admit_protocol import edhoc


class Profile:
    """The profile of every device that guards something."""

    methods = (2,)  # the user by static Diffie-Hellman, the device by signature
    access = Access

    def own(self, identity):
        """(key, ID_CRED_R, CRED_R) with which the device authenticates."""
        credential = edhoc.cwt_credential(identity.credential.data)
        return identity.key, credential.id_cred, credential

    def credential(self, subject):
        """CRED_I of a peer: its grant."""
        return edhoc.cwt_credential(subject.data)

    def contexts(self, suite, identity):
        """Preshared OSCORE contexts as (context, subject): none."""
        return ()
