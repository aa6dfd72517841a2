"""Kiosks that are brought releases, for tests: made by the real provisioning, reached over UDP or the radio.

Each part of a release's content is what a site would change: its routines file.
"""

import asyncio
import hashlib
import time
from contextlib import asynccontextmanager
from functools import cache

from admit import releasing
from admit.transport import open_transport
from admit.updating import Patience, Rollback, Update
from admit.visit import visit
from admit_provisioning import compile, fleet
from imports import ROOT

QUICK = Patience(back=60, pause=0.1, leaves=1.1)
BYTES = 3450  # which with a routines file's code make 4 KB
SYMBOLS = 56  # of which they are made, so that deflate makes of them about what it makes of our own modules


class Nobody:
    """A watcher who looks away; the steps are kept."""

    def __init__(self):
        self.steps, self.counted = [], []

    def step(self, name, words):
        self.steps.append(name)

    def progress(self, done, total):
        self.counted.append((done, total))


def noise(seed, length=BYTES):
    """Bytes that look random, the same ones for each seed."""
    pieces = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(length // 32 + 1))
    return bytes(each % SYMBOLS for each in b"".join(pieces)[:length])


def routines(folder, seed, more=""):
    """The board's own routines file with something else in it."""
    file = folder / f"{hashlib.sha256(repr((seed, more)).encode()).hexdigest()[:12]}.py"
    source = (ROOT / "boards/virtual/routines.py").read_text()
    file.write_text(f"{source}\nSITE = {noise(seed)!r}\n{more}\n")
    return file


def release(bench, version, seed="first", more="", **wished):
    """A release of the firmware with other routines. `bench`: whatever has a folder, a site and its signer."""
    kind, made = _firmware()
    file = routines(bench.folder, seed, more)
    own = {"routines.mpy": compile._compiled_routines(file, file.read_bytes())}  # as in a set of its own, but sooner
    wish = releasing.Wish(version, [kind.name], kind.port, fleet.BYTECODE, **wished)
    return releasing.build(bench.site.registry, bench.signer, wish, made.files | own, int(time.time()))


@cache
def _firmware():
    return fleet.common(["virtual"], None)


class Way:
    """How a technician reaches a board over UDP; `tap(connection)` is called with each connection."""

    def __init__(self, bench, board, device_id="kiosk-1", tap=lambda connection: None):
        self.bench, self.board, self.device_id, self.tap = bench, board, device_id, tap

    @asynccontextmanager
    async def __call__(self):
        transport = open_transport(f"udp://127.0.0.1:{self.board.udp_port}")
        async with visit(transport, self.bench.site.wallet("admin"), self.device_id) as session:
            self.tap(session.connection)
            yield session

    def update(self, made, **more):
        """What `admit update` does with one device: its outcome."""
        watcher = more.pop("watcher", Nobody())
        more = {"known": self.bench.registry.set_files, "patience": QUICK} | more
        return asyncio.run(Update(self, made, watcher, **more).run())

    def roll_back(self):
        """What `admit rollback` does."""
        return asyncio.run(Rollback(self, Nobody(), QUICK).run())

    def ask(self, question):
        """question(session), in a session."""

        async def ask():
            async with self() as session:
                return await question(session)

        return asyncio.run(ask())
