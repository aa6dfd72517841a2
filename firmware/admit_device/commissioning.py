"""Commissioning: how a factory device joins a site, once, over its cable.

POST /identity makes the device key and answers with it; PUT /identity brings the authority's credential for that key
and the site's trust anchor. Each may be repeated after a torn cable. The physical cable is the proof of ownership here
(DESIGN section 4); afterwards both are refused.
"""

from admit_device.identity import FACTORY
from admit_protocol import cbor, cose
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, POST, response
from admit_protocol.const import const
from admit_protocol.errors import Denied, Malformed

# GET /id
STATE = const(1)
CREDENTIAL = const(2)
VERSIONS = const(3)
MAX_VALUE = const(4)
# /identity
_CONTRIBUTION = const(1)
_PUBLIC_KEY = const(1)
_NEW_CREDENTIAL = const(1)
_ANCHOR = const(2)
_NOW = const(3)


class Commissioning:
    """Serves /id to anyone, and /identity to whoever holds the cable of a factory device."""

    def __init__(self, identity, clock_port, versions, joined):
        self._identity = identity
        self._clock_port = clock_port
        self._versions = versions
        self._joined = joined

    def describe(self, request):
        """GET /id: state, credential, versions, and the longest value that this link carries."""
        body = {STATE: self._identity.state, VERSIONS: self._versions, MAX_VALUE: request.link.layer.max_payload}
        if self._identity.credential:
            body[CREDENTIAL] = self._identity.credential.data
        return response(CONTENT, cbor.encode(body), CONTENT_CBOR)

    def join(self, request):
        """POST and PUT /identity of a factory device."""
        if request.link.kind != "serial":
            raise Denied("commissioning-cable-only", "commission this device over its cable")
        body = cbor.expect(cbor.decode(request.payload), dict, "commissioning-body")
        return self._make_key(body) if request.method == POST else self._commission(body)

    def _make_key(self, body):
        contribution = cbor.expect(body.get(_CONTRIBUTION), bytes, "commissioning-contribution")
        if len(contribution) < 32:
            raise Malformed("commissioning-contribution", "at least 32 bytes")
        public = self._identity.make_key(contribution)
        return response(CHANGED, cbor.encode({_PUBLIC_KEY: cose.encode_key(public)}), CONTENT_CBOR)

    def _commission(self, body):
        was = self._identity.state
        credential = cbor.expect(body.get(_NEW_CREDENTIAL), bytes, "commissioning-credential")
        anchor = cbor.expect(body.get(_ANCHOR), bytes, "commissioning-anchor")
        now = cbor.expect(body.get(_NOW), int, "commissioning-time")
        self._identity.commission(credential, anchor)
        if was == FACTORY and self._clock_port.now() is None:
            self._clock_port.set(now)
        self._joined()
        return response(CHANGED)
