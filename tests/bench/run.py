"""Prints the figures that the project promises, each beside its limit: `make bench`.

Each tests/bench/bench_*.py has a `main()` that returns its figures, a list of figure(what, value, limit=None, unit="",
least=None): counts, bytes, or ratios of two times that were measured by turns. The exit code is 1 if a figure is over
its limit, or below its least.
Arguments choose benches by name: `run.py cli p256`.
"""

import importlib
import sys
from pathlib import Path

from figures import over
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def benches(chosen):
    """(name, figures) of each bench, as soon as it has run."""
    for path in sorted(HERE.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if not chosen or name in chosen:
            yield name, importlib.import_module(path.stem).main()


def text(value):
    """A number as people read it."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if isinstance(value, float) else str(value)


def main(chosen):
    sys.path[:0] = [str(ROOT / folder) for folder in ("firmware", "host", "provisioning", "tests")]
    console = Console()
    failed = False
    for name, figures in benches(chosen):
        table = Table(title=name, title_justify="left")
        table.add_column("figure")
        for heading in ("now", "limit", ""):
            table.add_column(heading, justify="right")
        for each in figures:
            failed |= over(each)
            bound = text(each.limit) if each.least is None else f"≥ {text(each.least)}"
            verdict = "" if not bound else "over" if over(each) else "ok"
            table.add_row(each.what, f"{text(each.value)} {each.unit}".strip(), bound, verdict)
        console.print(table)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
