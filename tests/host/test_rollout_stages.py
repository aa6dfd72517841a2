"""In what stages a release goes to many devices: as people write it, and what it means for so many of them."""

import pytest

from admit import rollout_stages
from admit_protocol.errors import LocalError


@pytest.mark.parametrize("text", ["100%", "1,100%", "1,10%,50%,100%", "1,1,5,100%", "10%,1,50%,100%", "3,25%,100%"])
def test_stages_are_numbers_and_shares_that_rise(text):
    assert rollout_stages.parse(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", "50%", "0,100%", "1,,100%", "5,1,100%", "50%,10%,100%", "101%,100%", "100%,101%", "1, 100%", "x,100%"]
    + ["-1,100%", "1000000,100%", "1,100%,", "100%\n"],
)
def test_other_stages_are_none(text):
    with pytest.raises(LocalError) as caught:
        rollout_stages.parse(text)
    assert caught.value.reason == "form-rollout"


@pytest.mark.parametrize(
    ("stages", "devices", "counts"),
    [
        ("1,10%,50%,100%", 20, [1, 2, 10, 20]),
        ("1,10%,50%,100%", 4, [1, 1, 2, 4]),
        ("1,10%,50%,100%", 1, [1, 1, 1, 1]),
        ("10%,1,100%", 50, [5, 5, 50]),
        ("7,100%", 3, [3, 3]),
        ("33%,100%", 10, [4, 10]),
    ],
)
def test_a_stage_is_so_many_devices_and_never_fewer_than_the_one_before(stages, devices, counts):
    assert rollout_stages.targets(stages, devices) == counts


def test_a_rollout_is_in_the_first_stage_that_lacks_devices():
    stages = [rollout_stages.stage_of("1,10%,50%,100%", 20, proven) for proven in (0, 1, 2, 9, 10, 19, 20)]
    assert stages == [1, 2, 3, 3, 4, 4, 4]


def test_failures_that_pause_are_a_number():
    assert [rollout_stages.parse_pause(each) for each in ("1-failure", "2-failures", "12-failures")] == [1, 2, 12]
    for wrong in ("", "2", "0-failures", "-1-failures", "2 failures", "two-failures", "2-failures "):
        with pytest.raises(LocalError) as caught:
            rollout_stages.parse_pause(wrong)
        assert caught.value.reason == "form-pause"
