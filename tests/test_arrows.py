"""DESIGN section 3: who may import whom, and who may touch hardware, time and the outside world."""

import ast

import pytest

from imports import ROOT, imports_of, project_files

# Importer → what it may import of the project, besides itself. There are no other arrows.
ARROWS = {
    "admit_protocol": set(),
    "admit_device": {"admit_protocol"},
    "ports": {"admit_protocol"},
    "boot": set(),
    "main": {"start"},
    "start": {"admit_device", "admit_protocol", "ports"},
    "admit": {"admit_protocol"},
    "admit_provisioning": {"admit", "admit_protocol"},
    "admit_cli": {"admit", "admit_protocol", "admit_provisioning"},
}
TESTS = {"conftest", "support", "tests"} | {path.stem for path in (ROOT / "tests").glob("*.py")}
HARDWARE = {"bluetooth", "esp32", "machine", "network"}
# Beside the sets of a board, where no port can be asked: the last is read as text by what sends it.
OF_NO_SET = {"boot", "main", "admit_provisioning.on_board"}

# All that protocol code may use beside itself: no I/O, no clock, no asyncio, no randomness of its own.
PURE = {"admit_protocol", "binascii", "collections", "cryptography", "cryptolib", "hashlib", "micropython", "sys"}
DATES = {"time", "gmtime", "localtime", "mktime"}  # of the module time; tests/conftest.py counts on it
IMPURE_CALLS = {"eval", "exec", "input", "open", "print"}

FILES = [pytest.param(path, module, id=module) for path, module in project_files()]


def forbidden(source, module):
    """Why this source must not stand in the project under the dotted name `module`: a list of sentences."""
    owner = module.split(".")[0]
    found = []
    for name, line, _ in imports_of(source, module):
        target = name.split(".")[0]
        if target in ARROWS and target != owner and target not in ARROWS[owner]:
            found.append(f"line {line}: {owner} must not import {target}")
        if target in TESTS:
            found.append(f"line {line}: nothing imports tests ({name})")
        if target in HARDWARE and not module.startswith("ports.esp32") and module not in OF_NO_SET:
            found.append(f"line {line}: only ports/esp32 imports {target}")
        if owner == "admit_protocol" and target not in PURE | ARROWS.keys():
            found.append(f"line {line}: admit_protocol must not use {target}")
    if owner == "admit_device":
        found += [f"line {line}: only ports ask for the date" for line in asks_for_the_date(source)]
    if owner == "admit_protocol":
        found += [f"line {line}: admit_protocol must not call {name}" for name, line in impure_calls(source)]
    return sorted(set(found))


def impure_calls(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.func.id, node.lineno


def asks_for_the_date(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in DATES and ast.unparse(node.value) == "time":
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "time" and DATES & {each.name for each in node.names}:
            yield node.lineno


@pytest.mark.parametrize(("path", "module"), FILES)
def test_imports_follow_the_arrows(path, module):
    assert forbidden(path.read_text(encoding="utf-8"), module) == []


def test_every_owner_of_code_has_its_arrows():
    assert {module.split(".")[0] for _, module in project_files()} <= ARROWS.keys()


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("admit_protocol.cbor", "import os", "line 1: admit_protocol must not use os"),
        ("admit_protocol.cbor", "def f():\n    from time import time", "line 2: admit_protocol must not use time"),
        ("admit_protocol.cbor", "import asyncio", "line 1: admit_protocol must not use asyncio"),
        ("admit_protocol.cbor", "open('x')", "line 1: admit_protocol must not call open"),
        (
            "admit_protocol.cbor",
            "from admit_device import clock",
            "line 1: admit_protocol must not import admit_device",
        ),
        ("admit_device.clock", "import machine", "line 1: only ports/esp32 imports machine"),
        ("admit_device.clock", "import time\ntime.gmtime()", "line 2: only ports ask for the date"),
        ("admit_device.clock", "from time import time", "line 1: only ports ask for the date"),
        ("admit_device.clock", "import ports.virtual", "line 1: admit_device must not import ports"),
        ("admit_device.clock", "__import__('ports.virtual')", "line 1: admit_device must not import ports"),
        ("admit_device.clock", "from support import raises", "line 1: nothing imports tests (support)"),
        ("ports.virtual.radio", "from ...admit_device import links", "line 1: ports must not import admit_device"),
        ("ports.virtual.radio", "import bluetooth", "line 1: only ports/esp32 imports bluetooth"),
        ("admit.client", "from admit_device import rules", "line 1: admit must not import admit_device"),
        ("admit.client", "import admit_cli.main", "line 1: admit must not import admit_cli"),
        ("admit_provisioning.install", "import admit_cli", "line 1: admit_provisioning must not import admit_cli"),
        (
            "admit_cli.main",
            "import importlib\nimportlib.import_module('ports')",
            "line 2: admit_cli must not import ports",
        ),
    ],
)
def test_a_forbidden_import_is_caught(module, source, reason):
    assert reason in forbidden(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("admit_protocol.cose", "from . import cbor\nfrom .errors import Malformed"),
        ("admit_protocol.kdf", "from hashlib import sha256"),
        ("ports.esp32.radio", "import bluetooth, machine\nfrom admit_protocol import cbor"),
        ("admit_cli.main", "import admit, admit_provisioning\nfrom admit_protocol import errors"),
    ],
)
def test_an_allowed_import_passes(module, source):
    assert forbidden(source, module) == []
