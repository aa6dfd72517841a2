"""/takeover: the device goes to another site because enough holders of recovery keys say so, unless that is vetoed.

A takeover that has begun waits as long as the recovery policy says, and twice as long as the one before it if that was
vetoed. It waits under power, by the device's own count, stored every hour: no clock that somebody sets makes it
shorter, nor does a power cut. Meanwhile it is shown to everybody (/id, /health, a screen). One veto ends it: of whom a
rule lets, or of the authority by a paper. At the end one write of the key store gives the device the other site's
anchor, and from then on it serves nobody: it is an orphan, until that site's credential for the key that it has comes.

Loaded for a request, for an hour that has passed, and for a start while something waits. Whatever is damaged ends what
waits, and never completes it.
"""

from admit_device.device import guarded
from admit_device.identity import CREDENTIAL, HEIR, LABEL, NEXT, OLD, RECEIPT
from admit_protocol import anchor as anchors
from admit_protocol import cbor, takeover
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, DELETE, DELETED, GET, PUT, response
from admit_protocol.const import const
from admit_protocol.errors import Busy, Conflict, Denied, Malformed, NotFound, Replayed, StorageError, Untrusted
from admit_protocol.kdf import sha256

_HOUR_S = const(3600)
_AGAIN_S = const(60)  # what storage refused is tried again
_DAY_S = const(86400)
_TRY_MS = const(60 * 1000)  # who has the keys' public halves makes the device verify once in so long
_VETOED = const(16)  # so many may be vetoed under one policy
_PATH = const("/takeover")
_NAME = const("takeover")  # in storage

# What is stored: [policy, words / null, hashes of the keys that signed those, seconds left, nonces that were vetoed].
_BY_POLICY = const(0)
_WORDS = const(1)
_SIGNERS = const(2)
_LEFT = const(3)
_NONCES = const(4)

# Bodies: see docs/SPEC.md, "Resources".
_POLICY_PAPER = const(1)
_SAID = const(2)
_SIGNATURES = const(3)
_VETO_PAPER = const(4)
_COUNT_VETOED = const(3)
_CREDENTIAL = const(1)
_ANCHOR = const(2)


def answer(request, device):
    """The response to GET, POST or DELETE. Raises AdmitError."""
    if request.method == GET:
        return _tell(device)
    if request.method == DELETE:
        return _veto_here(request, device)
    body, who = cbor.expect(cbor.decode(request.payload), dict, "takeover-body"), request.session.subject.key
    for fields, act in (((_POLICY_PAPER,), _take_policy), ((_SAID, _SIGNATURES), _begin), ((_VETO_PAPER,), _obey)):
        if set(body) == set(fields):
            act([body[each] for each in fields], device, who)
            return response(CHANGED)
    raise Malformed("takeover-body")


def _tell(device):
    """Whom the device would follow, and what waits: for any session."""
    kept, told = _kept(device), {}
    if kept:
        told[_POLICY_PAPER] = kept[_BY_POLICY]
        told[_COUNT_VETOED] = len(kept[_NONCES])
        if kept[_WORDS]:
            told[_SAID] = [kept[_WORDS], shown(device)[1], kept[_SIGNERS]]
    return response(CONTENT, cbor.encode(told), CONTENT_CBOR)


def shown(device):
    """[id of the site that the device is to go to, seconds left, how many signed] of what waits."""
    site_id, left_s, count, since_ms = device.takeover[0]
    return [site_id, max(left_s - (device.clock.monotonic_ms() - since_ms) // 1000, 0), count]


# The policy


def _take_policy(fields, device, who):
    """The recovery policy, if it is newer than the one that there is. The same again is no harm."""
    data = cbor.expect(fields[0], bytes, "takeover-body")
    fresh, kept = takeover.parse_policy(data), _kept(device)
    held = kept and takeover.parse_policy(kept[_BY_POLICY])
    if held and fresh.hash == held.hash:
        return
    if held and fresh.number <= held.number:
        raise Replayed("takeover-stale", "the device has recovery keys of number %d" % held.number)
    if held and kept[_WORDS]:
        raise Conflict("takeover-pending", "veto it first")
    takeover.verify_policy(fresh, device.identity.anchor, device.suite)
    device.journal.record(records.TAKEOVER, who, "policy", records.DONE, {records.COUNT: fresh.number})
    _store(device, [data, None, [], 0, []])


# The beginning


def _begin(fields, device, who):
    """What enough holders have signed begins to wait. The same again is no harm."""
    data = cbor.expect(fields[0], bytes, "takeover-body")
    words, signatures, kept = takeover.parse_words(data), takeover.parse_signatures(fields[1]), _kept(device)
    if kept is None:
        raise NotFound("takeover-none", "nobody has told the device whom it may follow")
    policy = takeover.parse_policy(kept[_BY_POLICY])
    takeover.check(words, signatures, policy)
    _check_words(words, device, kept)
    if kept[_WORDS] == data:
        return
    if kept[_WORDS]:
        raise Conflict("takeover-pending", "another one waits")
    _count_try(device)
    for each in signatures:
        takeover.verify_signature(each, words, device.suite)
    site_id = takeover.target(words, device.suite).site_id
    signers = [sha256(each.public) for each in signatures]
    _record(device, "begun", site_id, signers, who)
    left_s = min(policy.delay_s << len(kept[_NONCES]), takeover.MAX_DELAY_S)
    _store(device, [kept[_BY_POLICY], data, signers, left_s, kept[_NONCES]])
    _show(device, site_id, left_s, len(signers))


def _check_words(words, device, kept):
    """Do they mean this device, and may they begin here, now?"""
    if words.nonce in kept[_NONCES]:
        raise Untrusted("takeover-vetoed", "this one was vetoed")
    if len(kept[_NONCES]) >= _VETOED:
        raise Untrusted("takeover-vetoed", "so many were that none counts any more")
    if not takeover.means(words, device.identity.device_id):
        raise Untrusted("takeover-other-device", "it is for other devices")
    earliest = device.clock.moment()[0]
    if earliest is not None and earliest >= words.expires:
        raise Untrusted("takeover-expired")


def _count_try(device):
    pending, tried_ms = device.takeover
    now_ms = device.clock.monotonic_ms()
    if tried_ms is not None and now_ms - tried_ms < _TRY_MS:
        raise Busy("takeover-wait", "%d s" % ((_TRY_MS - now_ms + tried_ms) // 1000 + 1))
    device.takeover = pending, now_ms


# The veto


def _veto_here(request, device):
    """Whom a rule lets veto, does. A damaged policy is not in the way: in doubt the veto wins."""
    session, access, journal = request.session, device.access, device.journal
    request.decision = decision = access.decide(session, request.method_bit, _PATH, diagnosing=True)
    who, what = session.subject.key, "DELETE " + _PATH
    if not decision.allowed:
        journal.decision(who, what, decision, session.root)
        raise Denied(decision.reason, decision.detail, decision.rule)
    guarded(lambda: journal.decision(who, what, decision, session.root))
    kept = _kept(device)
    if not (kept and kept[_WORDS]):
        raise NotFound("takeover-none", "nothing waits")
    access.spend(request)
    _end_wait(device, kept, _waiting(kept), who)
    return response(DELETED)


def _obey(fields, device, who):
    """The authority's veto: of what waits, or of what has not begun here yet."""
    veto, kept = takeover.parse_veto(cbor.expect(fields[0], bytes, "takeover-body")), _kept(device)
    if kept is None:
        raise NotFound("takeover-none", "nobody has told the device whom it may follow")
    takeover.verify_veto(veto, device.identity.anchor, device.suite)
    is_full = len(kept[_NONCES]) >= _VETOED  # none begins any more: there is nothing to remember
    if veto.nonce not in kept[_NONCES] and not (is_full and _waiting(kept) != veto.nonce):
        _end_wait(device, kept, veto.nonce, who)


def _end_wait(device, kept, nonce, who):
    """It never counts again. That is written down first: the veto holds, whatever else is refused."""
    policy, words, signers, left_s, nonces = kept
    nonces = (nonces + [nonce])[:_VETOED]
    if words and _waiting(kept) != nonce:
        _store(device, [policy, words, signers, left_s, nonces])
        return
    _store(device, [policy, None, [], 0, nonces])
    _hide(device)
    site_id = _target(kept).site_id if words else None
    guarded(lambda: _record(device, "vetoed", site_id, signers, who))


# The wait


def resume(device):
    """The device starts while something may wait."""
    kept = _kept(device)
    if kept and kept[_WORDS]:
        site_id = _target(kept).site_id
        _show(device, site_id, kept[_LEFT], len(kept[_SIGNERS]))
        _record(device, "waits", site_id, kept[_SIGNERS], None, kept[_LEFT])


def tick(device):
    """A timer of the wait has come. Each looks at what has really passed, so one that is left over does no harm."""
    if device.takeover[0] is None:
        return
    site_id, left_s, count, since_ms = device.takeover[0]
    passed_s = (device.clock.monotonic_ms() - since_ms) // 1000
    if passed_s < min(_HOUR_S, left_s):
        return
    device.kiosk.after(_AGAIN_S, device.take_over)
    kept = _kept(device)
    if not (kept and kept[_WORDS]):
        return
    now_left_s = max(left_s - passed_s, 0)
    if kept[_LEFT] != now_left_s:
        kept[_LEFT] = now_left_s
        _store(device, kept)
    if not now_left_s:
        _go(device, kept)
        return
    _show(device, site_id, now_left_s, count)
    if (left_s - 1) // _DAY_S != (now_left_s - 1) // _DAY_S:
        _record(device, "waits", site_id, kept[_SIGNERS], None, now_left_s)


def _show(device, site_id, left_s, count):
    """From now on it waits for so long, as everybody may see."""
    device.takeover = (site_id, left_s, count, device.clock.monotonic_ms()), device.takeover[1]
    device.ports.outputs.set(_NAME, str((left_s + _HOUR_S - 1) // _HOUR_S))
    device.kiosk.after(min(_HOUR_S, left_s), device.take_over)


def _hide(device):
    device.takeover = None, device.takeover[1]
    device.ports.outputs.set(_NAME, "")


# The end


def _go(device, kept):
    """Leave the site, in one write. The journal stays: those who come must be able to read what happened."""
    from admit_device.succession import fields_of, keep_chain
    from admit_device.wiping import change_site, leave_site

    if device.front.busy():
        return  # a routine runs: in a minute, then
    identity, anchor = device.identity, _target(kept)
    _record(device, "done", anchor.site_id, kept[_SIGNERS], None)
    fields = fields_of(anchor)
    fields.update({LABEL: None, HEIR: None, NEXT: None, OLD: None, RECEIPT: None})
    try:
        change_site(identity, device.ports.storage, fields)
    except StorageError:
        if not identity.ending:
            raise  # nothing has happened
    guarded(lambda: keep_chain(device.ports.storage, anchor))
    _hide(device)
    leave_site(device)
    device.ports.restart(False)


def join(request, device):
    """PUT /identity of an orphan, from anybody: the credential of the site that it goes to, for the key that it has;
    and that site's anchor, if its authority has changed its keys since the takeover was signed.
    """
    from admit_device import opening
    from admit_protocol import credential

    identity = device.identity
    body = cbor.expect(cbor.decode(request.payload), dict, "commissioning-body")
    if request.method != PUT or set(body) - {_CREDENTIAL, _ANCHOR}:
        raise Conflict("takeover-orphan", "it waits for the credential of the site " + identity.anchor.site_id.hex())
    data = cbor.expect(body.get(_CREDENTIAL), bytes, "commissioning-credential")
    given = credential.parse(data)
    if (given.public, given.seal_public) != (identity.key.public, identity.seal_key.public):
        raise Untrusted("identity-other-key", "this credential names another device's key")
    if identity.test_only and not given.test_only:
        raise Untrusted("identity-test-only", "this key was made without a hardware source; its credential must say so")
    newer = _newer(identity, body[_ANCHOR]) if _ANCHOR in body else None
    credential.verify(given, newer or identity.anchor, identity.suite)
    guarded(lambda: _note_joining(device, given.device_id))
    _become(device, data, newer)
    opening.join(device)
    return response(CHANGED)


def _newer(identity, data):
    """The anchor.Anchor in `data`, which goes on from the one that the device was given. Raises Untrusted."""
    from admit_protocol.succession import parse, verify_chain

    found, number = anchors.decode(cbor.expect(data, bytes, "commissioning-anchor")), identity.anchor.number
    keys = [found.first_public] + [parse(each).sign_public for each in found.successions]
    if found.site_id != identity.anchor.site_id or keys[number : number + 1] != [identity.anchor.sign_public]:
        raise Untrusted("takeover-other-site", "the device goes to another one")
    verify_chain(found, identity.suite, number)
    return found


def _become(device, data, newer):
    """Be that site's, in one write."""
    from admit_device.succession import fields_of, keep_chain

    fields = fields_of(newer) if newer else {}
    fields[CREDENTIAL] = data
    device.identity.keep(fields)
    if newer:
        guarded(lambda: keep_chain(device.ports.storage, newer))


def _note_joining(device, device_id):
    """The journal goes on: as a device of that site."""
    from admit_device.journal import Journal

    journal = Journal(device.ports.storage, device.clock, records.first_head(device.identity.key.public))
    journal.record(records.COMMISSIONED, None, device_id, records.DONE)


# What is kept


def _kept(device):
    """What is stored, or None. What is damaged goes, and what waited with it."""
    try:
        stored = device.ports.storage.read(_NAME)
    except StorageError as error:
        if error.reason != "storage-corrupt":
            raise
        _hide(device)
        device.ports.storage.remove(_NAME)
        guarded(lambda: device.journal.record(records.TAKEOVER, None, "damaged", records.FAILED))
        return None
    return cbor.decode(stored) if stored else None


def _waiting(kept):
    """The nonce of what waits, or None."""
    return takeover.parse_words(kept[_WORDS]).nonce if kept[_WORDS] else None


def _target(kept):
    """The anchor.Anchor to which what waits leads; it was verified when that began."""
    return anchors.decode(takeover.parse_words(kept[_WORDS]).to)


def _store(device, kept):
    device.ports.storage.write(_NAME, cbor.encode(kept))


def _record(device, what, site_id, signers, who, left_s=None):
    extra = {records.SITE: site_id, records.KEYS: b"".join([each[:8] for each in signers])} if site_id else {}
    if left_s is not None:
        extra[records.COUNT] = left_s
    device.journal.record(records.TAKEOVER, who, what, records.DONE, extra)
