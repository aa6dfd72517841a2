"""What an admin does from a desk, cut short at some of its messages and writes; `make bench` has all of them."""

import pytest

from desk_cuts import of_messages, of_writes
from desk_operations import OPERATIONS, Rotation


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.name)
def test_cut_at_a_message_it_is_ended_by_the_same_command(kind, tmp_path):
    check(of_messages(kind, tmp_path, step=6, ways=("unanswered, off",)), "messages")


def test_cut_at_the_desk_it_is_ended_by_the_same_command(tmp_path):
    check(of_writes(Rotation, tmp_path, step=9), "writes")


def check(found, what):
    assert found["cuts"] >= 1 and found[what] > 4
    assert (found["bricks"], found["thirds"], found["lost"]) == (0, 0, 0)
