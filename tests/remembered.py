"""P-256 that computes each thing once: for tests on both runtimes that tell one story again and again, since power was
cut at another place of it. What comes out is what admit_protocol's own code made, but ephemeral keys and nonces repeat.

    @remembering
    def test_…(): ...
"""

from admit_protocol import es256, p256
from admit_protocol.kdf import sha256

_POOL = 4
_real = (p256.PrivateKey, p256.generate, es256.verify)
_known = {}


def remembering(test):
    """The same test, in which keys that are made of one secret remember their products and signatures."""

    def run():
        with remembered():
            test()

    return run


class remembered:
    """Inside it is so."""

    def __enter__(self):
        p256.PrivateKey, p256.generate, es256.verify = _Key, _generate, _verify

    def __exit__(self, *_):
        _known.clear()
        p256.PrivateKey, p256.generate, es256.verify = _real


class _Key:
    """Like p256.PrivateKey."""

    def __init__(self, secret, random, fresh=False):
        self._secret = bytes(secret)
        self._key = _once(("key", self._secret), lambda: _real[0](secret, random))

    @property
    def public(self):
        return self._key.public

    def shared_secret(self, peer):
        self._key._scalar()  # raises if it was erased
        return _once(("product", self._secret, bytes(peer)), lambda: self._key.shared_secret(peer))

    def sign(self, message):
        self._key._scalar()
        return _once(("signature", self._secret, bytes(message)), lambda: self._key.sign(message))

    def prepare_nonce(self, extra=b""):
        """What is remembered needs none."""

    def erase(self):
        """For this one only: another may have been made of the same secret."""
        self._key = _real[0](self._secret, None)
        self._key.erase()


def _once(about, make):
    if about not in _known:
        _known[about] = make()
    return _known[about]


def _generate(random):
    """One of a few: else each handshake has products of its own."""
    return _Key(sha256(b"ephemeral" + bytes([random(1)[0] % _POOL])), random, True)


def _verify(public, message, signature):
    about = ("verified", bytes(public), bytes(message), bytes(signature))
    return _once(about, lambda: _real[2](public, message, signature))
