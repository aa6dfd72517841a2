"""Power cuts at every write of what changes a device or its owner, on a real littlefs. `make bench` has ten times as
many, and those at messages and at desks.
"""

import pytest

from flash_cuts import cuts

EACH_OTHER, ALL = range(0, 16, 2), range(16)  # sixteenths of a write that are there
# operation: (every so many writes of it, torn how, cuts at least)
SAMPLE = {
    "rotation": (1, EACH_OTHER, 340),
    "authority rotation": (1, EACH_OTHER, 185),
    "transfer": (1, EACH_OTHER, 75),
    "adoption": (1, EACH_OTHER, 500),
    "decommission": (1, EACH_OTHER, 400),
    "update": (6, ALL, 360),
    "update that fails": (6, ALL, 345),
}


@pytest.mark.parametrize("name", SAMPLE)
def test_no_power_cut_leaves_a_third_state_or_a_brick_or_loses_a_record(name):
    step, torn, least = SAMPLE[name]
    found = cuts(name, step, "state", torn)
    print(f"{name}: {found}")
    assert found["cuts"] >= least and found["states"] >= 10
    assert (found["bricks"], found["thirds"], found["lost"]) == (0, 0, 0)


def test_they_are_two_thousand():
    assert sum(least for *_, least in SAMPLE.values()) >= 2000
