"""`admit virtual`: a blank board of one's own, from power to Ctrl-C, and what keeps it from starting."""

import os
import signal
import socket
import threading

import pytest

from cli_kiosk import Typist, secrets_under
from lasting_command import LastingCommand
from sites import new_site


@pytest.fixture(scope="module")
def typist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typist")
    new_site(folder / "site").registry.close()
    return Typist(folder, ADMIT_SITE=folder / "site")


@pytest.fixture(scope="module")
def air():
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def running(typist, air):
    kiosk = LastingCommand(typist, "virtual", "kiosk-1", "--air", air, "--clock", "2030-05-01 12:00")
    kiosk.expect("^MicroPython v1")
    yield kiosk
    kiosk.process.kill()


def test_it_is_blank_and_says_how_to_make_a_kiosk_of_it_and_how_to_reach_it(typist, air, running):
    cable = running.expect(r"Its cable: (\S+)")[1]
    told = running.expect(r"No firmware runs on it. To make a kiosk of it: admit (provision (\S+) --name kiosk-1)$")
    assert told[2] == cable
    udp = running.expect(r"(udp://127\.0\.0\.1:\d+)")[1]
    radio = running.expect(r"export ADMIT_BLE=(\S+)")[1]
    assert radio == f"tcp-client:127.0.0.1:{air}"
    typist.admit(told[1])
    running.expect("status ready")
    typist.admit("invoke kiosk-1 open seconds=1", ADMIT_BLE=radio)
    running.expect("door open")
    running.expect("door closed$")
    years = {each["time"][:10] for each in typist.data("journal kiosk-1 --via", udp)}
    assert years == {"2030-05-01"}
    assert os.stat(typist.folder / "home/data/admit/virtual/kiosk-1").st_mode & 0o077 == 0


def test_another_one_joins_the_same_air_but_never_the_same_flash(typist, air, running):
    second = typist.admit("virtual kiosk-1 --air", air, code=6).stderr
    assert "is running already (board-running)" in second
    other = LastingCommand(typist, "virtual", "kiosk-2", "--air", air, "--storage", typist.folder / "two")
    other.expect("No firmware runs on it")
    assert other.stop(signal.SIGTERM) == 0
    assert running.process.poll() is None


@pytest.mark.parametrize(
    "words, settings, code, said",
    [
        ("virtual a/b", {}, 1, "(admin-name)"),
        ("virtual", {}, 2, "NAME"),
        ("virtual k --clock tomorrow", {}, 2, "--clock"),
        ("virtual k --air 0", {}, 2, "--air"),
        ("virtual k --air {air}", {"ADMIT_MICROPYTHON": "/no/such/micropython"}, 1, "(board-dead)"),
    ],
)
def test_what_keeps_it_from_running(typist, air, running, words, settings, code, said):
    assert said in typist.admit(words.format(air=air), code=code, **settings).stderr


def test_a_port_of_somebody_elses_is_no_air(typist):
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        threading.Thread(target=lambda: somebody.accept()[0].close(), daemon=True).start()
        said = typist.admit("virtual k --air", somebody.getsockname()[1], code=1).stderr
    assert "(radio-unavailable)" in said


def test_ctrl_c_ends_it_and_its_flash_stays(typist, air, running):
    assert running.stop() == 0
    assert not (typist.folder / "home/data/admit/virtual/kiosk-1/cable").exists()
    again = LastingCommand(typist, "virtual", "kiosk-1", "--air", air)
    again.expect("status ready")
    assert again.stop() == 0
    shown = "\n".join([*typist.shown, *running.lines, *again.lines]).encode()
    assert [secret for secret in secrets_under(typist.folder) if secret in shown] == []
