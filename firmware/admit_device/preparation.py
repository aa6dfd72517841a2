"""What the device computes while idle, so that a visitor does not wait for it.

One ephemeral key pair, one signing nonce, and the product of that ephemeral with the static keys of the latest peers.
All of it lives in RAM and is used once: `take` empties the place before it hands anything out, so no abort, error or
second handshake can meet the same y again.
"""

from admit_protocol.const import const

_MAX_PEERS = const(4)


class Ephemeral:
    """An EDHOC ephemeral key that may already know its product with some peers. Used like a suite's private key."""

    def __init__(self, key):
        self._key = key
        self._products = {}
        self.public = key.public

    def prepare(self, peer):
        """Compute the shared secret with `peer` ahead; False if it was there already."""
        if peer in self._products:
            return False
        self._products[peer] = self._key.shared_secret(peer)
        return True

    def shared_secret(self, peer):
        """y * peer, from the table if it is there: then no multiplication is needed now."""
        product = self._products.pop(peer, None)
        return product if product is not None else self._key.shared_secret(peer)

    def erase(self):
        """Forget y and everything made of it."""
        self._key.erase()
        self._products = {}


class Preparation:
    """Prepares one handshake ahead. Each `step` is one unit of work, so that a visitor waits for one at most.

    `boots`: a number that no other start of the device has; 0 if there is none, and then no nonce is prepared.
    """

    def __init__(self, suite, boots):
        self._suite = suite
        self._boots = boots
        self._steps = 0
        self._ephemeral = None
        self._nonce_ready = False
        self._peers = []

    def remember(self, peer):
        """`peer` (64-byte public key) has just been here: it may come again."""
        if peer in self._peers:
            self._peers.remove(peer)
        self._peers = (self._peers + [peer])[-_MAX_PEERS:]

    def step(self, key):
        """Do one unit of work for the device key `key`; False if nothing is left to do."""
        self._steps += 1
        if self._ephemeral is None:
            self._ephemeral = Ephemeral(self._suite.generate())
            return True
        if not self._nonce_ready and self._boots:
            # The boot count and the step make the nonce fresh even if the random source has failed unseen.
            key.prepare_nonce(self._boots.to_bytes(8, "big") + self._steps.to_bytes(8, "big"))
            self._nonce_ready = True
            return True
        return any(self._ephemeral.prepare(peer) for peer in self._peers)

    def take(self):
        """The ephemeral for one handshake: the prepared one, or one made now."""
        ephemeral, self._ephemeral = self._ephemeral, None
        self._nonce_ready = False
        return ephemeral if ephemeral is not None else Ephemeral(self._suite.generate())
