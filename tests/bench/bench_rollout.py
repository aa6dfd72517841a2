"""What an update costs on the link, and a rollout to twenty kiosks with a bad release among them.

Bytes are those of all CoAP messages in both directions: handshakes, the manifest, the pieces, the proof afterwards. The
floor of a transfer is the compressed content itself. The twenty are virtual boards that the real provisioning made.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

from figures import figure

from admit import device_release, rollouts, updating
from admit.rollouts import Rollout
from admit.transport import virtual
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.visit import visit
from admit_protocol.errors import Conflict
from update_bench import Nobody, Way, release
from workbench import workbench

KIOSKS = 20
MTU = 300
PATIENCE = updating.Patience(back=300, pause=0.5, leaves=2)


def main():
    """The figures."""
    with tempfile.TemporaryDirectory() as folder, workbench(Path(folder) / "site") as bench:
        yield from one_file(bench)
        yield from overhead(bench)
        yield from rollout(bench)


def one_file(bench):
    """One changed file of 4 KB, over UDP."""
    with bench.board("one") as board:
        bench.provision(board, "kiosk-1")
        made = release(bench, "1.0", "one file")
        outcome = Way(bench, board).update(made)
        size = next(size for name, size, _ in made.rows if name == "routines.mpy")
        yield figure("update: bytes of the set", made.manifest.total)
        yield figure("update: bytes of the file that changed", size, least=4000)
        yield figure("update: of these and the list, compressed (the floor)", outcome.sent)
        yield figure("update: bytes moved", outcome.moved, 6 * 1024)


def overhead(bench):
    """Bytes a byte of a large file, over BLE at an MTU at which blocks of 256 bytes fit."""
    air = Air()
    bench.do(air.start())
    try:
        with bench.board("two", air=air.name) as board, mock.patch.object(virtual, "WANTED_MTU", MTU):
            bench.provision(board, "kiosk-2")
            made = release(bench, "1.1", "large", f"MORE = {os.urandom(16_000)!r}")
            moved, sent, pieces = asyncio.run(_sent(bench, made, air.name))
    finally:
        bench.do(air.stop())
    yield figure(f"transfer at MTU {MTU}: bytes of a piece", sent / pieces)
    yield figure(f"transfer at MTU {MTU}: bytes moved a byte", moved / sent, 1.25)


async def _sent(bench, made, air):
    """(bytes moved, bytes of the release, pieces) of all pieces."""
    told, put, radio = [0, 0, 0], device_release.put, SharedRadio(air)

    async def counted(session, item, offset, length, data):
        before = session.connection.moved
        have = await put(session, item, offset, length, data)
        for place, more in enumerate((session.connection.moved - before, len(data), 1)):
            told[place] += more
        return have

    def reach():
        return visit(BleTransport("kiosk-2", radio=radio), bench.site.wallet("admin"), "kiosk-2")

    with mock.patch.object(device_release, "put", counted), contextlib.suppress(Conflict):
        await updating.Update(reach, made, Nobody(), bench.registry.set_files, lambda: False).run()
    return told


def rollout(bench):
    """A good release to all, a bad one to all, and a mended one."""
    names = [f"lobby-{number:02}" for number in range(1, KIOSKS + 1)]
    with contextlib.ExitStack() as power:
        fleet = {name: power.enter_context(bench.board(name)) for name in names}
        for name, board in fleet.items():
            bench.provision(board, name)
        good = rolled_out(bench, fleet, release(bench, "1.2", "good"))
        bad = rolled_out(bench, fleet, release(bench, "1.3", "bad", "raise ValueError('a typo')"), pause_on=2)
        still = sum(Way(bench, fleet[name], name).ask(device_release.read).sequence == 3 for name in names)
        mended = rolled_out(bench, fleet, release(bench, "1.4", "mended"))
    yield figure("rollout to 20: kiosks that run a good release", good["updated"], least=KIOSKS)
    yield figure("rollout of a bad one: kiosks that it reached", bad["failed"], 2)
    yield figure("rollout of a bad one: kiosks that run the old one afterwards", still, least=KIOSKS)
    yield figure("rollout of a mended one: kiosks that run it", mended["updated"], least=KIOSKS)


def rolled_out(bench, fleet, made, pause_on=2):
    """How many devices are where at the end."""
    registry = bench.registry
    number = registry.begin_rollout(made.manifest.sequence, "1,10%,50%,100%", pause_on, list(fleet), 1)[0].id

    def deliver(device_id, may_switch):
        reach = Way(bench, fleet[device_id], device_id)
        return updating.Update(reach, made, Nobody(), registry.set_files, may_switch, PATIENCE).run()

    asyncio.run(Rollout(registry, number, deliver, _Silence(), time.time, 2).run())
    states = [each.state for each in registry.arrivals(number)]
    return {state: states.count(state) for state in (rollouts.UPDATED, rollouts.FAILED)}


class _Silence:
    """Nobody watches the rollout."""

    def stage(self, number, of, target):
        pass

    def ended(self, device_id, state, outcome, error):
        pass
