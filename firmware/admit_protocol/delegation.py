"""Delegations: grants that a grant's holder passed on, narrower, signed with a key of their own.

Owns: which grant may stand behind which, and when one rule surely allows no more than another.
Rules: parse (grant.parse), then link to a parent that was verified itself, up to a grant of the authority; nothing may
be wider than in the parent, and what cannot be seen to be narrower counts as wider. That is asked so that people are
told early; what a chain allows is decided link by link (rule.py), so it could not be more than each of them allows.
Must not know: where the grants came from, and whether they count here and now.
"""

from . import cbor, cose
from .errors import Untrusted
from .grant import verify_issuer
from .rule import BOUNDS, DAY_MINUTES, FRESH, LIFE, TIMELESS, USES, WINDOWS, ZONE, matches
from .standing import Grant


def verify_chain(grants, public, site_id, suite, previous=None):
    """The first of `grants` (parsed; each made from the next, the last by the authority with key `public`), verified
    and with its chain. Raises as `grant.verify_issuer` and `link` do.
    """
    linked = grants[-1]
    verify_issuer(linked, public, site_id, suite, previous)
    for child in reversed(grants[:-1]):
        linked = link(child, linked, suite)
    return linked


def link(child, parent, suite):
    """`child` with its chain, once it is seen to have been made from `parent`, which was verified.

    Raises as `prepare` does, and Unverified cose-signature.
    """
    linked, public = prepare(child, parent)
    cose.verify_sign1(cose.parse_sign1(child.data), public, cose.DELEGATION, suite)
    return linked


def prepare(child, parent):
    """(`child` with its chain, the key with which it must be signed): all that `link` asks but the signature.

    Raises Untrusted delegation-other-parent, grant-other-site, delegation-depth, delegation-no-key or grant-wider.
    """
    if child.parent != parent.kid:
        raise Untrusted("delegation-other-parent")
    if child.site_id != parent.site_id:
        raise Untrusted("grant-other-site")
    if child.delegate >= parent.delegate:
        raise Untrusted("delegation-depth", "%d more may follow that grant" % parent.delegate)
    public = parent.key if parent.enrol else parent.sig_key
    if public is None:
        raise Untrusted("delegation-no-key")
    check_narrow(child, parent)
    return Grant(*(child[:-1] + ((Grant(*(parent[:-1] + ((),))),) + parent.chain,))), public


def check_narrow(child, parent):
    """Whether the delegation `child` is surely no wider than `parent`. Raises Untrusted grant-wider."""
    for what, is_narrow in (
        ("devices", _all_covered(matches, parent.audience, child.audience)),
        ("life", _within((child.not_before, child.expires), (parent.not_before, parent.expires))),
        ("selectors", all([each in parent.selectors for each in child.selectors])),
        ("rules", _all_covered(covers, parent.rules, child.rules)),
    ):
        if not is_narrow:
            raise Untrusted("grant-wider", "its " + what)


def covers(wide, narrow):
    """Whether the rule `wide` surely allows whatever the rule `narrow` allows: where `wide` has a condition, `narrow`
    has it too, the same or stricter.
    """
    asked, kept = wide[2], narrow[2]
    if not matches(wide[0], narrow[0]) or narrow[1] & ~wide[1]:
        return False
    if WINDOWS in asked and asked.get(ZONE) != kept.get(ZONE) or TIMELESS in kept and TIMELESS not in asked:
        return False
    for number in asked:  # but TIMELESS, which loosens
        if number != TIMELESS and not (number in kept and _is_stricter(number, kept[number], asked[number])):
            return False
    return True


def _is_stricter(number, narrow, wide):
    """Whether the condition `number` with the value `narrow` surely holds only where it does with `wide`."""
    if number == WINDOWS:
        return _all_covered(_is_longer, wide, narrow)
    if number == BOUNDS:
        return all([name in narrow and _within(narrow[name], wide[name]) for name in wide])
    if number == LIFE:
        return _within(narrow, wide)
    if number in (USES, FRESH):
        return narrow <= wide
    return cbor.encode(narrow) == cbor.encode(wide)  # True is not 1


def _is_longer(wide, narrow):
    """Whether one window lies in another one that opens on the same day."""
    lasts, needed = [(end - start - 1) % DAY_MINUTES for _, start, end in (wide, narrow)]
    later = narrow[1] - wide[1]
    return not narrow[0] & ~wide[0] and later >= 0 and later + needed <= lasts


def _within(narrow, wide):
    """Of two [first or None, last or None]."""
    for at, sign in ((0, 1), (1, -1)):
        if wide[at] is not None and (narrow[at] is None or narrow[at] * sign < wide[at] * sign):
            return False
    return True


def _all_covered(covers_one, wide, narrow):
    return all([any([covers_one(each, one) for each in wide]) for one in narrow])
