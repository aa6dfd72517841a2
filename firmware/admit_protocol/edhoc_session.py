"""EDHOC, RFC 9528: the key schedule (section 4) and what the sessions of both roles share.

Owns: every derived key of a session, the proofs in message_2 and message_3, and the order of steps.
Rules: a session lives through its steps once; whatever fails kills it and wipes what it held. A private key, long-term
or ephemeral, is anything with `public`, `shared_secret`, `sign`, `erase`: it may sit in hardware.
Must not know: transport, clock, who is trusted, where keys come from.
"""

from . import cbor, edhoc, kdf
from .const import const
from .errors import LocalError, Unsupported, Untrusted, Unverified

# states of both roles; 1 to 7 are a role's own
_DEAD = const(0)
DONE = const(8)
CONFIRMED = const(9)
_HASH_LENGTH = const(32)


def derive(prk, label, context, length):
    """EDHOC_KDF: `length` bytes out of `prk` for info = (label, context as bstr, length). RFC 9528 section 4.1.2."""
    return kdf.hkdf_expand(prk, cbor.encode_sequence((label, context, length)), length)


def transcript_2(g_y, h_message_1):
    """TH_2 = H(G_Y, H(message_1))."""
    return kdf.sha256(cbor.encode(g_y), cbor.encode(h_message_1))


def transcript(th, plaintext, cred):
    """TH_3 = H(TH_2, PLAINTEXT_2, CRED_R), TH_4 = H(TH_3, PLAINTEXT_3, CRED_I)."""
    return kdf.sha256(cbor.encode(th), plaintext, cred)


def mix(prk, label, th, shared):
    """PRK_3e2m out of PRK_2e (label 1, TH_2, G_RX), PRK_4e3m out of PRK_3e2m (label 5, TH_3, G_IY)."""
    return kdf.hkdf_extract(derive(prk, label, th, _HASH_LENGTH), shared)


def crypt_2(prk_2e, th_2, text):
    """PLAINTEXT_2 to CIPHERTEXT_2 and back: XOR with KEYSTREAM_2. RFC 9528 section 5.3.2."""
    keystream = derive(prk_2e, 0, th_2, len(text))
    return (int.from_bytes(text, "big") ^ int.from_bytes(keystream, "big")).to_bytes(len(text), "big")


class Session:
    """What Initiator and Responder share. A session is used once and in order; any error leaves it dead and empty.

    Public: `method`, `cipher_suite` (selected), `c_i`, `c_r` (bytes), as soon as they are known.
    """

    def __init__(self, suite, key, id_cred, cred, known_ead):
        self.method = self.cipher_suite = self.c_i = self.c_r = None
        self._suite = suite
        self._id_cred = id_cred
        self._cred = cred
        self._known_ead = known_ead
        self._key = key
        self._ephemeral = None
        self._g_peer = None  # G_X or G_Y of the peer
        self._h_message_1 = None
        self._prk = None  # PRK_2e, then PRK_3e2m, then PRK_4e3m
        self._th = None  # TH_2, then TH_3, then TH_4
        self._received = None  # of a message parsed, not yet verified: plaintext, id_cred, proof, EAD bytes
        self._prk_out = None
        self._state = 1

    def erase(self):
        """Ends the session: wipes the ephemeral key and forgets every secret. May be called at any time."""
        self._state = _DEAD
        self._erase_ephemeral()
        self._key = self._prk = self._th = self._received = self._prk_out = None

    def _erase_ephemeral(self):
        if self._ephemeral is not None:
            self._ephemeral.erase()
            self._ephemeral = None

    def exporter(self, label, context, length):
        """EDHOC_Exporter: `length` bytes for an application's `label` (uint) and `context` (bytes). Section 4.2.1."""
        self._check_done()
        return derive(derive(self._prk_out, 10, b"", _HASH_LENGTH), label, context, length)

    def key_update(self, context):
        """EDHOC_KeyUpdate: replaces PRK_out by a hash of it and `context` (bytes). Appendix H.

        message_4 is not possible after it.
        """
        self._check_done()
        self._prk_out = derive(self._prk_out, 11, context, _HASH_LENGTH)
        self._prk = None  # the old PRK_out could be derived from it
        self._state = CONFIRMED

    def oscore(self):
        """(master secret 16 bytes, master salt 8). I's sender id is C_R, R's is C_I. RFC 9528 section A.1.

        Whoever needs nothing more calls `erase` then.
        """
        return self.exporter(0, b"", 16), self.exporter(1, b"", 8)

    # Steps

    def _step(self, before, after, work, *args):
        """Runs `work` if the state is `before`; the state is then `after`, or the session dead."""
        state, self._state = self._state, _DEAD
        try:
            if state != before:
                raise LocalError("edhoc-state")
            result = work(*args)
            self._state = after
            return result
        finally:
            if self._state == _DEAD:
                self.erase()

    def _check_done(self):
        if self._state < DONE:
            self.erase()
            raise LocalError("edhoc-state")

    def _accept_ead(self, ead):
        for label, _ in ead:
            if label < 0 and -label not in self._known_ead:
                raise Unsupported("edhoc-critical-ead", str(-label))
        return ead

    # Authentication: message 2 proves R, message 3 proves I

    def _signs(self, number):
        """Whether the sender of message `number` authenticates by signature, not by static DH. Section 3.2."""
        return self.method < 2 if number == 3 else self.method % 2 == 0

    def _mac(self, number, prk, id_cred, cred, ead):
        """(MAC_2 or MAC_3, the Sig_structure over it if the sender signs). RFC 9528 sections 5.3.2 and 5.4.2."""
        signs = self._signs(number)
        th = cbor.encode(self._th)
        protected = cbor.encode(id_cred)
        context = (edhoc.encode_identifier(self.c_r) if number == 2 else b"") + protected + th + cred + ead
        mac = derive(prk, 2 if number == 2 else 6, context, _HASH_LENGTH if signs else edhoc.SUITES[self.cipher_suite])
        return mac, cbor.encode(("Signature1", protected, th + cred + ead, mac)) if signs else None

    def _compose(self, number, prk, ead):
        """PLAINTEXT_3, or PLAINTEXT_2 without its C_R: ID_CRED_x, Signature_or_MAC_x, ? EAD_x."""
        raw_ead = edhoc.encode_ead(ead)
        mac, signed = self._mac(number, prk, self._id_cred, self._cred.data, raw_ead)
        return edhoc.encode_id_cred(self._id_cred) + cbor.encode(self._key.sign(signed) if signed else mac) + raw_ead

    def _parse_plaintext(self, number, plaintext, offset=0):
        """(id_cred, ead) of what the peer sent; keeps what `_verify` needs."""
        proof_length = 64 if self._signs(number) else edhoc.SUITES[self.cipher_suite]
        id_cred, proof, ead, raw_ead = edhoc.parse_plaintext(plaintext[offset:], proof_length)
        self._received = plaintext, id_cred, proof, raw_ead
        return id_cred, self._accept_ead(ead)

    def _verify(self, number, prk, cred):
        """Raises Unverified unless the peer has proved `cred`; returns the plaintext that did."""
        plaintext, id_cred, proof, ead = self._received
        self._received = None
        if cred.public == self._cred.public:
            raise Untrusted("edhoc-reflected", "the peer uses our own key")
        mac, signed = self._mac(number, prk, id_cred, cred.data, ead)
        if signed:
            if not self._suite.verify(cred.public, signed, proof):
                raise Unverified("edhoc-signature-" + str(number))
        elif not kdf.constant_time_equal(mac, proof):
            raise Unverified("edhoc-mac-" + str(number))
        return plaintext

    # Authenticated encryption: message 3 with labels 3 and 4, message 4 with labels 8 and 9

    def _aead(self, label):
        """(key, nonce, A_3 or A_4) from the current PRK and TH."""
        return (
            derive(self._prk, label, self._th, 16),
            derive(self._prk, label + 1, self._th, 13),
            cbor.encode(("Encrypt0", b"", self._th)),
        )

    def _seal(self, label, plaintext):
        key, nonce, aad = self._aead(label)
        return cbor.encode(self._suite.encrypt(key, nonce, plaintext, aad, edhoc.SUITES[self.cipher_suite]))

    def _open(self, label, data, reason):
        """The plaintext of message_3 or message_4. Raises Malformed(reason), Unverified ccm-tag."""
        key, nonce, aad = self._aead(label)
        return self._suite.decrypt(key, nonce, edhoc.parse_bytes(data, reason), aad, edhoc.SUITES[self.cipher_suite])

    def _complete(self, prk_4e3m, plaintext_3, cred_i):
        """TH_4 and PRK_out. RFC 9528 sections 5.4.2 and 4.1.3."""
        self._prk = prk_4e3m
        self._th = transcript(self._th, plaintext_3, cred_i)
        self._prk_out = derive(prk_4e3m, 7, self._th, _HASH_LENGTH)
