"""/enrol: a phone's key is let in: by an invite, whose secret it knows, or by an admin, who stands beside it.

An invite is redeemed in the session whose key it lets in, by a delegation to that key and a signature over this very
session, both with the invite's own key. It is written down before the grant counts (enrolled.py). For pairing, the
newcomer's phone shows a code made of the session; the admin, in a session of their own, types it and passes on a
narrower grant of theirs. Wrong codes are attempts.py's. Loaded for that alone.
"""

from admit_device.grants_resource import adopt
from admit_protocol import cbor, cose, enrolment, grant
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, GET, response
from admit_protocol.const import const
from admit_protocol.errors import Conflict, Denied, Malformed, NotFound, Untrusted, Unverified

_ID_LENGTH = const(8)
_MAX_NAME = const(64)  # bytes of UTF-8
_PATIENCE_MS = const(600 * 1000)  # with the link of a newcomer who waits for an admin

_HINT_S = const(60)

# Bodies: see docs/SPEC.md, "Resources".
_ID = const(1)
_INVITE = const(1)
_DELEGATION = const(2)
_PROOF = const(3)
_NAME = const(4)
_SIG_KEY = const(5)
_KEY = const(6)
_PAIR = const(7)
_CODE = const(8)
_PAIRED = const(9)
_LEAF = const(2)
_CHAIN = const(3)


def answer(request, device):
    """What a newcomer asks for, or an admin beside them. Raises AdmitError."""
    session = request.session
    if request.method == GET:
        if session.newcomer or session.pairing:
            return _own(session)
        _authorize(request, device)
        device.access.spend(request)
        described = [_described(each) for each in device.sessions.newcomers() if each.pairing]
        return response(CONTENT, cbor.encode(described), CONTENT_CBOR)
    body = cbor.expect(cbor.decode(request.payload), dict, "enrol-body")
    for key, act in ((_INVITE, _redeem), (_NAME, _ask), (_PAIR, _pair)):
        if key in body:
            return act(body, request, device)
    raise Malformed("enrol-body")


def _field(body, key, kind=bytes):
    return cbor.expect(body.get(key), kind, "enrol-body")


def _adopt(child, session, device):
    """The grant counts from now on, here and at the next visit."""
    device.profile.grants(device.access.storage, device.identity, device.suite).remember(child)
    adopt(child, session)
    device.sessions.reconsider()


# By an invite


def _redeem(body, request, device):
    from admit_device.enrolled import enrol, keys_of

    session, access = request.session, device.access
    try:
        invite, child = _proven(body, session, device)
    except Unverified as error:  # who tries again begins again
        device.journal.count_failure(error.reason)
        device.sessions.close(session)
        raise

    def note():
        device.journal.record(records.ENROLLED, child.key, "", records.DONE, {records.BY: invite.id})

    enrol(access.storage, invite, keys_of(child), access.clock.floor, note)
    _adopt(child, session, device)
    return response(CHANGED)


def _proven(body, session, device):
    """(invite, delegation) that the body brings, and proves to be for this session's key."""
    from admit_protocol import standing
    from admit_protocol.delegation import link

    access, anchor = device.access, device.identity.anchor
    invite, child = grant.parse(_field(body, _INVITE)), grant.parse(_field(body, _DELEGATION))
    proof = enrolment.parse(_field(body, _PROOF))
    if not invite.enrol:
        raise Untrusted("enrol-no-invite")
    if child.key != session.subject.key:
        raise Untrusted("enrol-other-key")
    standing.check(invite, device.identity.device_id, access.clock.moment(), access.revoked)
    grant.verify_issuer(invite, anchor.sign_public, anchor.site_id, access.suite, anchor.previous)
    child = link(child, invite, access.suite)
    enrolment.verify(proof, invite.key, session.binding, child.kid, access.suite)
    return invite, child


# By an admin: the newcomer's side


def _ask(body, request, device):
    session, name = request.session, _field(body, _NAME, str)
    sig_key = cose.decode_key(_field(body, _SIG_KEY, dict))[0]
    if not 0 < len(name.encode()) <= _MAX_NAME:
        raise Malformed("enrol-body")
    if not session.newcomer:
        raise Conflict("enrol-known")
    # One id, and so one code, for each session: nobody asks until it is the code that they saw elsewhere.
    identifier = session.pairing[0] if session.pairing else device.suite.random(_ID_LENGTH)
    session.pairing = (identifier, name, sig_key)
    device.kiosk.show("newcomer", "asks", _HINT_S)  # not the name: a stranger's words are nothing for a screen
    request.link.patience_ms = _PATIENCE_MS
    return response(CHANGED, cbor.encode({_ID: session.pairing[0]}), CONTENT_CBOR)


def _own(session):
    """How it stands with the newcomer: nothing yet, or the grant that an admin has passed on."""
    if session.newcomer:
        return response(CHANGED)
    given = session.subject
    body = {_LEAF: given.data, _CHAIN: [each.data for each in given.chain]}
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


# The admin's side


def _authorize(request, device):
    """Raise unless a rule allows it; what that uses up is counted (access.spend) once there is something to be done."""
    bit, session = request.method_bit, request.session
    request.decision = decision = device.access.decide(session, bit, "/enrol")
    what = ("GET" if bit == 1 else "POST") + " /enrol"
    device.journal.decision(session.subject.key, what, decision, session.root)
    if not decision.allowed:
        raise Denied(decision.reason, decision.detail, decision.rule)


def _described(session):
    identifier, name, sig_key = session.pairing
    keys = {_KEY: cose.encode_key(session.subject.key), _SIG_KEY: cose.encode_key(sig_key)}
    keys.update({_ID: identifier, _NAME: name})
    return keys


def _pair(body, request, device):
    from admit_device.attempts import check
    from admit_protocol.delegation import link

    session, access = request.session, device.access
    _authorize(request, device)
    newcomer = [each for each in device.sessions.newcomers() if each.pairing and each.pairing[0] == body[_PAIR]]
    if not newcomer:
        raise NotFound("enrol-gone")
    newcomer = newcomer[0]
    child = grant.parse(_field(body, _PAIRED))
    if child.key != newcomer.subject.key or child.sig_key != newcomer.pairing[2]:
        raise Untrusted("enrol-other-key")
    code = enrolment.code(newcomer.binding, newcomer.pairing[0])
    check(access, b"pair" + records.person(child.key)[:4], _field(body, _CODE, str), code)
    parent = [each for each in session.grants if each.kid == child.parent] or session.grants
    child = link(child, parent[0], access.suite)
    access.spend(request)
    who = {records.KEY: records.person(child.key)}
    device.journal.record(records.PAIRED, session.subject.key, "", records.DONE, who)
    device.kiosk.set("newcomer", "")
    _adopt(child, newcomer, device)
    return response(CHANGED)
