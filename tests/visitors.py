"""A kiosk with a door, and people who come to it with a grant: what tests of the device need on both runtimes."""

import asyncio

from admit_device.routines import Integer, output, routine
from admit_protocol import cbor, coap, grant, oscore_client, problem
from admit_protocol.suite import Suite
from memory_ports import Dice
from rig import ALL, LONG, Phone, Rig, Site

SITE = Site()
door = output("door", at_power_loss="locks", safe="closed")


@routine("Open the door for a while.", outputs=(door,), seconds=Integer(1, 30, default=5))
def open_door(kiosk, seconds):
    kiosk.set("door", "open")
    kiosk.after(seconds, lambda: kiosk.set("door", "closed"))
    return seconds


@routine("Breaks.")
def broken(kiosk):
    raise RuntimeError("the site's own secret")


class Gate:
    """Holds back the routine `wait`, and counts how often it began."""

    def __init__(self):
        self.shut = True
        self.runs = 0


gate = Gate()


@routine("Waits at the gate.")
async def wait(kiosk):
    gate.runs += 1
    while gate.shut:
        await asyncio.sleep(0)
    return "through"


ROUTINES = {"open": open_door, "broken": broken, "wait": wait, "door": door}
OPEN = [("/r/open", 3, {})]

_keys = {}
_grants = {}


def key_of(name):
    """The login key of somebody, the same each time."""
    if name not in _keys:
        _keys[name] = Suite(Dice(name.encode()).random).generate()
    return _keys[name]


def grant_of(name, rules=ALL):
    """Their grant with these rules, signed once."""
    kind = name, repr(rules)
    if kind not in _grants:
        number = len(_grants) + 1
        _grants[kind] = SITE.grant(key_of(name).public, rules, name, number=number)
    return _grants[kind]


def id_of(data):
    """The id by which a grant is revoked."""
    return grant.parse(data).id


def new_kiosk(**options):
    """A commissioned kiosk-1, whose gate is shut."""
    gate.shut, gate.runs = True, 0
    return Rig(ROUTINES, SITE, **options)


def revocation(epoch, ids):
    """A bundle for a new kiosk-1 that takes the grants with these ids back."""
    return SITE.bundle(epoch, ids)


class Visitor(Phone):
    """Somebody at the kiosk, whose message_3 goes with the first request, and who hears what comes unasked."""

    def __init__(self, rig, name="alice", rules=ALL, server=None, by_value=True, mtu=515):
        seed = b"%s %d" % (name.encode(), rig.next_link)
        super().__init__(rig, key_of(name), grant_of(name, rules), server, mtu, seed)
        self._references = {}
        self._unheard = []
        assert self.start(by_value).code == coap.CHANGED

    def ask(self, method, path, payload=b"", options=()):
        """The inner response to one protected request; None if none came yet."""
        request = coap.request(method, path, payload, None, options)
        return self.carry(request) if len(payload) > LONG else self.put(request)

    def put(self, request):
        """The inner response to one message."""
        outer, reference = self.context.protect_request(request)
        if self.message_3:
            outer = oscore_client.combine(self.message_3, outer)
            self.message_3 = None
        self._references[bytes([self.number, self.tokens + 1])] = reference
        response = self.send(outer)
        return None if response is None else self._open(response)

    def send(self, message):
        self.tokens += 1
        message.token = bytes([self.number, self.tokens])
        self.layer.send(message, self.rig.clock.ms)
        arrived = self.pump()
        self._unheard += [each for each in arrived if each.token != message.token]
        answers = [each for each in arrived if each.token == message.token]
        return answers[0] if answers else None

    def hear(self):
        """What came since that answered no request at once: notifications and late answers."""
        arrived, self._unheard = self._unheard + self.pump(), []
        return [self._open(each) for each in arrived]

    def invoke(self, name, identifier=b"12345678", **arguments):
        """The response to an invocation."""
        return self.ask(coap.POST, "/r/" + name, cbor.encode({1: identifier, 2: arguments}))

    def watch(self, path="/r/open"):
        """The response to an Observe registration."""
        return self.ask(coap.GET, path, options=((coap.OBSERVE, 0),))

    def _open(self, message):
        if message.option(coap.OSCORE) is None:
            return message
        return self.context.unprotect_response(message, self._references[message.token])


def reason(response):
    """Why a request was refused, in problem details."""
    return problem.decode(response.payload)[problem.TITLE]


def door_in(response):
    """The state of the door that GET /r/open tells."""
    return cbor.decode(response.payload)["outputs"]["door"]["value"]
