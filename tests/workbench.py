"""A technician's workbench for tests: a site, boards that begin blank or ready made, and the pipeline at their cables.

Boards live in an event loop of their own (cli_kiosk.Beside), the pipeline blocks in the test, as it does in a command.
"""

from contextlib import contextmanager
from pathlib import Path

from admit.client import Holder
from admit.virtual.board import VirtualBoard
from admit_provisioning.esptool import Link
from admit_provisioning.journal import Journal
from admit_provisioning.pipeline import Order, provision
from cli_kiosk import Beside
from sites import new_site, passphrase


class Notes:
    """A watcher who writes down the steps. `at(name)` is called as a step begins, and may raise."""

    def __init__(self, at=lambda name: None):
        self.steps, self.counted, self.at = [], [], at

    def step(self, name, words):
        if not self.steps or self.steps[-1] != name:
            self.steps.append(name)
        self.at(name)

    def progress(self, done, total):
        self.counted.append((done, total))


class Workbench:
    """A site and a technician with its admin's wallet."""

    def __init__(self, folder: Path, beside: Beside, make_site=new_site):
        folder.mkdir(exist_ok=True)
        self.folder, self._beside = folder, beside
        self.site = make_site(folder / "site")
        self.signer = self.site.authority(passphrase)
        wallet = self.site.wallet("admin")
        self.holder = Holder(wallet.login_key, wallet.grants()[0].data, wallet.anchor)

    @property
    def registry(self):
        return self.site.registry

    def do(self, work):
        """Run a coroutine of a board's."""
        return self._beside.do(work)

    @contextmanager
    def board(self, name="board", **more):
        """A board whose flash is the folder `name`; blank unless it is told otherwise."""
        running = self.do(self._start(name, {"blank": True} | more))
        try:
            yield running
        finally:
            self.do(running.stop())

    async def _start(self, name, more):
        board = VirtualBoard(self.folder / name, **more)
        await board.start()
        return board

    def provision(self, board, /, name="kiosk-1", watcher=None, again=False, **order):
        """What `admit provision` does with the board at that cable."""
        journal = Journal(self.site, self.signer, name, watcher or Notes(), again)
        return provision(Order(Link(str(board.cable)), again=again, **order), journal, self.holder)

    def fingerprints(self):
        """The public keys of the registry's devices, by name."""
        return {each.id: each.public for each in self.registry.devices()}


@contextmanager
def workbench(folder):
    """A Workbench in `folder`."""
    with Beside() as beside:
        bench = Workbench(Path(folder), beside)
        yield bench
        bench.site.registry.close()
