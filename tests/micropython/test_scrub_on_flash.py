"""A device that was wiped has nothing of its site on its flash, however closely that is read: on a real littlefs."""

import json
import os
import subprocess

from flash_journal import ROOT, micropython


def test_nothing_of_a_site_is_on_the_flash_of_a_device_that_was_wiped():
    done = subprocess.run(
        [micropython(), "-X", "heapsize=64m", ROOT / "tests/micropython/scrub_on_flash.py"],
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": f"{ROOT}/firmware:{ROOT}/tests:{ROOT}/tests/micropython:.frozen"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert all(told["alive"].values()) and all(told["removed"].values())  # to remove a file is not enough
    assert set(told["scrubbed"].values()) == {0}
    assert len(told["cut"]) == 3 and all(set(each.values()) == {0} for each in told["cut"])
