"""What an install costs on the line, beside `mpremote fs cp` of the same files over the same line in the same run.

Compressed firmware is all that is installed, the root's files too, as zlib's best level makes it of them in one piece.
A turnaround is a message one way and its answer; opening the REPL and asking what runs there counts.
"""

import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from figures import figure

from admit_provisioning import boards, compile, install
from admit_provisioning.repl import Repl
from blank_chip import BlankChip

BOARD = "virtual"


def main():
    board = boards.load(BOARD)
    firmware = compile.build(board, None, 6)
    files = {f"a/{name}": content for name, content in firmware.files.items()}
    files |= {path[1:]: content for path, content in compile.root(board).items()}
    everything = b"".join(files[name] for name in sorted(files))
    compressed = len(zlib.compress(everything, 9))
    with tempfile.TemporaryDirectory() as folder, BlankChip(Path(folder) / "chip") as chip:
        ours = put(chip, firmware, board)
        again = put(chip, firmware, board)
        chip.erase()
        theirs = copy(chip, files, Path(folder) / "files")
    return [
        figure("firmware", len(everything), unit="B"),
        figure("firmware, compressed", compressed, unit="B"),
        figure("install: bytes on the wire / byte of compressed firmware", ours[0] / compressed, 1.05),
        figure("install: turnarounds / KB of compressed firmware", 1024 * ours[1] / compressed, 1.0),
        figure("install of what is there: bytes on the wire / byte of compressed firmware", again[0] / compressed),
        figure("mpremote fs cp: bytes on the wire / byte of compressed firmware", theirs[0] / compressed),
        figure("mpremote fs cp: bytes on the wire / byte of .mpy", theirs[0] / len(everything)),
        figure("mpremote fs cp: turnarounds / KB of .mpy", 1024 * theirs[1] / len(everything)),
    ]


def counted(line):
    """A call that says how many bytes both ways, and how many turnarounds, there were since."""
    bytes_before, messages_before = sum(line.counts.values()), line.messages
    return lambda: (sum(line.counts.values()) - bytes_before, (line.messages - messages_before) / 2)


def put(chip, firmware, board):
    """Install it; (bytes, turnarounds)."""
    count = counted(chip.line)
    with Repl(chip.port) as repl:
        repl.describe()
        install.install(repl, firmware, board)
        return count()


def copy(chip, files, folder):
    """Have mpremote copy the files; (bytes, turnarounds)."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    names = sorted(os.listdir(folder))
    command = [sys.executable, "-m", "mpremote", "connect", chip.port, "fs", "cp", "-r", *names, ":"]
    count = counted(chip.line)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return count()
