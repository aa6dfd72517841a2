"""Sessions: the OSCORE contexts that came of handshakes.

A session belongs to a key, not to a link: it is found by its Recipient ID and ends with logout, _IDLE_MS of silence or
a reset (RAM only). How a peer proves its key is handshakes.py's; whether it may do anything is access.py's to say.
"""

from admit_device.ondemand import OnDemand, rest
from admit_protocol.const import const
from admit_protocol.errors import AdmitError, Unauthenticated, UnknownCredential

_IDLE_MS = const(600 * 1000)
_MAX_SESSIONS = const(8)
_MAX_OF_ONE = const(2)  # of one key: a third closes that key's oldest, so that nobody takes every place
_MAX_NEWCOMERS = const(2)  # keys without a grant: whoever comes along can have one, so these make room first
_NEWCOMER_IDLE_MS = const(60 * 1000)


class HandshakeFailed(Exception):
    """EDHOC ended with `cause`; the peer is told by an EDHOC error message (RFC 9528 section 6)."""

    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause


class Session:
    """A proven peer: its OSCORE context, and the grants of its key: that with which it authenticated is the first.

    `binding`: 32 bytes that this device and this peer alone know; of `nonce`, `present` and `pairing` time.py,
    presence.py and enrol.py know more.
    """

    def __init__(self, context, subject, now_ms, binding=b"", lasting=False):
        self.context = context
        self.grants = [subject]
        self.binding = binding
        self.nonce = self.pairing = None
        self.present = (0, 0)
        self.heard_ms = now_ms
        self.link = None  # where it was heard last: a session may move to another
        self.lasting = lasting  # preshared: no handshake made it, and silence does not end it
        self.stands = lasting  # did any of its grants count here when that was last asked?

    @property
    def subject(self):
        """The grant that the peer authenticated as: standing.Grant."""
        return self.grants[0]

    @property
    def root(self):
        """The login key of whom the authority trusted: who may pass a grant on makes as many keys as they like. Of an
        invite it is whom that let in.
        """
        links = (self.subject,) + self.subject.chain
        return links[-2 if links[-1].enrol and len(links) > 1 else -1].key

    @property
    def name(self):
        """What the peer is called; and through whom, where it was not the authority that wrote that name."""
        subject = self.subject
        return subject.subject + (", through " + subject.chain[-1].subject if subject.chain else "")

    @property
    def newcomer(self):
        """Is no grant of this key known? Then its subject is one of nothing, on no device."""
        return self.grants[0].audience == ()

    @property
    def idle_ms(self):
        """How long the session outlives its last word."""
        return _NEWCOMER_IDLE_MS if self.newcomer else _IDLE_MS


class Sessions:
    """All sessions of the device; `ended(session)` is told of each that closed."""

    def __init__(self, suite, clock, profile, identity, access, preparation, journal, ended):
        self._suite = suite
        self._clock = clock
        self._profile = profile
        self._identity = identity
        self._access = access
        self._preparation = preparation
        self._journal = journal
        self._code = OnDemand(_load)
        self._oscore = OnDemand(_load_oscore)
        self._handshakes = None
        self._sessions = {}
        self._ended = ended
        for context, subject in profile.contexts(suite, identity):
            self._sessions[context.recipient_id] = Session(context, subject, clock.monotonic_ms(), lasting=True)

    def expect_handshake(self):
        """Load what a handshake takes, so that its first message need not wait for that."""
        if self._handshakes is None:
            grants = self._profile.grants(self._access.storage, self._identity, self._suite)
            self._handshakes = self._code()(
                self._suite, self._clock, self._profile, self._identity, grants, self._preparation
            )
        return self._handshakes

    def rest(self):
        """Let go of what a handshake takes if there is none, and of what a session takes if there is none."""
        if not self.busy():
            self._handshakes = None
            self._code.forget()
        if not self._sessions:
            self._oscore.forget()

    def end(self):
        """The site is no longer the device's: no session counts, nor any handshake, and nobody is told."""
        for session in self._sessions.values():
            self._release(session)
        self._handshakes, self._sessions = None, {}
        self.rest()

    def edhoc(self, link, payload):
        """Answer a POST to /.well-known/edhoc: `true, message_1` or `C_R, message_3` (RFC 9528 appendix A.2).

        Returns message_2, or b"" after a message_3. Raises HandshakeFailed.
        """
        return self._handshaking(link, lambda: self._edhoc(link, payload))

    def unprotect(self, link, outer):
        """(session, inner request, reference for the response) of an OSCORE request; finishes a combined EDHOC run.

        Raises HandshakeFailed, Unauthenticated("oscore-no-context"), Replayed, Unverified("ccm-tag") and Malformed.
        """
        from admit_protocol.coap import EDHOC, OSCORE
        from admit_protocol.oscore_option import parse_option, split_combined

        kid = parse_option(outer.option(OSCORE))[1]
        if outer.option(EDHOC) is not None:
            message_3, outer = split_combined(outer)
            self._handshaking(link, lambda: self._finish(link, kid, message_3))
        session = self._sessions.get(kid)
        if session is None:
            raise Unauthenticated("oscore-no-context")
        inner, reference = session.context.unprotect_request(outer)
        session.heard_ms = self._clock.monotonic_ms()
        if session.link is not link:
            session.link = link
            self._weigh(session)
        return session, inner, reference

    def abandon(self, link):
        """Forget the handshake of `link`, with all its secrets."""
        if self._handshakes:
            self._handshakes.abandon(link)

    def close(self, session):
        """End a session that is over; its keys are forgotten, and its link has its place as a stranger's has."""
        if self._drop(session):
            self._release(session)

    def expire(self):
        """End handshakes and sessions whose time is over."""
        now_ms = self._clock.monotonic_ms()
        for link in self._handshakes.expired() if self._handshakes else ():
            self.abandon(link)
            self._journal.count_failure("edhoc-too-slow")
        for session in list(self._sessions.values()):
            if now_ms - session.heard_ms >= session.idle_ms and not session.lasting:
                self.close(session)

    def newcomers(self, wanted=True):
        """The sessions of keys of which no grant is known; or all others."""
        return [each for each in self._sessions.values() if each.newcomer == wanted]

    def reconsider(self):
        """Who counts here has changed: so has whose link keeps its place."""
        for session in self._sessions.values():
            self._weigh(session)

    def deadline(self):
        """When `expire` may have something to do, in milliseconds of the monotonic clock, or None."""
        times = self._handshakes.deadlines() if self._handshakes else []
        times += [each.heard_ms + each.idle_ms for each in self._sessions.values() if not each.lasting]
        return min(times) if times else None

    def busy(self):
        """Is a handshake waiting for its message_3?"""
        return bool(self._handshakes and self._handshakes.deadlines())

    def _handshaking(self, link, step):
        """Run one step of a handshake; whatever goes wrong ends it, and is counted, unless no more than the grant
        itself is asked for.
        """
        try:
            return step()
        except AdmitError as error:
            self.abandon(link)
            if not isinstance(error, UnknownCredential):
                self._journal.count_failure(error.reason)
            raise HandshakeFailed(error)

    def _edhoc(self, link, payload):
        from admit_protocol.edhoc import split_prefixed

        c_r, message = split_prefixed(payload)
        if c_r is None:
            message_2 = self.expect_handshake().begin(link, message, self._sessions)
            rest()  # from elliptic curves
            return message_2
        self._finish(link, c_r, message)
        return b""

    def _finish(self, link, c_r, message_3):
        """Make the session of a handshake that ends well; what that took goes before what a session takes comes."""
        subject, secret, salt, c_i, c_r, binding = self.expect_handshake().finish(link, c_r, message_3)
        self.rest()
        context = self._oscore().Context(self._suite, secret, salt, c_i, c_r)
        session = Session(context, subject, self._clock.monotonic_ms(), binding)
        self._make_room(session)
        self._sessions[c_r] = session
        self._weigh(session)
        link.proven, link.met = session.stands, True

    def _weigh(self, session):
        """Whose session, and whose link, keeps its place: who has no standing here does not keep others out."""
        session.stands = self._access.has_standing(session)
        if session.link is not None:
            session.link.proven = session.stands

    def _drop(self, session):
        was = self._sessions.pop(session.context.recipient_id, None)
        if was:
            self._ended(session)
        return was

    def _release(self, session):
        link = session.link
        if link and link.proven:
            link.proven, link.opened_ms = False, self._clock.monotonic_ms()

    def _make_room(self, newest):
        """Close the session that has been silent longest, of the same key if it has enough, if a place is needed; that
        of somebody without standing rather than another's. Its link keeps its place: its owner may come again on it.
        """
        live, newcomers = list(self._sessions.values()), self.newcomers()
        of_one = [each for each in live if each.subject.key == newest.subject.key and not each.lasting]
        if len(of_one) >= _MAX_OF_ONE:
            self._drop(min(of_one, key=_heard_ms))
        elif newest.newcomer and len(newcomers) >= _MAX_NEWCOMERS or len(live) >= _MAX_SESSIONS:
            self._drop(min(newcomers or [each for each in live if not each.stands] or live, key=_heard_ms))


def _load():
    from admit_device.grants import Grants as Grants  # with it, since it is needed there
    from admit_device.handshakes import Handshakes

    return Handshakes


def _load_oscore():
    from admit_protocol import ccm, oscore

    return ccm and oscore  # the one does not work without the other


def _heard_ms(session):
    return session.heard_ms
