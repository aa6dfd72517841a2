"""The grant: the authority's CWT that binds a user's key to rules, on some devices, for some time.

Owns: its claims and the two forms of `scope` (docs/SPEC.md). A delegation has the same claims; delegation.py verifies
it.
Rules: parse, then verify (signature, site), then decide (standing.py: device, life, revocation; rule.py: the rest).
`scope` is plain AIF where AIF says it all, else a form that a reader of AIF cannot read, so that it grants nothing
rather than too much.
Must not know: EDHOC, storage, clocks.
"""

from . import aif, cbor, cose, cwt, rule_reader
from .cbor import expect
from .const import const
from .errors import Malformed, Untrusted, Unverified
from .kdf import sha256
from .standing import Grant

KID_LENGTH = const(8)
ID_LENGTH = const(8)
MAX_DELEGATE = const(4)
_MAX_SUBJECT = const(64)  # bytes of UTF-8
_MAX_ENROL = const(255)

_SCOPE_VERSION = const(1)


def kid_of(data):
    """The name of a grant on the wire: the first 8 bytes of the SHA-256 of its bytes."""
    return sha256(data)[:KID_LENGTH]


def parse(data):
    """The Grant in `data`, not yet believed. Raises Malformed.

    A grant is known by the hash of its bytes, so its holder must not be able to change them: cose.check_form.
    """
    parsed = cwt.parse(data)
    cose.check_form(parsed.sign1)
    claims, kid = parsed.claims, kid_of(parsed.data)
    found = Grant(
        parsed.data,
        kid,
        _check_id(claims.get(cwt.CTI), kid if cwt.PARENT in claims else None),
        cwt.parse_issuer(claims.get(cwt.ISS)),
        _check_subject(claims.get(cwt.SUB)),
        _parse_audience(claims.get(cwt.AUD)),
        cwt.cnf_key(claims)[0],
        _parse_sig_key(claims.get(cwt.SIG_KEY)),
        decode_scope(expect(claims.get(cwt.SCOPE), bytes, "grant-scope")),
        expect(claims.get(cwt.IAT), int, "grant-issued-at"),
        claims.get(cwt.NBF),
        claims.get(cwt.EXP),
        _parse_selectors(claims.get(cwt.SELECTORS)),
        _parse_count(claims.get(cwt.DELEGATE), MAX_DELEGATE, "grant-delegate"),
        _check_parent(claims.get(cwt.PARENT)),
        _parse_count(claims.get(cwt.ENROL), _MAX_ENROL, "grant-enrol"),
        (),
    )
    if found.enrol and not _can_invite(found):
        raise Malformed("grant-enrol")
    return found


def verify_issuer(grant, public, site_id, suite, previous=None):
    """Believe the grant: it is of this site, and signed by its authority with its key, `public` (64 bytes), or with the
    `previous` one, if that counts too.

    Raises Untrusted grant-other-site or grant-parent-missing, Unverified cose-signature.
    """
    signed, signature = signed_for(grant, site_id)
    if not suite.verify(public, signed, signature):
        if not (previous and suite.verify(previous, signed, signature)):
            raise Unverified("cose-signature")


def signed_for(grant, site_id):
    """(the bytes that are signed, the signature) of a grant of this site.

    Raises Untrusted grant-other-site, or grant-parent-missing for what another grant's holder signed.
    """
    if grant.site_id != site_id:
        raise Untrusted("grant-other-site", "the grant is another site's")
    if grant.parent:
        raise Untrusted("grant-parent-missing")
    return cose.signed(cose.parse_sign1(grant.data), cose.GRANT)


def encode_scope(rules):
    """The bytes of `scope` for a list of (pattern, methods, conditions)."""
    if not [r for r in rules if r[2] or r[0].endswith("*")]:
        return aif.encode([(r[0], r[1]) for r in rules])
    return cbor.encode([_SCOPE_VERSION, [[r[0], r[1], r[2]] for r in rules]])


def decode_scope(data):
    """The rules in the bytes of `scope`, a tuple of rule.Rule. Raises Malformed."""
    items = expect(cbor.decode(data), list, "grant-scope")
    if items and items[0] == _SCOPE_VERSION:
        if len(items) != 2:
            raise Malformed("grant-scope")
        rules = tuple([rule_reader.parse(item) for item in expect(items[1], list, "grant-scope")])
    else:
        rules = tuple([rule_reader.parse([path, methods, {}]) for path, methods in aif.decode(data)])
    if encode_scope(rules) != data:  # plain AIF where it will do, and never a pattern inside AIF
        raise Malformed("grant-scope", "not in the form that its rules call for")
    return rules


def _check_id(value, own):
    """The authority gives its grants ids; a delegation has its `own`, its kid, lest a giver choose somebody else's."""
    if value is None and own:
        return own
    if own or len(expect(value, bytes, "grant-id")) != ID_LENGTH:
        raise Malformed("grant-id")
    return value


def _check_subject(value):
    if not 0 < len(expect(value, str, "grant-subject").encode()) <= _MAX_SUBJECT:
        raise Malformed("grant-subject", "1 to %d bytes" % _MAX_SUBJECT)
    return value


def _parse_audience(value):
    patterns = (value,) if isinstance(value, str) else expect(value, list, "grant-audience")
    if not patterns or isinstance(value, list) and len(value) == 1:
        raise Malformed("grant-audience")
    for pattern in patterns:
        if not expect(pattern, str, "grant-audience") or "*" in pattern[:-1]:
            raise Malformed("grant-audience", "'*' stands at the end, once")
    return tuple(patterns)


def _parse_sig_key(value):
    if value is None:
        return None
    return cose.decode_key(expect(value, dict, "grant-sig-key"))[0]


def _parse_selectors(value):
    if value is None:
        return ()
    last = ""
    for selector in expect(value, list, "grant-selectors"):
        rule_reader.check_selector(selector)
        if selector <= last or selector[0] not in "gr":  # group: or role:
            raise Malformed("grant-selectors")
        last = selector
    if not last:
        raise Malformed("grant-selectors")
    return tuple(value)


def _parse_count(value, most, reason):
    if value is None:
        return 0
    if not 0 < expect(value, int, reason) <= most:
        raise Malformed(reason)
    return value


def _check_parent(value):
    if value is not None and len(expect(value, bytes, "grant-parent")) != KID_LENGTH:
        raise Malformed("grant-parent")
    return value


def _can_invite(grant):
    """An invite is redeemed at one device, which counts; its key passes it on, so it needs no other."""
    return (
        grant.parent is None
        and grant.sig_key is None
        and grant.delegate > 0
        and len(grant.audience) == 1
        and not grant.audience[0].endswith("*")
    )
