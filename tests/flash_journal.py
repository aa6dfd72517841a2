"""Runs tests/micropython/journal_on_flash.py, for its test and for the bench."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 0.15  # block erases a record


def on_flash(what):
    """What the script tells, a dict; `what`: "wear" or "cuts". Whatever it asserts has held."""
    done = subprocess.run(
        [micropython(), "-X", "heapsize=64m", ROOT / "tests/micropython/journal_on_flash.py", what],
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": f"{ROOT}/firmware:{ROOT}/tests:.frozen"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))


def micropython():
    """The path of the interpreter."""
    tool = [ROOT / "tools/micropython"]
    return os.environ.get("ADMIT_MICROPYTHON") or subprocess.check_output(tool, text=True).strip()
