"""The grant: the authority's CWT that binds a user's key to rules, on some devices, for some time.

Owns: its claims, the two forms of `scope` (docs/SPEC.md), and who may issue what.
Rules: parse, then verify (signature, site), then decide (device, life, revocation here; everything else in rule.py,
which checks every time window). `scope` is plain AIF where AIF says it all, else a form that a reader of AIF cannot
read, so that it grants nothing rather than too much.
Must not know: EDHOC, storage, clocks.
"""

from . import aif, anchor, cbor, cose, cwt, rule
from .cbor import expect
from .const import const
from .errors import Malformed, Untrusted
from .kdf import sha256

KID_LENGTH = const(8)
ID_LENGTH = const(8)
_MAX_SUBJECT = const(64)  # bytes of UTF-8

_SCOPE_VERSION = const(1)


class Grant:
    """A parsed grant.

    `id` (cti) and `kid` 8 bytes each, `site_id` 16, `key` (static DH) and `sig_key` (ES256, or None) 64 bytes each;
    `audience` a tuple of device name patterns; `rules` a tuple of rule.Rule; `issued_at` unix seconds, `not_before` and
    `expires` too, or None; `data` its very bytes.
    """

    def __init__(self, parsed):
        claims = parsed.claims
        self.cwt = parsed
        self.data = parsed.data
        self.kid = kid_of(parsed.data)
        self.id = _check_id(claims.get(cwt.CTI))
        self.site_id = anchor.parse_issuer(claims.get(cwt.ISS))
        self.subject = _check_subject(claims.get(cwt.SUB))
        self.audience = _parse_audience(claims.get(cwt.AUD))
        self.key, _ = cwt.cnf_key(claims)
        self.sig_key = _parse_sig_key(claims.get(cwt.SIG_KEY))
        self.rules = decode_scope(expect(claims.get(cwt.SCOPE), bytes, "grant-scope"))
        self.issued_at = expect(claims.get(cwt.IAT), int, "grant-issued-at")
        self.not_before = claims.get(cwt.NBF)
        self.expires = claims.get(cwt.EXP)

    def check(self, device_id, now, revoked):
        """Whether the verified grant counts on `device_id` at `now`: raises as `check_here` and `check_now` do."""
        check_here(self, device_id, revoked)
        check_now(self, now)


def kid_of(data):
    """The name of a grant on the wire: the first 8 bytes of the SHA-256 of its bytes."""
    return sha256(data)[:KID_LENGTH]


def parse(data):
    """The Grant in `data`, not yet believed. Raises Malformed.

    A grant is known by the hash of its bytes, so its holder must not be able to change them: cose.check_form.
    """
    parsed = cwt.parse(data)
    cose.check_form(parsed.sign1)
    return Grant(parsed)


def verify_issuer(grant, public, site_id, suite):
    """Believe the grant: it is of this site, and signed by its authority.

    Raises Untrusted grant-other-site or Unverified cose-signature.
    """
    if grant.site_id != site_id:
        raise Untrusted("grant-other-site", "the grant is another site's")
    cwt.verify(grant.cwt, public, cose.GRANT, suite)


def verify(grant, public, site_id, device_id, suite, revoked):
    """Believe the grant, and that it counts on this device: `verify_issuer`, then `check_here`."""
    verify_issuer(grant, public, site_id, suite)
    check_here(grant, device_id, revoked)


def check_here(grant, device_id, revoked):
    """Whether the grant is for `device_id`, and its id not among `revoked`.

    Raises Untrusted grant-other-device or grant-revoked.
    """
    if not is_for(grant, device_id):
        raise Untrusted("grant-other-device", "the grant is for " + ", ".join(grant.audience))
    if grant.id in revoked:
        raise Untrusted("grant-revoked", "the grant was taken back")


def is_for(grant, device_id):
    """Whether one of the grant's device name patterns is that of `device_id`."""
    return any([rule.matches(pattern, device_id) for pattern in grant.audience])


def check_now(grant, now):
    """Whether the grant lives at `now`, unix seconds or None: rule.check_life says."""
    rule.check_life(grant.not_before, grant.expires, now)


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
        rules = tuple([rule.parse(item) for item in expect(items[1], list, "grant-scope")])
    else:
        rules = tuple([rule.parse([path, methods, {}]) for path, methods in aif.decode(data)])
    if encode_scope(rules) != data:  # plain AIF where it will do, and never a pattern inside AIF
        raise Malformed("grant-scope", "not in the form that its rules call for")
    return rules


def _check_id(value):
    if len(expect(value, bytes, "grant-id")) != ID_LENGTH:
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
