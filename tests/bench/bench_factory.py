"""A factory of eight blank boards at once, beside one board alone: boards an hour, by turns in the same run.

Each board is real firmware behind a line of 115200 baud, as a USB bridge is. All of it, the boards' own processors too,
runs on the cores of this machine, which a technician's laptop would have for itself.
"""

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from figures import figure

from admit_provisioning.esptool import Link
from admit_provisioning.factory import PROVISIONED, Batch, Factory
from admit_provisioning.pipeline import Order
from workbench import Notes, workbench

AT_ONCE = 8
LEAST = 5  # times the boards an hour of one
BAUD = 115_200
ROUNDS = 3


class Floor:
    """Nobody watches."""

    def watcher(self, port):
        return Notes()

    def ended(self, result):
        assert result.outcome == PROVISIONED, result

    def waiting(self, port):
        pass


def seconds(bench, hub, count):
    """How long a factory takes for so many blank boards that are plugged in already."""
    with ExitStack() as stack:
        boards = [stack.enter_context(bench.board(f"{hub}/{number}", baud=BAUD)) for number in range(count)]
        for board in boards:
            bench.do(board.expect("MicroPython v"))
        batch = Batch((str(bench.folder / hub / "*/cable"),), Order(Link("")), "door-", count)
        works = Factory(batch, bench.site, bench.signer, bench.holder, Floor())
        began = time.perf_counter()
        works.run()
        return time.perf_counter() - began


def main():
    with tempfile.TemporaryDirectory() as folder, workbench(Path(folder) / "bench") as bench:
        seconds(bench, "first", 1)  # compiles
        taken = [[seconds(bench, f"{count}-{turn}", count) for count in (1, AT_ONCE)] for turn in range(ROUNDS)]
    alone, together = (statistics.median(each) for each in zip(*taken, strict=True))
    return [
        figure("one board alone", alone, unit="s"),
        figure(f"{AT_ONCE} boards at once, on {os.cpu_count()} cores", together, unit="s"),
        figure("boards an hour at once / alone", AT_ONCE * alone / together, least=LEAST),
    ]
