"""A whole provision of a blank virtual board, beside the time that its bytes take on the line alone.

The floor is all bytes that crossed the line, both ways, at ten bits a byte. What is above it is the board's and the
host's own work, and their waiting for each other.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from figures import figure

from workbench import workbench

LIMIT = 1.2
BITS_A_BYTE = 10
RATES = (115_200, 921_600)
ROUNDS = 5  # the best counts: others use this machine too


def provision(bench, name, baud):
    """(seconds, seconds of the floor, seconds of the second time) of one board."""
    with bench.board(name, baud=baud) as board:
        bench.do(board.expect("MicroPython v"))
        counts = board.chip.line.counts
        began = time.perf_counter()
        bench.provision(board, name)
        took = time.perf_counter() - began
        floor = sum(counts.values()) * BITS_A_BYTE / baud
        began = time.perf_counter()
        bench.provision(board, name)
        return took, floor, time.perf_counter() - began


def main():
    figures = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        bench = stack.enter_context(workbench(Path(folder) / "bench"))
        for baud in RATES:
            taken = [provision(bench, f"kiosk-{baud}-{number}", baud) for number in range(ROUNDS)]
            took, floor, again = min(taken)
            figures += [
                figure(f"provision at {baud:,} baud", took, unit="s"),
                figure(f"its floor at {baud:,} baud", floor, unit="s"),
                figure(f"provision / floor at {baud:,} baud", took / floor, LIMIT),
                figure(f"provision of what is done already at {baud:,} baud", again, 1.0, "s"),
            ]
    return figures
