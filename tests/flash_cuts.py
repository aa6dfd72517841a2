"""Runs tests/micropython/operations_on_flash.py and release_on_flash.py, for their test and for the bench."""

import json
import os
import subprocess
import sys

from flash_journal import micropython
from imports import ROOT

LIMIT_S = 3600
OPERATIONS = ("rotation", "authority rotation", "transfer", "adoption", "decommission")
STORIES = {"update": "good", "update that fails": "bad"}  # by what people call them


def cuts(name, step, how, sixteenths):
    """What came of power cuts at each `step`-th write of the operation `name`, a dict as the scripts print it."""
    script = "operations" if name in OPERATIONS else "release"
    done = subprocess.run(
        [micropython(), "-X", "heapsize=64m", ROOT / f"tests/micropython/{script}_on_flash.py"]
        + [STORIES.get(name, name), "0", str(step), how, *map(str, sixteenths)],
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": f"{ROOT}/firmware:{ROOT}/tests:{ROOT}/tests/micropython:.frozen"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    sys.stderr.write(done.stderr)  # the first of each kind of thing that went wrong
    return json.loads(done.stdout.splitlines()[-1])
