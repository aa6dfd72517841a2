"""What is signed: by an authority grants, credentials, bundles, notices and the time; by holders delegations, approvals
and the proofs of enrolment.

Owns: how each is put together; the module of its name says what it means and reads it. No device loads this.
Rules: nothing is issued that would not be read again.
"""

from . import approval as approvals
from . import bundle as bundles
from . import cbor, cose, cwt, papers
from . import credential as credentials
from . import delegation as delegations
from . import enrolment as enrolments
from . import grant as grants
from . import notice as notices
from . import release as releases
from . import takeover as takeovers
from . import time_answer as time_answers
from . import voucher as vouchers
from .cose_encrypt import OVERHEAD
from .errors import LocalError
from .kdf import sha256


def credential(authority_key, site_id, device_id, device_public, kid, issued_at, seal_public, test_only=False):
    """The device credential, bytes; `device_id` text of 1..64 bytes, `issued_at` unix seconds.

    `device_public` and `seal_public`: the device's keys, 64 bytes each. `test_only`: the device said that they are.
    Raises Malformed for one that `credential.parse` would not take.
    """
    claims = {
        cwt.ISS: site_id.hex(),
        cwt.SUB: device_id,
        cwt.IAT: issued_at,
        cwt.CNF: cwt.cnf(device_public, kid),
        cwt.SEAL_KEY: cose.encode_key(seal_public),
    }
    if test_only:
        claims[cwt.TEST_ONLY] = True
    return _parsed(credentials, cwt.issue(authority_key, claims, cose.DEVICE_CREDENTIAL))


def grant(
    key,
    site_id,
    grant_id,
    subject,
    audience,
    rules,
    public,
    issued_at,
    sig_public=None,
    not_before=None,
    expires=None,
    selectors=(),
    delegate=0,
    enrol=0,
):
    """A grant's bytes, signed with the authority's `key`.

    `grant_id` 8 random bytes; `audience` a list of device name patterns; `rules` a list of (pattern, methods,
    conditions); `public` and `sig_public` the user's keys, 64 bytes each; times in unix seconds; `selectors` the groups
    and roles that the user belongs to; `delegate` how many links may follow; `enrol` for how many phones it is an
    invite (`public` is then the invite's key). Raises Malformed for a grant that `grant.parse` would not take.
    """
    claims = _claims(site_id, subject, audience, rules, public, issued_at)
    claims[cwt.CTI] = grant_id
    _add_claims(claims, sig_public, not_before, expires, selectors, delegate)
    if enrol:
        claims[cwt.ENROL] = enrol
    return _parsed(grants, cwt.issue(key, claims, cose.GRANT))


def delegation(
    sign_key,
    parent,
    subject,
    audience,
    rules,
    public,
    issued_at,
    sig_public=None,
    not_before=None,
    expires=None,
    selectors=(),
    delegate=0,
):
    """A delegation's bytes, made from `parent` (a grant.Grant) and signed with its holder's `sign_key`: the ES256 key,
    an invite's own.

    Its id is its kid, so that nobody gives it another grant's. The rest as for `grant`; `public` and `sig_public` are
    the keys of whom it is passed on to.
    Raises what `grant.parse` and `delegation.prepare` raise; LocalError delegation-key for another's `sign_key`.
    """
    claims = _claims(parent.site_id, subject, audience, rules, public, issued_at)
    _add_claims(claims, sig_public, not_before, expires, selectors, delegate)
    claims[cwt.PARENT] = parent.kid
    data = cwt.issue(sign_key, claims, cose.DELEGATION)
    if delegations.prepare(grants.parse(data), parent)[1] != sign_key.public:
        raise LocalError("delegation-key")
    return data


def _claims(site_id, subject, audience, rules, public, issued_at):
    return {
        cwt.ISS: site_id.hex(),
        cwt.SUB: subject,
        cwt.AUD: audience[0] if len(audience) == 1 else list(audience),
        cwt.IAT: issued_at,
        cwt.CNF: cwt.cnf(public),
        cwt.SCOPE: grants.encode_scope(rules),
    }


def _add_claims(claims, sig_public, not_before, expires, selectors, delegate):
    for claim, value in (
        (cwt.NBF, not_before),
        (cwt.EXP, expires),
        (cwt.SIG_KEY, cose.encode_key(sig_public) if sig_public else None),
        (cwt.SELECTORS, sorted(set(selectors)) or None),
        (cwt.DELEGATE, delegate or None),
    ):
        if value is not None:
            claims[claim] = value


def bundle(
    authority_key,
    site_id,
    device_id,
    epoch,
    revoked,
    issued_at,
    base=0,
    dropped=(),
    selectors=None,
    rules=None,
    notice=None,
):
    """The bundle, bytes, for one device; `revoked` and `dropped`: the cti (8 bytes each) of grants that no longer count
    there, and of those that need not be named any longer.

    With base 0 it says everything, and None means nothing; else what changed since the epoch `base`, and None means
    that it did not: `changes` puts that together. `rules`: policy rules as decoded CBOR.
    Raises LocalError bundle-too-long, from about 480 revocations on; Malformed for one that `bundle.parse` would not
    take.
    """
    if not base:
        selectors, rules = selectors or (), rules or ()
    values = (
        site_id,
        device_id,
        epoch,
        base,
        issued_at,
        b"".join(sorted(set(revoked))),
        b"".join(sorted(set(dropped))),
        None if selectors is None else sorted(set(selectors)),
        rules,
        notice,
    )
    data = papers.sign(authority_key, cose.BUNDLE, values)
    if len(data) > cbor.MAX_LENGTH - OVERHEAD:  # so that it can be sealed
        raise LocalError("bundle-too-long")
    return _parsed(bundles, data)


def changes(states):
    """What a bundle must say to bring a device from any of `states` but the last to that: keywords for `bundle`.

    `states`: the policies (as bundle.NOTHING) of all epochs from the bundle's base on, in order. What was changed and
    changed back is said too, because the device may have stopped between.
    """
    base, last = states[0], states[-1]
    if not base[0]:
        states = (bundles.NOTHING, last)
    now = set(bundles.split(last[2]))
    before = [set(bundles.split(state[2])) for state in states[:-1]]
    selectors, rules, notice = [
        last[field] if any([state[field] != last[field] for state in states]) else None for field in (3, 4, 5)
    ]
    return {
        "base": base[0],
        "epoch": last[0],
        "issued_at": last[1],
        "revoked": [each for each in now if not all([each in ids for ids in before])],
        "dropped": [each for ids in before for each in ids if each not in now],
        "selectors": selectors,
        "rules": rules,
        "notice": notice,
    }


def time_answer(authority_key, site_id, device_id, nonce, now):
    """The answer, bytes, to a device that asked for the time with `nonce`, 8 bytes."""
    return _parsed(time_answers, papers.sign(authority_key, cose.TIME, (site_id, device_id, nonce, now)))


def notice(authority_key, site_id, number, issued_at, devices):
    """What every phone should know, bytes; `devices`: notice.fingerprint of those that no longer count.

    Raises LocalError notice-too-long.
    """
    data = papers.sign(authority_key, cose.NOTICE, (site_id, number, issued_at, sorted(set(devices))))
    if len(data) > cbor.MAX_LENGTH:
        raise LocalError("notice-too-long")
    return _parsed(notices, data)


def release(
    authority_key, site_id, version, sequence, floor, rows, boards, port, bytecode, room, issued_at, expires, image=None
):
    """A release's manifest, bytes; `rows`: (name, size, SHA-256) of each file of the set.

    `version` text of 1..32 bytes; `sequence` > 0 rises with each release; below `floor` nothing may run afterwards;
    `boards` and `port` name what it is for, `bytecode` MicroPython's version of that; `room`: bytes that must be free;
    times in unix seconds; `image`: (size, SHA-256) of MicroPython's own image. Raises Malformed for one that
    `release.parse` would not take.
    """
    files = releases.FileList()
    for row in sorted(rows):
        files.add(row)
    of_files = (files.set_hash(), files.list_hash(), files.total)
    values = (site_id, version, sequence, floor, sorted(set(boards)), port, bytecode) + of_files
    values += (room, issued_at, expires, image)
    return _parsed(releases, papers.sign(authority_key, cose.RELEASE, values))


def voucher(authority_key, number, device_id, device_public, from_site, to, previous, issued_at, expires=None):
    """The voucher, bytes, by which the site `from_site` hands a device, and its key of 64 bytes, to that of the anchor
    `to` (bytes).

    `number`: its place in the chain, from 1; `previous`: the hash of the voucher before it, None for the first; times
    in unix seconds. Raises Malformed for one that `voucher.parse` would not take.
    """
    values = (number, device_id, device_public, from_site, to, previous, issued_at, expires)
    return _parsed(vouchers, papers.sign(authority_key, cose.VOUCHER, values))


def recovery_policy(authority_key, site_id, number, threshold, publics, delay_s, issued_at):
    """The recovery policy, bytes: `threshold` of the holders of the keys `publics` (64 bytes each) may take devices
    over, which then wait `delay_s`. Raises Malformed for one that `takeover.parse_policy` would not take.
    """
    hashes = sorted([sha256(public) for public in publics])
    values = (site_id, number, threshold, hashes, delay_s, issued_at)
    data = papers.sign(authority_key, cose.RECOVERY_POLICY, values)
    takeovers.parse_policy(data)
    return data


def renewed_recovery_policy(authority_key, data):
    """The same recovery policy, bytes, signed by another key of the authority's: its hash stays."""
    return cose.sign1(authority_key, takeovers.parse_policy(data).sign1.payload, cose.RECOVERY_POLICY)


def takeover_words(site_id, devices, to, nonce, policy_hash, issued_at, expires):
    """What a takeover says, bytes, for takeover_signature; the fields as takeover.Words has them.

    Raises Malformed for what `takeover.parse_words` would not take.
    """
    values = (site_id, devices, to, nonce, policy_hash, issued_at, expires)
    data = cbor.encode({number: value for number, value in enumerate(values, 1)})
    takeovers.parse_words(data)
    return data


def takeover_signature(key, words):
    """The signature of the holder of a recovery key, bytes, under takeover.Words."""
    return papers.sign(key, cose.TAKEOVER, (words.site_id, words.hash, key.public))


def takeover_veto(authority_key, site_id, nonce):
    """The authority's veto, bytes, of the takeover with this nonce."""
    return papers.sign(authority_key, cose.TAKEOVER_VETO, (site_id, nonce))


def approval(sig_key, site_id, device_id, request_id, digest):
    """The approval, bytes, of the request whose approval.digest is `digest`, signed by the approver."""
    return _parsed(approvals, papers.sign(sig_key, cose.APPROVAL, (site_id, device_id, request_id, digest)))


def enrolment(invite_key, binding, kid):
    """The proof, bytes, by which an invite is redeemed in the session of `binding` for the delegation `kid`."""
    return _parsed(enrolments, papers.sign(invite_key, cose.ENROLMENT, (binding, kid)))


def _parsed(kind, data):
    kind.parse(data)
    return data
