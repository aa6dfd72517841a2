"""Everything that the command line prints, and everything that it asks.

Rules: data goes to stdout, all else to stderr. Colour only on a terminal, and never with NO_COLOR. JSON has a schema
version; its keys do not change their meaning within one. What cannot be undone is asked for, and without a terminal a
missing answer is an error. Nothing that somebody else said can steer the terminal.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

import click

SCHEMA = 1

_WIDTH = 110  # of the demo's screen
_WIPE = "\x1b[H\x1b[2J\x1b[3J"  # ECMA-48: to the first place, erase the screen; xterm's: and what was scrolled away

_COLOURS = {"allowed": "green", "denied": "red", "counts": "green", "revoked": "red", "ended": "yellow"}
_COLOURS |= {"ok": "green", "warn": "yellow", "fail": "red"}


class Output:
    """Prints one command's data, as text or as JSON."""

    def __init__(self, as_json: bool):
        self._as_json = as_json

    @property
    def as_json(self) -> bool:
        """Whether a program reads it: it is told no secret."""
        return self._as_json

    def rows(self, name: str, rows: list[dict], columns: list[str], none: str = "") -> None:
        """A list: the given columns as text, everything as JSON. `none` is said if it is empty."""
        if self._as_json:
            self._json(name, rows)
        elif rows:
            _print_table(rows, columns)
        elif none:
            say(none)

    def lines(self, name: str, value, lines: Iterable[str]) -> None:
        """What is told in lines of its own: those as text, `value` as JSON."""
        if self._as_json:
            self._json(name, value)
            return
        for text in lines:
            _print(safe(text))

    def line(self, name: str, row: dict, widths: dict[str, int]) -> None:
        """One row of a list that has no end: its columns, each at least so wide, or a line of JSON."""
        if self._as_json:
            _print(json.dumps({"schema": SCHEMA, name: _plain(row)}, ensure_ascii=False))
            return
        cells = [_coloured(f"{_text(row[key]):{width}}", sys.stdout) for key, width in widths.items()]
        _print("  ".join(cells).rstrip())

    def fields(self, name: str, fields: dict, shown: list[str] | None = None) -> None:
        """One thing: its fields, or those that are shown, line by line as text, everything as JSON."""
        if self._as_json:
            self._json(name, fields)
            return
        shown = [key for key in shown or fields if fields[key] not in (None, [])]
        width = max((len(key) for key in shown), default=0)
        for key in shown:
            _print(f"{key.replace('_', ' '):{width}}  {_coloured(_text(fields[key]), sys.stdout)}")

    def _json(self, name: str, value) -> None:
        _print(json.dumps({"schema": SCHEMA, name: _plain(value)}, ensure_ascii=False, indent=2))


def show_secret(text: str, picture: list[str]) -> None:
    """Show a secret, this once, to whoever sits at the terminal; the caller has seen to it that there is one."""
    for line in [*picture, text]:
        _print(line)


def show_in_turn(pages: list[list[str]], when_read: str) -> None:
    """Show secrets one after the other, each until Enter is pressed; then it is gone from the terminal.

    The caller has seen to it that there is one.
    """
    for page in pages:
        for line in page:
            _print(line)
        click.prompt(when_read, default="", show_default=False, prompt_suffix="", err=True)
        _wipe_terminal()


def ask_shown(question: str) -> str:
    """A line that somebody types where they can see it; then it is gone from the terminal."""
    answer = click.prompt(question, err=True)
    _wipe_terminal()
    return answer


def _wipe_terminal() -> None:
    """Take everything off the terminal, what was scrolled away too."""
    if os.environ.get("TERM") != "dumb":
        print(_WIPE, end="", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Tell people what happened."""
    print(safe(text), file=sys.stderr)


def story(text: str, ending: str = "", heading: bool = False) -> None:
    """A line of the demo, which is what the demo prints: what happens, and at its right how long it took."""
    width = max(_WIDTH - len(text), 1)
    text = safe(text)
    _print(f"{_style(text, 'bold', sys.stdout) if heading else text}{ending:>{width}}".rstrip())


def progress(text: str) -> None:
    """Tell people at a terminal what is going on; nobody else."""
    if sys.stderr.isatty():
        print(_style(safe(f"… {text}"), "bright_black", sys.stderr), file=sys.stderr)


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for people at a terminal, nothing for anybody else: call it with (done, of how many)."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = (f"… {safe(title)}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def warn(text: str) -> None:
    """Tell people what they should look at."""
    print(f"{_style('warning', 'yellow', sys.stderr)}: {safe(text)}", file=sys.stderr)


def fail(cause: str, hint: str = "", notes: Iterable[str] = ()) -> None:
    """Tell people what went wrong, what is to be known of it, and what to try next."""
    print(f"{_style('error', 'red', sys.stderr)}: {safe(cause)}", file=sys.stderr)
    for note in notes:
        print(safe(note), file=sys.stderr)
    if hint:
        print(f"{_style('try', 'cyan', sys.stderr)}: {hint}", file=sys.stderr)


def confirm(question: str, yes: bool) -> None:
    """Go on only with a yes: `yes` is the answer given beforehand. Raises click.Abort for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on: give --yes")
    click.confirm(question, abort=True, err=True)


class StepsOnScreen:
    """Shows people at a terminal each step of long work, with a bar while it counts bytes; nothing to anybody else."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._show: Callable[[int, int], None] | None = None
        self._words = ""

    def __enter__(self) -> "StepsOnScreen":
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()

    def step(self, name: str, words: str) -> None:
        """A step begins."""
        self._bar.close()
        self._show, self._words = None, words
        progress(words)

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""
        if self._show is None:
            self._show = self._bar.enter_context(bar(self._words))
        self._show(done, total)


def _print(text: str) -> None:
    print(text, flush=True)  # a login prints, and then waits


def _print_table(rows: list[dict], columns: list[str]) -> None:
    """Rows under their headings; a column in which no row has anything is left out."""
    columns = [column for column in columns if any(row[column] not in (None, []) for row in rows)]
    headings = [column.upper().replace("_", " ") for column in columns]
    lines = [headings] + [[_text(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for number, line in enumerate(lines):
        cells = [f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)]
        if number:
            cells = [_coloured(cell, sys.stdout) for cell in cells]
        else:
            cells = [_style(cell, "bold", sys.stdout) for cell in cells]
        _print("  ".join(cells).rstrip())


def _text(value) -> str:
    if isinstance(value, list):
        return "; ".join(_text(each) for each in value)
    return "-" if value is None else safe(str(_plain(value))).replace("\n", " ")


def _plain(value):
    from admit.plain import plain  # here, so that --help loads nothing of it

    return plain(value)


def safe(text: str) -> str:
    """Text without control characters: what a device or a file says must not steer the terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


def _coloured(text: str, stream: TextIO) -> str:
    return _style(text, _COLOURS.get(text.strip(), ""), stream)


def _style(text: str, style: str, stream: TextIO) -> str:
    if not style or not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return click.style(text, bold=True) if style == "bold" else click.style(text, fg=style)
