"""/identity of a device that belongs to a site: an admin has its key exchanged, or ends its life there (wiping.py).

A new key is made beside the old one, and both sign for it. The authority's credential for it makes it the device's key,
in one write; from then on the device authenticates by it alone. The old secret opens what is still sealed to it, until
an admin who has met the new key says so. Loaded for that alone.
"""

from admit_device.fresh_key import contribution_in, mixed_secret
from admit_device.identity import CREDENTIAL, NEXT, OLD, SECRET, TEST_ONLY
from admit_protocol import cbor, cose, credential, rotation
from admit_protocol.coap import CHANGED, CONTENT_CBOR, PUT, response
from admit_protocol.const import const
from admit_protocol.errors import Conflict, Malformed, Replayed, Untrusted
from admit_protocol.kdf import sha256

# Bodies of /identity: see docs/SPEC.md.
_CREDENTIAL = const(1)
_OPERATION = const(4)
_FINGERPRINT = const(5)
_REASON = const(6)
_BY_OLD = const(1)
_BY_NEW = const(2)
_TEST_ONLY = const(3)
_CERTIFICATE = const(4)

_ROTATE = const(1)
_CONFIRM = const(2)
_DECOMMISSION = const(3)


def answer(request, device):
    """The response to an admin's POST or PUT /identity. Raises AdmitError; "identity-dying" while it is wiped."""
    body = cbor.expect(cbor.decode(request.payload), dict, "identity-body")
    operation = None if request.method == PUT else cbor.expect(body.get(_OPERATION), int, "identity-body")
    if device.takeover[0]:
        raise Conflict("takeover-pending", "veto it first")
    if device.identity.ending and operation != _DECOMMISSION:
        raise Conflict("identity-dying")
    for known, act in ((None, _install), (_ROTATE, _rotate), (_CONFIRM, _confirm), (_DECOMMISSION, _decommission)):
        if operation == known and len(body) == (1 if known is None else 2):
            return act(body, device)
    raise Malformed("identity-body")


def _rotate(body, device):
    """Make the next key, once, and prove it by both."""
    identity, is_test = device.identity, device.identity.test_only or device.ports.test_only
    contribution = contribution_in(body)
    secret = identity.kept(NEXT)
    if secret is None:
        secret = _other_secret(identity, contribution)
        identity.keep({NEXT: secret, OLD: None, TEST_ONLY: True if is_test else None})
    key = identity.suite.private_key(secret)
    words = identity.anchor.site_id, identity.device_id, identity.key.public, key.public
    words += (identity.seal_key_of(secret).public,)
    told = {
        _BY_OLD: rotation.sign(identity.key, cose.ROTATION, *words),
        _BY_NEW: rotation.sign(key, cose.POSSESSION, *words),
    }
    if is_test:
        told[_TEST_ONLY] = True
    return response(CHANGED, cbor.encode(told), CONTENT_CBOR)


def _other_secret(identity, contribution):
    """A new secret, whose key nobody takes for the old one by its kid, a single byte."""
    while True:
        secret = mixed_secret(identity.suite, contribution)
        if credential.kid(identity.suite.private_key(secret).public) != identity.credential.kid:
            return secret


def _install(body, device):
    """The authority's credential, for the next key: that is the device's key from now on. Once more is no harm."""
    identity = device.identity
    data = cbor.expect(body.get(_CREDENTIAL), bytes, "identity-body")
    if data != identity.credential.data:
        _take(data, identity)
    return response(CHANGED)


def _take(data, identity):
    """A credential for the present key is a new word for it alone: the authority's own key was followed by another."""
    new = credential.parse(data)
    is_renewed = new.public == identity.key.public
    secret = identity.kept(SECRET if is_renewed else NEXT)
    if secret is None:
        raise Conflict("identity-no-rotation", "ask for the next key first")
    _check(new, identity, secret)
    told = {CREDENTIAL: data}
    if not is_renewed:
        told.update({SECRET: secret, OLD: identity.kept(SECRET), NEXT: None})
    identity.keep(told)


def _check(new, identity, secret):
    """Raise unless the credential makes this device's next key what its present one is."""
    credential.verify(new, identity.anchor, identity.suite)
    if new.device_id != identity.device_id:
        raise Untrusted("identity-other-device")
    if new.public != identity.suite.private_key(secret).public or new.kid != credential.kid(new.public):
        raise Untrusted("identity-other-key", "this credential names another key")
    if new.seal_public != identity.seal_key_of(secret).public:
        raise Untrusted("identity-other-key", "this credential names another key to seal to")
    if identity.test_only and not new.test_only:
        raise Untrusted("identity-test-only", "this key was made without a hardware source; its credential must say so")
    if new.issued_at <= identity.credential.issued_at:  # phones take the later one for the one that counts
        raise Replayed("identity-older", "it is not later than the credential that the device has")


def _confirm(body, device):
    """An admin has met the key with this fingerprint in a handshake: the one before it is no longer needed."""
    identity = device.identity
    if body.get(_FINGERPRINT) != sha256(identity.key.public):
        raise Conflict("identity-not-met", "the device has another key by now, or not yet that one")
    if identity.kept(OLD) is not None:
        identity.keep({OLD: None})
    return response(CHANGED)


def _decommission(body, device):
    from admit_device.wiping import decommission
    from admit_protocol.wipe import MAX_REASON

    reason = cbor.expect(body.get(_REASON), str, "identity-body")
    if len(reason.encode()) > MAX_REASON:
        raise Malformed("identity-body", "a shorter reason")
    return response(CHANGED, cbor.encode({_CERTIFICATE: decommission(device, reason)}), CONTENT_CBOR)
