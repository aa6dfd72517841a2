"""COSE: a signature holds for one purpose, one key and one message; everything not strictly in form is refused."""

from admit_protocol import cbor, cose, cose_encrypt0
from admit_protocol.cbor import Tag
from admit_protocol.errors import LocalError, Malformed, Unsupported, Unverified
from admit_protocol.suite import Suite
from support import raises

SUITE = Suite(lambda length: bytes(range(length)))
KEY = SUITE.private_key(bytes(31) + b"\x05")
OTHER = SUITE.private_key(bytes(31) + b"\x06")

LABELS = (
    cose.DEVICE_CREDENTIAL,
    cose.GRANT,
    cose.DELEGATION,
    cose.BUNDLE,
    cose.RELEASE,
    cose.JOURNAL_HEAD,
    cose.RECEIPT,
    cose.APPROVAL,
    cose.VOUCHER,
    cose.WIPE_CERTIFICATE,
    cose.ROTATION,
    cose.POSSESSION,
    cose.ENROLMENT,
    cose.TIME,
    cose.NOTICE,
)

ES256 = {1: -7}
AES_CCM = {1: 10}
SYMMETRIC = bytes(range(16))
NONCE = bytes(range(13))


def sign1_bytes(protected=ES256, unprotected=None, payload=b"payload", signature=bytes(64), tag=18):
    """A COSE_Sign1 of whatever it is handed; a dict becomes a protected header's bytes."""
    if isinstance(protected, dict):
        protected = cbor.encode(protected)
    return cbor.encode(Tag(tag, [protected, {} if unprotected is None else unprotected, payload, signature]))


def encrypt0_bytes(protected=AES_CCM, unprotected=None, ciphertext=bytes(8), tag=16):
    if isinstance(protected, dict):
        protected = cbor.encode(protected)
    return cbor.encode(Tag(tag, [protected, {5: NONCE} if unprotected is None else unprotected, ciphertext]))


def test_a_signed_message_has_the_bytes_of_rfc_9052_section_4_2():
    message = cose.sign1(KEY, b"payload", cose.GRANT)
    assert message[:7] == bytes.fromhex("d28443a10126a0")
    assert message[7:17] == b"\x47payload\x58\x40" and len(message) == 17 + 64


def test_a_signature_verifies_with_its_key_and_purpose():
    parsed = cose.parse_sign1(cose.sign1(KEY, b"payload", cose.GRANT))
    assert parsed.payload == b"payload" and parsed.headers == {1: -7} and parsed.protected == b"\xa1\x01\x26"
    cose.verify_sign1(parsed, KEY.public, cose.GRANT, SUITE)
    with raises(Unverified, "cose-signature"):
        cose.verify_sign1(parsed, OTHER.public, cose.GRANT, SUITE)


def test_no_kind_of_signature_passes_for_another():
    assert len(set(LABELS)) == 15 and b"" not in LABELS
    for signed_as in LABELS:
        parsed = cose.parse_sign1(cose.sign1(KEY, b"payload", signed_as))
        for taken_as in LABELS:
            if taken_as == signed_as:
                cose.verify_sign1(parsed, KEY.public, taken_as, SUITE)
                continue
            with raises(Unverified, "cose-signature"):
                cose.verify_sign1(parsed, KEY.public, taken_as, SUITE)


def test_label_and_payload_cannot_be_cut_apart_elsewhere():
    parsed = cose.parse_sign1(cose.sign1(KEY, b"payload", b"label"))
    shifted = cose.Sign1(parsed.protected, parsed.headers, b"lpayload", parsed.signature)
    with raises(Unverified, "cose-signature"):
        cose.verify_sign1(shifted, KEY.public, b"labe", SUITE)


def test_a_changed_payload_header_or_signature_does_not_verify():
    parsed = cose.parse_sign1(cose.sign1(KEY, b"payload", cose.GRANT, protected={3: 61}))
    forged = (
        cose.Sign1(parsed.protected, parsed.headers, b"Payload", parsed.signature),
        cose.Sign1(cbor.encode(ES256), parsed.headers, parsed.payload, parsed.signature),
        cose.Sign1(parsed.protected, parsed.headers, parsed.payload, parsed.signature[32:] + parsed.signature[:32]),
        cose.Sign1(parsed.protected, parsed.headers, parsed.payload, bytes(64)),
        cose.Sign1(parsed.protected, parsed.headers, parsed.payload, b"\xff" * 64),
    )
    for message in forged:
        with raises(Unverified, "cose-signature"):
            cose.verify_sign1(message, KEY.public, cose.GRANT, SUITE)


def test_further_headers_travel_protected_and_unprotected():
    data = cose.sign1(KEY, b"payload", cose.RELEASE, protected={3: 60, "slot": 1}, unprotected={4: b"kid"})
    parsed = cose.parse_sign1(data)
    assert parsed.headers == {1: -7, 3: 60, "slot": 1, 4: b"kid"}
    assert cbor.decode(parsed.protected) == {1: -7, 3: 60, "slot": 1}
    cose.verify_sign1(parsed, KEY.public, cose.RELEASE, SUITE)


def test_a_header_is_never_put_in_twice():
    for protected, unprotected in (({4: b"a"}, {4: b"b"}), (None, {1: -7})):
        with raises(LocalError, "cose-headers"):
            cose.sign1(KEY, b"payload", cose.GRANT, protected, unprotected)


def test_signed_messages_out_of_form_are_refused():
    for data, reason in (
        (sign1_bytes(tag=17), "cose-tag"),
        (sign1_bytes(tag=98), "cose-tag"),
        (cbor.encode([b"", {}, b"", bytes(64)]), "cose-tag"),
        (cbor.encode(Tag(61, Tag(18, [cbor.encode(ES256), {}, b"", bytes(64)]))), "cose-tag"),
        (cbor.encode(Tag(18, {})), "cose-structure"),
        (cbor.encode(Tag(18, [cbor.encode(ES256), {}, b""])), "cose-structure"),
        (cbor.encode(Tag(18, [cbor.encode(ES256), {}, b"", bytes(64), 0])), "cose-structure"),
        (sign1_bytes(protected=[]), "cose-structure"),
        (sign1_bytes(unprotected=[]), "cose-structure"),
        (sign1_bytes(payload="payload"), "cose-structure"),
        (cbor.encode(Tag(18, [cbor.encode(ES256), {}, None, bytes(64)])), "cose-structure"),
        (sign1_bytes(signature="x" * 64), "cose-structure"),
        (sign1_bytes(signature=bytes(63)), "cose-signature-length"),
        (sign1_bytes(signature=bytes(65)), "cose-signature-length"),
        (sign1_bytes(signature=b""), "cose-signature-length"),
        (sign1_bytes(protected=b"\x80"), "cose-headers"),
        (sign1_bytes(unprotected={1: -7}), "cose-headers"),
        (sign1_bytes(protected={1: -7, 4: b"a"}, unprotected={4: b"a"}), "cose-headers"),
        (sign1_bytes(unprotected={4: "kid"}), "cose-headers"),
        (sign1_bytes(unprotected={b"label": 1}), "cose-headers"),
        (sign1_bytes(protected=b""), "cbor-truncated"),
        (sign1_bytes(protected=b"\xa1\x01\x38\x06"), "cbor-not-shortest"),
        (sign1_bytes(protected=b"\xa1\x01\x26\x00"), "cbor-trailing"),
        (sign1_bytes(protected=b"\xa2\x01\x26\x01\x26"), "cbor-duplicate-key"),
        (sign1_bytes() + b"\x00", "cbor-trailing"),
        (sign1_bytes(payload=bytes(4096)), "cbor-too-long"),
    ):
        with raises(Malformed, reason):
            cose.parse_sign1(data)


def test_another_algorithm_or_anything_critical_is_unsupported():
    for protected in ({}, {1: -8}, {1: -35}, {1: 7}, {1: "ES256"}, {3: 60}):
        with raises(Unsupported, "cose-algorithm"):
            cose.parse_sign1(sign1_bytes(protected=protected))
    with raises(Unsupported, "cose-algorithm"):  # an algorithm that nobody signed for
        cose.parse_sign1(sign1_bytes(protected={}, unprotected={1: -7}))
    for protected, unprotected in (({1: -7, 2: [99], 99: 0}, None), ({1: -7, 2: [1]}, None), (ES256, {2: [4]})):
        with raises(Unsupported, "cose-critical"):
            cose.parse_sign1(sign1_bytes(protected=protected, unprotected=unprotected))


def test_a_key_is_a_map_of_exactly_its_parts():
    public = KEY.public
    for kid in (None, b"", b"\x05", bytes(8)):
        key = cose.encode_key(public, kid)
        assert cose.decode_key(key) == (public, kid)
        assert cbor.encode(cose.encode_key(*cose.decode_key(cbor.decode(cbor.encode(key))))) == cbor.encode(key)
    assert cbor.encode(cose.encode_key(public)) == (
        bytes.fromhex("a401022001215820") + public[:32] + bytes.fromhex("225820") + public[32:]
    )


def test_other_keys_are_refused():
    def changed(**changes):
        key = cose.encode_key(KEY.public, b"kid")
        for name, value in changes.items():
            key[{"kty": 1, "kid": 2, "alg": 3, "ops": 4, "crv": -1, "x": -2, "y": -3, "d": -4}[name]] = value
        return key

    cose.decode_key(changed())
    for key in (
        changed(kty=1),
        changed(kty=True),
        changed(kty="EC2"),
        changed(crv=2),
        changed(crv=True),
        changed(kid="kid"),
        changed(kid=None),
        changed(alg=-7),
        changed(ops=[2]),
        changed(x=bytes(31)),
        changed(x=bytes(33)),
        changed(y=bytes(31)),
        changed(y=True),
        changed(d=bytes(32)),
        {1: 2, -1: 1, -2: bytes(32)},
        {},
        [],
        None,
    ):
        with raises(Malformed, "cose-key"):
            cose.decode_key(key)


def test_an_encrypted_message_opens_with_its_key_and_context():
    for kid, headers in ((None, {1: 10, 5: NONCE}), (b"\x07", {1: 10, 4: b"\x07", 5: NONCE})):
        data = cose_encrypt0.encrypt0(SUITE, SYMMETRIC, NONCE, b"secret", b"context", kid)
        parsed = cose_encrypt0.parse_encrypt0(data)
        assert parsed.headers == headers and parsed.nonce == NONCE and len(parsed.ciphertext) == 14
        assert cose_encrypt0.decrypt0(SUITE, SYMMETRIC, parsed, b"context") == b"secret"
        for key, context in ((SYMMETRIC, b"Context"), (SYMMETRIC, b""), (bytes(16), b"context")):
            with raises(Unverified, "ccm-tag"):
                cose_encrypt0.decrypt0(SUITE, key, parsed, context)


def test_a_changed_encrypted_message_does_not_open():
    parsed = cose_encrypt0.parse_encrypt0(cose_encrypt0.encrypt0(SUITE, SYMMETRIC, NONCE, b"secret", b""))
    for message in (
        cose_encrypt0.Encrypt0(parsed.protected, parsed.headers, NONCE, b"\x00" + parsed.ciphertext[1:]),
        cose_encrypt0.Encrypt0(parsed.protected, parsed.headers, bytes(13), parsed.ciphertext),
        cose_encrypt0.Encrypt0(cbor.encode({1: 10, 3: 60}), parsed.headers, NONCE, parsed.ciphertext),
        cose_encrypt0.Encrypt0(parsed.protected, parsed.headers, NONCE, b"short"),
    ):
        with raises(Unverified, "ccm-tag"):
            cose_encrypt0.decrypt0(SUITE, SYMMETRIC, message, b"")


def test_encrypted_messages_out_of_form_are_refused():
    for data, reason in (
        (encrypt0_bytes(tag=18), "cose-tag"),
        (sign1_bytes(tag=16), "cose-structure"),
        (encrypt0_bytes(ciphertext=None), "cose-structure"),
        (encrypt0_bytes(unprotected={}), "cose-nonce"),
        (encrypt0_bytes(unprotected={5: bytes(12)}), "cose-nonce"),
        (encrypt0_bytes(unprotected={5: "nonce"}), "cose-headers"),
        (encrypt0_bytes(unprotected={6: bytes(2)}), "cose-nonce"),  # a partial IV, RFC 9052 section 3.1
        (encrypt0_bytes(protected={1: 10, 5: NONCE}, unprotected={5: NONCE}), "cose-headers"),
    ):
        with raises(Malformed, reason):
            cose_encrypt0.parse_encrypt0(data)
    for protected in ({1: 30}, {1: 1}, {}):
        with raises(Unsupported, "cose-algorithm"):
            cose_encrypt0.parse_encrypt0(encrypt0_bytes(protected=protected))
    with raises(Unsupported, "cose-critical"):
        cose_encrypt0.parse_encrypt0(encrypt0_bytes(protected={1: 10, 2: [5]}))
