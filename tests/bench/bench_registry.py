"""The registry at size: what a one-line change costs among 10,000 users, 1,000 devices and 100,000 grants.

Counted: statements of SQL and signatures. Compared, by turns: the time of the same change at a hundredth of that size;
a full compilation that finds nothing to do against loading all grants. And the bytes that a changed rule makes travel.
"""

import tempfile
from pathlib import Path

from figures import figure, times_by_turns

from registry_work import carried, counted, filled, load, nothing_to_do, one_line
from sites import passphrase


def main():
    with tempfile.TemporaryDirectory() as folder:
        small, large = filled(Path(folder) / "small", 100, 10), filled(Path(folder) / "large", 10_000, 1_000)
        sql = [counted(site)[0] for site in (small, large)]
        numbers = iter(range(10_000))
        turns = [lambda site=site: one_line(site, signers[site], next(numbers)) for site in (small, large)]
        signers = {site: site.authority(passphrase) for site in (small, large)}
        for signer in signers.values():
            signer.unlock()
        few, many = times_by_turns(*turns, rounds=5)
        compiling, loading = times_by_turns(lambda: nothing_to_do(large), lambda: load(large), rounds=3)
        rows = load(large)
        return [
            figure("grants in the registry", rows, unit="rows"),
            figure("statements of SQL for a one-line change, against 1/100 of the size", sql[1] - sql[0], 0, "more"),
            figure("time of a one-line change, against 1/100 of the size", many / few, 20.0, "times"),
            figure(
                "compiling everything, to find nothing to do, against loading all grants",
                compiling / loading,
                3.0,
                "times",
            ),
            figure("seconds for 10,000 grants of that", compiling * 10_000 / rows, 2.0, "s"),
            figure("bytes that one lockdown makes travel to one device", carried(small), 512, "bytes"),
        ]
