"""A kiosk under real MicroPython on its network port and its cable, without radio: whom UDP and cable tests meet.

Its site's keys are rig.py's and its clock says Wednesday at ten, so a test tells the same story every day.
"""

import json
import time
from contextlib import asynccontextmanager

from admit.client import Holder
from admit.connection import Connection
from admit.suite import HostSuite
from admit.transport.serial import SerialTransport
from admit.transport.udp import UdpTransport
from admit.virtual.board import VirtualBoard
from admit_provisioning.commission import commission, device_public_key, install
from memory_ports import WEDNESDAY
from rig import ALL, Site

NAME = "kiosk-1"
HOST = "127.0.0.1"


class WiredKiosk:
    """A commissioned kiosk: its board, its site, its credential."""

    def __init__(self, board, site, credential):
        self.board = board
        self.site = site
        self.credential = credential

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


def visitor(site, name, rules, number):
    """Somebody with a key and a grant of `site` for those rules."""
    key = HostSuite().generate()
    return Holder(key, site.grant(key.public, rules, subject=name, number=number), site.anchor)


@asynccontextmanager
async def wired_kiosk(folder, identity=None):
    """A commissioned kiosk whose storage is in `folder`; `identity`: test identities (admit_device/strangers.py)."""
    site = Site()
    settings = {"CLOCK_OFFSET_S": str(WEDNESDAY - int(time.time()))}
    if identity:
        file = folder / "identity.json"
        file.write_text(json.dumps(identity))
        settings["TEST_IDENTITY"] = str(file)
    async with VirtualBoard(folder / "board", settings=settings) as board:
        await board.expect("status factory")
        async with Connection(SerialTransport(str(board.cable))) as line:
            credential = await (_install(site, line) if identity else _commission(site, line))
        await board.expect("status ready")
        yield WiredKiosk(board, site, credential)


async def _commission(site, line):
    """What a technician does, proof included."""
    admin = visitor(site, "admin", ALL, 1)
    credential, _ = await commission(line, admin, NAME, lambda public: site.vouch(NAME, public), lambda words: None)
    return credential


async def _install(site, line):
    """The same without the proof: a kiosk with test identities need not speak method 2."""
    credential = site.vouch(NAME, await device_public_key(line))
    await install(line, credential, site.anchor)
    return credential
