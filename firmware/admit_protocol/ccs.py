"""CCS, raw public keys as CWT claims sets: RFC 9528 section 3.5.2.

Owns: their bytes, and how EDHOC uses one as a credential.
Rules: a CCS is signed by nobody: its key is trusted only for being known beforehand, or as a newcomer's, with nothing.
Must not know: whose key it is.
"""

from . import cbor, cwt, edhoc


def encode(subject, public, kid=None):
    """A CCS for `public` (64 bytes); `subject` text, or None to leave it out."""
    claims = {cwt.CNF: cwt.cnf(public, kid)}
    if subject is not None:
        claims[cwt.SUB] = subject
    return cbor.encode(claims)


def parse(data):
    """(public 64 bytes, kid or None, claims) of a CCS. Raises Malformed cbor-…, cwt-claims, cwt-cnf, cose-key."""
    claims = cwt.parse_claims(data)
    public, kid = cwt.cnf_key(claims)
    return public, kid, claims


def credential(data):
    """The edhoc.Credential of a CCS: CRED_x is `data` itself.

    Identified by the kid of its COSE_Key, or by value if it has none. Raises Malformed.
    """
    public, kid, _ = parse(data)
    return edhoc.credential_of(bytes(data), public, kid)
