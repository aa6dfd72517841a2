"""EDHOC handshakes under way, from message_1 until somebody has proven who they are.

Loaded with all that it takes when a link opens, and forgotten when all is quiet again (docs/adr/0010-memory.md). A
handshake belongs to the link that it started on, one a link, and lasts _HANDSHAKE_MS at most. This file authenticates;
whether the peer may do anything is access.py's to say.
"""

from admit_protocol import edhoc
from admit_protocol.coap import BAD_REQUEST, CONTENT_EDHOC, response
from admit_protocol.const import const
from admit_protocol.edhoc_responder import Responder
from admit_protocol.errors import Malformed, UnknownCredential

_HANDSHAKE_MS = const(10 * 1000)
_BINDING_LABEL = const(32768)  # the first for private use, RFC 9528 section 10.1
_BINDING_LENGTH = const(32)

CIPHER_SUITES = (2, 3)


class Handshake:
    """An EDHOC run between its message_1 and its message_3."""

    def __init__(self, responder, c_r, now_ms):
        self.responder = responder
        self.c_r = c_r
        self.until_ms = now_ms + _HANDSHAKE_MS


class Handshakes:
    """All handshakes of the device."""

    def __init__(self, suite, clock, profile, identity, grants, preparation):
        self._suite = suite
        self._clock = clock
        self._profile = profile
        self._identity = identity
        self._grants = grants
        self._preparation = preparation
        self._under_way = {}

    def begin(self, link, message_1, taken):
        """message_2. `taken`: the Recipient IDs of all sessions."""
        self.abandon(link)
        responder = Responder(self._suite, self._profile.methods, CIPHER_SUITES, *self._profile.own(self._identity))
        c_i = responder.parse_message_1(message_1)[1]
        c_r = self._free_identifier(c_i, taken)
        self._under_way[link] = Handshake(responder, c_r, self._clock.monotonic_ms())
        return responder.message_2(self._preparation.take(), c_r)

    def finish(self, link, c_r, message_3):
        """Verify message_3 of the link's handshake: (subject, master secret, master salt, C_I, C_R, binding) of its
        session; `binding`: 32 bytes that its two ends alone know.
        """
        handshake = self._under_way.get(link)
        if handshake is None or handshake.c_r != c_r or self._clock.monotonic_ms() >= handshake.until_ms:
            raise Malformed("edhoc-unexpected", "no handshake is waiting for this message")
        responder = handshake.responder
        id_cred_i, ead_3 = responder.parse_message_3(message_3)
        subject, is_new = self._subject(id_cred_i)
        responder.verify_message_3(self._profile.credential(subject))
        if subject.audience:  # a stranger without a grant leaves nothing behind, and pushes nobody out
            if is_new:
                self._grants.remember(subject)
            self._preparation.remember(subject.key)
        secret, salt = responder.oscore()
        binding = responder.exporter(_BINDING_LABEL, b"", _BINDING_LENGTH)
        self.abandon(link)  # it is over; until here an error found it under its link, and wiped it
        return subject, secret, salt, responder.c_i, c_r, binding

    def abandon(self, link):
        """Forget the handshake of `link`, with all its secrets."""
        handshake = self._under_way.pop(link, None)
        if handshake:
            handshake.responder.erase()

    def expired(self):
        """The links whose handshakes have taken too long."""
        now_ms = self._clock.monotonic_ms()
        return [link for link, each in self._under_way.items() if now_ms >= each.until_ms]

    def deadlines(self):
        """When each will have taken too long, in milliseconds of the monotonic clock."""
        return [each.until_ms for each in self._under_way.values()]

    def _free_identifier(self, c_i, taken):
        """A one-byte C_R that is neither C_I (RFC 9528 section 3.3.3) nor anybody's Recipient ID.

        Begun anywhere: who still speaks to a session that was closed should seldom meet another one under its name.
        """
        taken = [c_i] + [each.c_r for each in self._under_way.values()] + list(taken)
        first = self._suite.random(1)[0]
        return next(each for each in (bytes([(first + n) % 24]) for n in range(24)) if each not in taken)

    def _subject(self, id_cred_i):
        """(subject, is it new to the device) for what the peer says it is. Nothing is proven by this."""
        data = edhoc.carried(id_cred_i)
        if data is not None:
            return self._grants.verify(data), True
        subject = self._grants.find(id_cred_i[edhoc.KID])
        if subject is None:
            raise UnknownCredential("edhoc-unknown-credential", "send the grant itself")
        return subject, False


def failure(error):
    """The response that carries an EDHOC error message (RFC 9528 appendix A.2.3)."""
    return response(BAD_REQUEST, edhoc.error_message(error, CIPHER_SUITES), CONTENT_EDHOC)
