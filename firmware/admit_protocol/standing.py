"""A grant as it is held against a request, and whether it counts: on this device, now, and not taken back.

Rules: pure; time is an argument, and may be unknown. What the grant then allows is rule.py's to decide.
Must not know: how a grant is read (grant.py), whether it is genuine, what a clock is.
"""

from collections import namedtuple

from .errors import Untrusted
from .rule import matches

# `id` (cti) and `kid` 8 bytes each, `site_id` 16, `key` (static DH) and `sig_key` (ES256, or None) 64 bytes each;
# `audience` a tuple of device name patterns; `rules` a tuple of rule.Rule; `issued_at` unix seconds, `not_before` and
# `expires` too, or None; `data` its very bytes.
Grant = namedtuple(
    "Grant",
    (
        "data",
        "kid",
        "id",
        "site_id",
        "subject",
        "audience",
        "key",
        "sig_key",
        "rules",
        "issued_at",
        "not_before",
        "expires",
    ),
)


def check(grant, device_id, now, revoked):
    """Whether the verified grant counts on `device_id` at `now`: raises as `check_here` and `check_life` do."""
    check_here(grant, device_id, revoked)
    check_life(grant.not_before, grant.expires, now)


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
    return any([matches(pattern, device_id) for pattern in grant.audience])


def check_life(not_before, expires, now):
    """Whether a grant lives at `now` (unix seconds, None if unknown); either end may be None, open. RFC 8392 3.1.4.

    Raises Untrusted grant-time-unknown, grant-not-yet-valid or grant-expired.
    """
    if not_before is None and expires is None:
        return
    if now is None:
        raise Untrusted("grant-time-unknown", "the grant has an end, and the time is not known here: set the clock")
    if not_before is not None and now < not_before:
        raise Untrusted("grant-not-yet-valid", "the grant begins in %d minutes" % ((not_before - now + 59) // 60))
    if expires is not None and now >= expires:
        raise Untrusted("grant-expired", "the grant ended %d minutes ago: ask for a new one" % ((now - expires) // 60))
