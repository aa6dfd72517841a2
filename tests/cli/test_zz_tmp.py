"""`admit kiosk-screen` as it is typed: a board that was provisioned for one, its cable in and out, and what it says."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

import pytest

from cli_kiosk import Typist
from workbench import workbench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A site, and a board that begins blank."""
    with workbench(tmp_path_factory.mktemp("bench")) as made, made.board() as board:
        made.running = board
        yield made


@pytest.fixture(scope="module")
def typist(bench):
    return Typist(bench.folder, ADMIT_SITE=bench.folder / "site")


class Screen:
    """The command, and a browser that watches."""

    def __init__(self, typist, *words, **more):
        command = [sys.executable, "-m", "admit_cli", "kiosk-screen", *map(str, words), "--port", "0"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=typist.environment(**more), text=True, **pipes)
        self.address = self.process.stdout.readline().strip()
        place = urlsplit(self.address)
        self.line = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
        self.line.request("GET", "/events", headers={"Host": place.netloc})
        self.stream = self.line.getresponse()

    def until(self, view):
        """Wait until it shows so; what it shows."""
        while True:
            line = self.stream.fp.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: ") and (told := json.loads(line[6:]))["view"] == view:
                return told

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, said = self.process.communicate(timeout=20)
        self.line.close()
        assert "Traceback" not in said and out == ""
        return self.process.returncode, said


def test_a_board_provisioned_for_a_screen_is_shown_and_its_cable_may_fall_out(bench, typist):
    board = bench.running
    typist.admit("provision", board.cable, "--name kiosk-1 --screen")
    screen = Screen(typist, board.cable, ADMIT_PAGE="https://keys.example.org/")
    told = screen.until("waiting")
    assert (told["name"], told["site"]) == ("kiosk-1", "Test site")
    with urllib.request.urlopen(screen.address, timeout=10) as page:
        assert b"screen.js" in page.read()
    with urllib.request.urlopen(screen.address + "code.svg", timeout=10) as code:
        assert b"<svg" in code.read()
    way = f"udp://127.0.0.1:{board.udp_port}"
    visit = typist.start("login kiosk-1 --for 1 --via", way)
    assert screen.until("hello")["who"] == "admin"
    assert screen.until("bye")["who"] == "admin"
    typist.end(visit)
    screen.until("waiting")
    import time; t=time.monotonic()
    board.unplug()
    screen.until("unplugged"); print("UNPL", time.monotonic()-t)
    bench.do(board.plug()); print("PL", time.monotonic()-t)
    screen.until("waiting"); print("W", time.monotonic()-t)
    assert screen.end()[0] == 0


def test_while_it_runs_nobody_else_has_the_cable_and_it_says_so_if_somebody_has(bench, typist):
    board = bench.running
    screen = Screen(typist, board.cable, "--name", "Front door", "--lang", "de")
    assert screen.address.endswith("/?lang=de")
    assert screen.until("waiting")["name"] == "Front door"
    busy = typist.admit("kiosk-screen", board.cable, code=6).stderr
    assert "(serial-in-use)" in busy
    assert screen.end(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    "words, code, said",
    [
        ("kiosk-screen ble:kiosk-1", 2, "name a serial port"),
        ("kiosk-screen udp://127.0.0.1", 2, "name a serial port"),
        ("kiosk-screen wss://gate.example#kiosk-1", 2, "name a serial port"),
        ("kiosk-screen", 2, "LINK"),
        ("kiosk-screen /dev/x --port 99999", 2, "--port"),
        ("kiosk-screen /dev/x --page http://x", 1, "(page-url)"),
    ],
)
def test_what_keeps_it_from_running(typist, words, code, said):
    assert said in typist.admit(words, code=code).stderr


def test_a_port_that_is_taken_is_told(typist, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = typist.admit("kiosk-screen", tmp_path / "cable", "--port", taken.getsockname()[1], code=6)
    assert "(screen-port)" in told.stderr


def test_a_cable_that_is_not_there_yet_is_waited_for(typist, tmp_path):
    screen = Screen(typist, tmp_path / "cable")
    screen.until("unplugged")
    assert screen.end()[0] == 0


def test_a_program_is_told_the_address_as_data(typist, tmp_path):
    command = [sys.executable, "-m", "admit_cli", "kiosk-screen", str(tmp_path / "cable"), "--port", "0", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=typist.environment(), text=True, **pipes)
    text = ""
    while not text.endswith("\n}\n"):
        text += process.stdout.readline()
    told = json.loads(text)
    assert told["schema"] == 1 and told["screen"]["link"] == str(tmp_path / "cable")
    process.terminate()
    process.communicate(timeout=20)
