"""Power cuts in the middle of an update, on a real littlefs: a few; the others are test_operations_on_flash.py's."""

from flash_updates import cuts

STEP = 40


def test_no_power_cut_leaves_a_board_with_anything_but_a_whole_set():
    told = cuts(0, STEP, (8,))
    assert told.pop("full") == "storage-full"
    assert min(told.values()) >= 3
    assert sorted(told) == ["confirmed", "given up"]
