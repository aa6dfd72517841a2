"""What admit brings for boards, and the MicroPython of this machine."""

import os
import subprocess
from pathlib import Path

from admit_protocol.errors import LocalError


def files() -> Path:
    """The folder that holds firmware/, boards/ and tools/: a checkout's root, or what an installed admit brought."""
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "firmware").is_dir() else Path(__file__).resolve().parents[1] / "_files"


def find_micropython() -> str:
    """The path of a MicroPython, fetched if need be. LocalError("micropython-missing")."""
    if path := os.environ.get("ADMIT_MICROPYTHON"):
        return path
    tool = subprocess.run([files() / "tools/micropython"], capture_output=True, text=True)
    if tool.returncode:
        raise LocalError("micropython-missing", tool.stderr.strip())
    return tool.stdout.strip()
