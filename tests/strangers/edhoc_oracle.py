"""A second EDHOC, written apart: straight from RFC 9528 over `cryptography` and `cbor2`; suites 2, 3, methods 0 to 3.

Shares no line with admit_protocol and imports none of it. It is an oracle, not a product: it believes its caller about
credentials, raises AssertionError or cryptography's own errors when a peer is wrong, and keeps every derived value in
`values` under the RFC's name, for tests to hold against ours.
"""

import hashlib
import hmac
import io
from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MAC_LENGTH = {2: 8, 3: 16}  # section 3.6
SIGNATURE, STATIC_DH = "signature key", "static DH key"
KEY_TYPES = {  # section 3.2: Initiator, Responder
    0: (SIGNATURE, SIGNATURE),
    1: (SIGNATURE, STATIC_DH),
    2: (STATIC_DH, SIGNATURE),
    3: (STATIC_DH, STATIC_DH),
}


@dataclass
class Party:
    """Somebody's credential: private key (ours) or public key (the peer's), ID_CRED_x as a map, CRED_x as bytes."""

    key: object
    id_cred: dict
    cred: bytes


def private_key(secret: bytes):
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def public_key(x: bytes, y: bytes | None = None):
    point = b"\x02" + x if y is None else b"\x04" + x + y
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def x_of(private) -> bytes:
    return private.public_key().public_numbers().x.to_bytes(32, "big")


def sequence(*items) -> bytes:
    """A CBOR sequence, RFC 8742."""
    return b"".join(cbor2.dumps(item) for item in items)


def items_of(data: bytes) -> list:
    stream, items = io.BytesIO(data), []
    while stream.tell() < len(data):
        items.append(cbor2.load(stream))
    return items


def identifier_item(identifier: bytes):
    """Section 3.3.2: a byte string that coincides with the encoding of an int -24..23 is represented by that int."""
    if len(identifier) == 1:
        for number in range(-24, 24):
            if cbor2.dumps(number) == identifier:
                return number
    return identifier


def identifier_bytes(item) -> bytes:
    return cbor2.dumps(item) if isinstance(item, int) else item


def id_cred_item(id_cred: dict):
    """Section 3.5.3.2: a lone kid is replaced by its value."""
    return identifier_item(id_cred[4]) if set(id_cred) == {4} else id_cred


def id_cred_map(item) -> dict:
    return item if isinstance(item, dict) else {4: identifier_bytes(item)}


def ead_items(ead) -> list:
    return [part for label, value in ead for part in ((label,) if value is None else (label, value))]


def edhoc_kdf(prk: bytes, label: int, context: bytes, length: int) -> bytes:
    """Section 4.1.2."""
    return HKDFExpand(hashes.SHA256(), length, sequence(label, context, length)).derive(prk)


def edhoc_extract(salt: bytes, ikm: bytes) -> bytes:
    """Section 4.1.1."""
    return hmac.new(salt, ikm, "sha256").digest()


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Oracle:
    """One session of one role, "I" or "R". `suites` is SUITES_I, its last the one selected."""

    def __init__(self, role, method, suites, me: Party, ephemeral, my_id: bytes):
        self.role, self.method, self.suites = role, method, list(suites)
        self.me, self.ephemeral, self.my_id = me, ephemeral, my_id
        self.values = {}
        self.peer = self.peer_id = self.peer_point = None

    # What the two roles see from different sides

    @property
    def mac_length(self):
        return MAC_LENGTH[self.suites[-1]]

    def key_type(self, role):
        return KEY_TYPES[self.method]["IR".index(role)]

    def party(self, role) -> Party:
        return self.me if role == self.role else self.peer

    def identifier(self, role) -> bytes:
        return self.my_id if role == self.role else self.peer_id

    def static_ecdh(self, role) -> bytes:
        """G_RX for role R, G_IY for role I: the static key of `role` with the other's ephemeral key."""
        if role == self.role:
            return self.me.key.exchange(ec.ECDH(), self.peer_point)
        return self.ephemeral.exchange(ec.ECDH(), self.peer.key)

    # Key schedule, sections 4.1.1 and 4.1.2

    def start(self, g_y: bytes):
        v = self.values
        v["TH_2"] = digest(sequence(g_y, digest(v["message_1"])))
        v["G_XY"] = self.ephemeral.exchange(ec.ECDH(), self.peer_point)
        v["PRK_2e"] = edhoc_extract(v["TH_2"], v["G_XY"])

    def derive_3e2m(self):
        v = self.values
        v["PRK_3e2m"] = v["PRK_2e"]
        if self.key_type("R") == STATIC_DH:
            v["G_RX"] = self.static_ecdh("R")
            v["SALT_3e2m"] = edhoc_kdf(v["PRK_2e"], 1, v["TH_2"], 32)
            v["PRK_3e2m"] = edhoc_extract(v["SALT_3e2m"], v["G_RX"])

    def derive_3(self):
        v = self.values
        v["K_3"] = edhoc_kdf(v["PRK_3e2m"], 3, v["TH_3"], 16)
        v["IV_3"] = edhoc_kdf(v["PRK_3e2m"], 4, v["TH_3"], 13)

    def derive_4e3m(self):
        v = self.values
        v["PRK_4e3m"] = v["PRK_3e2m"]
        if self.key_type("I") == STATIC_DH:
            v["G_IY"] = self.static_ecdh("I")
            v["SALT_4e3m"] = edhoc_kdf(v["PRK_3e2m"], 5, v["TH_3"], 32)
            v["PRK_4e3m"] = edhoc_extract(v["SALT_4e3m"], v["G_IY"])

    def finish(self):
        v = self.values
        v["TH_4"] = digest(sequence(v["TH_3"]) + v["PLAINTEXT_3"] + self.party("I").cred)
        v["PRK_out"] = edhoc_kdf(v["PRK_4e3m"], 7, v["TH_4"], 32)
        v["PRK_exporter"] = edhoc_kdf(v["PRK_out"], 10, b"", 32)

    def exporter(self, label, context, length):
        return edhoc_kdf(self.values["PRK_exporter"], label, context, length)

    def key_update(self, context):
        v = self.values
        v["PRK_out"] = edhoc_kdf(v["PRK_out"], 11, context, 32)
        v["PRK_exporter"] = edhoc_kdf(v["PRK_out"], 10, b"", 32)

    # Authentication, sections 5.3.2 and 5.4.2

    def mac_2(self, ead):
        v, party = self.values, self.party("R")
        head = sequence(identifier_item(self.identifier("R")), party.id_cred, v["TH_2"])
        length = 32 if self.key_type("R") == SIGNATURE else self.mac_length
        v["MAC_2"] = edhoc_kdf(v["PRK_3e2m"], 2, head + party.cred + sequence(*ead_items(ead)), length)
        return self.sig_structure(party, v["TH_2"], ead, v["MAC_2"])

    def mac_3(self, ead):
        v, party = self.values, self.party("I")
        head = sequence(party.id_cred, v["TH_3"])
        length = 32 if self.key_type("I") == SIGNATURE else self.mac_length
        v["MAC_3"] = edhoc_kdf(v["PRK_4e3m"], 6, head + party.cred + sequence(*ead_items(ead)), length)
        return self.sig_structure(party, v["TH_3"], ead, v["MAC_3"])

    def sig_structure(self, party, th, ead, mac):
        """RFC 9052 section 4.4."""
        external_aad = sequence(th) + party.cred + sequence(*ead_items(ead))
        return cbor2.dumps(["Signature1", cbor2.dumps(party.id_cred), external_aad, mac])

    def prove(self, role, number, to_be_signed):
        if self.key_type(role) == STATIC_DH:
            return self.values[f"MAC_{number}"]
        # Deterministic, RFC 6979, so that a run can be repeated to the byte.
        signature = self.me.key.sign(to_be_signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return b"".join(half.to_bytes(32, "big") for half in decode_dss_signature(signature))

    def check(self, role, number, to_be_signed, proof):
        if self.key_type(role) == STATIC_DH:
            assert proof == self.values[f"MAC_{number}"], f"MAC_{number} does not hold"
            return
        assert len(proof) == 64
        r, s = int.from_bytes(proof[:32], "big"), int.from_bytes(proof[32:], "big")
        self.peer.key.verify(encode_dss_signature(r, s), to_be_signed, ec.ECDSA(hashes.SHA256()))

    # Messages, section 5; each `take_` returns (what identifies the peer, EAD items as decoded)

    def message_1(self, ead=()):
        suites = self.suites[0] if len(self.suites) == 1 else self.suites
        head = sequence(self.method, suites, x_of(self.ephemeral), identifier_item(self.my_id))
        self.values["message_1"] = head + sequence(*ead_items(ead))
        return self.values["message_1"]

    def take_message_1(self, message_1):
        method, suites, g_x, c_i, *ead = items_of(message_1)
        assert method == self.method and suites in (self.suites, self.suites[0])
        self.peer_id, self.peer_point = identifier_bytes(c_i), public_key(g_x)
        self.values["message_1"] = message_1
        return self.peer_id, ead

    def message_2(self, ead=()):
        v = self.values
        g_y = x_of(self.ephemeral)
        self.start(g_y)
        self.derive_3e2m()
        proof = self.prove("R", 2, self.mac_2(ead))
        c_r, id_cred = identifier_item(self.my_id), id_cred_item(self.me.id_cred)
        v["PLAINTEXT_2"] = sequence(c_r, id_cred, proof, *ead_items(ead))
        v["CIPHERTEXT_2"] = self.xor_keystream_2(v["PLAINTEXT_2"])
        v["TH_3"] = digest(sequence(v["TH_2"]) + v["PLAINTEXT_2"] + self.me.cred)
        return sequence(g_y + v["CIPHERTEXT_2"])

    def take_message_2(self, message_2, peer: Party):
        v = self.values
        (joined,) = items_of(message_2)
        self.peer, self.peer_point, v["CIPHERTEXT_2"] = peer, public_key(joined[:32]), joined[32:]
        self.start(joined[:32])
        v["PLAINTEXT_2"] = self.xor_keystream_2(v["CIPHERTEXT_2"])
        c_r, id_cred, proof, *ead = items_of(v["PLAINTEXT_2"])
        self.peer_id = identifier_bytes(c_r)
        assert sequence(c_r, id_cred) == sequence(identifier_item(self.peer_id), id_cred_item(peer.id_cred))
        self.derive_3e2m()
        self.check("R", 2, self.mac_2(pairs(ead)), proof)
        v["TH_3"] = digest(sequence(v["TH_2"]) + v["PLAINTEXT_2"] + peer.cred)
        return self.peer_id, ead

    def xor_keystream_2(self, data):
        keystream = edhoc_kdf(self.values["PRK_2e"], 0, self.values["TH_2"], len(data))
        return bytes(a ^ b for a, b in zip(data, keystream, strict=True))

    def message_3(self, ead=()):
        v = self.values
        self.derive_3()
        self.derive_4e3m()
        proof = self.prove("I", 3, self.mac_3(ead))
        v["PLAINTEXT_3"] = sequence(id_cred_item(self.me.id_cred), proof, *ead_items(ead))
        v["CIPHERTEXT_3"] = self.aead("K_3").encrypt(v["IV_3"], v["PLAINTEXT_3"], self.aad("TH_3"))
        self.finish()
        return sequence(v["CIPHERTEXT_3"])

    def take_message_3(self, message_3, peer: Party):
        v = self.values
        self.peer = peer
        self.derive_3()
        (v["CIPHERTEXT_3"],) = items_of(message_3)
        v["PLAINTEXT_3"] = self.aead("K_3").decrypt(v["IV_3"], v["CIPHERTEXT_3"], self.aad("TH_3"))
        id_cred, proof, *ead = items_of(v["PLAINTEXT_3"])
        assert sequence(id_cred) == sequence(id_cred_item(peer.id_cred))
        self.derive_4e3m()
        self.check("I", 3, self.mac_3(pairs(ead)), proof)
        self.finish()
        return id_cred_map(id_cred), ead

    def message_4(self, ead=()):
        self.derive_4()
        v = self.values
        return sequence(self.aead("K_4").encrypt(v["IV_4"], sequence(*ead_items(ead)), self.aad("TH_4")))

    def take_message_4(self, message_4):
        self.derive_4()
        (ciphertext_4,) = items_of(message_4)
        return items_of(self.aead("K_4").decrypt(self.values["IV_4"], ciphertext_4, self.aad("TH_4")))

    def derive_4(self):
        v = self.values
        v["K_4"] = edhoc_kdf(v["PRK_4e3m"], 8, v["TH_4"], 16)
        v["IV_4"] = edhoc_kdf(v["PRK_4e3m"], 9, v["TH_4"], 13)

    def aead(self, key):
        return AESCCM(self.values[key], tag_length=self.mac_length)

    def aad(self, th):
        """RFC 9052 section 5.3 with protected = h'' and external_aad = TH_x."""
        return cbor2.dumps(["Encrypt0", b"", self.values[th]])


def pairs(ead):
    """EAD items as decoded, back to (label, value or None)."""
    found = []
    for item in ead:
        if isinstance(item, int):
            found.append((item, None))
        else:
            found[-1] = (found[-1][0], item)
    return found
