"""Runs tests/micropython/update_on_flash.py, or image_on_flash.py, for its test and for the bench."""

import json
import os
import subprocess

from flash_journal import micropython
from imports import ROOT

LIMIT_S = 1800


def cuts(first, step, sixteenths, script="update_on_flash.py"):
    """How many power cuts each story had, by its name. Whatever the script asserts has held."""
    done = subprocess.run(
        [micropython(), "-X", "heapsize=64m", ROOT / "tests/micropython" / script]
        + [str(each) for each in (first, step, *sixteenths)],
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": f"{ROOT}/firmware:{ROOT}/tests:{ROOT}/tests/micropython:.frozen"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
