"""EDHOC, RFC 9528: the Initiator. In admit that is the user's phone or laptop, never the device.

Owns: the order of the Initiator's steps. What both roles do is in `edhoc_session`, the bytes are in `edhoc`.
Rules: `message_3`, which names us, can be made only after `message_2` has verified against the credential that the
caller chose: between `parse_message_2` and `verify_message_2` the caller decides whether it knows this Responder.
"""

from . import cbor, edhoc, edhoc_client, edhoc_session, kdf
from .const import const
from .errors import LocalError, Malformed, WrongSuite

_START = const(1)
_SENT_1 = const(2)
_PARSED_2 = const(3)
_VERIFIED_2 = const(4)


def select_suites(preferred, suites_r):
    """SUITES_I for the next try, after an error 2: `preferred` up to the first suite that is in `suites_r`.

    Neither order nor what comes before is given up, or a forged error could choose for us. RFC 9528 section 6.3.1.
    Raises WrongSuite edhoc-suite if there is none.
    """
    for i in range(len(preferred)):
        if preferred[i] in suites_r and preferred[i] in edhoc.SUITES:
            return list(preferred[: i + 1])
    raise WrongSuite("edhoc-suite")


class Initiator(edhoc_session.Session):
    """One session as Initiator.

    `method` 0..3; `cipher_suites` in order of preference, the last one selected (those before it need not be ours);
    `key`: our private key, static DH in methods 2 and 3, else for signing; `id_cred_i` and `cred_i` go together;
    `c_i`: our OSCORE recipient id, 0 to 7 bytes; `ephemeral`: a private key used once, made by `suite` if None;
    `known_ead`: labels (positive) of the critical EAD items that the caller understands.
    Every step raises LocalError edhoc-state out of turn.
    """

    def __init__(self, suite, method, cipher_suites, key, id_cred_i, cred_i, c_i, ephemeral=None, known_ead=()):
        super().__init__(suite, key, id_cred_i, cred_i, known_ead)
        if method not in edhoc_client.METHODS:
            raise LocalError("edhoc-method")
        if len(c_i) > edhoc.MAX_IDENTIFIER:
            raise LocalError("edhoc-connection-id")
        self.method = method
        self.cipher_suite = cipher_suites[-1]
        self.c_i = c_i
        self._suites_i = cipher_suites
        self._ephemeral = ephemeral

    def message_1(self, ead=()):
        """message_1 with EAD_1 [(label, value or None)]. RFC 9528 section 5.2.2."""
        return self._step(_START, _SENT_1, self._message_1, ead)

    def _message_1(self, ead):
        if self._ephemeral is None:
            self._ephemeral = self._suite.generate()
        message = edhoc_client.encode_message_1(self.method, self._suites_i, self._ephemeral.public[:32], self.c_i, ead)
        self._h_message_1 = kdf.sha256(message)
        return message

    def parse_message_2(self, data):
        """(c_r, id_cred_r, ead_2), decrypted but trusted by nobody yet. RFC 9528 section 5.3.3. Raises RemoteError."""
        return self._step(_SENT_1, _PARSED_2, self._parse_message_2, data)

    def _parse_message_2(self, data):
        if self.cipher_suite not in edhoc.SUITES:
            raise LocalError("edhoc-suite", "offered only to be refused")
        g_y, ciphertext_2 = edhoc_client.parse_message_2(data)
        th_2 = edhoc_session.transcript_2(g_y, self._h_message_1)
        prk_2e = kdf.hkdf_extract(th_2, self._ephemeral.shared_secret(g_y))
        plaintext_2 = edhoc_session.crypt_2(prk_2e, th_2, ciphertext_2)
        self._g_peer, self._th, self._prk = g_y, th_2, prk_2e
        item, offset = cbor.decode_first(plaintext_2)
        self.c_r = edhoc.connection_id(item)
        if self.c_r == self.c_i:
            raise Malformed("edhoc-connection-id", "C_R is C_I")
        id_cred_r, ead_2 = self._parse_plaintext(2, plaintext_2, offset)
        return self.c_r, id_cred_r, ead_2

    def verify_message_2(self, cred_r):
        """Proves that the owner of `cred_r` sent message_2. RFC 9528 section 5.3.3.

        Raises Unverified edhoc-mac-2 or edhoc-signature-2, Untrusted edhoc-reflected (our own key).
        """
        self._step(_PARSED_2, _VERIFIED_2, self._verify_message_2, cred_r)

    def _verify_message_2(self, cred_r):
        if not self._signs(2):
            self._prk = edhoc_session.mix(self._prk, 1, self._th, self._ephemeral.shared_secret(cred_r.public))
        self._erase_ephemeral()
        plaintext_2 = self._verify(2, self._prk, cred_r)
        self._th = edhoc_session.transcript(self._th, plaintext_2, cred_r.data)

    def message_3(self, ead=()):
        """message_3 with EAD_3. The exporter works from here on. RFC 9528 section 5.4.2."""
        return self._step(_VERIFIED_2, edhoc_session.DONE, self._message_3, ead)

    def _message_3(self, ead):
        prk_4e3m = self._prk
        if not self._signs(3):
            prk_4e3m = edhoc_session.mix(self._prk, 5, self._th, self._key.shared_secret(self._g_peer))
        plaintext_3 = self._compose(3, prk_4e3m, ead)
        message = self._seal(3, plaintext_3)
        self._complete(prk_4e3m, plaintext_3, self._cred.data)
        return message

    def verify_message_4(self, data):
        """EAD_4 of a genuine message_4: the Responder has the same keys. RFC 9528 section 5.5.3. Raises RemoteError."""
        return self._step(edhoc_session.DONE, edhoc_session.CONFIRMED, self._verify_message_4, data)

    def _verify_message_4(self, data):
        items = cbor.decode_sequence(self._open(8, data, "edhoc-message-4"))
        self._prk = None
        return self._accept_ead(edhoc.decode_ead(items))
