"""Sessions: EDHOC handshakes under way, and the OSCORE contexts that came of them.

A handshake belongs to the link that it started on, one a link, and lasts _HANDSHAKE_MS at most. A session belongs to a
key, not to a link: it is found by its Recipient ID and ends with logout, _IDLE_MS of silence or a reset (RAM only).
This file authenticates; whether the peer may do anything is access.py's to say.
"""

from admit_protocol import edhoc, oscore
from admit_protocol.coap import EDHOC, OSCORE
from admit_protocol.const import const
from admit_protocol.edhoc_responder import Responder
from admit_protocol.errors import AdmitError, Malformed, Unauthenticated, UnknownCredential

_HANDSHAKE_MS = const(10 * 1000)
_IDLE_MS = const(600 * 1000)
_MAX_SESSIONS = const(8)
_MAX_OF_ONE = const(2)  # of one key: a third closes that key's oldest, so that nobody takes every place

CIPHER_SUITES = (2, 3)


class HandshakeFailed(Exception):
    """EDHOC ended with `cause`; the peer is told by an EDHOC error message (RFC 9528 section 6)."""

    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause


class Session:
    """A proven peer: its OSCORE context, and the subject (grant) that it authenticated as."""

    def __init__(self, context, subject, now_ms, lasting=False):
        self.context = context
        self.subject = subject
        self.heard_ms = now_ms
        self.link = None  # where it was heard last: a session may move to another
        self.lasting = lasting  # preshared: no handshake made it, and silence does not end it


class Handshake:
    """An EDHOC run between its message_1 and its message_3."""

    def __init__(self, responder, c_r, now_ms):
        self.responder = responder
        self.c_r = c_r
        self.until_ms = now_ms + _HANDSHAKE_MS


class Sessions:
    """All handshakes and sessions of the device; `ended(session)` is told of each that closed."""

    def __init__(self, suite, clock, profile, identity, access, preparation, journal, ended):
        self._suite = suite
        self._clock = clock
        self._methods = profile.methods
        self._own = profile.own(identity)
        self._credential = profile.credential
        self._access = access
        self._preparation = preparation
        self._journal = journal
        self._handshakes = {}
        self._sessions = {}
        self._ended = ended
        for context, subject in profile.contexts(suite, identity):
            self._sessions[context.recipient_id] = Session(context, subject, clock.monotonic_ms(), True)

    def edhoc(self, link, payload):
        """Answer a POST to /.well-known/edhoc: `true, message_1` or `C_R, message_3` (RFC 9528 appendix A.2).

        Returns message_2, or b"" after a message_3. Raises HandshakeFailed.
        """
        return self._handshaking(link, lambda: self._edhoc(link, payload))

    def unprotect(self, link, outer):
        """(session, inner request, reference for the response) of an OSCORE request; finishes a combined EDHOC run.

        Raises HandshakeFailed, Unauthenticated("oscore-no-context"), Replayed, Unverified("ccm-tag") and Malformed.
        """
        kid = oscore.parse_option(outer.option(OSCORE))[1]
        if outer.option(EDHOC) is not None:
            message_3, outer = oscore.split_combined(outer)
            self._handshaking(link, lambda: self._finish(link, kid, message_3))
        session = self._sessions.get(kid)
        if session is None:
            raise Unauthenticated("oscore-no-context")
        inner, reference = session.context.unprotect_request(outer)
        session.heard_ms = self._clock.monotonic_ms()
        if session.link is not link:
            session.link = link
            link.proven = self._has_standing(session.subject)
        return session, inner, reference

    def abandon(self, link):
        """Forget the handshake of `link`, with all its secrets."""
        handshake = self._handshakes.pop(link, None)
        if handshake:
            handshake.responder.erase()

    def close(self, session):
        """End a session; its keys are forgotten."""
        if self._sessions.pop(session.context.recipient_id, None):
            self._ended(session)

    def expire(self):
        """End handshakes and sessions whose time is over."""
        now_ms = self._clock.monotonic_ms()
        for link in [link for link, each in self._handshakes.items() if now_ms >= each.until_ms]:
            self.abandon(link)
            self._journal.count_failure()
        for session in list(self._sessions.values()):
            if now_ms - session.heard_ms >= _IDLE_MS and not session.lasting:
                self.close(session)

    def deadline(self):
        """When `expire` may have something to do, in milliseconds of the monotonic clock, or None."""
        times = [each.until_ms for each in self._handshakes.values()]
        times += [each.heard_ms + _IDLE_MS for each in self._sessions.values() if not each.lasting]
        return min(times) if times else None

    def busy(self):
        """Is a handshake waiting for its message_3?"""
        return bool(self._handshakes)

    def _begin(self, link, message_1):
        self.abandon(link)
        responder = Responder(self._suite, self._methods, CIPHER_SUITES, *self._own)
        c_i = responder.parse_message_1(message_1)[1]
        c_r = self._free_identifier(c_i)
        self._handshakes[link] = Handshake(responder, c_r, self._clock.monotonic_ms())
        return responder.message_2(self._preparation.take(), c_r)

    def _free_identifier(self, c_i):
        """A one-byte C_R that is neither C_I (RFC 9528 section 3.3.3) nor anybody's Recipient ID."""
        taken = [c_i] + [each.c_r for each in self._handshakes.values()] + list(self._sessions)
        return next(each for each in (bytes([n]) for n in range(24)) if each not in taken)

    def _handshaking(self, link, step):
        """Run one step of a handshake; whatever goes wrong ends it, and is counted."""
        try:
            return step()
        except AdmitError as error:
            self.abandon(link)
            self._journal.count_failure()
            raise HandshakeFailed(error)

    def _edhoc(self, link, payload):
        c_r, message = edhoc.split_prefixed(payload)
        if c_r is None:
            return self._begin(link, message)
        self._finish(link, c_r, message)
        return b""

    def _finish(self, link, c_r, message_3):
        """Verify message_3 of this link's handshake and make its session."""
        handshake = self._handshakes.get(link)
        if handshake is None or handshake.c_r != c_r or self._clock.monotonic_ms() >= handshake.until_ms:
            raise Malformed("edhoc-unexpected", "no handshake is waiting for this message")
        responder = handshake.responder
        id_cred_i, ead_3 = responder.parse_message_3(message_3)
        subject, is_new = self._subject(id_cred_i)
        responder.verify_message_3(self._credential(subject))
        if is_new:
            self._access.remember(subject)
        self._preparation.remember(subject.key)
        self._add(link, responder, subject)
        self.abandon(link)  # it is over; until here an error found it under its link, and wiped it

    def _subject(self, id_cred_i):
        """(subject, does access not know it yet) for what the peer says it is. Nothing is proven by this."""
        data = edhoc.carried(id_cred_i)
        if data is not None:
            return self._access.verify(data), True
        subject = self._access.find(id_cred_i[edhoc.KID])
        if subject is None:
            raise UnknownCredential("edhoc-unknown-credential", "send the grant itself")
        return subject, False

    def _add(self, link, responder, subject):
        self._make_room(subject)
        secret, salt = responder.oscore()
        context = oscore.Context(self._suite, secret, salt, responder.c_i, responder.c_r)
        session = Session(context, subject, self._clock.monotonic_ms())
        self._sessions[responder.c_r] = session
        link.proven = self._has_standing(subject)

    def _has_standing(self, subject):
        """Whether this peer's link keeps its place: who has no standing here does not keep others out."""
        return self._access.decide_standing(subject).allowed

    def _make_room(self, subject):
        """Close the session that has been silent longest, of the same key if it has enough, if a place is needed."""
        of_one = [each for each in self._sessions.values() if each.subject.key == subject.key and not each.lasting]
        if len(of_one) >= _MAX_OF_ONE:
            self.close(min(of_one, key=_heard_ms))
        elif len(self._sessions) >= _MAX_SESSIONS:
            self.close(min(self._sessions.values(), key=_heard_ms))


def _heard_ms(session):
    return session.heard_ms
