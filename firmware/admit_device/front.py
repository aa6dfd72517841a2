"""The front of the device: what answers requests, and is only there while somebody may ask.

Owns: when Exchange, Resources and RoutineResource come and go. As long as there is a link they are there; a device that
nobody visits keeps neither them nor their code. What they decide and answer is theirs.
"""

from admit_device.ondemand import OnDemand, borrowed


class Front:
    """Passes everything on to an Exchange. `send(link, message)` and `unseal(link, message)` are for that one."""

    def __init__(self, device, send, unseal):
        self._device = device
        self._send = send
        self._unseal = unseal
        self._code, self._serving_code = OnDemand(_load), OnDemand(_load_serving)
        self._routine_code = OnDemand(_load_routines)
        self._exchange = self._resources = self._routines = None

    def expect(self):
        """Somebody is there: the Exchange that will answer."""
        if self._exchange is None:
            self._exchange = self._code()(self._device.clock, self, self._send, self._unseal)
            self.open_site()
        return self._exchange

    def open_site(self):
        """The device may belong to a site now."""
        if self._exchange:
            self._exchange.sessions = self._device.sessions
        self._resources = None

    def answer(self, link, message):
        """The response to a message, or None: see Exchange.answer."""
        return self.expect().answer(link, message)

    def forget(self, gone):
        """A link or a session is gone."""
        if self._exchange:
            self._exchange.forget(gone)

    def not_taken(self, link, token):
        """The peer at `link` refuses what answers `token`."""
        if self._exchange:
            self._exchange.not_taken(link, token)

    def output_changed(self, name):
        """An output took a new value: whoever watches it is told."""
        if self._exchange:
            self._exchange.output_changed(name)

    def busy(self):
        """Is a routine running?"""
        return self._routines is not None and self._routines.busy()

    def step_aside(self):
        """Make room for elliptic curves: whoever is in the middle of a handshake asks for nothing else."""
        if not self.busy():
            self._routines = self._resources = None
            if self._device.access:
                self._device.access.index = None
            self._routine_code.forget()
            self._serving_code.forget()

    def rest(self, is_alone):
        """Nothing is going on: let go of what nobody needs, and of everything if there is no link."""
        self.step_aside()
        if self._exchange:
            self._exchange.rest(is_alone)
        if is_alone:
            self._exchange = None
            self._code.forget()

    def resources(self):
        """The Resources."""
        if self._resources is None:
            device = self._device
            self._resources = self._serving_code()(self.expect().begin_handshake, self._seldom)
            if device.sessions and not device.identity.ending:
                self._resources.open_site(device.access, device.journal, device.login, device.sessions, self._routine)
        return self._resources

    def _routine(self):
        """The RoutineResource."""
        if self._routines is None:
            self._routines = self._routine_code()(self._device)
        return self._routines

    def _seldom(self, request):
        with borrowed():
            from admit_device.seldom import answer

            return answer(request, self._device)


def _load():
    from admit_device.exchange import Exchange

    return Exchange


def _load_serving():
    from admit_device.resources import Resources

    return Resources


def _load_routines():
    from admit_device.routine_resource import RoutineResource

    return RoutineResource
