"""What we seal, pycose opens, and what pycose seals, we open: COSE_Encrypt, ECDH-ES + HKDF-256, AES-CCM-16-64-128.

pycose 1.1 cannot take apart what the newest cbor2 reads (tuples where it expects lists), so that one step is ours.
"""

import pytest
from cryptography.exceptions import InvalidTag
from pycose import algorithms, headers
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.messages import EncMessage, Sign1Message
from pycose.messages.recipient import DirectKeyAgreement

from admit.suite import HostSuite
from admit_protocol import cbor, cose, cose_encrypt, issuing
from admit_protocol.errors import Unverified

SUITE = HostSuite()
SECRET = bytes(31) + b"\x07"
KEY, OTHER = SUITE.private_key(SECRET), SUITE.private_key(bytes(31) + b"\x08")
PLAINTEXTS = [b"", b"\x00", b"content", bytes(range(256)) * 8]


def theirs(key, secret=b""):
    return EC2Key(crv=P256, x=key.public[:32], y=key.public[32:], d=secret)


def opened(data, key, secret):
    """What pycose makes of a sealed message."""
    message = EncMessage.from_cose_obj(cbor.decode(data).value, False)
    (recipient,) = message.recipients
    recipient.key = theirs(key, secret)
    return message.decrypt(recipient)


def sealed(plaintext, public_key):
    """What pycose seals to a key."""
    secret = SUITE.new_secret()
    ephemeral = SUITE.private_key(secret)
    agreed = {headers.EphemeralKey: theirs(ephemeral)}
    recipient = DirectKeyAgreement(phdr={headers.Algorithm: algorithms.EcdhEsHKDF256}, uhdr=agreed)
    recipient.key = theirs(ephemeral, secret)
    recipient.local_attrs = {headers.StaticKey: theirs(public_key)}
    algorithm = {headers.Algorithm: algorithms.AESCCM1664128}
    nonce = {headers.IV: SUITE.random(13)}
    return EncMessage(phdr=algorithm, uhdr=nonce, payload=plaintext, recipients=[recipient]).encode()


@pytest.mark.parametrize("plaintext", PLAINTEXTS, ids=len)
def test_pycose_opens_what_we_seal(plaintext):
    data = cose_encrypt.seal(SUITE, KEY.public, plaintext)
    assert opened(data, KEY, SECRET) == plaintext
    with pytest.raises(InvalidTag):
        opened(data, OTHER, bytes(31) + b"\x08")


@pytest.mark.parametrize("plaintext", PLAINTEXTS, ids=len)
def test_we_open_what_pycose_seals(plaintext):
    data = sealed(plaintext, KEY)
    assert cose_encrypt.unseal(SUITE, KEY, data) == plaintext
    with pytest.raises(Unverified):
        cose_encrypt.unseal(SUITE, OTHER, data)


def test_pycose_verifies_our_papers_if_told_what_they_are_for():
    data = issuing.time_answer(KEY, bytes(16), "kiosk-1", bytes(8), 1_800_000_000)
    for label, holds in ((cose.TIME, True), (cose.NOTICE, False), (b"", False)):
        message = Sign1Message.from_cose_obj(cbor.decode(data).value, False)
        message.key = theirs(KEY)
        message.external_aad = label
        assert message.verify_signature() is holds
