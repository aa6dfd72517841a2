"""What tests/hardware needs: the options, a site of its own, and the command line as a technician types it.

    pytest tests/hardware --port URL --board NAME [--flash IMAGE] [--report FILE]

URL is a serial port or whatever else pyserial opens, socket://… and rfc2217://… too. The port is pytest-embedded's own
option, and its `dut` looks at the bare line; all else is done by `admit`, so that nothing here knows what the board is.
Without --port there is nothing to test, and nothing is collected.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = os.pathsep.join(str(ROOT / each) for each in ("firmware", "host", "provisioning"))
DEVICE = "hardware-1"
LIMIT_S = 600  # of one command: a board is flashed in less


def pytest_addoption(parser):
    group = parser.getgroup("admit")
    group.addoption("--board", help="a name of boards/, or the path of a board.toml")
    group.addoption("--flash", metavar="IMAGE", help="put this MicroPython on the board first")
    group.addoption("--before", help="esptool's --before: no-reset for a board without reset lines")
    group.addoption("--after", help="esptool's --after")
    group.addoption("--report", metavar="FILE", help="where the figures go. Default: hardware-report.json")


def pytest_ignore_collect(collection_path, config):
    """Nothing is tested without a board."""
    return True if not config.getoption("--port", None) else None


def whole(name):
    """A path, whatever folder it is used in; what is none stays as it is."""
    return os.path.abspath(name) if name and os.path.exists(name) else name


class Desk:
    """A technician's desk: a site in a folder of its own, a board at a port, and what was measured so far."""

    def __init__(self, folder, config):
        self.folder = folder
        self.port, self.board, self.image = (whole(config.getoption(name)) for name in ("--port", "--board", "--flash"))
        path = Path(self.board)
        self.board_name = path.parent.name if path.suffix else path.name
        self.resets = [
            word
            for name in ("before", "after")
            if config.getoption(f"--{name}")
            for word in (f"--{name}", config.getoption(f"--{name}"))
        ]
        self.figures = {"steps_s": {}}
        (folder / "passphrase").write_text("quartz lantern over nine bridges\n")

    def admit(self, *words, code=0):
        """Run a command to its end, and return what it printed; what it said is shown if the exit code is another."""
        ended = subprocess.run(
            [sys.executable, "-m", "admit_cli", *words],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert ended.returncode == code, f"admit {' '.join(words)}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        assert "Traceback" not in ended.stderr
        return ended.stdout

    def data(self, *words):
        """What a command prints as JSON, without its schema."""
        value = json.loads(self.admit(*words, "--json"))
        value.pop("schema")
        (only,) = value.values()
        return only

    def timed(self, name, *words, data=False):
        """The same, and how many seconds it took becomes a figure."""
        began = time.monotonic()
        found = self.data(*words) if data else self.admit(*words)
        self.figures[name] = round(time.monotonic() - began, 3)
        return found

    def health(self):
        """How the device is. The least memory that it ever had free becomes a figure."""
        health = self.data("health", DEVICE)
        self.figures["heap_free_least"] = min(health["heap_free"], self.figures.get("heap_free_least", 1 << 32))
        return health

    def report(self):
        """Everything that was measured, with what it was measured on."""
        return {"schema": 1, "board": self.board, "port": self.port, "host": platform.platform(), **self.figures}

    def _environment(self):
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "ADMIT_MICROPYTHON") if name in os.environ}
        return kept | {
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": FOLDERS,
            "ADMIT_SITE": str(self.folder / "site"),
            "ADMIT_VIA": self.port,
            "ADMIT_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "NO_COLOR": "1",
        }


@pytest.fixture(scope="session")
def desk(request, tmp_path_factory):
    """The desk, with a site, alice who may open the door, and bob who may not."""
    if not request.config.getoption("--board"):
        pytest.exit("which board is it? --board NAME, one of boards/, or the path of a board.toml", returncode=4)
    desk = Desk(tmp_path_factory.mktemp("desk"), request.config)
    desk.admit("init", "--name", "hardware test")
    for name in ("alice", "bob"):
        desk.admit("user", "add", name)
    yield desk
    file = Path(request.config.getoption("--report") or "hardware-report.json")
    file.write_text(json.dumps(desk.report(), indent=2) + "\n")
    request.config.get_terminal_writer().line(f"\nreport: {file}")
