"""What goes onto a board calls things by fewer names, and does the same."""

import ast
import subprocess
import sys

import pytest

from admit.virtual.files import files
from admit_provisioning import boards, compile
from admit_provisioning.squeeze import squeeze

SOURCES = {
    "pack.const": b"def const(value):\n    return value\n",
    "pack.words": b'''"""Words."""
from .const import const

ONE = const(1)
FAR = const(-(1 << 40))
NAME = const("a \xc3\xa9 name")
_OWN = const(5)
LIST = const((1, 2))
OPEN = const(7)


def public(value=ONE):
    return _helper(value) + _OWN + OPEN


def _helper(value):
    return value + ONE
''',
    "pack.user": b'''from .const import const
from . import words
from . import words as others
from .words import (
    FAR,
    NAME as WORD,
    public,
)

_MINE = const(3)


class User:
    """With a method that is private, which stays."""

    def told(self):
        from .words import OPEN

        return [words.ONE, others.FAR, FAR, WORD, words.LIST, OPEN, public(), _private(), self._private()]

    def _private(self):
        return "the method"


def _private():
    return "the function"


async def _later():
    return _MINE
''',
}


PROGRAM = """
import builtins
builtins.const = lambda value: value  # as mpy-cross does, whether it is imported or not
from pack.user import User
print(User().told())
"""


# Attributes: of a class and of one that is made of it, of one that has the same by chance, and what others touch.
CLASSES = {
    "pack.base": b"""class Base:
    def __init__(self):
        self._value, self._kept = 1, 2

    def told(self):
        return [self._value, self._step(), self._kept, self._value * self._value]

    def _step(self):
        return self._value
""",
    "pack.child": b"""from .base import Base as Other


class Child(Other):
    def __init__(self):
        super().__init__()
        self._another = 10

    def _step(self):
        return super()._step() + self._another
""",
    "pack.user": b"""from .child import Child


class User:
    def __init__(self):
        self._value, self._open, self._named, self._shown = 5, 6, 7, 8

    def told(self):
        return [Child().told(), Peer().of(self), getattr(self, "_named"), f"{self._shown}", self._value]


class Peer:
    def of(self, user):
        return user._open
""",
    "pack.third": b"""class Third:
    def __init__(self, user):
        self._kept, self._user = 3, user

    def of(self, base):
        return base._kept
""",
}


def told(folder, sources):
    """What the program tells that these sources make."""
    for name, source in sources.items():
        file = folder.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)
    return subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, check=True).stdout.decode()


def names_in(source):
    tree = ast.parse(source)
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found | {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_the_program_does_the_same(tmp_path):
    before, after = told(tmp_path / "before", SOURCES), told(tmp_path / "after", squeeze(SOURCES))
    assert before == after
    assert before.startswith(f"[1, {-(1 << 40)}, {-(1 << 40)}, 'a é name', (1, 2), 7, 14, 'the function', 'the method'")


def test_constants_stand_where_they_are_used_and_have_no_name_of_their_own():
    squeezed = squeeze(SOURCES)
    assert not {"ONE", "FAR", "NAME", "OPEN", "WORD"} & names_in(squeezed["pack.user"])
    assert not {"ONE", "FAR", "NAME"} & names_in(squeezed["pack.words"])
    assert {"_ONE", "LIST"} <= names_in(squeezed["pack.words"])  # what is made of several things stays
    assert "words" in names_in(squeezed["pack.user"])


def test_private_functions_get_letters_and_everything_else_keeps_its_name():
    squeezed = squeeze(SOURCES)
    assert "_helper" not in names_in(squeezed["pack.words"])
    assert {"_a", "public"} <= names_in(squeezed["pack.words"])
    assert {"_a", "_private", "told", "public"} <= names_in(
        squeezed["pack.user"]
    )  # what is an attribute anywhere stays


def test_private_attributes_get_letters_too_where_nobody_else_can_mean_them(tmp_path):
    squeezed = squeeze(CLASSES)
    before, after = told(tmp_path / "before", CLASSES), told(tmp_path / "after", squeezed)
    assert before == after == "[[1, 11, 2, 1], 6, 7, '8', 5]\n"
    gone = {"_value", "_step", "_another", "_open", "_user"}
    assert not gone & set().union(*map(names_in, squeezed.values()))
    assert "_kept" in names_in(squeezed["pack.base"])  # pack.third reads it of another
    assert {"_shown", "_named"} <= names_in(squeezed["pack.user"])  # a text says the one, and the other stands in one


def test_const_is_imported_no_longer_where_mpy_cross_works_it_out():
    assert b"import const" not in squeeze(SOURCES)["pack.user"]


def test_a_module_that_a_sites_file_imports_from_keeps_its_constants():
    squeezed = squeeze(SOURCES, kept=["pack.words"])
    assert {"ONE", "FAR", "NAME"} <= names_in(squeezed["pack.words"])
    assert not {"ONE", "FAR"} & names_in(squeezed["pack.user"])


@pytest.mark.parametrize("kind", ["virtual", "esp32_generic"])
def test_the_firmware_has_fewer_names(kind):
    firmware = compile._sources(files() / "firmware")
    port = boards.load(kind).port
    sources = {name.replace("/", "."): text for name, text in compile.modules(firmware, port).items()}
    squeezed = squeeze(sources)
    before, after = (set().union(*map(names_in, each.values())) for each in (sources, squeezed))
    print(f"{kind}: {len(before)} names in the sources, {len(after)} squeezed")
    assert len(after) < len(before) - 150
    assert squeeze(sources) == squeezed


def walks(monkeypatch, count):
    """How often a squeeze of so many modules, each made of the one before, walks through a tree."""
    sources = {"pack.m0": CLASSES["pack.base"]}
    for number in range(1, count):
        source = CLASSES["pack.child"].replace(b"from .base import Base", b"from .m%d import Base" % (number - 1))
        sources[f"pack.m{number}"] = source.replace(b"class Child", b"class Base")
    calls = []
    with monkeypatch.context() as patch:
        patch.setattr(ast, "walk", lambda node, walk=ast.walk: calls.append(node) or walk(node))
        squeeze(sources)
    return len(calls)


def test_each_further_module_is_walked_through_as_often_as_the_one_before(monkeypatch):
    few, some, many = (walks(monkeypatch, count) for count in (20, 40, 60))
    assert 0 < many - some == some - few
