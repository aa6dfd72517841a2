"""The device app: read this first.

`Device(ports, suite, ...)` joins the parts, and `run()` is the whole life of a device:

    port -> links (bytes to messages) -> exchange (EDHOC, OSCORE, blocks) -> resources (who may) -> a handler

where front.py has exchange and resources come and go.

A factory device has an identity without credential and serves /id and /identity alone. When it is commissioned,
opening.py adds what needs a site: access, journal, sessions, login, routines. Nothing here knows which board it runs
on. Code that is not always needed is not always there: see ondemand.py.
"""

import asyncio
import gc

from admit_device.clock import Clock
from admit_device.faults import print_exception
from admit_device.front import Front
from admit_device.identity import COMMISSIONED
from admit_device.kiosk import Kiosk
from admit_device.links import Listener
from admit_device.ondemand import borrowed, is_small, rest, settle
from admit_device.profile import Profile
from admit_protocol import journal as records
from admit_protocol.const import const
from admit_protocol.errors import Unauthenticated
from admit_protocol.suite import Suite

VERSION = const("0.1.0")
_QUIET_MS = const(100)  # prepare only after so much silence: a visitor in the middle of a handshake comes first
_FACTORY_NAME = const("admit-factory")
_ANSWER_S = const(1)


class Device:
    """One device. `ports`: a board (ports.py); `namespace`: the names of its routines file; `profile`: strangers.py, or
    None on every device that guards something.
    """

    version = VERSION

    def __init__(self, ports, namespace, profile=None):
        self.ports = ports
        self.profile = profile or Profile()
        self.suite = Suite(ports.entropy.random)
        self.clock = Clock(ports.clock, ports.storage)
        self.identity = self.access = self.sessions = self.login = self.journal = self.preparation = None
        self._heard_ms = self.clock.monotonic_ms()
        self._is_resting = False
        self.staging = self.set_read = None  # see releases.py
        self.takeover = None, None  # see takeover.py: (site id, seconds left, signatures, since when), the last try
        self.heap_low = 1 << 29  # the fewest bytes of heap that were left, garbage not counted
        self._wake = asyncio.Event()
        self.kiosk = Kiosk(ports.outputs, self.clock, self._output_changed)
        self.front = Front(self, self._send, self._unseal)
        self._listeners = [self._listener(server) for server in ports.links]
        with borrowed():
            from admit_device.opening import open_device

            open_device(self, namespace)

    @property
    def name(self):
        """The short name that the device advertises."""
        if self.identity.label is None:
            return self.identity.device_id or _FACTORY_NAME
        with borrowed():
            from admit_protocol.label import advertised_name

            return advertised_name(self.identity.label[0])

    async def start(self):
        """Open the device to its links."""
        for server, listener in zip(self.ports.links, self._listeners):
            await server.start(listener, self.name)
        self.show_state()

    async def run(self):
        """Serve until cancelled."""
        await self.start()
        settle()
        if self.ports.trial == "on":
            with borrowed():
                from admit_device.trial import prove

                prove(self)
        try:
            while True:
                guarded(self.expire)
                if not guarded(self.prepare):
                    await self._pause()
                await asyncio.sleep(0)
        finally:  # nobody is left to close what a routine has opened
            self.kiosk.rest(self.outputs)

    def expire(self):
        """Do everything whose time has come; first what a routine left to be done, such as closing a door."""
        self.kiosk.expire()
        for listener in self._listeners:
            listener.expire()
        if self.sessions and not self.identity.ending:  # or a record would follow the last word
            self.clock.expire()
            self.sessions.expire()
            self.login.expire()
            self.journal.flush_failures()
            self.end_overlap()

    def end_overlap(self):
        """Let the authority's key before the present one count no more, once its time is over."""
        if self.identity.anchor.previous and (self.clock.moment()[0] or 0) >= self.identity.anchor.ends:
            with borrowed():
                from admit_device.succession import end_overlap

                end_overlap(self)

    def take_over(self):
        """A takeover may have waited for another hour."""
        with borrowed():
            from admit_device.takeover import tick

            tick(self)

    def prepare(self):
        """One unit of work for the next visitor, if the device is idle; False if there is nothing to do now."""
        if self.sessions is None or self.sessions.busy():
            return False
        if self._is_visited():
            self.front.expect()
            self.sessions.expect_handshake()
        if not self._quiet():
            return False
        if not self._is_resting:  # what the last visitor needed goes before what the next one will need comes
            self._rest()
        return self.preparation.step(self.identity.key)

    def after_answer(self, action):
        """Do `action` when the answer to the present request has had time to go out."""
        self.kiosk.after(_ANSWER_S, action)

    def faults(self):
        """What is wrong with the device, as texts."""
        found = list(self.ports.faults)
        for name, part in (("policy", self.access), ("journal", self.journal)):
            if part and part.is_damaged:
                found.append(name + ": damaged")
        return found

    def show_state(self):
        """Tell the status output how the device is, and a screen whose turn it is."""
        session = self.login and self.login.session
        self.ports.outputs.set("visitor", session.name if session else "")
        if self.identity.state != COMMISSIONED:
            state = "factory"
        elif session:
            state = "logged in"
        else:
            state = "fault" if self.faults() else "ready"
        self.ports.outputs.set("status", state)

    def record_login(self, session, logged_in):
        """Journal that it is, or was, a session's turn at the kiosk."""
        kind = records.LOGIN if logged_in else records.LOGOUT
        self.journal.record(kind, session.subject.key, "", records.DONE)

    def ended(self, session):
        """A session is over: forget what was kept for it, and shown."""
        self.front.forget(session)
        if self.access.asked[0] is session:
            self.kiosk.set("code", "")
        self.login.close(session)

    def _listener(self, server):
        front = self.front
        return Listener(server, self.clock, self.suite.random, front.answer, self._gone, front.not_taken, self._heard)

    def _is_visited(self):
        """Is anybody there who has not proven who they are?"""
        return any([listener.is_visited() for listener in self._listeners])

    def _quiet(self):
        return self.clock.monotonic_ms() - self._heard_ms >= _QUIET_MS

    async def _pause(self):
        """Sleep until something arrives, or until the next thing is due."""
        deadlines = [each.deadline() for each in self._listeners + [self.kiosk, self.sessions, self.login] if each]
        deadlines = [each for each in deadlines if each is not None]
        if self.sessions and not self._quiet():
            deadlines.append(self._heard_ms + _QUIET_MS)
        wait_ms = min(deadlines) - self.clock.monotonic_ms() if deadlines else 60 * 1000
        self._rest()
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), max(wait_ms, 1) / 1000)
        except asyncio.TimeoutError:
            pass

    def _rest(self):
        """Let go of what nobody needs at the moment."""
        busy = [part for part in (self.sessions, self.front) if part and part.busy()]
        if self._quiet() and not busy and not self._is_visited():
            if is_small and not self._is_resting:  # all that the last visit took is still there
                gc.collect()
                self.heap_low = min(self.heap_low, gc.mem_free())
            self.front.rest(not any([listener.has_links() for listener in self._listeners]))
            for part in self._listeners + [self.sessions]:
                if part:
                    part.rest()
            rest()
            self._is_resting = True
        gc.collect()

    def _heard(self):
        self._is_resting = False
        self._heard_ms = self.clock.monotonic_ms()
        self._wake.set()

    def _unseal(self, link, message):
        """Open a request to a factory device: of a host that knows its sealed label, or of nobody."""
        if self.identity.label is None:
            raise Unauthenticated("oscore-no-context")
        with borrowed():
            from admit_device.sealed import unprotect

            return unprotect(link, message, self.identity, self.clock)

    def _gone(self, link):
        self.front.forget(link)
        if link.sealed:
            self.front.forget(link.sealed)
        if self.sessions:
            self.sessions.abandon(link)
            self.login.leave(link)

    def _send(self, link, message):
        for listener in self._listeners:
            listener.send(link, message)
        self._heard()

    def _output_changed(self, name):
        self.front.output_changed(name)
        self._wake.set()


def guarded(step):
    """Do one step of the main loop. What goes wrong in it is printed; the device goes on."""
    try:
        return step()
    except Exception as error:
        print_exception(error)
        return False
