"""Node.js, which runs the tests of phone/ that need no browser."""

import shutil
import subprocess

from imports import ROOT


def node(*arguments: object) -> subprocess.CompletedProcess:
    """What Node.js makes of it. It is never skipped: without Node.js this fails, and `make test` installs it."""
    program = shutil.which("node")
    assert program, "node is not installed: tools/debian-needs nodejs"
    return subprocess.run([program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
