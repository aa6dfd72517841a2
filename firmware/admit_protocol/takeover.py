"""Takeovers: how k of n people with recovery keys bring devices of a site whose authority is gone to another site.

Owns: the bytes of the recovery policy (who those people are, signed by the authority while it is there), of what they
sign, and of the authority's veto; and when so many signatures are enough.
Rules: each signs for themselves, over the hash of the very same words, and says with which key. Words build on one
recovery policy, named by the hash of what it says: not by its signature, so that an authority which has changed its key
may sign it again. A key is known by its hash until it signs.
Must not know: how long a device waits, and what it does at the end.
"""

from collections import namedtuple

from . import anchor as anchors
from . import cbor, cose, papers
from .const import const
from .errors import Malformed, Untrusted
from .kdf import sha256

MIN_THRESHOLD = const(2)
MAX_KEYS = const(8)
MIN_DELAY_S = const(86_400)  # a day
MAX_DELAY_S = const(2_592_000)  # 30 days
_HASH = const(32)
_NONCE = const(16)
_MAX_PATTERNS = const(8)
_MAX_PATTERN = const(64)  # bytes of UTF-8
_MAX_ANCHOR = const(2048)  # bytes: of a site that has changed its keys five times
_NONE = type(None)

# `site_id`: 16 bytes; `number` > 0: a greater one replaces it; `threshold`: how many must sign; `keys`: the SHA-256 of
# each recovery key, ascending; `delay_s`: how long a device waits; `issued_at`: unix seconds; `hash`: of what it says.
RecoveryPolicy = namedtuple(
    "RecoveryPolicy", ("site_id", "number", "threshold", "keys", "delay_s", "issued_at", "sign1", "hash")
)
# `site_id`: of the site that the devices are of; `devices`: patterns, None for all of them; `to`: the anchor, bytes, of
# the site that they go to; `nonce`: 16 bytes; `policy_hash`: of a RecoveryPolicy; `issued_at`, `expires`: unix seconds;
# by the latter it has begun, or never; `hash`: its own, which is what is signed.
Words = namedtuple("Words", ("site_id", "devices", "to", "nonce", "policy_hash", "issued_at", "expires", "hash"))
# `words_hash`: of the Words; `public`: the recovery key that signed, 64 bytes.
Signature = namedtuple("Signature", ("site_id", "words_hash", "public", "sign1"))
Veto = namedtuple("Veto", ("site_id", "nonce", "sign1"))


def parse_policy(data):
    """The RecoveryPolicy in `data`, not yet verified.

    Raises Malformed or Unsupported cbor-…, cose-…; Malformed recovery-structure.
    """
    values = papers.read(data, (16, int, int, list, int, int), "recovery-structure")
    found = RecoveryPolicy(*(values + [sha256(values[-1].payload)]))
    if not MIN_THRESHOLD <= found.threshold <= len(found.keys) <= MAX_KEYS:
        raise Malformed("recovery-structure", "2 to 8 keys, at least two of which must sign")
    for key in found.keys:
        if len(cbor.expect(key, bytes, "recovery-structure")) != _HASH:
            raise Malformed("recovery-structure")
    papers.check_order(found.keys, "recovery-structure")
    if not found.number or not MIN_DELAY_S <= found.delay_s <= MAX_DELAY_S:
        raise Malformed("recovery-structure", "a number, and a delay of 1 to 30 days")
    return found


def verify_policy(policy, anchor, suite):
    """Returns if the authority of `anchor` signed the RecoveryPolicy. Raises paper-other-site, cose-signature."""
    papers.verify(policy, cose.RECOVERY_POLICY, anchor.sign_public, anchor.site_id, None, suite)


def parse_words(data):
    """The Words in `data`. Raises Malformed cbor-…, takeover-structure, and as anchor.decode does."""
    fields = cbor.expect(cbor.decode(data), dict, "takeover-structure")
    kinds = (bytes, (list, _NONE), bytes, bytes, bytes, int, int)
    values = [cbor.expect(fields.get(at, False), kind, "takeover-structure") for at, kind in enumerate(kinds, 1)]
    found = Words(*(values + [sha256(data)]))
    if len(fields) != len(kinds) or len(found.site_id) != 16 or len(found.nonce) != _NONCE:
        raise Malformed("takeover-structure")
    if len(found.policy_hash) != _HASH or not 0 <= found.issued_at < found.expires or len(found.to) > _MAX_ANCHOR:
        raise Malformed("takeover-structure")
    if found.devices is not None:
        _check_patterns(found.devices)
    if anchors.decode(found.to).site_id == found.site_id:
        raise Malformed("takeover-structure", "it leads nowhere")
    return found


def _check_patterns(patterns):
    if not 0 < len(patterns) <= _MAX_PATTERNS:
        raise Malformed("takeover-structure", "1 to 8 names or patterns of devices")
    for each in patterns:
        if not 0 < len(cbor.expect(each, str, "takeover-structure").encode()) <= _MAX_PATTERN:
            raise Malformed("takeover-structure")


def target(words, suite):
    """The anchor.Anchor of the site to which the Words lead. Raises what succession.verify_chain does."""
    found = anchors.decode(words.to)
    if found.successions:
        from .succession import verify_chain

        verify_chain(found, suite)
    return found


def means(words, device_id):
    """Whether the Words are about a device."""
    from .rule import matches  # much for so little: only where words name devices

    return words.devices is None or any([matches(each, device_id) for each in words.devices])


def parse_signatures(items):
    """The Signatures in a list of their bytes, in the order of their keys, not yet verified.

    Raises Malformed takeover-structure, cbor-…, cose-…; Unsupported cose-….
    """
    if len(cbor.expect(items, list, "takeover-structure")) > MAX_KEYS:
        raise Malformed("takeover-structure")
    found = [parse_signature(cbor.expect(each, bytes, "takeover-structure")) for each in items]
    papers.check_order([each.public for each in found], "takeover-structure")
    return found


def parse_signature(data):
    """The Signature in `data`, not yet verified. Raises as parse_signatures does."""
    return Signature(*papers.read(data, (16, _HASH, 64), "takeover-structure"))


def check(words, signatures, policy):
    """Returns if the Words build on the RecoveryPolicy, and enough of its keys say that they have signed them.

    Raises Untrusted takeover-other-site, takeover-other-policy, takeover-unknown-key, takeover-too-few.
    """
    if words.site_id != policy.site_id:
        raise Untrusted("takeover-other-site")
    if words.policy_hash != policy.hash:
        raise Untrusted("takeover-other-policy", "it builds on other recovery keys than those that count now")
    if [each for each in signatures if sha256(each.public) not in policy.keys]:
        raise Untrusted("takeover-unknown-key", "it is signed with a key that is no recovery key of the site")
    if len(signatures) < policy.threshold:
        raise Untrusted("takeover-too-few", "%d of %d signatures" % (len(signatures), policy.threshold))


def verify_signature(signature, words, suite):
    """Returns if the Signature is what it says. Raises takeover-other-words, paper-other-site, cose-signature."""
    if signature.words_hash != words.hash:
        raise Untrusted("takeover-other-words", "somebody has signed something else")
    papers.verify(signature, cose.TAKEOVER, signature.public, words.site_id, None, suite)


def parse_veto(data):
    """The Veto in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; takeover-structure."""
    return Veto(*papers.read(data, (16, _NONCE), "takeover-structure"))


def verify_veto(veto, anchor, suite):
    """Returns if the authority of `anchor` signed the Veto. Raises paper-other-site, cose-signature."""
    papers.verify(veto, cose.TAKEOVER_VETO, anchor.sign_public, anchor.site_id, None, suite)
