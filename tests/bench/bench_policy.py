"""What planning a one-line change costs in a large site, for each 10,000 grants and beside loading them."""

import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from figures import figure

import policies
from admit import policy_plan
from sites import NOW, new_site

ZONE = ZoneInfo("UTC")
LIMIT_S = 2  # for each 10,000 grants


def main():
    return [*_planned(10_000, by_group=True), *_planned(1_000, by_group=False)]


def _planned(users, by_group):
    """A line changed: among so many users with 10 grants each, by groups' statements or by statements of their own."""
    with tempfile.TemporaryDirectory() as folder:
        site = new_site(Path(folder) / "site")
        policies.fill(site, users, by_group)
        text = policies.text_of(site, ZONE)
        at = text.index('to = "group:t7"' if by_group else 'to = "u7"')
        changed = (text[:at] + text[at:].replace('"d7"', '"d8"', 1)).encode()
        loading = _seconds(lambda: site.registry.grants())
        planning = _seconds(lambda: _plan(site, changed))
        site.registry.close()
    grants = users * policies.GRANTS
    what = f"a line among {text.count('[[grant]]'):,} statements, {grants:,} grants of {users:,} users"
    yield figure(f"policy plan, {what}, for each 10,000", planning * 10_000 / grants, LIMIT_S, "s")
    yield figure(f"policy plan to loading the grants, {what}", planning / loading, None, "x")


def _plan(site, data):
    planned = policy_plan.plan(site, "policy.toml", data, ZONE, NOW)
    assert [each.act for each in planned.difference.changes] == ["changed"]
    assert len(planned.effects) == 2


def _seconds(call):
    """Of this process, the least of three: what else the machine does is not counted."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        call()
        taken.append(time.process_time() - started)
    return min(taken)
