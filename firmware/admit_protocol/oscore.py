"""OSCORE: protection of CoAP requests and responses. RFC 8613.

Owns: a security context (keys, sequence numbers, replay window), and which CoAP options are seen outside. Algorithms:
AES-CCM-16-64-128 and HKDF SHA-256, the ones that every implementation must have.
Here is what a server needs; `oscore_client` adds the client's part, `oscore_preshared` what outlives a reset,
`oscore_option` is what is seen outside.
Rules: a nonce is used once; nothing changes but by a message that has verified; what does not verify is not looked at.
Must not know: links, peers, resources; how a context is found by its id, or how its secret came to be.
"""

from . import cbor, coap
from .const import const
from .errors import LocalError, Malformed, Replayed, Unauthenticated, Unsupported
from .kdf import hkdf_expand, hkdf_extract
from .oscore_option import encode_option, option_of

_ALGORITHM = const(10)  # AES-CCM-16-64-128
_MAX_ID = const(7)  # bytes of a Sender or Recipient ID: nonce length minus 6, section 3.3
_MAX_SEQUENCE = const((1 << 40) - 1)
WINDOW = const(32)

_TAG = const(8)
_HOP_LIMIT = const(16)
# Class U. All others, unknown ones included, are class E (section 4.1); Observe is put outside as well.
_OUTSIDE = (coap.URI_HOST, coap.URI_PORT, _HOP_LIMIT, coap.EDHOC, coap.PROXY_URI, coap.PROXY_SCHEME)


class Context:
    """A security context, good for the server's role. RFC 8613 section 3.

    `suite` encrypts and decrypts. Ids: 0..7 bytes, one unlike the other. Raises LocalError("oscore-id").
    The secret is fresh (EDHOC), so that the context may live in RAM and end with it.

    `sequence` is the number that the next message uses, if it needs one.
    """

    def __init__(self, suite, master_secret, master_salt, sender_id, recipient_id, id_context=None):
        if len(sender_id) > _MAX_ID or len(recipient_id) > _MAX_ID or sender_id == recipient_id:
            raise LocalError("oscore-id")
        prk = hkdf_extract(master_salt, master_secret)
        self.sender_id = sender_id
        self.recipient_id = recipient_id
        self.id_context = id_context
        self.sequence = 0
        self._suite = suite
        self._sender_key = _derive(prk, sender_id, id_context, "Key", 16)
        self._recipient_key = _derive(prk, recipient_id, id_context, "Key", 16)
        self._common_iv = int.from_bytes(_derive(prk, b"", id_context, "IV", 13), "big")
        self._window = ReplayWindow()

    def unprotect_request(self, outer):
        """(inner message, ref); `ref` is what `protect_response` needs. RFC 8613 section 8.2.

        Raises Unauthenticated("oscore-unprotected"), Unsupported("oscore-option"), Unauthenticated("oscore-context")
        (made for another context), Replayed("oscore-replayed"), Replayed("oscore-too-old"), Unverified("ccm-tag"),
        Malformed: "oscore-too-short", "oscore-code", "oscore-inner-option" and those of `coap.decode_body`.
        """
        partial_iv, kid, kid_context = option_of(outer)
        if partial_iv is None or kid is None:
            raise Unsupported("oscore-option", "a request without Partial IV or kid")
        self._check_ids(kid, kid_context)
        number = int.from_bytes(partial_iv, "big")
        self._window.check(number)
        ref = Reference(self, kid, partial_iv)
        plaintext = self._open(outer, self._nonce(kid, partial_iv), ref)
        self._mark(number)
        inner = join(outer, plaintext)
        if not inner.is_request:
            raise Malformed("oscore-code")
        return inner, ref

    def protect_response(self, response, ref, observe=False):
        """The outer message. RFC 8613 section 8.3.

        The first response to a request uses the nonce of the request; a later one, a notification (it has the Observe
        option) and any other with `observe=True` use a fresh Partial IV. Raises LocalError: "oscore-exhausted",
        "oscore-nested", "oscore-ref".
        """
        self._check_ref(ref, self.recipient_id)
        notifies = response.option(coap.OBSERVE) is not None
        outside, plaintext = split(response)
        partial_iv = self._next_partial_iv() if observe or notifies or ref.answered else None
        ref.answered = True
        nonce = self._response_nonce(ref, self.sender_id, partial_iv)
        outer = self._seal(response, outside, plaintext, nonce, ref)
        outer.code = coap.CONTENT if notifies else coap.CHANGED
        outer.add_option(coap.OSCORE, encode_option(partial_iv, None, None))
        return outer

    def _mark(self, number):
        """A request of this number has verified."""
        self._window.mark(number)

    def _next_partial_iv(self):
        number = self.sequence
        if number > _MAX_SEQUENCE:
            raise LocalError("oscore-exhausted")
        self.sequence = number + 1
        return number.to_bytes(5, "big").lstrip(b"\x00") or b"\x00"

    def _nonce(self, identifier, partial_iv):
        """RFC 8613 section 5.2: size of the id, id in 7 bytes, Partial IV in 5, all XORed with the Common IV."""
        parts = len(identifier) << 96 | int.from_bytes(identifier, "big") << 40 | int.from_bytes(partial_iv, "big")
        return (self._common_iv ^ parts).to_bytes(13, "big")

    def _response_nonce(self, ref, identifier, partial_iv):
        """The request's own nonce for a response without Partial IV. RFC 8613 section 5.2."""
        return self._nonce(ref.kid, ref.partial_iv) if partial_iv is None else self._nonce(identifier, partial_iv)

    def _seal(self, message, outside, plaintext, nonce, ref):
        outer = message.copy()
        outer.options = outside
        outer.payload = self._suite.encrypt(self._sender_key, nonce, plaintext, ref.aad())
        return outer

    def _open(self, outer, nonce, ref):
        if len(outer.payload) <= _TAG:
            raise Malformed("oscore-too-short")
        return self._suite.decrypt(self._recipient_key, nonce, outer.payload, ref.aad())

    def _check_ids(self, kid, kid_context):
        if kid != self.recipient_id or kid_context not in (None, self.id_context):
            raise Unauthenticated("oscore-context")

    def _check_ref(self, ref, kid):
        """Refuse the ref of another context or side: answering it could use a nonce twice with our key."""
        if ref.context is not self or ref.kid != kid:
            raise LocalError("oscore-ref")


class Reference:
    """Binds responses to their request; callers only carry it from one call to the next."""

    def __init__(self, context, kid, partial_iv):
        self.context = context
        self.kid = kid
        self.partial_iv = partial_iv
        self.answered = False  # server: the nonce of the request is spent

    def aad(self):
        """RFC 8613 section 5.4."""
        external_aad = cbor.encode([1, [_ALGORITHM], self.kid, self.partial_iv, b""])
        return cbor.encode(["Encrypt0", b"", external_aad])


class ReplayWindow:
    """Which of the WINDOW latest sequence numbers have come. RFC 8613 section 7.4, RFC 6347 section 4.1.2.6."""

    def __init__(self, newest=-1, seen=0):
        self._newest = newest
        self._seen = seen  # bit n: the number `_newest` - n has come

    def check(self, number):
        """Raise Replayed unless `number` is new."""
        age = self._newest - number
        if age >= WINDOW:
            raise Replayed("oscore-too-old")
        if age >= 0 and self._seen >> age & 1:
            raise Replayed("oscore-replayed")

    def mark(self, number):
        """`number`, which `check` has let through, has come."""
        ahead = number - self._newest
        if ahead <= 0:
            self._seen |= 1 << -ahead
            return
        self._seen = (self._seen << ahead | 1) & (1 << WINDOW) - 1 if ahead < WINDOW else 1
        self._newest = number


def split(message):
    """(options to be seen outside, plaintext) of a message. RFC 8613 sections 4.1 and 5.3."""
    inside, outside = [], []
    for number, value in message.options:
        if number == coap.OSCORE:
            raise LocalError("oscore-nested")
        if number == coap.OBSERVE:
            outside.append((number, value))
            value = value if message.is_request else b""  # the Partial IV orders notifications, section 4.1.3.5.2
        (outside if number in _OUTSIDE else inside).append((number, value))
    return outside, bytes((message.code,)) + coap.encode_body(inside, message.payload)


def join(outer, plaintext):
    """The inner message: nothing of the outer one counts but its header and class U options. RFC 8613 section 8.2."""
    options, payload = coap.decode_body(plaintext[1:])
    inner = outer.copy()
    inner.code = plaintext[0]
    inner.payload = payload
    inner.options = [item for item in outer.options if item[0] in _OUTSIDE]
    for number, value in options:
        if number == coap.OSCORE or number in _OUTSIDE:
            raise Malformed("oscore-inner-option")
        inner.add_option(number, value)
    return inner


def _derive(prk, identifier, id_context, kind, length):
    """RFC 8613 section 3.2.1."""
    return hkdf_expand(prk, cbor.encode([identifier, id_context, _ALGORITHM, kind, length]), length)
