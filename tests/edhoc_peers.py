"""Who meets whom in the EDHOC tests, on both runtimes: fixed identities, whole handshakes, and a spy on all values."""

from admit_protocol import cbor, ccs, edhoc_client, edhoc_initiator, edhoc_responder, edhoc_session, kdf
from admit_protocol.suite import Suite
from support import vectors

DEVICE_KID = b"\x05"  # one byte that goes as an int
USER_KID = b"\x91\x02\x03\x04\x05\x06\x07\x08"


class Stream:
    """Bytes that look random and come again with the same seed."""

    def __init__(self, seed):
        self.seed = seed
        self.count = 0

    def __call__(self, length):
        out = b""
        while len(out) < length:
            self.count += 1
            out += kdf.sha256(self.seed, self.count.to_bytes(4, "big"))
        return out[:length]


SUITE = Suite(Stream(b"edhoc tests"))


class WatchedKey:
    """A private key in front of another: `calls` lists what was asked of it, `seen` the secrets that came out."""

    def __init__(self, key):
        self.key = key
        self.public = key.public
        self.calls = []
        self.seen = [key.public]

    def shared_secret(self, peer):
        self.calls.append(("shared_secret", peer))
        self.seen.append(self.key.shared_secret(peer))
        return self.seen[-1]

    def sign(self, message):
        self.calls.append(("sign", message))
        self.seen.append(message)
        return self.key.sign(message)

    def erase(self):
        self.calls.append(("erase",))
        self.key.erase()


class Spy:
    """Stands in for `kdf` in the session modules and for their suite; `seen` holds all that went in and came out."""

    def __init__(self, suite=SUITE):
        self.seen = []
        self.suite = suite
        self.constant_time_equal = kdf.constant_time_equal
        self.generate = suite.generate
        self.verify = suite.verify

    def __enter__(self):
        for module in (edhoc_session, edhoc_initiator, edhoc_responder):
            module.kdf = self
        return self

    def __exit__(self, *_):
        for module in (edhoc_session, edhoc_initiator, edhoc_responder):
            module.kdf = kdf

    def sha256(self, *parts):
        return self._note(b"".join(parts), kdf.sha256(*parts))

    def hkdf_extract(self, salt, ikm):
        return self._note(salt, ikm, kdf.hkdf_extract(salt, ikm))

    def hkdf_expand(self, prk, info, length):
        return self._note(prk, info, kdf.hkdf_expand(prk, info, length))

    def encrypt(self, key, nonce, plaintext, aad, tag_length):
        ciphertext = self.suite.encrypt(key, nonce, plaintext, aad, tag_length)
        return self._note(key, nonce, plaintext, aad, ciphertext)

    def decrypt(self, key, nonce, ciphertext, aad, tag_length):
        plaintext = self.suite.decrypt(key, nonce, ciphertext, aad, tag_length)
        self._note(key, nonce, ciphertext, aad, plaintext)
        return plaintext

    def _note(self, *values):
        self.seen.extend(values)
        return values[-1]

    def saw(self, value):
        """Whether `value` is, or is part of, anything that went through, as it was or as a CBOR byte string."""
        return any([value in other or value in cbor.encode(other) for other in self.seen])


def private_key(name, suite=SUITE):
    """The test key of that name."""
    return suite.private_key(kdf.sha256(b"edhoc test key: ", name.encode()))


def identity(name, kid, suite=SUITE):
    """(key, Credential) as a CCS with that kid; without one it goes by value."""
    key = private_key(name, suite)
    return key, ccs.credential(ccs.encode(name, key.public, kid))


USER, CRED_I = identity("user", USER_KID)
DEVICE, CRED_R = identity("device", DEVICE_KID)


def initiator(method=2, suites=(2,), c_i=b"\x0a", key=USER, cred=CRED_I, suite=SUITE, ephemeral=None, known_ead=()):
    """Our user as Initiator."""
    return edhoc_initiator.Initiator(suite, method, suites, key, cred.id_cred, cred, c_i, ephemeral, known_ead)


def responder(methods=edhoc_client.METHODS, suites=(2, 3), key=DEVICE, cred=CRED_R, suite=SUITE, known_ead=()):
    """Our device as Responder."""
    return edhoc_responder.Responder(suite, methods, suites, key, cred.id_cred, cred, known_ead)


def to_message_2(i, r, c_r=b"\x0b", ephemeral=None):
    """message_1 and message_2 of a session; the Initiator has yet to parse the latter."""
    message_1 = i.message_1()
    r.parse_message_1(message_1)
    return message_1, r.message_2(ephemeral or SUITE.generate(), c_r)


def to_message_3(i, r, cred_r=CRED_R, c_r=b"\x0b", ephemeral=None):
    """message_1, message_2 and message_3; the Initiator is done."""
    message_1, message_2 = to_message_2(i, r, c_r, ephemeral)
    i.parse_message_2(message_2)
    i.verify_message_2(cred_r)
    return message_1, message_2, i.message_3()


def handshake(i, r, cred_i=CRED_I, cred_r=CRED_R):
    """A whole session; both are done. The three messages."""
    messages = to_message_3(i, r, cred_r)
    r.parse_message_3(messages[2])
    r.verify_message_3(cred_i)
    return messages


_RFC9529 = []


def rfc9529(step, name):
    """The one value of RFC 9529 section 3 in that step whose name begins so."""
    if not _RFC9529:
        _RFC9529.extend(vectors("rfc9529_static_dh.json")["values"])
    found = [value["hex"] for value in _RFC9529 if value["step"] == step and value["name"].startswith(name)]
    assert len(found) == 1, (step, name, len(found))
    return bytes.fromhex(found[0])


def rfc9529_values(steps):
    """[(name, bytes)] of those steps that a role computes: all but private keys, y alone, and what is too short."""
    rfc9529("error", "SUITES_R")
    values = [(value["name"], bytes.fromhex(value["hex"])) for value in _RFC9529 if value["step"] in steps]
    return [(name, value) for name, value in values if len(value) >= 8 and "private" not in name and "'y'-" not in name]


def rfc9529_key(step, name):
    """The private key of RFC 9529 section 3 in that step."""
    return WatchedKey(SUITE.private_key(rfc9529(step, name)))


def rfc9529_credential(letter):
    """CRED_I or CRED_R of RFC 9529 section 3."""
    return ccs.credential(rfc9529("message_3" if letter == "I" else "message_2", "CRED_" + letter))
