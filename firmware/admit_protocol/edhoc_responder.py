"""EDHOC, RFC 9528: the Responder. In admit that is the device.

Owns: the order of the Responder's steps. What both roles do is in `edhoc_session`, the bytes are in `edhoc`.
Rules: the only operations on the curve here are, in the everyday method 2, `ephemeral.shared_secret(g_x)` and
`key.sign(...)` for message_2 and `ephemeral.shared_secret(cred_i.public)` for message_3, so that a device can prepare
ephemeral keys and signing nonces, and hand in ephemerals that know the products with recent peers already.
Between `parse_message_3` and `verify_message_3` the caller decides whether it knows this Initiator.
"""

from . import cbor, edhoc, edhoc_session, kdf
from .const import const
from .errors import LocalError, Unsupported, WrongSuite

_START = const(1)
_PARSED_1 = const(2)
_SENT_2 = const(3)
_PARSED_3 = const(4)


class Responder(edhoc_session.Session):
    """One session as Responder.

    `methods` (of 0..3) and `cipher_suites` (of 2, 3) that we accept; `key`: our private key, for signing in methods 0
    and 2, else static DH; `id_cred_r` and `cred_r` go together; `known_ead`: labels (positive) of the critical EAD
    items that the caller understands. Every step raises LocalError edhoc-state out of turn.
    """

    def __init__(self, suite, methods, cipher_suites, key, id_cred_r, cred_r, known_ead=()):
        super().__init__(suite, key, id_cred_r, cred_r, known_ead)
        self._methods = methods
        self._cipher_suites = cipher_suites

    def parse_message_1(self, data):
        """(method, c_i, ead_1). RFC 9528 section 5.2.3.

        Raises WrongSuite edhoc-suite (answer with `edhoc.error_message`), Unsupported edhoc-method, other RemoteError.
        """
        return self._step(_START, _PARSED_1, self._parse_message_1, data)

    def _parse_message_1(self, data):
        self.method, suites_i, self._g_peer, self.c_i, ead_1 = edhoc.parse_message_1(data)
        if self.method not in self._methods:
            raise Unsupported("edhoc-method", str(self.method))
        self.cipher_suite = self._select(suites_i)
        self._h_message_1 = kdf.sha256(data)
        return self.method, self.c_i, self._accept_ead(ead_1)

    def _select(self, suites_i):
        """The suite selected in SUITES_I, if it is the first in there that we support: no downgrade."""
        for suite in suites_i[:-1]:
            if suite in self._cipher_suites:
                raise WrongSuite("edhoc-suite", "a preferred one is supported")
        if suites_i[-1] not in self._cipher_suites:
            raise WrongSuite("edhoc-suite")
        return suites_i[-1]

    def message_2(self, ephemeral, c_r, ead=()):
        """message_2 with EAD_2. RFC 9528 section 5.3.2.

        `ephemeral`: a private key never used before; this session erases it. `c_r`: our OSCORE recipient id, 0 to 7
        bytes, not C_I. Raises Malformed p256-point if G_X is not on the curve.
        """
        return self._step(_PARSED_1, _SENT_2, self._message_2, ephemeral, c_r, ead)

    def _message_2(self, ephemeral, c_r, ead):
        self._ephemeral = ephemeral
        if c_r == self.c_i or len(c_r) > edhoc.MAX_IDENTIFIER:
            raise LocalError("edhoc-connection-id")
        self.c_r = c_r
        g_y = ephemeral.public[:32]
        self._th = th_2 = edhoc_session.transcript_2(g_y, self._h_message_1)
        self._prk = prk_2e = kdf.hkdf_extract(th_2, ephemeral.shared_secret(self._g_peer))
        if not self._signs(2):
            self._prk = edhoc_session.mix(prk_2e, 1, th_2, self._key.shared_secret(self._g_peer))
        if self._signs(3):
            self._erase_ephemeral()
        plaintext_2 = edhoc.encode_identifier(c_r) + self._compose(2, self._prk, ead)
        self._th = edhoc_session.transcript(th_2, plaintext_2, self._cred.data)
        return cbor.encode(g_y + edhoc_session.crypt_2(prk_2e, th_2, plaintext_2))

    def parse_message_3(self, data):
        """(id_cred_i, ead_3), decrypted but trusted by nobody yet. RFC 9528 section 5.4.3.

        Raises Unverified ccm-tag if it belongs to another session, other RemoteError.
        """
        return self._step(_SENT_2, _PARSED_3, self._parse_message_3, data)

    def _parse_message_3(self, data):
        return self._parse_plaintext(3, self._open(3, data, "edhoc-message-3"))

    def verify_message_3(self, cred_i):
        """Proves that the owner of `cred_i` sent message_3. The exporter works from here on. RFC 9528 section 5.4.3.

        Raises Unverified edhoc-mac-3 or edhoc-signature-3, Untrusted edhoc-reflected (our own key).
        """
        self._step(_PARSED_3, edhoc_session.DONE, self._verify_message_3, cred_i)

    def _verify_message_3(self, cred_i):
        prk_4e3m = self._prk
        if not self._signs(3):
            prk_4e3m = edhoc_session.mix(self._prk, 5, self._th, self._ephemeral.shared_secret(cred_i.public))
            self._erase_ephemeral()
        plaintext_3 = self._verify(3, prk_4e3m, cred_i)
        self._complete(prk_4e3m, plaintext_3, cred_i.data)

    def message_4(self, ead=()):
        """message_4 with EAD_4, which confirms the keys where no OSCORE message will. RFC 9528 section 5.5.2."""
        return self._step(edhoc_session.DONE, edhoc_session.CONFIRMED, self._message_4, ead)

    def _message_4(self, ead):
        message = self._seal(8, edhoc.encode_ead(ead))
        self._prk = None
        return message
