"""Power cuts at every write to the flash of an update, each write torn in several places: what was left whole."""

from figures import figure

from flash_updates import cuts

TORN = range(0, 16, 2)


def main():
    """How many there were, by story. One that left a board without a whole set, or off the way, ends the bench."""
    told = cuts(0, 1, TORN)
    told.pop("full")
    for name in sorted(told):
        yield figure(
            f"power cuts in an update that is {name}: bricks, third states and lost records: 0, of",
            told[name],
            least=800,
        )
