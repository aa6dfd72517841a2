"""A phone visits a kiosk: the page's own modules, in Node.js, before the real firmware (tests/phone_world.py).

Each scenario is a function in a visit_*.mjs; here they are found and run, on one kiosk for all.
"""

import re

import pytest

from imports import ROOT
from phone_world import a_world, run

_SCENARIO = re.compile(r'^  async "(.+)"\(\) \{$', re.MULTILINE)
SCENARIOS = [
    (path.stem, name)
    for path in sorted((ROOT / "tests/phone").glob("visit_*.mjs"))
    for name in _SCENARIO.findall(path.read_text())
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("visit")) as found:
        yield found


@pytest.mark.parametrize(("script", "scenario"), SCENARIOS)
def test_visit(world, script, scenario):
    found, do = world
    do(run(found, script, scenario))
