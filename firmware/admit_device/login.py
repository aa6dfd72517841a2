"""The kiosk's user session: who stands before it now. One at a time; it ends by itself.

Login is not authentication (EDHOC did that) and grants nothing: it says whose turn it is, so that screens, lights and
routines that serve one person know whom, and it ends when the person leaves or says nothing for a while.
"""

from admit_protocol.errors import Conflict

IDLE_MS = 120 * 1000


class Login:
    """At most one session of the sessions table is logged in."""

    idle_ms = IDLE_MS

    def __init__(self, clock, changed):
        self._clock = clock
        self._changed = changed
        self.session = None
        self._until_ms = 0

    def open(self, session):
        """Make it this session's turn. Raises Conflict("login-taken") while it is somebody else's."""
        self.expire()
        if self.session is not None and self.session.subject.kid != session.subject.kid:
            raise Conflict("login-taken", "somebody else is logged in: wait until they leave")
        was = self.session
        self.session = session
        self.touch(session)
        if was is None:
            self._changed(session, True)

    def touch(self, session):
        """The logged-in session did something: its time starts anew."""
        if session is self.session:
            self._until_ms = self._clock.monotonic_ms() + IDLE_MS

    def close(self, session):
        """End the turn of `session`, if it is its turn."""
        if session is not None and session is self.session:
            self.session = None
            self._changed(session, False)

    def expire(self):
        """End a turn whose time is over."""
        if self.session is not None and self._clock.monotonic_ms() >= self._until_ms:
            self.close(self.session)

    def deadline(self):
        """When `expire` has something to do, in milliseconds of the monotonic clock, or None."""
        return self._until_ms if self.session is not None else None
