"""What attackers on a device's links have in hand: raw messages, other people's bytes, and a site's papers altered.

Beside visitors.py, whose people are honest. Routines here count how often they ran.
"""

import asyncio

from admit_device.routines import output, routine
from admit_protocol import aif, block_client, cbor, coap, edhoc_client, oscore_client, problem
from admit_protocol.p256_curve import N
from admit_protocol.suite import Suite
from memory_ports import Dice
from rig import Phone, Rig, Site

door = output("door", at_power_loss="locks", safe="closed")
runs = []
gate = []


@routine("Open the door.", outputs=(door,))
def open_door(kiosk):
    runs.append("open")
    kiosk.set("door", "open")
    kiosk.after(5, lambda: kiosk.set("door", "closed"))


@routine("Takes its time.")
async def slow(kiosk):
    runs.append("slow")
    while gate:
        await asyncio.sleep(0)
    return len(runs)


@routine("Answers with what CBOR has no word for.")
def odd(kiosk):
    runs.append("odd")
    return 0.5


NAMES = {"open": open_door, "slow": slow, "odd": odd, "door": door}
SITE = Site()
OTHER = Site("other", b"other")
ALICE = Suite(Dice(b"alice").random).generate()
BOB = Suite(Dice(b"bob").random).generate()
RULES = [("/r/*", aif.GET | aif.POST, {})]
ALICES = SITE.grant(ALICE.public, RULES)
BOBS = SITE.grant(BOB.public, RULES, subject="bob", number=2)


def kiosk():
    runs.clear()
    return Rig(NAMES, SITE)


def visitor(rig, key=ALICE, data=ALICES, server=None, seed=b"phone"):
    """A phone whose message_3 is ready to go with its first request."""
    phone = Phone(rig, key, data, server, seed=seed)
    assert phone.start().code == coap.CHANGED
    return phone


def invocation(identifier=b"12345678"):
    return cbor.encode({1: identifier})


def invoke(phone, name="open", identifier=b"12345678"):
    return phone.request(coap.POST, "/r/" + name, invocation(identifier))


def protected(phone, method=coap.POST, path="/r/open", payload=None, options=()):
    """A protected request that is not sent yet, with message_3 if that still has to go: (outer message, reference)."""
    inner = coap.request(method, path, invocation() if payload is None else payload, None, options)
    outer, reference = phone.context.protect_request(inner)
    if phone.message_3:
        outer = oscore_client.combine(phone.message_3, outer)
        phone.message_3 = None
    return outer, reference


def ask(phone, method, path, options=(), payload=b""):
    """The inner response to a protected request with such inner options."""
    outer, reference = protected(phone, method, path, payload, options)
    return phone.context.unprotect_response(phone.send(outer), reference)


def edhoc_post(phone, c_r, message):
    return phone.plain(coap.POST, "/.well-known/edhoc", edhoc_client.encode_prefixed(c_r, message))


def refused(response):
    """The reason in an EDHOC error message."""
    assert (response.code, response.uint(coap.CONTENT_FORMAT)) == (coap.BAD_REQUEST, coap.CONTENT_EDHOC)
    return edhoc_client.parse_error(response.payload)[1]


def title(response):
    return problem.decode(response.payload)[problem.TITLE]


def upload(phone, method, path, payload):
    """The response to a plain request in as many blocks as it needs."""
    transfer = block_client.Transfer(coap.request(method, path, payload), 1024)
    part = transfer.next()
    while part is not None:
        transfer.answer(phone.send(part))
        part = transfer.next()
    return transfer.response


def dressed(data, clothes):
    """The same signed thing with an unprotected header, which no signature covers."""
    item = cbor.decode(data)
    item.value[1] = {99: clothes}
    return cbor.encode(item)


def mirrored(data):
    """The same signed thing with the other signature that verifies as well: (r, N - s)."""
    item = cbor.decode(data)
    r_s = item.value[3]
    item.value[3] = r_s[:32] + (N - int.from_bytes(r_s[32:], "big")).to_bytes(32, "big")
    return cbor.encode(item)
