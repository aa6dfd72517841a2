"""A kiosk under real MicroPython on its network port and its cable, without radio: whom UDP and cable tests meet.

Its site's keys are rig.py's and its clock says Wednesday at ten, so a test tells the same story every day.
"""

import json
import time
from contextlib import asynccontextmanager

from admit.client import Holder, Session, trusted_credential
from admit.connection import Connection
from admit.suite import HostSuite
from admit.transport.serial import SerialTransport
from admit.transport.udp import UdpTransport
from admit.virtual.board import VirtualBoard
from admit_protocol import cbor, coap
from admit_provisioning.commission import commission, install, make_key
from memory_ports import WEDNESDAY
from rig import ALL, Site

NAME = "kiosk-1"
HOST = "127.0.0.1"

WEEKDAYS, NIGHTS = {1: [[31, 0, 0]]}, {1: [[127, 22 * 60, 6 * 60]]}
# Alice may open the door on weekdays for three seconds at most, and use the lamp at night.
ALICES = [("/r/open", 3, WEEKDAYS | {3: {"seconds": [1, 3]}}), ("/r/light", 3, NIGHTS)]
BOBS = [("/r/light", 3, WEEKDAYS)]


class WiredKiosk:
    """A kiosk, its site, and its credential once it is commissioned."""

    def __init__(self, board):
        self.board = board
        self.site = Site()
        self.credential = None
        self._visitors = 0

    @property
    def address(self):
        """Where it listens, as Python's sockets say it."""
        return HOST, self.board.udp_port

    @property
    def uri(self):
        """Where it listens, as CoAP says it."""
        return f"coap://{HOST}:{self.board.udp_port}"

    def udp(self):
        """A new way to it over the network, from a port of its own."""
        return UdpTransport(*self.address)

    def cable(self, say=None):
        """The way to it over its cable."""
        return SerialTransport(str(self.board.cable), say)

    def visitor(self, name, rules, site=None):
        """Somebody with a key and a grant of the kiosk's site, or of another, for those rules."""
        site = site or self.site
        self._visitors += 1
        key = HostSuite().generate()
        return Holder(key, site.grant(key.public, rules, subject=name, number=self._visitors), site.anchor)

    def vouch(self, keys):
        """What the authority does for the kiosk's keys."""
        return self.site.vouch(NAME, keys.public, keys.seal_public)

    async def commission(self, admin):
        """What a technician does over the cable, proof included; (the kiosk's health, the steps that it took)."""
        steps = []
        async with Connection(self.cable()) as line:
            self.credential, health = await commission(line, admin, NAME, self.vouch, steps.append)
        return health, steps

    async def install(self):
        """The same without the proof: a kiosk with test identities need not speak method 2."""
        async with Connection(self.cable()) as line:
            self.credential = self.vouch(await make_key(line))
            await install(line, self.credential, self.site.anchor)

    def count(self, line):
        """How often the console has said so."""
        return list(self.board.console).count(line)

    def faults(self):
        """What the console says of errors in the firmware."""
        return [line for line in self.board.console if "Traceback" in line or "Error" in line]


@asynccontextmanager
async def factory_kiosk(folder, identity=None):
    """A kiosk that has just been made; `identity`: test identities (admit_device/strangers.py)."""
    settings = {"CLOCK_OFFSET_S": str(WEDNESDAY - int(time.time()))}
    if identity:
        file = folder / "identity.json"
        file.write_text(json.dumps(identity))
        settings["TEST_IDENTITY"] = str(file)
    async with VirtualBoard(folder / "board", settings=settings) as board:
        await board.expect("status factory")
        kiosk = WiredKiosk(board)
        yield kiosk
        assert kiosk.faults() == []


@asynccontextmanager
async def wired_kiosk(folder, identity=None):
    """A commissioned kiosk."""
    async with factory_kiosk(folder, identity) as kiosk:
        await (kiosk.install() if identity else kiosk.commission(kiosk.visitor("admin", ALL)))
        await kiosk.board.expect("status ready")
        yield kiosk


async def first_visit(connection, holder):
    """A session with a kiosk that the visitor has never met: its credential is asked for and checked."""
    data = await trusted_credential(connection, holder.anchor, NAME)
    session = Session(connection, holder, data)
    await session.start()
    return session


async def next_visit(connection, holder, credential):
    """A session with a kiosk that the visitor knows, and that knows the visitor's grant."""
    session = Session(connection, holder, credential, known=True)
    await session.start()
    return session


async def invoke(session, name, identifier=b"12345678", **arguments):
    """What a routine answered: [state, result]."""
    response = await session.request(coap.POST, "/r/" + name, cbor.encode({1: identifier, 2: arguments}))
    outcome = cbor.decode(response.payload)
    return [outcome[1], outcome.get(2)]


async def listed(session):
    """The names of the routines that the visitor may use now."""
    return sorted(cbor.decode((await session.request(coap.GET, "/r")).payload))
