"""The P-256 jobs of a login, ours and pure-Python ecdsa's, as calls that a clock can be held against."""

import hashlib
import random

import ecdsa

from admit_protocol import es256, p256

SEED = 2024  # the same keys in each run
MESSAGE = b"the message that is signed"


def our_jobs():
    """{name: call}: keygen, ECDH with a key just made, sign, verify; then ECDH with a long-term (blinded) key."""
    source = random.Random(SEED).randbytes
    fresh, key = p256.generate(source), p256.PrivateKey(p256.new_secret(source), source)
    public, peer, signature = key.public, fresh.public, key.sign(MESSAGE)
    return {
        "keygen": lambda: p256.generate(source).public,
        "ECDH": lambda: fresh.shared_secret(public),
        "sign": lambda: key.sign(MESSAGE),
        "verify": lambda: es256.verify(public, MESSAGE, signature),
        "ECDH, long-term key": lambda: key.shared_secret(peer),
    }


def ecdsa_jobs():
    """The first four with the `ecdsa` package, from bytes to bytes, its table for G already made; it blinds nothing."""
    if ecdsa.ellipticcurve.GMPY:
        raise RuntimeError("ecdsa has found gmpy2 and is no longer pure Python: uninstall gmpy2 to compare")
    curve, digest = ecdsa.NIST256p, hashlib.sha256
    source = random.Random(SEED).randbytes
    key = ecdsa.SigningKey.generate(curve, entropy=source, hashfunc=digest)
    public, signature = key.verifying_key.to_string(), key.sign(MESSAGE, entropy=source)
    peer = ecdsa.SigningKey.generate(curve, entropy=source).verifying_key.to_string()

    def keygen():
        return ecdsa.SigningKey.generate(curve, entropy=source).verifying_key.to_string()

    def shared_secret():
        side = ecdsa.ECDH(curve, key)
        side.load_received_public_key_bytes(peer)
        return side.generate_sharedsecret_bytes()

    def sign():
        return key.sign(MESSAGE, entropy=source)

    def verify():
        return ecdsa.VerifyingKey.from_string(public, curve, digest).verify(signature, MESSAGE)

    return {"keygen": keygen, "ECDH": shared_secret, "sign": sign, "verify": verify}
