"""`admit phone`: from the command to the page and to Ctrl-C, and the site that it writes for another host."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from admit import phone_site
from terminals import Terminal, environment


def fetch(address):
    with urllib.request.urlopen(address, timeout=10) as response:
        return response.read()


def serving(*words):
    """`admit phone` off a terminal, on a port that is free."""
    command = [sys.executable, "-m", "admit_cli", "phone", "--port", "0", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment(), text=True, **pipes)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_page_until_it_is_stopped(ending):
    process = serving()
    address = process.stdout.readline().strip()
    assert fetch(address) == phone_site.content()["index.html"]
    process.send_signal(ending)
    rest, said = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    port = address.rsplit(":", 1)[1].strip("/")
    assert f"adb reverse tcp:{port} tcp:{port}" in said and "--export" in said
    assert "Traceback" not in said


def test_a_program_is_told_the_address_as_data():
    process = serving("--json", "--gateway", "wss://gate.example")
    line = ""
    while not line.endswith("\n}\n"):
        line += process.stdout.readline()
    told = json.loads(line)
    assert told["schema"] == 1 and told["phone"]["gateway"] == "wss://gate.example"
    assert json.loads(fetch(told["phone"]["address"] + "config.json")) == {"gateway": "wss://gate.example"}
    process.terminate()
    process.communicate(timeout=20)


def test_on_a_terminal_there_is_a_code_to_scan():
    terminal = Terminal("phone", "--port", "0")
    terminal.wait_for("Ctrl-C")
    assert "█" in terminal.shown and "http://localhost:" in terminal.shown
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end()[0] == 0


def test_a_port_that_is_taken_is_named(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = run("phone", "--port", str(taken.getsockname()[1]), code=6).stderr
    assert "(phone-port)" in said and "try: name another one" in said


def test_the_site_is_written(run, tmp_path):
    done = run("phone", "--export", str(tmp_path / "site"), "--gateway", "wss://gate.example:8683", "--json")
    told = json.loads(done.stdout)["phone"]
    assert told["gateway"] == "wss://gate.example:8683"
    assert told["files"] == len([each for each in (tmp_path / "site").rglob("*") if each.is_file()])
    assert "HTTPS" in done.stderr
    assert "wss://gate.example:8683" in (tmp_path / "site/_headers").read_text()


def test_a_folder_of_somebody_elses_is_refused(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    said = run("phone", "--export", str(tmp_path), code=5).stderr
    assert "thesis.txt (phone-folder)" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--gateway https://gate.example", 1, "(gateway-form)"),
        ("--gateway ws://gate.example", 1, "(gateway-form)"),
        ("--port 70000", 2, "--port"),
        ("--export x --port 1", 2, "--export serves nothing"),
        ("--export x --open", 2, "--export serves nothing"),
    ],
)
def test_what_cannot_be_is_said(run, words, code, said):
    assert said in run("phone", *words.split(), code=code).stderr
