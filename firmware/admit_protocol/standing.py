"""A grant as it is held against a request, and whether it counts: on this device, now, and not taken back.

Rules: pure; time is an argument, and may be unknown. What the grant then allows is rule.py's to decide.
Must not know: how a grant is read (grant.py), whether it is genuine, what a clock is.
"""

from .errors import Untrusted
from .rule import REASONS, TIMELESS, life_step, matches, selectors_of
from .shapes import Grant as Grant


def check(grant, device_id, moment, revoked):
    """Whether the verified grant counts on `device_id` at `moment` (see rule.decide), apart from its chain.

    Raises as `check_here` and `check_life` do.
    """
    check_here(grant, device_id, revoked)
    check_life(grant.not_before, grant.expires, moment, bool([one for one in grant.rules if TIMELESS in one[2]]))


def check_here(grant, device_id, revoked):
    """Whether the grant is for `device_id`, and neither its id nor its holder among `revoked`: ids and selectors.

    Raises Untrusted grant-other-device or grant-revoked.
    """
    if not is_for(grant, device_id):
        raise Untrusted("grant-other-device", "the grant is for " + ", ".join(grant.audience))
    if grant.id in revoked:
        raise Untrusted("grant-revoked", "the grant was taken back")
    if [each for each in selectors_of(grant)[1:] if each in revoked]:
        raise Untrusted("grant-revoked", "whoever holds it is shut out")


def is_for(grant, device_id):
    """Whether one of the grant's device name patterns is that of `device_id`."""
    return any([matches(pattern, device_id) for pattern in grant.audience])


def check_life(not_before, expires, moment, timeless=False):
    """Whether a grant lives at `moment`; either end may be None, open. RFC 8392 3.1.4.

    `timeless`: some rule of it holds while the time is unknown too; for the others, rule.decide refuses.
    Raises Untrusted grant-time-unknown, grant-not-yet-valid or grant-expired.
    """
    step = life_step((not_before, expires), moment, timeless)
    if step:
        from .rule_text import refusal_text

        raise Untrusted("grant" + REASONS[step][4:], refusal_text(step, None, None, None, moment))
