"""OSCORE, the client's part: requests protected, responses opened. RFC 8613 section 8; combined request of RFC 9668.

Owns: which response belongs to a request, and the order of notifications. A device never asks, and does not load this.
Rules and what it must not know: as in `oscore`.
"""

from . import cbor, coap, oscore, oscore_option
from .errors import LocalError, Malformed, Replayed


class ClientContext(oscore.Context):
    """A security context that can ask as well as answer."""

    def protect_request(self, message):
        """(outer message, ref); `ref` is what `unprotect_response` needs. RFC 8613 section 8.1.

        Raises LocalError: "oscore-exhausted", "oscore-nested", "oscore-proxy-uri".
        """
        observe = message.uint(coap.OBSERVE)
        for proxy_uri in message.all(coap.PROXY_URI):
            _check_proxy_uri(proxy_uri)
        outside, plaintext = oscore.split(message)
        partial_iv = self._next_partial_iv()
        ref = ClientReference(self, self.sender_id, partial_iv, observe == 0)
        outer = self._seal(message, outside, plaintext, self._nonce(self.sender_id, partial_iv), ref)
        outer.code = coap.POST if observe is None else coap.FETCH
        outer.add_option(coap.OSCORE, oscore_option.encode_option(partial_iv, self.sender_id, self.id_context))
        return outer, ref

    def unprotect_response(self, outer, ref):
        """The inner message. RFC 8613 section 8.4.

        One response is accepted, and after an Observe registration any number, each newer than the one before, until
        one comes without Observe. The value of Observe becomes the low 24 bits of the Partial IV (section 4.1.3.5.2).
        Raises as `unprotect_request`, but never "oscore-too-old"; Malformed("oscore-observe") for a notification that
        nobody asked for, or one with a value.
        """
        self._check_ref(ref, self.sender_id)
        partial_iv, kid, kid_context = oscore_option.option_of(outer)
        self._check_ids(self.recipient_id if kid is None else kid, kid_context)
        number = -1 if partial_iv is None else int.from_bytes(partial_iv, "big")
        if ref.closed or number <= ref.newest:
            raise Replayed("oscore-replayed")
        nonce = self._response_nonce(ref, self.recipient_id, partial_iv)
        inner = oscore.join(outer, self._open(outer, nonce, ref))
        if not coap.CREATED <= inner.code < 0xC0:
            raise Malformed("oscore-code")
        ref.accept(inner, number)
        return inner


class ClientReference(oscore.Reference):
    """What a client remembers of its request. `registers`: it is an Observe registration."""

    def __init__(self, context, kid, partial_iv, registers):
        super().__init__(context, kid, partial_iv)
        self.closed = False  # no more responses
        self.newest = -2  # Notification Number; -1 after a response on the nonce of the request
        self._registers = registers

    def accept(self, response, number):
        """Take note of a response that has verified. RFC 8613 section 8.4.2."""
        value = response.option(coap.OBSERVE)
        if value is not None:
            if value or not self._registers:
                raise Malformed("oscore-observe")
            response.set_option(coap.OBSERVE, max(number, 0) & 0xFFFFFF)
        self.newest = number
        self.closed = value is None


def combine(message_3, outer):
    """The combined request: `outer` with the EDHOC option, `message_3` before its ciphertext. RFC 9668 section 3.2.1.

    message_3 as EDHOC sends it: one CBOR byte string. Raises LocalError("oscore-combined").
    """
    if outer.option(coap.OSCORE) is None or type(cbor.decode(message_3)) is not bytes:
        raise LocalError("oscore-combined")
    request = outer.with_option(coap.EDHOC, b"")
    request.payload = message_3 + outer.payload
    return request


def _check_proxy_uri(proxy_uri):
    """Only scheme and host may show. RFC 8613 section 4.1.3.3."""
    host = proxy_uri.split(b"://", 1)[-1]
    if b"/" in host or b"?" in host:
        raise LocalError("oscore-proxy-uri", "give its path and query as Uri-Path and Uri-Query: they are secret")
