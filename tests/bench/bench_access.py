"""What a decision costs among many rules, and a question to a large registry: counted, and as ratios of times."""

import os
import subprocess
import tempfile
from pathlib import Path

from figures import figure, times_by_turns

import populous
import rule_work
from admit import predicting
from sites import NOW, new_site

ROOT = Path(__file__).resolve().parent.parent.parent
REQUEST = (2, "/r/open", {})
AT = (NOW, NOW)


def main():
    return [*_decisions(), *_questions()]


def _decisions():
    asked = (rule_work.POST, "/r/open", None)
    few, many = [
        rule_work.work(rule_work.grant_of(count), rule_work.policy_of(count), asked)[0][0] for count in (10, 1000)
    ]
    here = rule_work.microseconds(1000) / rule_work.microseconds(10)
    told = subprocess.run(
        [_micropython(), "-X", "heapsize=8M", ROOT / "tests/rule_work.py"],
        env=os.environ | {"MICROPYPATH": f"{ROOT / 'firmware'}:{ROOT / 'tests'}:.frozen"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    yield figure("decide among 10 rules of a grant and 10 of a policy: looked at", few)
    yield figure("decide among 1,000 and 1,000: looked at", many, int(1.5 * few))
    yield figure("decide among 1,000 to among 10, time on CPython", here, 1.5, "x")
    yield figure("decide among 1,000 to among 10, time on MicroPython", float(told[1]) / float(told[0]), 1.5, "x")


def _questions():
    with tempfile.TemporaryDirectory() as folder:
        small, large = (_populated(Path(folder) / str(users), users) for users in (100, 10_000))
        counts = []
        for site in (small, large):
            with populous.sql_steps(site.registry) as steps:
                _why(site)
            counts.append(steps[0])
        yield figure("why among 100 users, 10 devices, 1,000 grants: steps of SQLite", counts[0])
        yield figure("why among 10,000 users, 1,000 devices, 100,000 grants: steps", counts[1], 5 * counts[0])
        taken = times_by_turns(lambda: _why(small), lambda: _why(large))
        yield figure("why in the large registry to the small one, time", taken[1] / taken[0], 5, "x")
        taken = times_by_turns(lambda: _who_can(small), lambda: _who_can(large), rounds=5)
        yield figure("who-can in the large registry to the small one, time", taken[1] / taken[0], None, "x")


def _populated(folder, users):
    site = new_site(folder)
    populous.populate(site, users)
    return site


def _why(site):
    assert predicting.why(site.registry, "u0", "d1", REQUEST, AT).decision.allowed


def _who_can(site):
    assert list(predicting.who_can(site.registry, "d1", REQUEST, AT))


def _micropython():
    found = subprocess.run([ROOT / "tools/micropython"], check=True, capture_output=True, text=True)
    return found.stdout.strip()
