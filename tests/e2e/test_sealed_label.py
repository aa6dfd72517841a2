"""A board gets a sealed label over its cable, and joins a site by radio: real MicroPython, real BLE bytes."""

import asyncio

import pytest

from admit.client import Holder
from admit.connection import Connection
from admit.transport import ble, open_transport
from admit.transport.ble import BleTransport
from admit.transport.virtual import SharedRadio
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from admit_protocol import coap, label
from admit_protocol.errors import Conflict, NotFound, Untrusted
from admit_provisioning import by_radio, sealed
from admit_provisioning.journal import Journal
from kiosks import authority, make_site, visiting

SECRET = bytes(range(16))
OTHER = bytes(range(1, 17))


class Silence:
    """Nobody watches."""

    def step(self, name, words):
        pass

    def progress(self, done, total):
        pass


class Bench:
    """A technician with a site, an air, and a factory board on it."""

    def __init__(self, folder, board, air):
        self.site = make_site(folder / "site")
        self.board, self.air = board, air

    async def label(self, secret=SECRET):
        async with Connection(open_transport(str(self.board.cable))) as cable:
            return await sealed.seal(cable, secret)

    async def provision(self, secret=SECRET, device_id="kiosk-1", link="ble", step=None):
        wallet = self.site.wallet("admin")
        holder = Holder(wallet.login_key, wallet.grants()[0].data, wallet.anchor)
        journal = Journal(self.site, authority(self.site), device_id, step or Silence())
        journal.signer.unlock()
        return await by_radio._provision(link, secret, journal, holder)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Runs `work(bench)` beside a factory board."""

    monkeypatch.setattr(ble, "SCAN_TIMEOUT_S", 1.5)  # on this air everybody is near

    def run(work):
        async def beside():
            air = Air()
            await air.start()
            monkeypatch.setenv("ADMIT_BLE", air.name)
            try:
                async with VirtualBoard(tmp_path / "board", air=air.name) as board:
                    await board.expect("status factory")
                    await work(Bench(tmp_path, board, air))
            finally:
                await air.stop()

        asyncio.run(beside())

    return run


def test_who_holds_the_label_takes_the_board_in_by_radio_and_twice_is_as_good_as_once(bench):
    async def work(bench):
        public = await bench.label()
        done = await bench.provision()
        assert await bench.board.expect("status ready")
        assert done.proof.health["board"] and bench.site.registry.device("kiosk-1").public == public
        assert SECRET not in (bench.board.storage / "keys/identity").read_bytes()
        again = await bench.provision()  # the label is dead: the device is found by its name, and proven
        assert again.credential == done.credential
        async with visiting(bench.site, "alice", SharedRadio(bench.air.name)) as session:
            assert (await session.request(coap.GET, "/r")).code == coap.CONTENT
        with pytest.raises(Conflict, match="identity-commissioned"):
            await bench.label(OTHER)

    bench(work)


def test_another_label_a_restart_and_a_lost_answer(bench):
    async def work(bench):
        with pytest.raises(NotFound, match="ble-not-found"):
            await near(bench, label.advertised_name(SECRET))
        async with Connection(BleTransport("admit-factory", radio=SharedRadio(bench.air.name))) as line:
            with pytest.raises(NotFound, match="sealed-none"):
                await sealed.unseal(line, SECRET)
        await bench.label(OTHER)
        await bench.label(SECRET)
        name = sealed.link_name(SECRET)
        with pytest.raises(Untrusted, match="sealed-other"):
            await bench.provision(OTHER, link=name)
        assert bench.site.registry.devices() == []
        await bench.board.restart()
        await bench.board.expect("status factory")
        watcher = PowerCut(bench.board, "lock")
        with pytest.raises(Exception, match="link-dropped|request-unanswered|request-timeout"):
            await bench.provision(step=watcher)
        await bench.board.start()
        await bench.board.expect("status factory")
        done = await bench.provision()
        assert done.credential == bench.site.registry.device("kiosk-1").credential

    bench(work)


async def near(bench, name):
    found = await ble.scan(0.5, SharedRadio(bench.air.name), name)
    if not found:
        raise NotFound("ble-not-found")


class PowerCut(Silence):
    """Cuts the board's power when a step begins."""

    def __init__(self, board, at):
        self.board, self.at = board, at
        self.task = None

    def step(self, name, words):
        if name == self.at:
            self.task = asyncio.get_running_loop().create_task(self.board.kill())
