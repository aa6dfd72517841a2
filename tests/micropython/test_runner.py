"""The runner and the pytest plugin that make a real MicroPython run our tests: what they say can be believed."""

import pytest

from conftest import MicroPythonRun

MODULE = """
import sys
import time
from support import raises, vectors
from admit_protocol.errors import Malformed, RemoteError

def test_zebra_comes_first():
    assert sys.implementation.name == "micropython"
    print("said by zebra")

def test_a_failure_has_its_traceback():
    assert 1 + 1 == 3

def test_wrong_reason():
    with raises(Malformed, "cbor-truncated"):
        raise Malformed("cbor-trailing")

def test_base_class():
    with raises(RemoteError):
        raise Malformed("cbor-trailing")

def test_nothing_raised():
    with raises(Malformed, "cbor-truncated"):
        pass

def test_right_reason():
    with raises(Malformed, "cbor-truncated") as caught:
        raise Malformed("cbor-truncated", "detail")
    assert caught.error.detail == "detail"

def test_epoch():
    assert time.gmtime(0)[0] == EPOCH
    assert 2020 < time.gmtime(time.time())[0] == time.gmtime()[0] == time.localtime()[0] < 2100
    assert abs(time.mktime(time.gmtime()) - time.time()) < 5
    assert abs(time.time_ns() // 1000000000 - time.time()) < 5

def test_heap():
    bytearray(300000)

def test_hang():
    while True:
        pass

def test_after():
    pass
"""
TESTS = [line[4 : line.index("(")] for line in MODULE.splitlines() if line.startswith("def ")]


@pytest.fixture
def start(tmp_path):
    """start(variant, constants, tests): a started run of MODULE; stopped when the test is over."""
    runs = []

    def start(variant="micropython", constants=None, tests=TESTS, module=MODULE):
        path = tmp_path / "test_module.py"
        path.write_text(module.replace("EPOCH", "2000" if "2000" in variant else "1970"))
        runs.append(MicroPythonRun(path, variant, constants or {}))
        runs[-1].start(tests)
        return runs[-1]

    yield start
    for run in runs:
        run.stop()


def test_each_test_has_its_own_result(start):
    run = start()
    assert run.result("test_right_reason")[0]
    assert list(run.results) == TESTS[:6]
    assert run.result("test_zebra_comes_first") == (True, "said by zebra\n")


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("test_a_failure_has_its_traceback", 'test_module.py", line 12, in test_a_failure_has_its_traceback'),
        ("test_wrong_reason", "AssertionError: reason 'cbor-trailing', expected Malformed('cbor-truncated')"),
        ("test_base_class", "Malformed: "),
        ("test_nothing_raised", "AssertionError: nothing was raised, expected Malformed('cbor-truncated')"),
    ],
)
def test_a_failure_says_why(start, test, words):
    passed, text = start(tests=[test]).result(test)
    assert not passed
    assert words in text


@pytest.mark.parametrize("variant", ["micropython", "micropython-2000"])
def test_time_counts_from_either_epoch(start, variant):
    assert start(variant, tests=["test_epoch"]).result("test_epoch") == (True, "")


@pytest.mark.parametrize(("heap", "passed"), [("8M", True), ("256k", False)])
def test_the_heap_is_what_the_module_says(start, heap, passed):
    assert start(constants={"HEAP": heap}, tests=["test_heap"]).result("test_heap")[0] == passed


def test_a_hang_ends_at_its_limit_and_takes_the_tests_after_it_along(start):
    run = start(constants={"LIMIT_S": 1}, tests=["test_right_reason", "test_hang", "test_after"])
    assert run.result("test_right_reason")[0]
    assert run.result("test_hang") == (False, "MicroPython was killed after 1 s before this test was over")
    assert not run.result("test_after")[0]


def test_a_module_that_cannot_be_imported_fails_each_of_its_tests(start):
    run = start(module="import nowhere\n", tests=["test_a", "test_b"])
    for test in ("test_a", "test_b"):
        passed, text = run.result(test)
        assert not passed
        assert "ImportError: no module named 'nowhere'" in text
