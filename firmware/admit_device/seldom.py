"""The small answers that are asked for seldom: loaded for one answer, and then forgotten.

Who may ask is resources.py's. Handlers with more to do are in modules of their own: commissioning, journal_page,
maintenance.
"""

import gc

from admit_device.identity import FACTORY
from admit_protocol import cbor
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, CONTENT_LINK, response
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
_CHALLENGE_LENGTH = const(8)

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
    if identity.label:
        body[_CHALLENGE] = link.challenge = identity.suite.random(_CHALLENGE_LENGTH)
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def join(request, device):
    """POST and PUT /identity: see commissioning.py."""
    from admit_device.commissioning import join

    told = join(request, device.identity, device.ports)
    device.joined()
    return told


def release(request, device):
    """GET /release: see maintenance.py."""
    from admit_device.maintenance import release

    _check_cable(request, device)
    return release(device.ports, device.version)


def reset(request, device):
    """POST /reset: see maintenance.py."""
    from admit_device.maintenance import reset

    _check_cable(request, device)
    return reset(request, device.ports, device.after_answer)


def _check_cable(request, device):
    """The cable's rights end with the identity, whatever else of joining a site was broken off."""
    if request.session is None and device.identity.state != FACTORY:
        raise Unauthenticated("session-needed")


def take_bundle(request, device):
    """POST /bundle: a policy bundle, from whoever carried it."""
    if device.access.apply_bundle(request.payload):
        device.journal.policy(request.session.subject.kid, device.access.epoch)
        device.show_state()  # which a damaged policy had changed
    return response(CHANGED)


def read_journal(request, device):
    """GET /journal?from=N: see journal_page.py."""
    from admit_device.journal_page import answer

    return answer(request, device.journal, device.identity)


def health(request, device):
    """GET /health: how the device is."""
    gc.collect()
    body = {
        "version": device.version,
        "boots": device.boots,
        "uptime_s": device.clock.monotonic_ms() // 1000,
        "time": device.clock.now(),
        "heap_free": gc.mem_free() if hasattr(gc, "mem_free") else None,
        "records": device.journal.count,
        "board": device.ports.name,
        "reset_cause": device.ports.reset_cause,
        "faults": device.faults(),
    }
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


_ANSWERS = {
    "core": discover,
    "id": describe,
    "identity": join,
    "release": release,
    "reset": reset,
    "bundle": take_bundle,
    "journal": read_journal,
    "health": health,
}
