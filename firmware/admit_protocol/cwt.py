"""CBOR Web Tokens, signed: RFC 8392, with `cnf` of RFC 8747.

Owns: the claim numbers and the types of registered claims.
Rules: dates are whole seconds since 1970 UTC; a claim of the wrong type is refused, an unknown one ignored.
Must not know: the time (standing.check_life does), and who may issue what.
"""

from collections import namedtuple

from . import cbor, cose
from .const import const
from .errors import Malformed

ISS = const(1)
SUB = const(2)
AUD = const(3)
EXP = const(4)
NBF = const(5)
IAT = const(6)
CTI = const(7)
CNF = const(8)
SCOPE = const(9)  # RFC 9200 section 5.8.3
SIG_KEY = const(-65537)  # private use: the COSE_Key with which the subject signs
TEST_ONLY = const(-65538)  # private use: True if the key was made without a hardware source of randomness
SELECTORS = const(-65539)  # private use: the groups and roles of a grant's holder
DELEGATE = const(-65540)  # private use: how many links may follow a grant
PARENT = const(-65541)  # private use: the kid of the grant that a delegation was made from
ENROL = const(-65542)  # private use: for how many phones a grant is an invite
SEAL_KEY = const(-65543)  # private use: the COSE_Key to which bundles for a device are sealed

_CNF_COSE_KEY = const(1)  # RFC 8747 section 3.2

# `claims`: a dict; `sign1`: the cose.Sign1 around them; `data`: the whole token.
Cwt = namedtuple("Cwt", ("claims", "sign1", "data"))


def issue(key, claims, label):
    """A signed CWT (COSE_Sign1, tag 18) of `claims`, a dict, for the purpose `label` of cose."""
    return cose.sign1(key, cbor.encode(claims), label)


def parse(data):
    """The Cwt in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; Malformed cwt-claims."""
    sign1 = cose.parse_sign1(data)
    return Cwt(parse_claims(sign1.payload), sign1, bytes(data))


def verify(cwt, public, label, suite):
    """Returns if `public` (64 bytes) signed the token as `label`; else raises Unverified cose-signature."""
    cose.verify_sign1(cwt.sign1, public, label, suite)


def parse_claims(data):
    """The claims set in `data`, a dict, each registered claim of its type. Raises Malformed cbor-…, cwt-claims."""
    claims = cbor.expect(cbor.decode(data), dict, "cwt-claims")
    for name, value in claims.items():
        if not _holds(name, value):
            raise Malformed("cwt-claims", "claim " + str(name))
    return claims


def parse_issuer(text):
    """The 16-byte site id in an `iss` claim of ours, 32 lower-case hex digits. Raises Malformed cwt-issuer."""
    try:
        site = bytes.fromhex(cbor.expect(text, str, "cwt-issuer"))
    except ValueError:
        raise Malformed("cwt-issuer")
    if len(site) != 16 or site.hex() != text:
        raise Malformed("cwt-issuer")
    return site


def cnf_key(claims):
    """(public 64 bytes, kid or None) of the one COSE_Key that `cnf` holds. Raises Malformed cwt-cnf or cose-key."""
    cnf = cbor.expect(claims.get(CNF), dict, "cwt-cnf")
    if len(cnf) != 1 or _CNF_COSE_KEY not in cnf:
        raise Malformed("cwt-cnf")
    return cose.decode_key(cnf[_CNF_COSE_KEY])


def cnf(public, kid=None):
    """The value of `cnf` for a P-256 key. RFC 8747 section 3.2."""
    return {_CNF_COSE_KEY: cose.encode_key(public, kid)}


def _holds(name, value):
    """Whether a claim has the type that RFC 8392 section 3.1 (scope: RFC 9200 section 5.8.3) gives it."""
    if name in (EXP, NBF, IAT):
        return type(value) is int and value >= 0
    if name in (ISS, SUB):
        return isinstance(value, str)
    if name == CTI:
        return isinstance(value, bytes)
    if name in (CNF, SIG_KEY, SEAL_KEY):
        return isinstance(value, dict)
    if name == AUD:
        return isinstance(value, str) or (isinstance(value, list) and value != [] and _all_text(value))
    return isinstance(value, (str, bytes)) if name == SCOPE else not isinstance(name, bytes)


def _all_text(values):
    return all(isinstance(value, str) for value in values)
