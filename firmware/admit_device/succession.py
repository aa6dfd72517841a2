"""The authority's keys are followed by others: the device follows, and tells others how. Loaded for that alone.

Whoever comes may bring a succession, to POST /bundle or POST /grants: the key that the device trusts so far must have
signed it. From one write of the key store on only the new key counts, but for grants and invites of the one before,
until the overlap is over; then all remembered grants go, of which nobody knows any longer who signed them, and last the
old key. So that their holders can go on, an admin hands in what the new key has signed, and they fetch it by GET.
"""

from admit_device.identity import ANCHOR, SUCCEEDED
from admit_protocol import anchor as anchors
from admit_protocol import cbor, succession
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, GET, response
from admit_protocol.const import const
from admit_protocol.errors import Conflict, Denied, Malformed, StorageError, Untrusted

_CHAIN = const("successions")  # in storage: for those who have to follow; the key store alone decides
_GRANT = const("grant-")
_MAX_TOLD = const(3500)  # bytes of grants in one answer

# Bodies of /grants: see docs/SPEC.md.
_SUCCESSIONS = const(1)
_RENEWED = const(2)


def serve(request, device):
    """The response to GET /grants, and to what POST brings there beside the session's own. Raises AdmitError."""
    session = request.session
    if request.method == GET:
        if request.query("behind", 0):
            _authorize(request, device)
            told = [each.kid + each.id for each in _remembered(device)]
        else:
            told = _renewed(session, device)
        return response(CONTENT, cbor.encode(told), CONTENT_CBOR)
    body = cbor.expect(cbor.decode(request.payload), dict, "grants-body")
    if list(body) == [_SUCCESSIONS]:
        for each in cbor.expect(body[_SUCCESSIONS], list, "grants-body"):
            follow(device, cbor.expect(each, bytes, "grants-body"), session)
    elif list(body) == [_RENEWED]:
        _authorize(request, device)
        _renew(device, cbor.expect(body[_RENEWED], list, "grants-body"))
    else:
        raise Malformed("grants-body")
    return response(CHANGED)


def follow(device, data, session):
    """Take a succession; the very one that was taken before is no harm.

    Raises what succession.parse and .verify do; Untrusted succession-fork for another one in the place of one that was
    taken, Conflict succession-order if one before it is not here.
    """
    identity, storage = device.identity, device.ports.storage
    anchor, found = identity.anchor, succession.parse(data)
    chain = _chain(storage)[: anchor.number]  # it may be one ahead: power failed before the key store was written
    if found.number <= anchor.number:
        _mend(identity, storage, chain, found, data, device.suite)
        return
    succession.verify(found, anchor.sign_public, anchor.site_id, anchor.number + 1, device.suite)
    if len(chain) == anchor.number:
        storage.write(_CHAIN, cbor.encode(chain + [data]))
    is_over = found.ends <= max(found.issued_at, device.clock.moment()[0] or 0)
    if is_over:
        _forget_grants(storage)
    previous = None if is_over else anchor.sign_public
    identity.keep({SUCCEEDED: [found.number, found.sign_public, found.ecdh_public, previous, found.ends]})
    if is_over:
        _close(device)
    device.clock.raise_floor(found.issued_at)
    device.journal.record(records.AUTHORITY, session.subject.key, "", records.DONE, {records.COUNT: found.number})


def end_overlap(device):
    """What the key before signed counts no more. Done again after a power cut it goes on."""
    _close(device)
    _forget_grants(device.ports.storage)
    number, sign_public, ecdh_public, _, ends = device.identity.kept(SUCCEEDED)
    device.identity.keep({SUCCEEDED: [number, sign_public, ecdh_public, None, ends]})


def fields_of(anchor):
    """What Identity.keep is to keep of an anchor.Anchor, so that the device trusts its present keys."""
    now = [len(anchor.successions), anchor.sign_public, anchor.ecdh_public, anchor.previous, anchor.ends]
    founding = anchors.Anchor(anchor.first_public, anchor.first_ecdh_public, anchor.name)
    return {ANCHOR: founding.encode(), SUCCEEDED: now if anchor.successions else None}


def keep_chain(storage, anchor):
    """Keep an anchor.Anchor's successions for those who ask. They are proof for them alone, and not verified here."""
    if anchor.successions:
        storage.write(_CHAIN, cbor.encode(list(anchor.successions)))


def whole(identity, storage):
    """The site's anchor, bytes, with all successions that the device follows; None if storage has lost them."""
    chain, founding = _chain(storage)[: identity.anchor.number], anchors.decode(identity.kept(ANCHOR))
    if len(chain) < identity.anchor.number:
        return None
    return anchors.Anchor(founding.sign_public, founding.ecdh_public, founding.name, chain).encode()


def _chain(storage):
    """The successions in storage, bytes each, in order; none if they are damaged."""
    try:
        kept = storage.read(_CHAIN)
    except StorageError:
        kept = None
    return cbor.decode(kept) if kept else []


def _mend(identity, storage, chain, found, data, suite):
    """One that was taken before: if storage has lost it, keep it again, in its turn."""
    if found.number <= len(chain):
        if chain[found.number - 1] != data:
            raise Untrusted("succession-fork", "the device follows another one")
        return
    if found.number != len(chain) + 1:
        raise Conflict("succession-order", "hand in number %d first" % (len(chain) + 1))
    before = succession.parse(chain[-1]) if chain else anchors.decode(identity.kept(ANCHOR))
    succession.verify(found, before.sign_public, identity.anchor.site_id, found.number, suite)
    if found.number == identity.anchor.number and found.sign_public != identity.anchor.sign_public:
        raise Untrusted("succession-fork", "the device follows another one")
    storage.write(_CHAIN, cbor.encode(chain + [data]))


def _close(device):
    """Whose grants count no more has no session; who brings a succession and has shown no grant keeps theirs."""
    for session in device.sessions.newcomers(False):
        device.sessions.close(session)


def _forget_grants(storage):
    for name in storage.names():
        if name.startswith(_GRANT):
            storage.remove(name)


# Grants that were signed anew


def _authorize(request, device):
    """Raise unless a rule of the session's grants allows it, as for an admin."""
    bit, session = request.method_bit, request.session
    request.decision = decision = device.access.decide(session, bit, "/grants")
    what = ("GET" if bit == 1 else "POST") + " /grants"
    device.journal.decision(session.subject.key, what, decision, session.root)
    if not decision.allowed:
        raise Denied(decision.reason, decision.detail, decision.rule)
    device.access.spend(request)


def _remembered(device):
    """The grants by the authority itself that the device remembers."""
    grants = _grants(device)
    names = [name[len(_GRANT) :] for name in device.ports.storage.names() if name.startswith(_GRANT)]
    found = [grants.find(bytes.fromhex(name)) for name in names]
    return [each for each in found if each and each.parent is None]


def _grants(device):
    return device.profile.grants(device.ports.storage, device.identity, device.suite)


def _renewed(session, device):
    """Grants, bytes, that have the id of one of the session's, and its key, and came later."""
    held, told, room = [(each.id, each.kid) for each in session.grants], [], _MAX_TOLD
    for each in _remembered(device):
        is_other = each.key == session.subject.key and (each.id, each.kid) not in held
        if is_other and each.id in [one[0] for one in held] and len(each.data) < room:
            room -= len(each.data)
            told.append(each.data)
    return told


def _renew(device, items):
    """Remember grants that were signed anew, of those whom the device remembers; others have no use for it."""
    grants, known = _grants(device), {(each.id, each.key) for each in _remembered(device)}
    for data in items:
        verified = grants.verify_chain(cbor.expect(data, bytes, "grants-body"), {})
        if verified.parent is None and (verified.id, verified.key) in known:
            grants.remember(verified)
