"""Updates of virtual boards with real slots on a littlefs: firmware that came over the cable takes its next version.

One that fails, however it does, ends with the old one running and the reason on record.
"""

import asyncio
import os
import shutil
import time
import zlib
from hashlib import sha256

import pytest

from admit.client import Session, describe
from admit.connection import Connection
from admit.site import Site
from admit.transport.udp import UdpTransport
from admit_protocol import cbor, coap, journal, release
from admit_protocol.errors import AdmitError, Refused
from admit_protocol.journal_reader import parse_record
from admit_provisioning import compile
from workbench import Workbench

LIMIT_S = 90
PATIENCE_S = 60
PIECE = 2000
BYTECODE = 6
ISSUED, EXPIRES = 1_700_000_000, 4_000_000_000
MARK = b'VERSION = const("0.1.0")'
DEVICE, SETTLE = "admit_device/device", b"        settle()\n"


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory, beside):
    """A board with firmware in slot a, which belongs to a site."""
    bench = Workbench(tmp_path_factory.mktemp("provisioned"), beside)
    with bench.board() as board:
        bench.provision(board)
    bench.site.registry.close()
    return bench.folder


class Kiosk:
    """A copy of that board, and its admin; `board`: running."""

    def __init__(self, folder, beside, provisioned):
        def site(place):
            shutil.copytree(provisioned / "board", folder / "board", ignore=shutil.ignore_patterns("cable", "pid"))
            shutil.copytree(provisioned / "site", place)
            return Site(place)

        self.bench = Workbench(folder, beside, site)

    def run(self, story, **settings):
        """Run `story(kiosk)`, a coroutine function, beside the board."""
        with self.bench.board(settings=settings) as self.board:
            self.bench.do(asyncio.wait_for(story(self), LIMIT_S))
        self.bench.site.registry.close()

    def udp(self):
        return UdpTransport("127.0.0.1", self.board.udp_port)

    async def visit(self, work):
        """`await work(session)` in a session of the admin; the board is waited for."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                async with Connection(self.udp()) as connection:
                    session = Session(connection, self.bench.holder, (await describe(connection)).credential)
                    await session.start()
                    return await work(session)
            except Refused:
                raise
            except (AdmitError, OSError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)

    async def state(self):
        """GET /release, decoded."""

        async def ask(session):
            return cbor.decode((await session.request(coap.GET, "/release")).payload)

        return await self.visit(ask)

    async def settled(self):
        """The same once the trial is over, which what was staged does not outlive."""
        while (told := await self.state())[7][5] is not None:
            await asyncio.sleep(0.3)
        return told

    async def records(self):
        async def ask(session):
            page = cbor.decode((await session.request(coap.GET, "/journal", query="from=0")).payload)
            return [parse_record(each) for each in page[3]]

        return [each for each in await self.visit(ask) if each.kind == journal.RELEASE]

    def manifest(self, files, sequence=2, floor=0):
        said = (floor, ["virtual"], "virtual", BYTECODE, 9000)
        return self.bench.signer.issue_release(f"{sequence}.0", sequence, rows(files), said, ISSUED, EXPIRES)

    async def bring(self, files, old, data):
        """Bring a release; (pieces, bytes) that were sent."""
        sent = []

        async def put(session, item, content):
            have = 0
            while have < len(content):
                piece = content[have : have + PIECE]
                body = cbor.encode([item, have, len(content), piece])
                sent.append(len(body))
                have = cbor.decode((await session.request(coap.PUT, "/release", body)).payload)

        async def work(session):
            body = cbor.encode({1: 1, 2: data})
            sent.append(len(body))
            told = cbor.decode((await session.request(coap.POST, "/release", body)).payload)
            if told[2] and told[2][0][0] == 0:
                await put(session, 0, deflated(release.delta(rows(old), rows(files), set_hash(old))))
            left, names = 1, sorted(files)
            while left:
                told = cbor.decode((await session.request(coap.PUT, "/release", cbor.encode([]))).payload)
                left = told[1]
            for item, _ in told[2]:
                await put(session, item, deflated(files[names[item - 1]]))

        await self.visit(work)
        return len(sent), sum(sent)

    async def switch(self):
        async def work(session):
            return (await session.request(coap.POST, "/release", cbor.encode({1: 2}))).code

        assert await self.visit(work) == coap.CHANGED


def rows(files):
    return sorted((name, len(content), sha256(content).digest()) for name, content in files.items())


def set_hash(files):
    return sha256(b"".join(name.encode() + b"\0" + digest for name, _, digest in rows(files))).digest()


def deflated(content):
    packer = zlib.compressobj(9, zlib.DEFLATED, -12, 9)
    return packer.compress(content) + packer.flush()


def firmware(*changes):
    """The set of a virtual board; `changes`: (module, what stands in its source, what shall stand there)."""
    sources = dict(compile._sources(compile.brought() / "firmware"))
    own = compile.brought() / "boards/virtual/routines.py"
    sources["routines"] = own.read_bytes()
    for module, old, new in changes:
        assert old in sources[module], (module, old)
        sources[module] = sources[module].replace(old, new, 1)
    return compile._compiled_set(sources, "virtual", own, sources.pop("routines"))


@pytest.fixture(scope="module")
def old():
    return firmware()


@pytest.fixture
def kiosk(tmp_path, beside, provisioned):
    return Kiosk(tmp_path, beside, provisioned)


def test_a_version_that_is_good_stays(kiosk, old):
    new = firmware((DEVICE, MARK, b'VERSION = const("0.2.0")'))

    async def story(kiosk):
        before = await kiosk.state()
        assert (before[1], before[2], before[7][1], before[7][4]) == ("0.1.0", set_hash(old), "a", 0)
        pieces, sent = await kiosk.bring(new, old, kiosk.manifest(new, floor=1))
        changed = [name for name in new if new[name] != old.get(name)]
        print(
            f"{len(new)} files, {sum(map(len, new.values()))} bytes; {changed} changed: {sent} bytes, {pieces} pieces"
        )
        assert len(changed) == 1 and sent <= 6 * 1024
        await kiosk.switch()
        after = await kiosk.settled()
        assert (after[1], after[2]) == ("0.2.0", set_hash(new))
        assert [after[7][number] for number in range(1, 8)] == ["b", False, 1, 2, None, None, None]
        (record,) = await kiosk.records()
        assert (record.what, record.outcome) == ("2.0", journal.DONE)
        await kiosk.board.restart()
        assert (await kiosk.state())[7][1] == "b"

    kiosk.run(story)


BEGIN, OWN = b"        self.abandon(link)\n        responder =", b"        return identity.key, credential.id_cred"
OTHER = b"        return identity.suite.generate(), credential.id_cred"
RADIO = b'    if _number("ADMIT_RADIO_FD") is not None:\n'


def then(line):
    """A change: the device has started, and does this."""
    return DEVICE, SETTLE, SETTLE + b"        " + line


# what it does: (its change, the beginning of the reason)
BAD = {
    "throws at import": (
        ("start", b"import asyncio\n", b"import asyncio\nraise TypeError\n"),
        "trial-exception: TypeError",
    ),
    "lacks a module": (("start", b"import json\n", b"import json\nimport nowhere\n"), "trial-exception: ImportError"),
    "throws as it runs": (then(b"self.nothing()\n"), "trial-exception: AttributeError"),
    "is cancelled": (then(b"raise asyncio.CancelledError\n"), "trial-exception: CancelledError"),
    "serves nobody": (
        (
            "admit_device/resources",
            b"        if request.method not in",
            b"        self.nothing()\n        if request.method not in",
        ),
        "trial-loop: AttributeError",
    ),
    "eats the heap": (then(b"self.fat = list(range(10**9))\n"), "trial-exception: MemoryError"),
    "breaks the radio": (
        ("ports/virtual/radio", b"        self._listener = listener\n", b"        raise OSError(5)\n"),
        "trial-exception: OSError",
    ),
    "has no radio": (("ports/virtual/board", RADIO, b"    if False:\n"), "trial-links: ble"),
    "refuses handshakes": (
        ("admit_device/handshakes", BEGIN, b"        raise Malformed('no')\n        responder ="),
        "trial-handshake: refused",
    ),
    "cannot prove itself": (("admit_device/profile", OWN, OTHER), "trial-handshake: edhoc-signature-2"),
    "breaks the routines": (("routines", b'"""', b'nowhere()\n"""'), "trial-faults: routines: NameError"),
    "hangs": ((DEVICE, SETTLE, b"        while True:\n            pass\n"), "trial-no-answer: watchdog"),
    "exits": ((DEVICE, SETTLE, b"        raise SystemExit\n"), "trial-no-answer: soft"),
}


SAMPLE = BAD if os.environ.get("ADMIT_EXHAUST") else ("refuses handshakes",)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_version_that_fails_ends_with_the_old_one_and_the_reason(name, kiosk, old):
    change, expected = BAD[name]
    new = firmware(change)

    async def story(kiosk):
        await kiosk.bring(new, old, kiosk.manifest(new))
        await kiosk.switch()
        told = await kiosk.settled()
        assert (told[1], told[2], told[7][1], told[7][3]) == ("0.1.0", set_hash(old), "a", 0)
        assert told[7][6][0] == 2 and told[7][6][1].startswith(expected), told[7][6]
        (record,) = await kiosk.records()
        assert (record.outcome, record.extra[journal.REASON]) == (journal.FAILED, told[7][6][1])

    kiosk.run(story, **({"CHIP_WATCHDOG_MS": "2000"} if name == "hangs" else {}))
