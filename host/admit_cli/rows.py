"""Rows on a terminal: a line for each of many things under way at once, with its step and bar, and above them what is
done. Off a terminal only what is done is said, a line each.
"""

import sys
from contextlib import ExitStack
from typing import Self

from admit_cli.output import safe, say


class Quiet:
    """Something that nobody looks at."""

    def step(self, name: str, words: str) -> None:
        """A step begins."""

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""


class Row:
    """The line of one thing, by its name."""

    def __init__(self, shown, name: str):
        self._shown, self._name = shown, name
        self._task = shown.add_task("", port=self._name, words="", total=None)

    def step(self, name: str, words: str) -> None:
        """A step begins."""
        self._shown.reset(self._task, port=self._name, words=f"{name}: {words}", total=None)

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""
        self._shown.update(self._task, completed=done, total=total)

    def rest(self, words: str) -> None:
        """Nothing happens there now."""
        self._shown.reset(self._task, start=False, port=self._name, words=words, total=None)

    def drop(self) -> None:
        """Nothing will happen there any more."""
        self._shown.remove_task(self._task)


class Rows:
    """The screen; a context manager."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._shown = _table() if sys.stderr.isatty() else None
        self._rows: dict[str, Row] = {}

    def __enter__(self) -> Self:
        if self._shown:
            self._open.enter_context(self._shown)
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def watcher(self, name: str):
        """Who is told of the steps of one thing."""
        if self._shown is None:
            return Quiet()
        if name not in self._rows:
            self._rows[name] = Row(self._shown, self.short(name))
        return self._rows[name]

    def short(self, name: str) -> str:
        """The name as it stands in a line."""
        return name

    def tell(self, text: str) -> None:
        """Say something that stays."""
        if self._shown:
            self._shown.console.print(safe(text), markup=False, highlight=False)
        else:
            say(text)


def _table():
    """What rows stand in: rich's, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[port]}"), BarColumn(bar_width=24), TimeElapsedColumn())
    words = TextColumn("{task.fields[words]}", markup=False)
    return Progress(*columns, words, console=Console(stderr=True), transient=True)
