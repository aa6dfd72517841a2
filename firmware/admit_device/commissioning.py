"""Commissioning: how a factory device joins a site, once, over its cable. Loaded for that alone.

POST /identity makes the device key and answers with it; PUT /identity brings the authority's credential for that key
and the site's trust anchor. Each may be repeated after a torn cable. The physical cable is the proof of ownership here
(DESIGN section 4); afterwards both are refused.
"""

from admit_device.identity import ANCHOR, CREDENTIAL, FACTORY, SECRET
from admit_protocol import anchor, cbor, cose, credential, kdf
from admit_protocol.coap import CHANGED, CONTENT_CBOR, POST, response
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, Conflict, Denied, LocalError, Malformed, Untrusted

# Bodies of /identity.
_CONTRIBUTION = const(1)
_PUBLIC_KEY = const(1)
_CREDENTIAL = const(1)
_ANCHOR = const(2)
_NOW = const(3)


def join(request, identity, clock_port):
    """The response to POST or PUT /identity."""
    if request.link.kind != "serial":
        raise Denied("commissioning-cable-only", "commission this device over its cable")
    body = cbor.expect(cbor.decode(request.payload), dict, "commissioning-body")
    return _make_key(identity, body) if request.method == POST else _commission(identity, clock_port, body)


def make_key(identity, contribution):
    """Make the device key once; later calls return the same one, so a torn commissioning can be repeated.

    `contribution` (32 bytes from the host) is mixed in: it cannot weaken our own randomness, only add to it.
    Returns the public key (64 bytes). Raises Conflict("identity-commissioned") outside factory state.
    """
    _check_factory(identity)
    if identity.key is None:
        identity.keep({SECRET: _mixed_secret(identity.suite, contribution)})
    return identity.key.public


def commission(identity, credential_data, anchor_data):
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
    if new_credential.public != identity.key.public:
        raise Untrusted("identity-other-key", "this credential names another device's key")
    identity.keep({CREDENTIAL: bytes(credential_data), ANCHOR: bytes(anchor_data)})


def _make_key(identity, body):
    contribution = cbor.expect(body.get(_CONTRIBUTION), bytes, "commissioning-contribution")
    if len(contribution) < 32:
        raise Malformed("commissioning-contribution", "at least 32 bytes")
    public = make_key(identity, contribution)
    return response(CHANGED, cbor.encode({_PUBLIC_KEY: cose.encode_key(public)}), CONTENT_CBOR)


def _commission(identity, clock_port, body):
    was = identity.state
    credential_data = cbor.expect(body.get(_CREDENTIAL), bytes, "commissioning-credential")
    anchor_data = cbor.expect(body.get(_ANCHOR), bytes, "commissioning-anchor")
    now = cbor.expect(body.get(_NOW), int, "commissioning-time")
    commission(identity, credential_data, anchor_data)
    if was == FACTORY and clock_port.now() is None:
        clock_port.set(now)
    return response(CHANGED)


def _check_factory(identity):
    if identity.credential:
        raise Conflict("identity-commissioned", "the device already belongs to a site: reset it first")


def _mixed_secret(suite, contribution):
    """A private key that is random if either our own source or the host's contribution is."""
    while True:
        secret = kdf.hmac_sha256(contribution, suite.random(32))
        try:
            suite.private_key(secret)
            return secret
        except AdmitError:  # zero or not below the group order: once in 2^32
            continue
