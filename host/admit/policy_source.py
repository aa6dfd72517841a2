"""A TOML file as it is read strictly: every key is known, every value of its type, every fault has its place.

Owns: where in the file something stands, and how a fault there is told.
Rules: what is not understood is refused, never skipped. A place is a table's path and, where the file is written in the
usual way, its line.
Must not know: what a policy is.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Any, TypeVar

from admit_protocol.errors import AdmitError, LocalError

Path = tuple[str | int, ...]  # ("roles", "operator", "allow"), ("grant", 0, "days"): a number counts tables from 0
T = TypeVar("T")


class Source:
    """The text of the file `name`. Raises LocalError policy-form if it is no TOML."""

    def __init__(self, name: str, text: str):
        self.name = name
        self._lines = text.splitlines()
        self.known: dict[tuple, Any] = {}  # what texts in forms were found to say
        try:
            self.content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise LocalError("policy-form", f"{name}: {error}") from None

    def fail(
        self, path: Path, text: str, reason: str = "policy-form", kind: type[AdmitError] = LocalError
    ) -> AdmitError:
        """The error that says what is wrong at `path`."""
        return kind(reason, f"{self.place(path)}: {text}")

    def place(self, path: Path) -> str:
        """Where it is: `policy.toml:12: grant 3, days`."""
        line = self._line(path)
        return f"{self.name}:{line}: {_words(path)}" if line else f"{self.name}: {_words(path)}"

    def _line(self, path: Path) -> int | None:
        """The number of the line, or None if it is not where people write it."""
        if not path:
            return None
        at = self._header(path)
        if at is None:
            return self._key(0, str(path[0])) if len(path) == 1 else None
        name = path[-1] if isinstance(path[-1], str) and len(path) > 1 else None
        return (name and self._key(at, name)) or at

    def _header(self, path: Path) -> int | None:
        kind = re.escape(str(path[0]))
        if len(path) == 1:
            return next(iter(self._matching(rf"\s*\[\[?\s*{kind}\s*[.\]]")), None)
        if len(path) > 1 and isinstance(path[1], int):
            headers = self._matching(rf"\s*\[\[\s*{kind}\s*\]\]")
            return headers[path[1]] if path[1] < len(headers) else None
        if len(path) > 1 and (own := self._matching(rf"\s*\[\s*{kind}\s*\.\s*{_quoted(str(path[1]))}\s*\]")):
            return own[0]
        table = self._matching(rf"\s*\[\s*{kind}\s*\]")
        return (self._key(table[0], str(path[1])) or table[0]) if table else None

    def _matching(self, pattern: str) -> list[int]:
        return [number for number, line in enumerate(self._lines, 1) if re.match(pattern, line)]

    def _key(self, header: int, name: str) -> int | None:
        """The line of a key in the table that begins at line `header`; 0 is before all tables."""
        for number, line in enumerate(self._lines[header:], header + 1):
            if re.match(r"\s*\[[^\]]*\]\]?\s*(#.*)?$", line):
                return None
            if re.match(rf"\s*{_quoted(name)}\s*[=.]", line):
                return number
        return None


class Table:
    """A table at `path` of the file, whose keys are among `keys`; each of them is read by what it must be."""

    def __init__(self, source: Source, path: Path, value: Any, keys: Collection[str]):
        self._source, self.path = source, path
        if not isinstance(value, dict):
            raise source.fail(path, "must be a table")
        self._value: dict = value
        for key in value:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                raise source.fail(
                    (*path, key), "unknown key" + (f"; is {near[0]} meant?" if near else f": {_or(keys)}")
                )

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def fail(self, key: str | None, text: str, reason: str = "policy-form", kind: type[AdmitError] = LocalError):
        """The error that says what is wrong with a key, or with the table."""
        return self._source.fail(self.path if key is None else (*self.path, key), text, reason, kind)

    def text(self, key: str) -> str | None:
        """A text, or None if there is none."""
        return self._typed(key, str, 'text in quotes, like "alice"')

    def number(self, key: str, least: int, most: int) -> int | None:
        """A whole number, or None if there is none."""
        value = self._typed(key, int, f"a whole number from {least} to {most}")
        if value is not None and not least <= value <= most:
            raise self.fail(key, f"must be from {least} to {most}")
        return value

    def flag(self, key: str) -> bool:
        """Whether something is so."""
        return bool(self._typed(key, bool, "true or false"))

    def texts(self, key: str) -> list[str] | None:
        """A list of texts of which none stands twice, or None if there is none."""
        value = self._typed(key, list, 'a list of texts, like ["kiosk-1", "lobby-*"]')
        if value is None:
            return None
        if not all(isinstance(each, str) for each in value):
            raise self.fail(key, 'must be a list of texts, like ["kiosk-1", "lobby-*"]')
        if len(value) > 1 and (twice := {each for each in value if value.count(each) > 1}):
            raise self.fail(key, f"'{min(twice)}' stands there twice")
        return value

    def form(self, key: str, parse: Callable[[str], T]) -> T | None:
        """A text in a form that `parse` reads, or None if there is none."""
        text = self.text(key)
        return None if text is None else self._read(key, parse, text)

    def forms(self, key: str, parse: Callable[[str], T]) -> list[T] | None:
        """A list of texts in a form that `parse` reads, or None if there is none."""
        texts = self.texts(key)
        return None if texts is None else [self._read(key, parse, each) for each in texts]

    def _read(self, key: str, parse: Callable[[str], T], text: str) -> T:
        """What a text says; the same one is read once, however often it stands in the file."""
        known = self._source.known
        if (parse, text) not in known:
            known[parse, text] = self.told(key, parse, text)
        return known[parse, text]

    def told(self, key: str | None, call: Callable[..., T], *arguments) -> T:
        """What `call` returns; its error says where it was made."""
        try:
            return call(*arguments)
        except AdmitError as error:
            raise self.fail(key, error.detail or error.reason, error.reason, type(error)) from None

    def moment_text(self, key: str) -> str | None:
        """A date or a moment, as TOML's own or in quotes, as text; None if there is none."""
        value = self._value.get(key)
        if isinstance(value, (date, datetime)):
            return value.isoformat()
        return self._typed(key, str, "a date, like 2027-06-30")

    def _typed(self, key: str, kind: type, words: str) -> Any:
        value = self._value.get(key)
        if value is None or (isinstance(value, kind) and (kind is not int or not isinstance(value, bool))):
            return value  # TOML has no null: None is what is not there
        raise self.fail(key, f"must be {words}")


def _words(path: Path) -> str:
    """`grant 3, days`; `roles.operator, allow`."""
    if len(path) > 1 and isinstance(path[1], int):
        head, rest = f"{path[0]} {path[1] + 1}", path[2:]
    else:
        head, rest = ".".join(map(str, path[:2])), path[2:]
    return ", ".join([head, *map(str, rest)])


def _quoted(name: str) -> str:
    return rf"""["']?{re.escape(name)}["']?"""


def _or(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys))
