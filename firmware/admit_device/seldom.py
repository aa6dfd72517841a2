"""The small answers that are asked for seldom: loaded for one answer, and then forgotten.

Who may ask is resources.py's. Handlers with more to do are in modules of their own: commissioning, journal_page,
maintenance.
"""

from admit_device.identity import ANCHOR, COMMISSIONED, FACTORY, ORPHAN
from admit_device.wiping import CERTIFICATE
from admit_protocol import cbor
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, CONTENT_LINK, GET, POST, response
from admit_protocol.const import const
from admit_protocol.errors import Unauthenticated

# Bodies: see docs/SPEC.md, "Resources".
_STATE = const(1)
_CREDENTIAL = const(2)
_VERSIONS = const(3)
_MAX_VALUE = const(4)
_BOARD_ID = const(5)
_TEST_ONLY = const(6)
_CHALLENGE = const(7)
_ANCHOR = const(8)
_WIPED = const(9)
_TAKEOVER = const(10)
_EPOCH = const(1)
_PAGE = const(2)
_HEAD = const(3)
_NOTICE = const(4)
_AFTER = const(5)
_SUCCESSION = const(6)
_CHALLENGE_LENGTH = const(8)
_TAG_SIGN1 = const(b"\xd2")  # the first byte of a succession; a sealed bundle begins with another

_CORE = const(
    b'</.well-known/core>;ct=40,</.well-known/edhoc>;rt="core.edhoc",</id>;ct=60;rt="admit.id",'
    b'</r>;ct=60;rt="admit.routines";osc,</login>;rt="admit.login";osc'
)


def answer(request, device):
    """The response to a request for one of the paths below. Raises AdmitError."""
    return _ANSWERS[request.path[-1]](request, device)


def discover(request, device):
    """GET /.well-known/core: what there is. RFC 6690."""
    return response(CONTENT, _CORE, CONTENT_LINK)


def describe(request, device):
    """GET /id: state, credential, versions, the longest value that this link carries, and which board it is."""
    identity, link = device.identity, request.link
    versions = {"admit": device.version}
    body = {_STATE: identity.state, _VERSIONS: versions, _MAX_VALUE: link.layer.max_payload}
    if link.kind == "serial" or identity.state == FACTORY:
        body[_BOARD_ID] = device.ports.board_id
    if identity.test_only or device.ports.test_only:
        body[_TEST_ONLY] = True
    if identity.credential:
        body[_CREDENTIAL] = identity.credential.data
        if request.query("anchor", 0):  # of a phone that knows no more of the site than its id
            body[_ANCHOR] = identity.kept(ANCHOR)
            if identity.anchor.number:
                from admit_device.succession import whole

                body[_ANCHOR] = whole(identity, device.ports.storage)
    if identity.state != COMMISSIONED and CERTIFICATE in device.ports.storage.names():
        from admit_device.wiping import certificate_of

        certificate = certificate_of(device.ports.storage)
        if certificate:
            body[_WIPED] = certificate
    if device.takeover[0]:
        from admit_device.takeover import shown

        body[_TAKEOVER] = shown(device)
    if identity.label:
        body[_CHALLENGE] = link.challenge = identity.suite.random(_CHALLENGE_LENGTH)
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def join(request, device):
    """POST and PUT /identity: see commissioning.py; of a device that belongs to a site, rotation.py; of one that was
    taken over, takeover.py.
    """
    if device.identity.state == ORPHAN:
        from admit_device.takeover import join

        return join(request, device)
    if request.session is not None and request.session.subject is not None:
        from admit_device.rotation import answer

        return answer(request, device)
    from admit_device import commissioning
    from admit_device.opening import join

    told = commissioning.join(request, device.identity, device.ports, device.clock)
    join(device)
    return told


def release(request, device):
    """GET /release: see maintenance.py. POST, PUT: see releases.py."""
    _check_cable(request, device)
    if request.method != GET:
        from admit_device.releases import answer

        return answer(request, device)
    from admit_device.maintenance import release

    return release(device)


def reset(request, device):
    """POST /reset: see maintenance.py."""
    from admit_device.maintenance import reset

    _check_cable(request, device)
    return reset(request, device.ports, device.after_answer)


def _check_cable(request, device):
    """The cable's rights end with the identity, whatever else of joining a site was broken off."""
    if request.session is None and device.identity.state != FACTORY:
        raise Unauthenticated("session-needed")


def carry(request, device):
    """/bundle, for whoever carries it. POST: a policy, or a succession. GET ?from=N: what is for the authority."""
    if request.method == POST:
        if request.payload[:1] == _TAG_SIGN1:
            from admit_device.succession import follow

            follow(device, request.payload, request.session)
            return response(CHANGED)
        if device.access.apply_bundle(request.payload):
            device.journal.policy(request.session.subject.key, device.access.epoch)
            _policy_changed(device)
        return response(CHANGED)
    from admit_device.journal_page import carried
    from admit_device.policy import stored_notice

    page, head, after = carried(device.journal, device.identity, device.suite, request.query("from", 0))
    body = {_EPOCH: device.access.epoch, _PAGE: page, _HEAD: head, _NOTICE: stored_notice(device.access), _AFTER: after}
    if device.identity.anchor.number:
        body[_SUCCESSION] = device.identity.anchor.number
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def _policy_changed(device):
    """Whoever was shut out by it loses their turn at once, and the claim of their link to its place."""
    device.sessions.reconsider()
    session = device.login.session
    if session is not None and not device.access.has_standing(session):
        device.login.close(session)
    device.show_state()  # which a damaged policy had changed


def elsewhere(request, device):
    """What has a module of its own."""
    name = request.path[-1]
    if name == "grants":
        from admit_device.grants_resource import answer
    elif name == "time":
        from admit_device.time_resource import answer
    elif name == "enrol":
        from admit_device.enrol import answer
    elif name == "presence":
        from admit_device.presence import answer
    elif name == "ownership":
        from admit_device.ownership import answer
    elif name == "takeover":
        from admit_device.takeover import answer
    else:
        from admit_device.approvals import answer
    return answer(request, device)


def read_journal(request, device):
    """GET /journal?from=N: see journal_page.py."""
    from admit_device.journal_page import answer

    return answer(request, device.journal, device.identity)


def health(request, device):
    """GET /health: see health.py."""
    from admit_device.health import answer

    return answer(request, device)


_ANSWERS = {
    "core": discover,
    "id": describe,
    "identity": join,
    "release": release,
    "reset": reset,
    "bundle": carry,
    "grants": elsewhere,
    "time": elsewhere,
    "enrol": elsewhere,
    "presence": elsewhere,
    "ownership": elsewhere,
    "takeover": elsewhere,
    "approvals": elsewhere,
    "journal": read_journal,
    "health": health,
}
