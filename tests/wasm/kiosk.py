"""A kiosk on MicroPython's WebAssembly build: the device app as start.py runs it, on a PC's ports and JavaScript's.

Runs there only. Compiled like the firmware, and small, since it counts.
"""

import asyncio
import gc
import os
import sys

import bridge

os.urandom = lambda length: bytes.fromhex(bridge.random(length))
gc.threshold(4096)

from ports.clock import Clock
from ports.entropy import Entropy
from ports.folder import FolderStorage, make_folder

servers = {}


class Server:
    """A link server whose other end is board.mjs."""

    def __init__(self, kind, max_links):
        self.kind = kind
        self.max_links = max_links
        servers[kind] = self

    async def start(self, listener, name):
        self.listener = listener

    def send(self, link, data):
        bridge.send(self.kind, link, data.hex())

    def close(self, link):
        self.listener.closed(link)

    def advertise(self, name):
        pass


class Outputs:
    def __init__(self):
        self._values = {}

    def set(self, name, value):
        self._values[name] = value
        bridge.output(name, value)

    def get(self, name):
        return self._values.get(name)


class Keystore(FolderStorage):
    def erase(self):
        for name in self.names():
            self.remove(name)


class Board:
    name, board_id, reset_cause, test_only = "wasm", b"wasm", "power", False

    def __init__(self):
        self.faults = []
        self.storage = FolderStorage(make_folder("/data"))
        self.keystore = Keystore(make_folder("/keys"))
        self.clock = Clock(ticks_ms, ticks_diff, 0)
        self.entropy = Entropy()
        self.outputs = Outputs()
        self.links = [Server("ble", 4), Server("serial", 1)]

    port, trial = "wasm", None

    def installed(self):
        return _lent("ports.slots").installed("/up")

    def updates(self):
        return _lent("ports.updates").Updates("/up", _images)  # where the slots are, if the test has made any

    def vitals(self, *_):
        return None, 0, 0

    doing = restart = scrub = vitals  # nothing


def _images():
    import partitions

    sys.modules["esp32"] = partitions
    return _lent("ports.esp32.image")


def _lent(name):
    """A module of ports, which is forgotten as soon as nobody needs what it gives."""
    from ports.ondemand import forget

    __import__(name)
    module = sys.modules[name]
    forget(name)
    forget("ports.slots")
    return module


from time import ticks_diff, ticks_ms


def start():
    """As start.serve. On a large heap nothing is forgotten: this one only says that it is large."""
    from admit_device import ondemand

    ondemand.is_small = True
    import routines

    from admit_device.device import Device

    device = Device(Board(), routines.__dict__)
    gc.threshold(-1)
    asyncio.create_task(device.run())


def opened(kind, link, mtu):
    servers[kind].listener.opened(link, mtu)


def received(kind, link, data):
    servers[kind].listener.received(link, bytes.fromhex(data))


def confirmed(kind, link):
    servers[kind].listener.confirmed(link)


def closed(kind, link):
    servers[kind].listener.closed(link)


def collect():
    gc.collect()


def used():
    return gc.mem_alloc()


def modules():
    return " ".join([name for name in sys.modules if name.startswith(("admit_", "ports", "start", "routines"))])


def load(name):
    __import__(name)


def names():
    import micropython

    micropython.qstr_info()
