"""The device app: read this first.

`Device(ports, suite, ...)` joins the parts, and `run()` is the whole life of a device:

    port -> links (bytes to messages) -> exchange (EDHOC, OSCORE, blocks) -> resources (who may) -> a handler

A factory device has an identity without credential and serves /id and /identity alone. When it is commissioned,
`_open_site` adds what needs a site: access, journal, sessions, login, routines. Nothing here knows which board it
runs on.
"""

import asyncio
import gc

from admit_device.clock import Clock
from admit_device.exchange import Exchange
from admit_device.faults import print_exception
from admit_device.identity import COMMISSIONED, Identity
from admit_device.journal import Journal
from admit_device.kiosk import Kiosk
from admit_device.links import Listener
from admit_device.login import Login
from admit_device.preparation import Preparation
from admit_device.profile import Profile
from admit_device.resources import PublicResources, Resources, SiteResources
from admit_device.routine_resource import RoutineResource
from admit_device.routines import collect
from admit_device.sessions import Sessions
from admit_protocol import cbor
from admit_protocol import journal as records
from admit_protocol.const import const
from admit_protocol.errors import StorageError
from admit_protocol.suite import Suite

VERSION = const("0.1.0")
_QUIET_MS = const(100)  # prepare only after so much silence: a visitor in the middle of a handshake comes first
_FACTORY_NAME = const("admit-factory")


class Device:
    """One device. `ports`: a board (ports.py); `namespace`: the names of its routines file; `profile`: strangers.py, or
    None on every device that guards something.
    """

    def __init__(self, ports, namespace, profile=None):
        self._ports = ports
        self._profile = profile or Profile()
        self._suite = Suite(ports.entropy.random)
        self.clock = Clock(ports.clock, ports.storage)
        self.identity = Identity(ports.keystore, self._suite)
        self.boots = _count_boot(ports.storage)
        self.sessions = self.login = self.journal = self.preparation = None
        self._heard_ms = self.clock.monotonic_ms()
        self._wake = asyncio.Event()
        self._routines, self._outputs = collect(namespace)
        self.kiosk = Kiosk(ports.outputs, self.clock, self._output_changed)
        self.kiosk.rest(self._outputs)
        public = PublicResources(self.identity, ports.clock, {"admit": VERSION}, self._joined)
        self._exchange = Exchange(self.clock, self._send)
        self._resources = Resources(public, self._exchange.begin_handshake)
        self._exchange.serve(self._resources)
        self._listeners = [self._listener(server) for server in ports.links]
        if self.identity.state == COMMISSIONED:
            self._open_site()
            guarded(self._record_start)

    @property
    def name(self):
        """The short name that the device advertises."""
        return self.identity.device_id or _FACTORY_NAME

    async def start(self):
        """Open the device to its links."""
        for server, listener in zip(self._ports.links, self._listeners):
            await server.start(listener, self.name)
        self._show_state()

    async def run(self):
        """Serve until cancelled."""
        await self.start()
        while True:
            guarded(self.expire)
            if not guarded(self.prepare):
                await self._pause()
            await asyncio.sleep(0)

    def expire(self):
        """Do everything whose time has come; first what a routine left to be done, such as closing a door."""
        self.kiosk.expire()
        for listener in self._listeners:
            listener.expire()
        if self.sessions:
            self.sessions.expire()
            self.login.expire()
            self.journal.flush_failures()

    def prepare(self):
        """One unit of work for the next visitor, if the device is idle; False if there is nothing to do now."""
        if self.sessions is None or self.sessions.busy() or not self._quiet():
            return False
        return self.preparation.step(self.identity.key)

    def _listener(self, server):
        exchange = self._exchange
        return Listener(
            server, self.clock, self._suite.random, exchange.answer, self._gone, exchange.not_taken, self._heard
        )

    def _open_site(self):
        """Make what a commissioned device has beyond a factory one."""
        storage, identity, profile = self._ports.storage, self.identity, self._profile
        access = profile.access(storage, self.clock, identity, self._suite)
        self.journal = Journal(storage, self.clock, records.first_head(identity.key.public))
        self.preparation = Preparation(self._suite, self.boots)
        self.sessions = Sessions(
            self._suite, self.clock, profile, identity, access, self.preparation, self.journal, self._ended
        )
        self.login = Login(self.clock, self._record_login, self._show_state)
        routines = RoutineResource(self._routines, self._outputs, self.kiosk, storage, access, self.journal)
        site = SiteResources(identity, access, self.login, self.journal, self.sessions, self._health)
        self._resources.open_site(access, self.journal, self.login, routines, site)
        self._exchange.sessions = self.sessions

    def _joined(self):
        """The device has been commissioned; or again has, and what storage refused the last time is done now."""
        if self._exchange.sessions is None:
            self._open_site()
        self._settle()
        for server in self._ports.links:
            server.advertise(self.name)
        self._show_state()

    def _settle(self):
        """What follows from the credential. Done again at each start: power may fail between that and this."""
        self.clock.raise_floor(self.identity.credential.issued_at)
        if not self.journal.count:
            self.journal.record(records.COMMISSIONED, None, self.identity.device_id, records.DONE)

    def _record_start(self):
        self._settle()
        self.journal.record(records.BOOT, None, "", records.DONE, {records.COUNT: self.boots})

    def _quiet(self):
        return self.clock.monotonic_ms() - self._heard_ms >= _QUIET_MS

    async def _pause(self):
        """Sleep until something arrives, or until the next thing is due."""
        deadlines = [each.deadline() for each in self._listeners + [self.kiosk, self.sessions, self.login] if each]
        deadlines = [each for each in deadlines if each is not None]
        if self.sessions and not self._quiet():
            deadlines.append(self._heard_ms + _QUIET_MS)
        wait_ms = min(deadlines) - self.clock.monotonic_ms() if deadlines else 60 * 1000
        gc.collect()
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), max(wait_ms, 1) / 1000)
        except asyncio.TimeoutError:
            pass

    def _heard(self):
        self._heard_ms = self.clock.monotonic_ms()
        self._wake.set()

    def _gone(self, link):
        self._exchange.forget(link)
        if self.sessions:
            self.sessions.abandon(link)
            self.login.leave(link)

    def _ended(self, session):
        self._exchange.forget(session)
        self.login.close(session)

    def _send(self, link, message):
        for listener in self._listeners:
            listener.send(link, message)
        self._heard()

    def _output_changed(self, name):
        self._exchange.output_changed(name)
        self._wake.set()

    def _record_login(self, session, logged_in):
        kind = records.LOGIN if logged_in else records.LOGOUT
        self.journal.record(kind, session.subject.kid, "", records.DONE)

    def _show_state(self):
        logged_in = self.login is not None and self.login.session is not None
        self._ports.outputs.set("status", "logged in" if logged_in else self._idle_state())

    def _idle_state(self):
        return "ready" if self.identity.state == COMMISSIONED else "factory"

    def _health(self):
        free = gc.mem_free() if hasattr(gc, "mem_free") else None
        return {
            "version": VERSION,
            "boots": self.boots,
            "uptime_s": self.clock.monotonic_ms() // 1000,
            "time": self.clock.now(),
            "heap_free": free,
            "records": self.journal.count,
        }


def guarded(step):
    """Do one step of the main loop. What goes wrong in it is printed; the device goes on."""
    try:
        return step()
    except Exception as error:
        print_exception(error)
        return False


def _count_boot(storage):
    """How many times the device has started, this time included; 0 if that could not be stored, since nothing may rely
    on it then. A device whose storage refuses starts all the same, and tells its visitors why it serves them nothing.
    """
    try:
        stored = storage.read("boots")
        boots = (cbor.decode(stored) if stored else 0) + 1
        storage.write("boots", cbor.encode(boots))
    except StorageError as error:
        print_exception(error)
        return 0
    return boots
