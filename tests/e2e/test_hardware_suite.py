"""The suite for real boards, tests/hardware, told in full from a blank chip on: it must not know what it runs on."""

import json
import os
import subprocess
import sys

import pytest

from cli_kiosk import Beside
from imports import ROOT
from rom_loader.image import image
from rom_loader.line import Tcp
from whole_chip import WholeChip

BOARD = "esp32_generic"


def suite(*words):
    """Run it as somebody with a board does: a process of its own, and not one of xdist's workers."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    command = [sys.executable, "-m", "pytest", "tests/hardware", *words]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=170)


def test_a_blank_chip_passes_it(tmp_path):
    report = tmp_path / "report.json"
    (tmp_path / "image.bin").write_bytes(image("esp32"))
    with Beside() as beside, WholeChip(beside, tmp_path / "chip", BOARD, Tcp()) as chip:
        words = ["--board", BOARD, "--flash", str(tmp_path / "image.bin"), "--before", "default-reset"]
        ended = suite("--port", chip.port, *words, "--after", "hard-reset", "--report", str(report))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout and "skipped" not in ended.stdout
    told = json.loads(report.read_text())
    assert (told["board"], told["board_id"], told["boots"]) == (BOARD, chip.board_id, 2)
    assert told["micropython"].startswith("1.") and told["steps_s"]["install"] > 0 and told["flash_s"] > 0
    assert 0 < told["heap_free_least"] <= told["heap_free_after_boot"] and told["invoke_ms"] > 0


@pytest.mark.parametrize("words, said", [([], "no tests ran"), (["--port", "socket://127.0.0.1:1"], "--board NAME")])
def test_without_a_port_or_a_board_it_says_so(words, said):
    ended = suite(*words)
    assert ended.returncode != 0 and said in ended.stdout + ended.stderr
