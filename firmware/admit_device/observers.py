"""Standing GETs (RFC 7641): who is told when an output changes. Loaded with the first one.

A token is its peer's own: one on the same link, or without the session, ends nobody else's observation.
"""

from admit_device.faults import print_exception
from admit_protocol.const import const

_MAX_OBSERVED = const(2)  # by one session, so that nobody takes the places of others


class Observer:
    """A standing GET. Observe's own numbers are replaced by OSCORE's."""

    def __init__(self, call, whole):
        self.call = call
        self.whole = whole
        self.count = 0


class Observers:
    """All standing GETs. `notify(call, whole, count)` answers one again; does it stand any longer?"""

    def __init__(self, notify):
        self._notify = notify
        self._observers = []

    def is_busy(self):
        """Does any stand?"""
        return bool(self._observers)

    def add(self, call, whole):
        """Remember a standing GET; one too many of the same session takes the place of its oldest."""
        of_session = [each for each in self._observers if each.call.session is call.session]
        if len(of_session) >= _MAX_OBSERVED:
            self._observers.remove(of_session[0])
        self._observers.append(Observer(call, whole))

    def remove(self, call):
        """The peer asks anew with the same token, or no longer."""
        self._observers = [each for each in self._observers if not each.call.is_like(call)]

    def output_changed(self, name):
        """Tell those who watch a routine that moves this output."""
        for each in self._observers[:]:
            if each.call.request.watches(name):
                self._tell(each)

    def forget(self, gone):
        """A link or a session is gone."""
        self._observers = [each for each in self._observers if gone not in (each.call.link, each.call.session)]

    def not_taken(self, link, token):
        """The peer at `link` refuses what answers `token`."""
        self._observers = [each for each in self._observers if each.call.link is not link or each.call.token != token]

    def _tell(self, observer):
        """Whatever is wrong with an observer's link must not fail the routine that moves the output."""
        try:
            observer.count += 1
            if self._notify(observer.call, observer.whole, observer.count):
                return
        except Exception as error:
            print_exception(error)
        self.remove(observer.call)
