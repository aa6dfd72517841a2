"""Commissioning: how a factory device joins a site, once. Loaded for that alone.

POST /identity makes the device key and answers with it; PUT /identity brings the authority's credential for that key
and the site's trust anchor. Each may be repeated after a torn cable. The proof of ownership is the physical cable, or
the secret of the sealed label that was handed over it (DESIGN section 4, sealed.py); afterwards both are refused.
"""

from admit_device.fresh_key import contribution_in, forget_site, mixed_secret
from admit_device.identity import ANCHOR, CREDENTIAL, FACTORY, LABEL, SECRET, TEST_ONLY
from admit_protocol import anchor, cbor, cose, credential
from admit_protocol.coap import CHANGED, CONTENT_CBOR, POST, response
from admit_protocol.const import const
from admit_protocol.errors import Conflict, Denied, LocalError, Malformed, Untrusted

# Bodies of /identity.
_CONTRIBUTION = const(1)
_LABEL = const(2)
_LABEL_LENGTH = const(16)
_PUBLIC_KEY = const(1)
_TEST_ONLY = const(2)
_SEAL_KEY = const(3)
_CREDENTIAL = const(1)
_ANCHOR = const(2)
_NOW = const(3)
_EARLIEST_S = const(946_684_800)  # 2000 to 2065: what each board's clock can show
_LATEST_S = const(3_000_000_000)
_TOLD_MS = const(10 * 1000)  # so long ago the host may have looked at its clock


def join(request, identity, ports, clock):
    """The response to POST or PUT /identity."""
    by_cable = request.link.kind == "serial"
    if not by_cable and not _is_sealed(request.session):
        raise Denied("commissioning-cable-only", "commission this device over its cable, or with its sealed label")
    body = cbor.expect(cbor.decode(request.payload), dict, "commissioning-body")
    if request.method != POST:
        return _commission(identity, clock, body, ports.storage)
    if _LABEL in body and not by_cable:
        raise Denied("commissioning-cable-only", "a new sealed label is made over the cable")
    return _make_key(identity, body, ports)


def make_key(identity, contribution, test_only=False):
    """Make the device key once; later calls return the same one, so a torn commissioning can be repeated.

    `contribution` (32 bytes from the host) is mixed in: it cannot weaken our own randomness, only add to it.
    `test_only`: no hardware source of randomness is behind it; that stays with the key. Returns the public key (64
    bytes). Raises Conflict("identity-commissioned") outside factory state.
    """
    _check_factory(identity)
    if identity.key is None:
        secret = mixed_secret(identity.suite, contribution)
        identity.keep({SECRET: secret, TEST_ONLY: True if test_only else None})
    return identity.key.public


def commission(identity, credential_data, anchor_data, storage=None):
    """Join a site. Both are checked against each other and our key before anything is stored.

    The very same credential again is accepted in silence, so that a host which missed the answer may repeat.
    Raises Conflict, Untrusted("identity-other-key") and what credential.verify raises.
    """
    if identity.credential and identity.credential.data == bytes(credential_data):
        return
    _check_factory(identity)
    if identity.key is None:
        raise LocalError("identity-no-key", "ask for a key first")
    new_anchor = anchor.decode(anchor_data)
    new_credential = credential.parse(credential_data)
    credential.verify(new_credential, new_anchor, identity.suite)
    if new_credential.public != identity.key.public or new_credential.seal_public != identity.seal_key.public:
        raise Untrusted("identity-other-key", "this credential names another device's key")
    if identity.test_only and not new_credential.test_only:
        raise Untrusted("identity-test-only", "this key was made without a hardware source; its credential must say so")
    fields = {ANCHOR: bytes(anchor_data)}
    if new_anchor.successions:
        from admit_device.succession import fields_of, keep_chain

        keep_chain(storage, new_anchor)
        fields = fields_of(new_anchor)
    fields.update({CREDENTIAL: bytes(credential_data), LABEL: None})
    identity.keep(fields)


def _make_key(identity, body, ports):
    contribution = contribution_in(body)
    if identity.key is None:  # a new key is a new life: what an earlier one left may have been another site's
        forget_site(ports.storage)
    public = make_key(identity, contribution, ports.test_only)
    if _LABEL in body:
        _seal(identity, cbor.expect(body[_LABEL], bytes, "commissioning-label"))
    answer = {_PUBLIC_KEY: cose.encode_key(public), _SEAL_KEY: cose.encode_key(identity.seal_key.public)}
    if identity.test_only:
        answer[_TEST_ONLY] = True
    return response(CHANGED, cbor.encode(answer), CONTENT_CBOR)


def _commission(identity, clock, body, storage):
    was = identity.state
    credential_data = cbor.expect(body.get(_CREDENTIAL), bytes, "commissioning-credential")
    anchor_data = cbor.expect(body.get(_ANCHOR), bytes, "commissioning-anchor")
    now = check_time(body.get(_NOW))
    commission(identity, credential_data, anchor_data, storage)
    if was == FACTORY and clock.now() is None:
        take_time(clock, now)
    return response(CHANGED)


def check_time(now):
    """What a host says of the time, unix seconds, once a clock can show it. Raises Malformed("commissioning-time")."""
    if not _EARLIEST_S <= cbor.expect(now, int, "commissioning-time") < _LATEST_S:
        raise Malformed("commissioning-time")
    return now


def take_time(clock, now):
    """The host tells the time; who is believed in the key that signs for the site is believed in this."""
    try:
        clock.answer(now, clock.monotonic_ms() - _TOLD_MS)
    except Conflict:
        pass  # an earlier life saw a later time: this one begins with that


def _seal(identity, secret):
    from admit_device.sealed import seal

    if len(secret) != _LABEL_LENGTH:
        raise Malformed("commissioning-label", "16 bytes")
    seal(identity, secret)


def _is_sealed(session):
    """Is it the session of a host that knows the sealed label? No other session is without a subject."""
    return session is not None and session.subject is None


def _check_factory(identity):
    if identity.credential:
        raise Conflict("identity-commissioned", "the device already belongs to a site: reset it first")
