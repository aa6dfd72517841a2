"""The factory's screen: a line for each port with its board's step and bar, and above them what is done.

Off a terminal a line is said for each board that is done or has failed, and nothing else.
"""

import sys
from contextlib import ExitStack

from admit_cli.output import safe, say


class Quiet:
    """A port that nobody looks at."""

    def step(self, name: str, words: str) -> None:
        """A step begins."""

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""


class Row:
    """A port's line on the screen."""

    def __init__(self, shown, port: str):
        self._shown, self._port = shown, _short(port)
        self._task = shown.add_task("", port=self._port, words="", total=None)

    def step(self, name: str, words: str) -> None:
        """A step begins."""
        self._shown.reset(self._task, port=self._port, words=f"{name}: {words}", total=None)

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""
        self._shown.update(self._task, completed=done, total=total)

    def rest(self, words: str) -> None:
        """Nothing happens there now."""
        self._shown.reset(self._task, start=False, port=self._port, words=words, total=None)

    def drop(self) -> None:
        """Nothing will happen there any more."""
        self._shown.remove_task(self._task)


class FactoryScreen:
    """What the factory tells: the Floor of admit_provisioning.factory."""

    def __init__(self, wanted: int | None):
        self._wanted = wanted
        self._made = 0
        self._open = ExitStack()
        self._shown = table() if sys.stderr.isatty() else None
        self._rows: dict[str, Row] = {}

    def __enter__(self) -> "FactoryScreen":
        if self._shown:
            self._open.enter_context(self._shown)
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def watcher(self, port: str):
        """Who is told of a port's steps."""
        if self._shown is None:
            return Quiet()
        if port not in self._rows:
            self._rows[port] = Row(self._shown, port)
        return self._rows[port]

    def ended(self, result) -> None:
        """A board is done, or has failed."""
        made = result.outcome in ("provisioned", "installed")
        self._made += made
        told = f"{result.device_id or result.board_id or '-'}  {result.outcome}  {_short(result.port)}"
        if result.reason:
            told += f"  {result.detail or result.reason} ({result.reason})"
        if made:
            of = f" of {self._wanted}" if self._wanted else ""
            told += f"  {sum(result.seconds.values()):.1f} s  [{self._made}{of}]"
        if self._shown:
            self._shown.console.print(safe(told), markup=False, highlight=False)
        else:
            say(told)

    def waiting(self, port: str) -> None:
        """The port wants another board."""
        if port in self._rows:
            self._rows[port].rest("plug in the next board")


def table():
    """What rows stand in: rich's, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[port]}"), BarColumn(bar_width=24), TimeElapsedColumn())
    words = TextColumn("{task.fields[words]}", markup=False)
    return Progress(*columns, words, console=Console(stderr=True), transient=True)


def _short(port: str) -> str:
    return port.removeprefix("/dev/")
