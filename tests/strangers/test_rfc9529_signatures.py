"""RFC 9529 section 2: a whole session authenticated by signatures, byte for byte, through both our roles.

The only published trace with signatures uses suite 0 (X25519, EdDSA) and X.509 certificates, which we do not speak. But
our sessions take any private key that has `public`, `shared_secret` and `sign`, so that the test lends them those of
suite 0 and lets x5t pass: what is left are our MACs, Sig_structures, transcripts and keys in method 0.
"""

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from admit.suite import HostSuite
from admit_protocol import edhoc
from edhoc_peers import Spy, initiator, responder
from support import vectors

VALUES = {name: bytes.fromhex(value) for name, value in vectors("rfc9529_signatures.json")["values"].items()}


class X25519Key:
    def __init__(self, secret):
        self.key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self.key.public_key().public_bytes_raw()

    def shared_secret(self, peer):
        return self.key.exchange(X25519PublicKey.from_public_bytes(peer))

    def erase(self):
        self.key = None


class Ed25519Suite(HostSuite):
    def verify(self, public, message, signature):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@pytest.fixture
def suite_0(monkeypatch):
    monkeypatch.setitem(edhoc.SUITES, 0, 8)
    known = edhoc.decode_id_cred
    monkeypatch.setattr(edhoc, "decode_id_cred", lambda item: item if 34 in item else known(item))


def certificate(letter):
    """(Ed25519 key, Credential): CRED_x is the certificate as a bstr, ID_CRED_x its hash."""
    key = Ed25519PrivateKey.from_private_bytes(VALUES["sk_" + letter])
    id_cred = cbor2.loads(VALUES["id_cred_" + letter])
    return key, edhoc.Credential(VALUES["cred_" + letter], key.public_key().public_bytes_raw(), id_cred)


def test_rfc_9529_section_2_byte_for_byte(suite_0):
    (key_i, cred_i), (key_r, cred_r) = certificate("i"), certificate("r")
    with Spy(Ed25519Suite()) as spy:
        i = initiator(0, (0,), VALUES["c_i"], key_i, cred_i, spy, X25519Key(VALUES["x"]))
        r = responder((0,), (0,), key_r, cred_r, spy)
        assert i.message_1() == VALUES["message_1"]
        r.parse_message_1(VALUES["message_1"])
        assert r.message_2(X25519Key(VALUES["y"]), VALUES["c_r"]) == VALUES["message_2"]
        assert i.parse_message_2(VALUES["message_2"]) == (VALUES["c_r"], cred_r.id_cred, [])
        i.verify_message_2(cred_r)
        assert i.message_3() == VALUES["message_3"]
        assert r.parse_message_3(VALUES["message_3"]) == (cred_i.id_cred, [])
        r.verify_message_3(cred_i)
        assert r.message_4() == VALUES["message_4"]
        assert i.verify_message_4(VALUES["message_4"]) == []
    for name in ("mac_2", "signature_2", "mac_3", "signature_3"):
        assert spy.saw(VALUES[name]), name
    for role in (i, r):
        assert role.oscore() == (VALUES["oscore_master_secret"], VALUES["oscore_master_salt"])
        role.key_update(VALUES["key_update_context"])
        after = "_after_key_update"
        assert role.oscore() == (VALUES["oscore_master_secret" + after], VALUES["oscore_master_salt" + after])
