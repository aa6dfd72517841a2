"""Sealed messages: the published example step by step, and each way in which one is not what it should be."""

from admit_protocol import cbor, cose, cose_encrypt, kdf
from admit_protocol.errors import Malformed, RemoteError, Unsupported, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises, vectors

SUITE = Suite(Dice(b"sealed").random)
KEY, OTHER = SUITE.private_key(bytes(31) + b"\x07"), SUITE.private_key(bytes(31) + b"\x08")
NONCE = bytes(range(13))
SEALED = cose_encrypt.seal(SUITE, KEY.public, b"content")


def parts():
    """[protected, headers, ciphertext, [[protected, headers, b""]]] of a good message, to be changed."""
    return cbor.decode(SEALED).value


def refused(value, kind, reason, tag=96):
    with raises(kind, reason):
        cose_encrypt.unseal(SUITE, KEY, cbor.encode(cbor.Tag(tag, value)))


def test_what_was_sealed_opens_for_its_key_alone():
    for plaintext in (b"", b"content", bytes(2000)):
        sealed = cose_encrypt.seal(SUITE, KEY.public, plaintext)
        assert cose_encrypt.unseal(SUITE, KEY, sealed) == plaintext
        with raises(Unverified, "cose-unsealed"):
            cose_encrypt.unseal(SUITE, OTHER, sealed)


def test_the_same_twice_is_sealed_with_other_keys_and_nonces():
    one, two = [cbor.decode(cose_encrypt.seal(SUITE, KEY.public, b"content")).value for _ in range(2)]
    assert one[1] != two[1] and one[2] != two[2] and one[3] != two[3]


def test_the_cose_working_groups_example():
    """p256-hkdf-256-02, which encrypts with another algorithm: every step up to its content key."""
    known = {name: bytes.fromhex(value) for name, value in vectors("cose_ecdh_es.json").items() if name != "source"}
    receiver = SUITE.private_key(known["secret"])
    assert receiver.public == known["public"]
    shared = receiver.shared_secret(known["ephemeral"])
    assert shared == known["shared_secret"]
    assert kdf.hkdf_expand(kdf.hkdf_extract(b"", shared), known["context"], 32) == known["content_key"]
    # Ours differ from theirs in the algorithm, and so in the length of the key.
    nobody = [None, None, None]
    assert known["context"] == cbor.encode([3, nobody, nobody, [256, cbor.encode({1: -25})]])
    assert cose_encrypt_constants() == (
        cbor.encode({1: 10}),
        cbor.encode({1: -25}),
        cbor.encode(["Encrypt", cbor.encode({1: 10}), b""]),
        cbor.encode([10, nobody, nobody, [128, cbor.encode({1: -25})]]),
    )
    assert known["enc_structure"] == cbor.encode(["Encrypt", cbor.encode({1: 3}), b""])


def cose_encrypt_constants():
    """What goes into the cipher and the key derivation, overheard from the suite."""
    heard = []

    class Listener:
        random, generate = SUITE.random, SUITE.generate

        def encrypt(self, key, nonce, plaintext, aad):
            heard.append((key, aad))
            return SUITE.encrypt(key, nonce, plaintext, aad)

    protected, _, _, recipients = cbor.decode(cose_encrypt.seal(Listener(), KEY.public, b"")).value
    ephemeral = cose.decode_key(recipients[0][1][-1])[0]
    prk = kdf.hkdf_extract(b"", KEY.shared_secret(ephemeral))
    context = cbor.encode([10, [None] * 3, [None] * 3, [128, recipients[0][0]]])
    assert heard[0][0] == kdf.hkdf_expand(prk, context, 16)
    return protected, recipients[0][0], heard[0][1], context


def test_sealing_adds_what_it_says_at_most():
    for length in (0, 23, 24, 255, 256, 3900):
        sealed = cose_encrypt.seal(SUITE, KEY.public, bytes(length))
        assert len(sealed) - length <= cose_encrypt.OVERHEAD


def test_a_message_cut_anywhere_or_with_more_behind_it_is_refused():
    for end in range(len(SEALED)):
        with raises(Malformed):
            cose_encrypt.unseal(SUITE, KEY, SEALED[:end])
    with raises(Malformed, "cbor-trailing"):
        cose_encrypt.unseal(SUITE, KEY, SEALED + b"\0")


def test_no_byte_of_it_may_change():
    for at in range(len(SEALED)):
        with raises_something():
            cose_encrypt.unseal(SUITE, KEY, SEALED[:at] + bytes((SEALED[at] ^ 1,)) + SEALED[at + 1 :])


class raises_something:
    """Some RemoteError, whichever comes first."""

    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        if kind is None:
            raise AssertionError("nothing was raised")
        return issubclass(kind, RemoteError)


def test_each_part_out_of_form_is_named():
    ephemeral = cose.encode_key(OTHER.public)
    refused(parts(), Malformed, "cose-tag", tag=16)
    refused(parts()[:3], Malformed, "cose-structure")
    refused(parts() + [b""], Malformed, "cose-structure")
    for at, value, kind, reason in (
        (0, cbor.encode({1: 1}), Unsupported, "cose-algorithm"),
        (0, b"", Unsupported, "cose-algorithm"),
        (0, {1: 10}, Unsupported, "cose-algorithm"),
        (0, cbor.encode({1: 10, 2: [5]}), Unsupported, "cose-algorithm"),
        (1, {}, Malformed, "cose-structure"),
        (1, [], Malformed, "cose-structure"),
        (1, {5: NONCE, 4: b"kid"}, Malformed, "cose-structure"),
        (1, {4: NONCE}, Malformed, "cose-nonce"),
        (1, {5: NONCE[:12]}, Malformed, "cose-nonce"),
        (1, {5: 13}, Malformed, "cose-nonce"),
        (2, None, Malformed, "cose-structure"),
        (2, "text", Malformed, "cose-structure"),
        (2, b"", Unverified, "cose-unsealed"),
        (2, bytes(8), Unverified, "cose-unsealed"),
        (3, [], Malformed, "cose-structure"),
        (3, {}, Malformed, "cose-structure"),
        (3, parts()[3] * 2, Malformed, "cose-structure"),
        (3, [b""], Malformed, "cose-structure"),
        (3, [[]], Malformed, "cose-structure"),
    ):
        changed = parts()
        changed[at] = value
        refused(changed, kind, reason)
    for at, value, kind, reason in (
        (0, cbor.encode({1: -26}), Unsupported, "cose-algorithm"),
        (1, {}, Malformed, "cose-structure"),
        (1, {-1: ephemeral, 4: b"kid"}, Malformed, "cose-structure"),
        (1, {-2: ephemeral}, Malformed, "cose-key"),
        (1, {-1: OTHER.public}, Malformed, "cose-key"),
        (1, {-1: {1: 2, -1: 1, -2: OTHER.public[:32], -3: True}}, Malformed, "cose-key"),
        (1, {-1: cose.encode_key(bytes(64))}, Malformed, "p256-point"),
        (1, {-1: cose.encode_key(OTHER.public[:63] + b"\0")}, Malformed, "p256-point"),
        (2, b"\0", Malformed, "cose-structure"),
        (2, None, Malformed, "cose-structure"),
    ):
        changed = parts()
        changed[3][0][at] = value
        refused(changed, kind, reason)
    changed = parts()
    changed[3][0].append([])
    refused(changed, Malformed, "cose-structure")


def test_another_ephemeral_key_or_nonce_opens_nothing():
    for change in (
        lambda all: all[1].update({5: NONCE}),
        lambda all: all[3][0][1].update({-1: cose.encode_key(OTHER.public)}),
    ):
        changed = parts()
        change(changed)
        refused(changed, Unverified, "cose-unsealed")
