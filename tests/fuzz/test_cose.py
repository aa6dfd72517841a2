"""COSE under hypothesis: parsers that only refuse, one encoding each, no forgery verifies; `cryptography` agrees."""

import os

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import cbor, cose, cose_encrypt0
from admit_protocol.cbor import Tag
from admit_protocol.errors import RemoteError, Unverified
from admit_protocol.suite import Suite
from fuzz.strategies import FUZZ, hostile, keys, mutations, parsed, texts, values

SUITE = Suite(os.urandom)
KEY = SUITE.private_key(bytes(31) + b"\x05")
MESSAGE = cose.sign1(KEY, b"payload of a message", cose.GRANT, {3: 61}, {4: b"kid"})
SEALED = cose_encrypt0.encrypt0(SUITE, bytes(16), bytes(13), b"secret", b"context", b"kid")

plain_headers = st.dictionaries(st.sampled_from((3, 4, 6)) | texts, st.binary(max_size=8), max_size=3)
headers = plain_headers | st.dictionaries(st.sampled_from((1, 2, 3, 4, 5)) | keys, values, max_size=4)


def protected(algorithm):
    right = plain_headers.map(lambda rest: cbor.encode(rest | {1: algorithm}))
    return right | headers.map(cbor.encode) | st.binary(max_size=20)


def structures(tag, *parts):
    return st.builds(lambda *items: cbor.encode(Tag(tag, list(items))), *parts)


nonces = st.binary(min_size=13, max_size=13) | st.binary(max_size=20)
sign1s = structures(18, protected(-7), headers, st.binary(max_size=50), st.binary(min_size=64, max_size=64))
encrypt0s = structures(16, protected(10), st.builds(lambda rest, iv: rest | {5: iv}, headers, nonces), st.binary())

coordinates = st.binary(min_size=32, max_size=32)
nearly_keys = st.fixed_dictionaries(
    {1: st.just(2), -1: st.just(1) | values, -2: coordinates, -3: coordinates | values},
    optional={2: st.binary(max_size=8) | values, 3: values},
)


def unprotected(message):
    known = cbor.decode(message.protected)
    return {label: value for label, value in message.headers.items() if label not in known}


@FUZZ
@given(hostile(sign1s) | mutations(st.just(MESSAGE)))
def test_a_signed_message_is_refused_or_has_no_other_encoding(data):
    message = parsed(cose.parse_sign1, data)
    if message:
        parts = [message.protected, unprotected(message), message.payload, message.signature]
        assert cbor.encode(Tag(18, parts)) == data


@FUZZ
@given(hostile(encrypt0s) | mutations(st.just(SEALED)))
def test_an_encrypted_message_is_refused_or_has_no_other_encoding(data):
    message = parsed(cose_encrypt0.parse_encrypt0, data)
    if message:
        assert len(message.nonce) == 13
        assert cbor.encode(Tag(16, [message.protected, unprotected(message), message.ciphertext])) == data


@FUZZ
@given(values | nearly_keys)
def test_a_key_is_refused_or_has_no_other_form(value):
    key = parsed(cose.decode_key, value)
    if key:
        assert cose.encode_key(*key) == value


@FUZZ
@given(mutations(st.just(MESSAGE)))
def test_no_mutation_of_a_signed_message_verifies(data):
    message = parsed(cose.parse_sign1, data)
    original = cose.parse_sign1(MESSAGE)
    signed = ("protected", "payload", "signature")
    if message and any(getattr(message, name) != getattr(original, name) for name in signed):
        try:
            cose.verify_sign1(message, KEY.public, cose.GRANT, SUITE)
        except Unverified:
            return
        raise AssertionError("a forgery verifies")


@FUZZ
@given(mutations(st.just(SEALED)))
def test_no_mutation_of_an_encrypted_message_opens_to_something_else(data):
    message = parsed(cose_encrypt0.parse_encrypt0, data)
    if message:
        try:
            assert cose_encrypt0.decrypt0(SUITE, bytes(16), message, b"context") == b"secret"
        except RemoteError as error:
            assert error.reason == "ccm-tag"


# Strangers: the structures of RFC 9052 sections 4.4 and 5.3 written with cbor2, the algorithms of `cryptography`.


@FUZZ
@given(st.binary(max_size=100), st.binary(max_size=30), st.none() | st.binary(max_size=10))
def test_cryptography_verifies_what_we_sign(payload, label, kid):
    data = cose.sign1(KEY, payload, label, None, {} if kid is None else {4: kid})
    header, open_header, body, signature = cbor2.loads(data).value
    assert cbor2.loads(header) == {1: -7} and open_header == ({} if kid is None else {4: kid}) and body == payload
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(KEY.public[:32], "big"), int.from_bytes(KEY.public[32:], "big"), ec.SECP256R1()
    )
    der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    numbers.public_key().verify(der, cbor2.dumps(["Signature1", header, label, payload]), ec.ECDSA(SHA256()))


@FUZZ
@given(st.binary(max_size=100), st.binary(max_size=30), st.booleans())
def test_we_verify_what_cryptography_signs(payload, label, tampered):
    stranger = ec.derive_private_key(77, ec.SECP256R1())
    numbers = stranger.public_key().public_numbers()
    public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    header = cbor2.dumps({1: -7})
    r, s = utils.decode_dss_signature(
        stranger.sign(cbor2.dumps(["Signature1", header, label, payload]), ec.ECDSA(SHA256()))
    )
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    body = payload + b"\x00" if tampered else payload
    message = cose.parse_sign1(cbor2.dumps(cbor2.CBORTag(18, [header, {}, body, signature])))
    try:
        cose.verify_sign1(message, public, label, SUITE)
        assert not tampered
    except Unverified:
        assert tampered


@FUZZ
@given(st.binary(max_size=100), st.binary(max_size=30), st.binary(min_size=16, max_size=16))
def test_cryptography_opens_what_we_encrypt_and_we_what_it_encrypts(payload, context, key):
    nonce = bytes(range(13))
    header, open_header, ciphertext = cbor2.loads(cose_encrypt0.encrypt0(SUITE, key, nonce, payload, context)).value
    assert cbor2.loads(header) == {1: 10} and open_header == {5: nonce}
    structure = cbor2.dumps(["Encrypt0", header, context])
    assert AESCCM(key, 8).decrypt(nonce, ciphertext, structure) == payload
    theirs = AESCCM(key, 8).encrypt(nonce, payload, structure)
    message = cose_encrypt0.parse_encrypt0(cbor2.dumps(cbor2.CBORTag(16, [header, {5: nonce}, theirs])))
    assert cose_encrypt0.decrypt0(SUITE, key, message, context) == payload
