"""A program made short does what it did, and its parts still fit together."""

import ast

import pytest

from admit_provisioning.shrink import Program

SOURCE = '''
"""What this is."""

import os
from binascii import crc32 as check

total = 0  # so far


def add(number):
    """Add a number."""
    global total
    total += number
    return total


seen = [add(1)]


def twice(number):
    """Twice: add and
    add."""
    add(number)
    return add(number)


def report(folder):
    def joined(name):
        return os.path.join(folder, name)

    for number in (1, 2):
        twice(number)
    return joined("x"), total, check(b"") == 0


def nothing():
    """Only words."""
'''


def run(*texts):
    scope = {}
    for text in texts:
        exec(text, scope)
    return scope


def test_the_core_ends_with_the_last_statement_that_is_no_function():
    program = Program(SOURCE)
    scope = run(program.core)
    assert scope[program.short("seen")] == [1]
    assert program.short("twice") not in scope


def test_a_step_comes_with_those_that_it_calls_and_with_no_others():
    program = Program(SOURCE)
    assert set(program.needs("report")) == {program.short("report"), program.short("twice")}
    assert program.needs("twice") == [program.short("twice")]


def test_the_parts_work_together_as_the_source_does():
    program = Program(SOURCE)
    scope = run(program.core, *map(program.text, program.needs("report")))
    assert scope[program.short("report")]("folder") == ("folder/x", 7, True)
    assert run(program.text(program.short("nothing")))[program.short("nothing")]() is None


def test_what_only_people_need_is_gone():
    program = Program(SOURCE)
    text = program.core + "".join(program.text(program.short(name)) for name in ("twice", "report", "nothing"))
    for word in ("Add", "Twice", "so far", "Only", "number", "joined", "    ", " = ", "\n\n"):
        assert word not in text
    assert "os.path.join" in text  # others' names stay


def test_no_short_name_hides_another_one():
    names = [f"name{number}" for number in range(60)]
    source = "import ab, e\n" + "".join(f"{name} = {number}\n" for number, name in enumerate(names)) + "def step(): e\n"
    program = Program(source)
    short = [program.short(name) for name in names]
    assert len(set(short)) == 60 and not {"ab", "e"} & set(short)
    assert all(name.isidentifier() and len(name) <= 2 for name in short)
    assert run(program.core.replace("import ab,e\n", ""))[program.short("name59")] == 59


def test_the_board_s_program_shrinks_to_a_fifth():
    from admit_provisioning.receiver import PROGRAM

    source = PROGRAM.read_text(encoding="utf-8")
    program = Program(source)
    steps = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    rest = [program.short(name) for name in ("survey", "fill", "create", "switch")]
    assert {"survey", "digests", "remove", "copy", "create", "fill", "switch", "stop"} <= set(steps)
    assert len(program.core + "".join(map(program.text, rest))) < 2000
    with pytest.raises(KeyError):
        program.short("print")
