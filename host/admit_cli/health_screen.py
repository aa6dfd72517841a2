"""The screen of `admit health --watch`: one table, drawn anew each round; off a terminal a line for each sample."""

import sys
import time
from contextlib import ExitStack

from admit_cli.output import Output, safe, say

COLUMNS = {
    "device": 12,
    "state": 6,
    "version": 8,
    "slot": 4,
    "up": 12,
    "starts": 6,
    "reset": 8,
    "heap": 8,
    "heap_low": 8,
    "space": 10,
    "epoch": 5,
    "knocks": 6,
    "looks": 0,
}  # widths off a terminal
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red", "silent": "red"}


class HealthScreen:
    """Shows rounds of rows, whose keys are COLUMNS and more, through `out` or on the terminal."""

    def __init__(self, out: Output, of: str, every: int):
        self._out, self._of, self._every = out, of, every
        self._open = ExitStack()
        self._live = None if out.as_json or not sys.stdout.isatty() else _live()

    def __enter__(self) -> "HealthScreen":
        if self._live:
            self._open.enter_context(self._live)
        else:
            say(f"Watching {self._of}, every {self._every} s; Ctrl-C ends it.")
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def show(self, rows: list[dict]) -> None:
        """A round is over."""
        if self._live:
            self._live.update(
                _table(rows, f"{self._of}, {time.strftime('%H:%M:%S')}, every {self._every} s"), refresh=True
            )
            return
        for row in rows:
            self._out.line("device", row, COLUMNS)


def _live():
    from rich.console import Console
    from rich.live import Live

    return Live(console=Console(), auto_refresh=False)


def _table(rows: list[dict], caption: str):
    from rich.table import Table
    from rich.text import Text

    shown = [name for name in COLUMNS if any(row[name] is not None for row in rows)]
    table = Table(caption=caption, box=None, pad_edge=False, caption_justify="left")
    for name in shown:
        table.add_column(name.upper().replace("_", " "), no_wrap=name != "looks", overflow="fold")
    for row in rows:
        cells = [Text(_text(row[name]), style=_STYLES.get(row[name], "") if name == "state" else "") for name in shown]
        table.add_row(*cells)
    return table


def _text(value) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else safe(str(value)).replace("\n", " ")
