"""Power cuts at every write to the flash of an update, told anew for each of them, and of one with an image: what was
left whole. bench_cuts.py tears each write of the former in all its ways.
"""

from figures import figure

from flash_updates import cuts

TORN = (0, 8)
TORN_IMAGE = (0, 6, 14)


def main():
    """How many there were, by story. One that left a board without a whole set, or off the way, ends the bench."""
    told = cuts(0, 1, TORN)
    told.pop("full")
    for name in sorted(told):
        yield figure(
            f"power cuts in an update that is {name}: bricks, third states and lost records: 0, of",
            told[name],
            least=200,
        )
    told = cuts(0, 1, TORN_IMAGE, "image_on_flash.py")
    for name in sorted(told):
        yield figure(
            f"power cuts in an update with an image that is {name}: image and files that do not belong together: 0, of",
            told[name],
            least=400,
        )
