"""Both our EDHOC roles against an oracle written apart: every message, key, exporter; methods 0 to 3, suites 2 and 3.

No stranger speaks method 2 yet, and it is our everyday one. The oracle itself is held against RFC 9529 first.
"""

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from admit.suite import HostSuite
from admit_protocol import ccs, cose, cwt, edhoc
from admit_protocol.suite import Suite
from edhoc_peers import Spy, Stream, initiator, kdf, responder, rfc9529
from strangers import edhoc_oracle
from strangers.edhoc_oracle import Oracle, Party

SECRETS = {name: kdf.sha256(b"oracle: ", name.encode()) for name in ("I", "R", "X", "Y")}
EAD = {1: [(3, b"one")], 2: [(0, b"padding"), (4, None)], 3: [(5, b"")], 4: [(6, bytes(40)), (0, None)]}
SUITES = [Suite(Stream(b"oracle")), HostSuite()]

methods = pytest.mark.parametrize("method", [0, 1, 2, 3])
suites_i = pytest.mark.parametrize("suites_i", [(2,), (3,), (0, 2)], ids=str)
suites = pytest.mark.parametrize("suite", SUITES, ids=["plain", "openssl"])
kinds = pytest.mark.parametrize("kind", ["kid as int", "kid of 8 bytes", "kccs", "kcwt by kid", "kcwt"])


def our_credential(kind, role):
    """Our Credential of a role, named or carried in the way of `kind`."""
    key = HostSuite().private_key(SECRETS[role])
    if kind.startswith("kcwt"):
        issuer = HostSuite().private_key(kdf.sha256(b"oracle: issuer"))
        kid = kdf.sha256(role.encode())[:8] if kind == "kcwt by kid" else None
        return edhoc.cwt_credential(cwt.issue(issuer, {cwt.CNF: cwt.cnf(key.public)}, cose.GRANT), kid)
    kid = {"kid as int": {"I": b"\x2b", "R": b"\x05"}[role], "kid of 8 bytes": role.encode() * 8}.get(kind)
    return ccs.credential(ccs.encode(role, key.public, kid))


def parties(kind, role):
    """(our Credential, the oracle's own Party, the oracle's Party of us as its peer) for the key of a role.

    CRED_x reaches the oracle by its own reading of section 3.5.2: a CWT loses its tag, a CCS is taken as it is.
    """
    cred = our_credential(kind, role)
    id_cred = cbor2.loads(cbor2.dumps(cred.id_cred, default=as_cbor2))
    carried = id_cred.get(13) or id_cred.get(14)
    if isinstance(carried, cbor2.CBORTag):
        assert carried.tag == 18 and cbor2.dumps(carried.value) == cred.data
    elif carried:
        assert cbor2.dumps(carried) == cred.data
    secret = edhoc_oracle.private_key(SECRETS[role])
    return cred, Party(secret, id_cred, cred.data), Party(secret.public_key(), id_cred, cred.data)


def as_cbor2(encoder, tag):
    encoder.encode(cbor2.CBORTag(tag.number, tag.value))


def our_keys(suite, *names):
    return [suite.private_key(SECRETS[name]) for name in names]


def assert_all_seen(spy, ours, oracle):
    """Every value that the oracle derived went through our hands too; it is no accident that both end alike."""
    assert [name for name, value in oracle.values.items() if not spy.saw(value)] == []
    assert set("TH_2 TH_3 TH_4 PRK_2e PRK_3e2m PRK_4e3m MAC_2 MAC_3 K_3 IV_3 PRK_out".split()) < set(oracle.values)
    assert ours.oscore() == (oracle.exporter(0, b"", 16), oracle.exporter(1, b"", 8))
    assert ours.exporter(30, b"context", 100) == oracle.exporter(30, b"context", 100)
    ours.key_update(b"next")
    oracle.key_update(b"next")
    assert ours.oscore() == (oracle.exporter(0, b"", 16), oracle.exporter(1, b"", 8))


@suites
@kinds
@suites_i
@methods
def test_our_initiator_and_the_oracle(method, suites_i, kind, suite):
    cred_i, _, i_party = parties(kind, "I")
    cred_r, r_party, _ = parties(kind, "R")
    key, ephemeral = our_keys(suite, "I", "X")
    oracle = Oracle("R", method, suites_i, r_party, edhoc_oracle.private_key(SECRETS["Y"]), b"\x21")
    with Spy(suite) as spy:
        ours = initiator(method, suites_i, b"\x18", key, cred_i, spy, ephemeral)
        oracle.take_message_1(ours.message_1(EAD[1]))
        assert ours.parse_message_2(oracle.message_2(EAD[2])) == (b"\x21", cred_r.id_cred, EAD[2][1:])
        ours.verify_message_2(cred_r)
        assert oracle.take_message_3(ours.message_3(EAD[3]), i_party)[1] == [5, b""]
        assert ours.verify_message_4(oracle.message_4(EAD[4])) == EAD[4][:1]
        spy.seen += [oracle.values["CIPHERTEXT_2"]]  # ours undoes it without a name
        ours.oscore()
        assert_all_seen(spy, ours, oracle)


@suites
@kinds
@suites_i
@methods
def test_our_responder_and_the_oracle(method, suites_i, kind, suite):
    cred_i, i_party, _ = parties(kind, "I")
    cred_r, _, r_party = parties(kind, "R")
    key, ephemeral = our_keys(suite, "R", "Y")
    oracle = Oracle("I", method, suites_i, i_party, edhoc_oracle.private_key(SECRETS["X"]), b"")
    with Spy(suite) as spy:
        ours = responder((method,), (suites_i[-1],), key, cred_r, spy)
        assert ours.parse_message_1(oracle.message_1(EAD[1])) == (method, b"", EAD[1])
        message_2 = ours.message_2(ephemeral, b"\x18", EAD[2])
        assert oracle.take_message_2(message_2, r_party) == (b"\x18", [0, b"padding", 4])
        assert ours.parse_message_3(oracle.message_3(EAD[3])) == (cred_i.id_cred, EAD[3])
        ours.verify_message_3(cred_i)
        assert oracle.take_message_4(ours.message_4(EAD[4])) == [6, bytes(40), 0]
        spy.seen.append(message_2)
        ours.oscore()
        assert_all_seen(spy, ours, oracle)


class Deterministic:
    """A private key of ours that signs as the oracle does, by RFC 6979 alone; else it is as it was."""

    def __init__(self, secret):
        self.key, self.private = HostSuite().private_key(secret), edhoc_oracle.private_key(secret)
        self.public, self.shared_secret, self.erase = self.key.public, self.key.shared_secret, self.key.erase

    def sign(self, message):
        signature = self.private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return b"".join(half.to_bytes(32, "big") for half in decode_dss_signature(signature))


@suites_i
@methods
def test_with_the_same_randomness_every_message_is_the_same_to_the_byte(method, suites_i):
    (cred_i, i_own, i_peer), (cred_r, r_own, r_peer) = parties("kid as int", "I"), parties("kid of 8 bytes", "R")
    their_i = Oracle("I", method, suites_i, i_own, edhoc_oracle.private_key(SECRETS["X"]), b"\x0a")
    their_r = Oracle("R", method, suites_i, r_own, edhoc_oracle.private_key(SECRETS["Y"]), b"\x0b")
    theirs = [their_i.message_1(EAD[1])]
    their_r.take_message_1(theirs[0])
    theirs.append(their_r.message_2(EAD[2]))
    their_i.take_message_2(theirs[1], r_peer)
    theirs.append(their_i.message_3(EAD[3]))
    their_r.take_message_3(theirs[2], i_peer)
    theirs.append(their_r.message_4(EAD[4]))

    suite = HostSuite()
    (x, y), key_i, key_r = our_keys(suite, "X", "Y"), Deterministic(SECRETS["I"]), Deterministic(SECRETS["R"])
    our_i = initiator(method, suites_i, b"\x0a", key_i, cred_i, suite, x)
    our_r = responder((method,), suites_i[-1:], key_r, cred_r, suite)
    ours = [our_i.message_1(EAD[1])]
    our_r.parse_message_1(ours[0])
    ours.append(our_r.message_2(y, b"\x0b", EAD[2]))
    our_i.parse_message_2(ours[1])
    our_i.verify_message_2(cred_r)
    ours.append(our_i.message_3(EAD[3]))
    our_r.parse_message_3(ours[2])
    our_r.verify_message_3(cred_i)
    ours.append(our_r.message_4(EAD[4]))
    assert ours == theirs


def test_the_oracle_itself_reproduces_rfc_9529_section_3():
    def party(step, letter, role):
        secret = edhoc_oracle.private_key(rfc9529(step, role + "'s private authentication key"))
        id_cred, cred = cbor2.loads(rfc9529(step, "ID_CRED_" + letter)), rfc9529(step, "CRED_" + letter)
        return Party(secret, id_cred, cred), Party(secret.public_key(), id_cred, cred)

    x = edhoc_oracle.private_key(rfc9529("message_1 (second time)", "Initiator's ephemeral private key"))
    y = edhoc_oracle.private_key(rfc9529("message_2", "Responder's ephemeral private key"))
    (i_own, i_peer), (r_own, r_peer) = party("message_3", "I", "Initiator"), party("message_2", "R", "Responder")
    i, r = Oracle("I", 3, [6, 2], i_own, x, b"\x37"), Oracle("R", 3, [6, 2], r_own, y, b"\x27")
    assert i.message_1() == rfc9529("message_1 (second time)", "message_1")
    r.take_message_1(i.message_1())
    assert r.message_2() == rfc9529("message_2", "message_2")
    i.take_message_2(r.message_2(), r_peer)
    assert i.message_3() == rfc9529("message_3", "message_3")
    r.take_message_3(i.message_3(), i_peer)
    assert r.message_4() == rfc9529("message_4", "message_4")
    assert i.values["PRK_out"] == r.values["PRK_out"] == rfc9529("PRK_out and PRK_exporter", "PRK_out")
    assert r.exporter(0, b"", 16) == rfc9529("OSCORE Parameters", "OSCORE Master Secret")
    r.key_update(rfc9529("Key Update", "context for KeyUpdate (Raw"))
    assert r.exporter(1, b"", 8) == rfc9529("Key Update", "OSCORE Master Salt")


@methods
def test_the_oracle_can_say_no(method):
    """Our Responder with the wrong key, and our Initiator with the wrong key: the oracle refuses both."""
    wrong = HostSuite().private_key(kdf.sha256(b"wrong"))
    (cred_i, i_own, i_peer), (cred_r, r_own, r_peer) = parties("kid as int", "I"), parties("kid as int", "R")
    oracle = Oracle("I", method, (2,), i_own, edhoc_oracle.private_key(SECRETS["X"]), b"\x0a")
    ours = responder((method,), (2,), wrong, cred_r, HostSuite())
    ours.parse_message_1(oracle.message_1())
    message_2 = ours.message_2(HostSuite().generate(), b"\x0b")
    with pytest.raises(InvalidSignature if method in (0, 2) else AssertionError):
        oracle.take_message_2(message_2, r_peer)

    oracle = Oracle("R", method, (2,), r_own, edhoc_oracle.private_key(SECRETS["Y"]), b"\x0b")
    ours = initiator(method, (2,), b"\x0a", wrong, cred_i, HostSuite())
    oracle.take_message_1(ours.message_1())
    ours.parse_message_2(oracle.message_2())
    ours.verify_message_2(cred_r)
    with pytest.raises(InvalidSignature if method in (0, 1) else AssertionError):
        oracle.take_message_3(ours.message_3(), i_peer)
