"""The tests of phone/ that run without a browser, each file by `node --test`."""

import pytest

from imports import ROOT
from nodejs import node

FILES = sorted((ROOT / "tests/phone").glob("*.test.js"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".test.js"))
def test_module(path):
    done = node("--test", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_module_of_the_protocol_has_its_test_file():
    modules = {path.stem for path in (ROOT / "phone/protocol").glob("*.js")}
    tested = {path.name.removesuffix(".test.js") for path in FILES}
    assert sorted(modules - tested) == []
