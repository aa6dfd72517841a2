"""Power cuts in the middle of an update, on a real littlefs: a sample of them. `make bench` has them all."""

from flash_updates import cuts

STEP = 11


def test_no_power_cut_leaves_a_board_with_anything_but_a_whole_set():
    told = cuts(0, STEP, (8,))
    assert told.pop("full") == "storage-full"
    assert min(told.values()) >= 10
    assert sorted(told) == ["confirmed", "given up"]
