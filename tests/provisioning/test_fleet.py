"""One firmware set for several kinds of board, or the reason why there is none."""

import pytest

from admit_protocol.errors import LocalError, NotFound
from admit_provisioning import boards, fleet
from admit_provisioning.compile import build


def test_a_set_for_one_kind_is_what_provisioning_installs():
    kind, made = fleet.common(["virtual"], None)
    assert kind.name == "virtual"
    assert made.hash == build(boards.load("virtual"), None, fleet.BYTECODE).hash


def test_kinds_with_the_same_port_go_together():
    kind, made = fleet.common(["esp32_generic", "esp32_s3_generic", "esp32_c3_generic"], None)
    assert (kind.port, "ports/esp32/board.mpy" in made.files) == ("esp32", True)


@pytest.mark.parametrize("names", [["esp32_generic", "virtual"], ["virtual", "esp32_generic"]])
def test_kinds_that_take_other_files_do_not(names):
    with pytest.raises(LocalError) as caught:
        fleet.common(names, None)
    assert caught.value.reason == "release-boards" and names[1] in caught.value.detail


def test_a_kind_that_nobody_knows_is_said_to_be_unknown():
    with pytest.raises(NotFound) as caught:
        fleet.common(["toaster"], None)
    assert caught.value.reason == "board-unknown"
