"""What an authority signs: grants, device credentials and bundles.

Owns: how each is put together; grant.py, credential.py and bundle.py say what it means and read it. Only whoever holds
an authority's key loads this.
Rules: nothing is issued that would not be read again.
"""

from . import bundle as bundles
from . import cbor, cose, cwt
from . import credential as credentials
from . import grant as grants
from .errors import LocalError


def credential(authority_key, site_id, device_id, device_public, kid, issued_at, test_only=False):
    """The device credential, bytes; `device_id` text of 1..64 bytes, `issued_at` unix seconds.

    `test_only`: the device said that its key is. Raises Malformed for one that `credential.parse` would not take.
    """
    claims = {
        cwt.ISS: site_id.hex(),
        cwt.SUB: device_id,
        cwt.IAT: issued_at,
        cwt.CNF: cwt.cnf(device_public, kid),
    }
    if test_only:
        claims[cwt.TEST_ONLY] = True
    data = cwt.issue(authority_key, claims, cose.DEVICE_CREDENTIAL)
    credentials.parse(data)
    return data


def grant(
    key, site_id, grant_id, subject, audience, rules, public, issued_at, sig_public=None, not_before=None, expires=None
):
    """A grant's bytes, signed with the authority's `key`.

    `grant_id` 8 random bytes; `audience` a list of device name patterns; `rules` a list of (pattern, methods,
    conditions); `public` and `sig_public` the user's keys, 64 bytes each; times in unix seconds.
    Raises Malformed for a grant that `grant.parse` would not take.
    """
    claims = {
        cwt.ISS: site_id.hex(),
        cwt.SUB: subject,
        cwt.AUD: audience[0] if len(audience) == 1 else list(audience),
        cwt.IAT: issued_at,
        cwt.CTI: grant_id,
        cwt.CNF: cwt.cnf(public),
        cwt.SCOPE: grants.encode_scope(rules),
    }
    for claim, value in ((cwt.NBF, not_before), (cwt.EXP, expires)):
        if value is not None:
            claims[claim] = value
    if sig_public is not None:
        claims[cwt.SIG_KEY] = cose.encode_key(sig_public)
    data = cwt.issue(key, claims, cose.GRANT)
    grants.parse(data)
    return data


def bundle(authority_key, site_id, device_id, epoch, revoked, issued_at):
    """The bundle, bytes, for one device; `revoked`: the cti (8 bytes) of every grant that no longer counts there.

    Raises LocalError bundle-too-long, from about 440 revocations on.
    """
    payload = {
        bundles.SITE_ID: site_id,
        bundles.DEVICE_ID: device_id,
        bundles.EPOCH: epoch,
        bundles.REVOKED: sorted(set(revoked)),
        bundles.ISSUED_AT: issued_at,
    }
    data = cose.sign1(authority_key, cbor.encode(payload), cose.BUNDLE)
    if len(data) > cbor.MAX_LENGTH:
        raise LocalError("bundle-too-long")
    return data
