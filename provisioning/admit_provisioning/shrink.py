"""A MicroPython program made short, and cut into a core and the functions after it, each to be sent when it is wanted.

Owns: what may be left out without the program noticing: comments, docstrings, names, spaces.
Rules: a name is the same in all parts. Attributes and imported names are others' and stay. The program calls none of
its own functions with keywords.
Must not know: what the program does.
"""

import ast
import itertools
import keyword
import re
import string
import threading
from collections import Counter
from collections.abc import Iterator

_NAMED = {ast.Name: "id", ast.arg: "arg", ast.FunctionDef: "name"}
_AROUND = re.compile(r" ?([-+*/%&|<>=!:,]+) ")  # spaces that only people need; the program has none in its texts


_PARSING = threading.Lock()


def parse(source: str | bytes) -> ast.Module:
    """ast.parse, one thread at a time: CPython 3.11's fails when several do. Raises SyntaxError, ValueError."""
    with _PARSING:
        return ast.parse(source)


class Program:
    """`core`: its text up to the last statement that is no function. The functions after it are the steps."""

    def __init__(self, source: str):
        tree = parse(source)
        self._shorten(tree)
        last = max(at for at, node in enumerate(tree.body) if not isinstance(node, ast.FunctionDef))
        self.core = _text(tree.body[: last + 1])
        self._steps = {node.name: node for node in tree.body[last + 1 :] if isinstance(node, ast.FunctionDef)}

    def short(self, name: str) -> str:
        """What a name of the source is called in the program."""
        return self._names[name]

    def needs(self, step: str) -> list[str]:
        """The short names of the steps that a step calls, and its own."""
        mine = self._steps[self.short(step)]
        called = {node.id for node in ast.walk(mine) if isinstance(node, ast.Name)}
        return [name for name in self._steps if name in called or name == mine.name]

    def text(self, short: str) -> str:
        """The text of one step, by its short name."""
        return _text([self._steps[short]])

    def _shorten(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        used = Counter(name for node in ast.walk(tree) if (name := _name(node)))
        bound = {_name(node) for node in ast.walk(tree) if not isinstance(getattr(node, "ctx", None), ast.Load)}
        mine = [name for name, _ in used.most_common() if name in bound]
        self._names = dict(zip(mine, _short_names({*used, *_imported(tree)}), strict=False))
        for node in ast.walk(tree):
            if (name := _name(node)) in self._names:
                setattr(node, _NAMED[type(node)], self._names[name])
            if isinstance(node, ast.Global):
                node.names = [self._names[name] for name in node.names]


def _name(node: ast.AST) -> str | None:
    """The name that a node reads, binds or defines."""
    return getattr(node, _NAMED[type(node)]) if type(node) in _NAMED else None


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _short_names(taken: set[str]) -> Iterator[str]:
    """Short names that nobody uses: letters, then pairs of them."""
    letters = string.ascii_letters
    pairs = ("".join(pair) for pair in itertools.product(letters, letters))
    return (name for name in itertools.chain(letters, pairs) if name not in taken and not keyword.iskeyword(name))


def _text(nodes: list[ast.stmt]) -> str:
    """Their source, with one space for each level."""
    lines = ast.unparse(ast.Module(nodes, [])).splitlines()
    short = [" " * ((len(line) - len(line.lstrip())) // 4) + line.strip() for line in lines if line.strip()]
    return _AROUND.sub(r"\1", "\n".join(short) + "\n")
