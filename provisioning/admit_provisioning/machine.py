"""The machine that `admit doctor` looks at: one place for everything that is asked of it, so that tests bring another.

Rules: looking changes nothing and downloads nothing.
"""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from admit_protocol.errors import LocalError

_PATIENCE_S = 10


class Access(NamedTuple):
    """What this user may do with a device file, and the group that may."""

    allowed: bool
    group: str


class Machine:
    """This machine. `root` is the root of its file system."""

    platform = sys.platform
    python = sys.version_info[:3]
    root = Path("/")

    def version(self, distribution: str) -> tuple[int, ...] | None:
        """The version of an installed Python distribution; None if it is not there."""
        try:
            return numbers(metadata.version(distribution))
        except metadata.PackageNotFoundError:
            return None

    def program(self, name: str) -> str | None:
        """The path of a program."""
        return shutil.which(name)

    def output(self, *command: str) -> str:
        """What a program says; "" if it fails."""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""

    def processes(self) -> set[str]:
        """The names of all programs that run, where the system tells (Linux)."""
        return {
            file.read_text(errors="replace").strip() for file in self.root.glob("proc/[0-9]*/comm") if file.is_file()
        }

    def adapters(self) -> list[str]:
        """The Bluetooth adapters that the system knows (Linux)."""
        return sorted(each.name for each in self.root.glob("sys/class/bluetooth/hci*"))

    def free_bytes(self, folder: Path) -> int:
        """The room on the disk of a folder, or of where it would be made."""
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def access(self, file: str) -> Access:
        """Whether a serial port may be opened, and by which group."""
        return Access(os.access(file, os.R_OK | os.W_OK), group_of(file))

    def usb_ports(self) -> list:
        """The serial ports of USB devices, as pyserial lists them."""
        from serial.tools import list_ports

        return sorted((each for each in list_ports.comports() if each.vid is not None), key=lambda each: each.device)

    def keyring_works(self) -> bool:
        """Is there a keyring that can keep something?"""
        import keyring
        from keyring.backends.fail import Keyring as NoKeyring

        return not isinstance(keyring.get_keyring(), NoKeyring)

    def cached_micropython(self) -> str | None:
        """A MicroPython that tools/micropython fetched earlier."""
        from admit.virtual.board import files

        found = sorted((files() / ".cache/micropython").glob("*/micropython"))
        return str(found[-1]) if found else None


def numbers(version: str) -> tuple[int, ...]:
    """(1, 25, 0) of "1.25.0.post2": the numbers up to the first part that is none."""
    found: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def group_of(file: str) -> str:
    """The group of a file: on most Linux systems dialout for a serial port, uucp on some."""
    try:
        return Path(file).group()
    except (OSError, KeyError, NotImplementedError) as error:
        if isinstance(error, OSError):
            raise LocalError("serial-no-access", f"{file}: {error.strerror}") from None
        return "its group"
