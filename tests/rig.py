"""A device in one process, for tests on both runtimes: the real app on ports of memory, and a phone that speaks to it.

The phone speaks real bytes: GATT values, EDHOC, OSCORE. Only the radio between them is a function call.
"""

import asyncio

from admit_device.device import Device
from admit_protocol import (
    anchor,
    block_client,
    cbor,
    coap,
    cose,
    cose_encrypt,
    credential,
    edhoc,
    edhoc_client,
    grant,
    issuing,
    oscore_client,
)
from admit_protocol.coap_udp import UdpLayer
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.gatt import GattLayer
from admit_protocol.suite import Suite
from memory_ports import WEDNESDAY, Dice, HandClock, Links, Memory, Outputs
from ports.updates import Updates

LONG = 200  # bytes of a body: more goes in blocks
ALL = [("*", 127, {})]


class Site:
    """An authority in a test: keys, anchor, and what it signs."""

    def __init__(self, name="site", seed=b"site"):
        self.suite = Suite(Dice(seed).random)
        self.key = self.suite.generate()
        self.ecdh = self.suite.generate()
        self.anchor = anchor.Anchor(self.key.public, self.ecdh.public, name)

    def vouch(self, device_id, public, seal_public=None):
        """A device's credential; without a `seal_public` for one to which nothing is ever sealed."""
        site_id, kid = self.anchor.site_id, credential.kid(public)
        return issuing.credential(self.key, site_id, device_id, public, kid, WEDNESDAY - 1000, seal_public or public)

    def grant(self, public, rules, subject="alice", audience=("kiosk-1",), number=1, issued_at=WEDNESDAY - 500, **life):
        return issuing.grant(
            self.key,
            self.anchor.site_id,
            number.to_bytes(8, "big"),
            subject,
            list(audience),
            rules,
            public,
            issued_at,
            **life,
        )

    def bundle(self, epoch, revoked=(), issued_at=WEDNESDAY, device_id="kiosk-1", to=None, **more):
        """A policy bundle, sealed as `sealed` does."""
        site_id = self.anchor.site_id
        return sealed(issuing.bundle(self.key, site_id, device_id, epoch, revoked, issued_at, **more), to)


_seal_publics = []


def sealed(data, to=None):
    """`data` sealed to the device with that key (64 bytes); by default to any new rig, since all make the same."""
    if to is None and not _seal_publics:
        _seal_publics.append(Rig(None, Site()).seal_public)
    return cose_encrypt.seal(Suite(Dice(data).random), to or _seal_publics[0], data)


class Rig:
    """A device on memory ports, commissioned or not, that can be switched off and on again. It is its own board."""

    name, board_id, reset_cause = "rig", b"\x02rig\x00\x01", "power"
    test_only, faults, set_hash = False, (), None
    was_doing, done = b"", None  # before the watchdog's reset; what it was told last
    port, trial, flash = "virtual", None, None  # `flash`: the folder of an Updates
    restarted = None  # the last `repl` that restart() was given
    scrubbed = None  # the last `now` that scrub() was given

    def __init__(self, namespace=None, site=None, device_id="kiosk-1", profile=None):
        self.storage, self.keystore = Memory(), Memory()
        self.clock, self.dice, self.site = HandClock(), Dice(b"device"), site
        self.namespace, self.profile = namespace or {}, profile
        self.boot()
        if site:
            self.commission(site, device_id)

    def boot(self):
        """Switch on: RAM is empty, storage is what it was."""
        self.outputs = Outputs()
        self.radio, self.cable = Links("ble"), Links("serial", 1)
        self.links = [self.radio, self.cable]
        self.entropy = self.dice
        self.device = Device(self, self.namespace, self.profile)  # the rig is the board
        asyncio.run(self.device.start())
        self.next_link = 1

    def installed(self):
        return self.set_hash

    def vitals(self):
        used = [len(each if isinstance(each, bytes) else b"".join(each)) for each in self.storage.files.values()]
        return None, 65536, 65536 - sum(used)

    def doing(self, what):
        self.done = what

    def updates(self):
        return Updates(self.flash) if self.flash else None

    def watch(self):
        pass

    def restart(self, repl=False):
        self.restarted = repl

    def scrub(self, now=True):
        self.scrubbed = now

    def commission(self, site, device_id):
        """Join `site` over the cable, as admit_provisioning does."""
        self.site = site
        cable = Phone(self, server=self.cable)
        response = cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)}))
        answer = cbor.decode(response.payload)
        self.public, self.seal_public = [cose.decode_key(answer[number])[0] for number in (1, 3)]
        self.credential = site.vouch(device_id, self.public, self.seal_public)
        body = cbor.encode({1: self.credential, 2: site.anchor.encode(), 3: WEDNESDAY})
        response = cable.plain(coap.PUT, "/identity", body)
        assert response.code == coap.CHANGED, response

    def prepare(self):
        """Let the device be idle until it has nothing left to prepare."""
        self.clock.ms += 1000
        while self.device.prepare():
            pass

    def pass_s(self, seconds):
        """Let time go by, and the device do what falls due."""
        self.clock.pass_s(seconds)
        self.device.expire()


class Phone:
    """A client over one link of a rig. `key`, `grant`: who it is; `method`: EDHOC's."""

    def __init__(self, rig, key=None, grant_data=None, server=None, mtu=515, seed=b"phone"):
        self.rig = rig
        self.server = server or rig.radio
        self.suite = Suite(Dice(seed).random)
        self.key = key
        self.grant = grant_data
        self.number = rig.next_link
        rig.next_link += 1
        self.layer = GattLayer(False, mtu) if self.server.kind == "ble" else UdpLayer(self.suite.random)
        self.tokens = 0
        self.context = None
        self.server.listener.opened(self.number, mtu)

    def plain(self, method, path, payload=b"", content_format=None):
        """One unprotected request, one response."""
        return self.send(coap.request(method, path, payload, content_format))

    def send(self, message):
        """Send a message as it is; the response, or None."""
        self.tokens += 1
        message.token = self.number.to_bytes(2, "big") + self.tokens.to_bytes(2, "big")
        self.layer.send(message, self.rig.clock.ms)
        answers = self.pump()
        return answers[0] if answers else None

    def pump(self):
        """Carry values both ways until nobody has anything to say; every message that reached the phone."""
        answers = []
        while True:
            value = self.layer.outgoing(self.rig.clock.ms)
            if value is not None:
                self.server.listener.received(self.number, value)
            waiting = self.server.sent.pop(self.number, [])
            for each in waiting:
                answers += self.layer.receive(each, self.rig.clock.ms)
                self.server.listener.confirmed(self.number)
            if value is None and not waiting:
                return answers

    def start(self, by_value=True, method=2, c_i=b"\x17"):
        """message_1 and message_2; keeps message_3 for the first request. Returns the device's response."""
        own = edhoc.cwt_credential(self.grant, grant.kid_of(self.grant))
        id_cred_i = edhoc.by_value(own.data) if by_value else own.id_cred
        self.initiator = Initiator(self.suite, method, [2], self.key, id_cred_i, own, c_i)
        body = edhoc_client.encode_prefixed(None, self.initiator.message_1())
        response = self.plain(coap.POST, "/.well-known/edhoc", body)
        if response.code == coap.CHANGED:
            self.initiator.parse_message_2(response.payload)
            self.initiator.verify_message_2(edhoc.cwt_credential(self.rig.credential))
            self.message_3 = self.initiator.message_3()
            secret, salt = self.initiator.oscore()
            self.context = oscore_client.ClientContext(self.suite, secret, salt, self.initiator.c_r, self.initiator.c_i)
        return response

    def login(self, by_value=True):
        """EDHOC with its three messages apart; the response to message_3."""
        self.start(by_value)
        return self.send_message_3()

    def send_message_3(self):
        """The response to message_3, alone."""
        body = edhoc_client.encode_prefixed(self.context.sender_id, self.message_3)
        self.message_3 = None
        return self.plain(coap.POST, "/.well-known/edhoc", body)

    def request(self, method, path, payload=b"", query=""):
        """One protected request; the inner response, or the outer one if the device did not protect it."""
        options = [(coap.URI_QUERY, query)] if query else ()
        request = coap.request(method, path, payload, None, options)
        return self.carry(request) if len(payload) > LONG else self.put(request)

    def carry(self, request, block_size=256):
        """The whole response to a request, both in as many inner blocks as they need."""
        if getattr(self, "message_3", None):
            told = self.send_message_3()
            if told.code != coap.CHANGED:
                return told
        transfer = block_client.Transfer(request, block_size)
        while True:
            part = transfer.next()
            if part is None:
                return transfer.response
            transfer.answer(self.put(part))

    def put(self, request):
        """The inner response to one message, or the outer one if the device did not protect it."""
        outer, reference = self.context.protect_request(request)
        if getattr(self, "message_3", None):
            outer = oscore_client.combine(self.message_3, outer)
            self.message_3 = None
        response = self.send(outer)
        if response is None or response.option(coap.OSCORE) is None:
            return response
        return self.context.unprotect_response(response, reference)
