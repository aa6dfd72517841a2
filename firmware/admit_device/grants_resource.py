"""/grants: grants of the key that this session has proven, and what stands behind them.

A newcomer hands in the chain behind the delegation that it came with; anybody further grants of the same key, of which
the best then decides. What was verified is kept, so that the next visit costs no signature. Loaded for that alone.
"""

from admit_protocol import cbor, grant
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, GET, response
from admit_protocol.const import const
from admit_protocol.errors import Malformed, Untrusted

_MAX_HANDED_IN = const(6)
_MAX_GRANTS = const(4)  # of one session
_MAP = const(b"\xa0")  # the first byte of CBOR's shortest; a list begins with a lesser one


def answer(request, device):
    """POST: a list of grants, in any order. All of them are good for something, or none is taken. Else it is about the
    authority's keys: succession.py. Raises AdmitError.
    """
    if request.method == GET or request.payload[:1] >= _MAP:
        from admit_device.succession import serve

        return serve(request, device)
    session = request.session
    handed_in = _parse(request.payload)
    grants = device.profile.grants(device.access.storage, device.identity, device.suite)
    own = _own(session, handed_in)
    if not own:
        raise Untrusted("grant-other-key", "none of them leads to a grant of this session's key")
    verified = [grants.verify_chain(data, handed_in) for data in own]
    for each in verified:
        if not session.newcomer and each in session.grants:
            continue
        if device.access.decide_standing(each).allowed:  # who was taken back leaves nothing here, and pushes nobody out
            device.journal.record(records.CHAIN, session.subject.key, "", records.DONE, {records.BY: each.id})
            grants.remember(each)
        adopt(each, session)
    device.sessions.reconsider()
    return response(CHANGED)


def adopt(verified, session):
    """Let a verified grant of the very key that authenticated count in its session; a newcomer's is the first.

    Raises Untrusted("grant-other-key").
    """
    if verified.key != session.subject.key:
        raise Untrusted("grant-other-key", "the grant is for another key")
    known = [] if session.newcomer else [each for each in session.grants if each.kid != verified.kid]
    session.grants = (known + [verified])[-_MAX_GRANTS:]


def _parse(payload):
    """{kid: grant bytes} of what was handed in."""
    items = cbor.expect(cbor.decode(payload), list, "grants-body")
    if not 0 < len(items) <= _MAX_HANDED_IN:
        raise Malformed("grants-body", "1 to %d grants" % _MAX_HANDED_IN)
    return {grant.kid_of(cbor.expect(each, bytes, "grants-body")): each for each in items}


def _own(session, handed_in):
    """The grants of the session's own key among them; first the delegation with which it came, if it came with one."""
    subject = session.subject
    own = [each for each in handed_in.values() if grant.parse(each).key == subject.key]
    if (session.newcomer and subject.subject or subject.chain) and subject.data not in own:
        own.insert(0, subject.data)
    return own
