"""Power cuts in the middle of an update with MicroPython's own image: a sample of them. `make bench` has them all."""

from flash_updates import cuts

STEP = 97


def test_no_power_cut_leaves_an_image_with_files_that_are_not_its_own():
    told = cuts(70, STEP, (8,), "image_on_flash.py")
    assert min(told.values()) >= 1
    assert sorted(told) == ["confirmed", "given up", "started softly"]
