"""The kiosk's user session: who stands before it now. One at a time; it ends by itself.

Login is not authentication (EDHOC did that) and grants nothing: it says whose turn it is, so that screens, lights and
routines that serve one person know whom, and it ends when the person leaves or says nothing for a while.
"""

from admit_protocol.const import const
from admit_protocol.errors import Conflict, StorageError

_IDLE_MS = const(120 * 1000)


class Login:
    """At most one session of the sessions table is logged in."""

    idle_ms = _IDLE_MS

    def __init__(self, clock, record, show):
        self._clock = clock
        self._record = record  # (session, logged in or out): into the journal
        self._show = show
        self.session = None
        self._until_ms = 0

    def open(self, session):
        """Make it this session's turn.

        Raises Conflict("login-taken") while it is somebody else's, and StorageError if it cannot be journalled.
        """
        self.expire()
        if self.session is None:
            self._record(session, True)
        elif self.session.subject.kid != session.subject.kid:
            raise Conflict("login-taken", "somebody else is logged in: wait until they leave")
        self.session = session
        self.touch(session)
        self._show()

    def touch(self, session):
        """The logged-in session did something: its time starts anew."""
        if session is self.session:
            self._until_ms = self._clock.monotonic_ms() + _IDLE_MS

    def close(self, session):
        """End the turn of `session`, if it is its turn."""
        if session is not None and session is self.session:
            self.session = None
            self._show()
            try:
                self._record(session, False)
            except StorageError:
                pass  # the turn is over, whether or not it can be written down

    def leave(self, link):
        """A link is gone: the turn of the session that was last heard on it is over, the person has left."""
        if self.session is not None and self.session.link is link:
            self.close(self.session)

    def expire(self):
        """End a turn whose time is over."""
        if self.session is not None and self._clock.monotonic_ms() >= self._until_ms:
            self.close(self.session)

    def deadline(self):
        """When `expire` has something to do, in milliseconds of the monotonic clock, or None."""
        return self._until_ms if self.session is not None else None
