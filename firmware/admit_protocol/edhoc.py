"""EDHOC, RFC 9528: what it looks like on the wire.

Owns: the encodings of messages, identifiers, credentials, EAD and errors, and which of them we speak.
Rules: one encoding of everything; what does not fit the RFC's CDDL is refused. Names are the RFC's in lower case.
Must not know: keys, order of messages, transport, who is trusted. Sessions: `edhoc_initiator`, `edhoc_responder`;
what only the side that begins makes or reads is in `edhoc_client`.
"""

from collections import namedtuple

from . import cbor
from .const import const
from .errors import Malformed, Unsupported

SUITES = {2: 8, 3: 16}  # cipher suites we run: length of MAC and of AEAD tag, bytes. RFC 9528 section 3.6
# COSE header parameters of ID_CRED_x
KID = const(4)
_KCWT = const(13)
_KCCS = const(14)
_PADDING = const(0)  # EAD label, RFC 9528 section 3.8.1
MAX_IDENTIFIER = const(7)  # bytes of C_I, C_R: an OSCORE id with a 13-byte nonce, RFC 8613 section 3.3

# CRED_x as it enters MACs and transcripts, its public key (64 bytes x, y), and the ID_CRED_x that goes with it.
Credential = namedtuple("Credential", ("data", "public", "id_cred"))


# Credentials: RFC 9528 section 3.5


def cwt_credential(data, kid=None):
    """The Credential of a CWT (COSE_Sign1, tag 18, with cnf): CRED_x is the CWT without its tag. Section 3.5.2.

    Identified by `kid`, else by the kid of the COSE_Key in cnf, else by value. Verifies no signature. Raises Malformed.
    """
    from . import cwt

    public, key_kid = cwt.cnf_key(cwt.parse(data).claims)
    return credential_of(bytes(data[1:]), public, key_kid if kid is None else kid)  # tag 18 is one byte


def credential_of(data, public, kid):
    """The Credential of CRED_x and its key, identified by `kid`, or by value if that is None."""
    return Credential(data, public, by_value(data) if kid is None else {KID: kid})


def by_value(data):
    """The ID_CRED_x that carries CRED_x `data` itself: kccs, or kcwt with its tag 18."""
    item = cbor.decode(data)
    return {_KCCS: item} if isinstance(item, dict) else {_KCWT: cbor.Tag(18, item)}


def carried(id_cred):
    """The bytes of the tagged CWT or of the CCS that `id_cred` carries, or None if it only names one."""
    for label in (_KCWT, _KCCS):
        if label in id_cred:
            return cbor.encode(id_cred[label])
    return None


# Identifiers: RFC 9528 section 3.3.2


def _is_short(identifier):
    return len(identifier) == 1 and identifier[0] < 0x38 and identifier[0] & 0x1F < 0x18


def encode_identifier(identifier):
    """A byte string that is itself the encoding of an int -24..23 goes as that int, any other as a bstr."""
    return identifier if _is_short(identifier) else cbor.encode(identifier)


def decode_identifier(item, reason):
    """The byte string for a decoded `item`. Raises Malformed(reason), also for a bstr that had to go as an int."""
    if type(item) is int and -24 <= item <= 23:
        return cbor.encode(item)
    if _is_short(cbor.expect(item, bytes, reason)):
        raise Malformed(reason)
    return item


def connection_id(item):
    """C_I or C_R, at most MAX_IDENTIFIER bytes, for a decoded `item`. Raises Malformed edhoc-connection-id."""
    identifier = decode_identifier(item, "edhoc-connection-id")
    if len(identifier) > MAX_IDENTIFIER:
        raise Malformed("edhoc-connection-id")
    return identifier


def encode_id_cred(id_cred):
    """ID_CRED_x in a plaintext: a lone kid goes bare. RFC 9528 section 3.5.3.2."""
    return encode_identifier(id_cred[KID]) if list(id_cred) == [KID] else cbor.encode(id_cred)


def decode_id_cred(item):
    """ID_CRED_x, always as a map: one of kid, kcwt, kccs. Raises Malformed or Unsupported edhoc-id-cred."""
    if not isinstance(item, dict):
        return {KID: decode_identifier(item, "edhoc-id-cred")}
    if len(item) != 1:
        raise Unsupported("edhoc-id-cred")
    if KID in item:
        raise Malformed("edhoc-id-cred", "a lone kid goes bare")
    kcwt = item.get(_KCWT)
    if isinstance(item.get(_KCCS), dict) or isinstance(kcwt, cbor.Tag) and kcwt.number == 18:
        return item
    raise Unsupported("edhoc-id-cred")


# External authorization data: RFC 9528 section 3.8


def encode_ead(ead):
    """EAD_x of [(label, value or None)]; a negative label is critical, label 0 pads."""
    items = []
    for label, value in ead:
        items += [label] if value is None else [label, value]
    return cbor.encode_sequence(items)


def decode_ead(items):
    """[(label, value or None)] of the items at the end of a message or plaintext, padding left out."""
    ead = []
    for item in items:
        if type(item) is int:
            ead.append((item, None))
        elif type(item) is bytes and ead and ead[-1][1] is None:
            ead[-1] = (ead[-1][0], item)
        else:
            raise Malformed("edhoc-ead")
    return [pair for pair in ead if pair[0] != _PADDING]


# Suites and errors: RFC 9528 sections 5.2 and 6


def encode_suites(cipher_suites):
    """SUITES_I or SUITES_R: a single suite goes as an int."""
    return cipher_suites[0] if len(cipher_suites) == 1 else list(cipher_suites)


def decode_suites(item):
    """The list of suites in a decoded `item`. Raises Malformed edhoc-suites."""
    suites = [item] if type(item) is int else cbor.expect(item, list, "edhoc-suites")
    if suites is item and len(suites) < 2:
        raise Malformed("edhoc-suites")
    for suite in suites:
        cbor.expect(suite, int, "edhoc-suites")
    return suites


def encode_error(code, info):
    """An EDHOC error message: `code` 1 with text, 2 with SUITES_R (int or list), 3 with True. RFC 9528 section 6."""
    return cbor.encode_sequence((code, info))


def error_message(error, cipher_suites):
    """The error message that tells the peer of `error` (an AdmitError); `cipher_suites` are all that we support."""
    if error.edhoc == 2:
        return encode_error(2, encode_suites(cipher_suites))
    return encode_error(3, True) if error.edhoc == 3 else encode_error(1, error.reason)


# Messages: RFC 9528 sections 5.2.1 to 5.5.1, A.2.1


def parse_message_1(data):
    """(method, suites_i, g_x, c_i, ead_1). Raises Malformed."""
    items = cbor.decode_sequence(data)
    if len(items) < 4:
        raise Malformed("edhoc-message-1")
    method = cbor.expect(items[0], int, "edhoc-method")
    suites_i = decode_suites(items[1])
    g_x = cbor.expect(items[2], bytes, "edhoc-g-x")
    if len(g_x) != 32:
        raise Malformed("edhoc-g-x")
    return method, suites_i, g_x, connection_id(items[3]), decode_ead(items[4:])


def parse_plaintext(plaintext, proof_length):
    """(id_cred, signature_or_mac, ead, EAD as bytes) of PLAINTEXT_3, and of PLAINTEXT_2 behind its C_R."""
    items = cbor.decode_sequence(plaintext)
    if len(items) < 2:
        raise Malformed("edhoc-plaintext")
    id_cred = decode_id_cred(items[0])
    if len(cbor.expect(items[1], bytes, "edhoc-plaintext")) != proof_length:
        raise Malformed("edhoc-plaintext", "length of Signature_or_MAC")
    return id_cred, items[1], decode_ead(items[2:]), cbor.encode_sequence(items[2:])


def parse_bytes(data, reason):
    """The bytes of a message that is one byte string: message_2, 3 and 4. Raises Malformed(reason)."""
    items = cbor.decode_sequence(data)
    if len(items) != 1:
        raise Malformed(reason)
    return cbor.expect(items[0], bytes, reason)


def split_prefixed(data):
    """(c_x, message), c_x None for a message_1. Raises Malformed. RFC 9528 section A.2.1."""
    item, end = cbor.decode_first(data)
    return None if item is True else connection_id(item), data[end:]
