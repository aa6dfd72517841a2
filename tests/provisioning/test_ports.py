"""The list of ports: who answers, why nobody does, and that nobody is disturbed who was not to be."""

from types import SimpleNamespace

import pytest

from admit.client import Description
from admit_protocol.errors import Busy, LocalError, NotFound, TimedOut, Unsupported
from admit_provisioning import ports
from admit_provisioning.detect import APP, REPL, Found
from admit_provisioning.esptool import Link
from admit_provisioning.machine import Machine
from rig import Rig, Site
from rom_loader import RomBoard
from rom_loader.line import Rfc2217

MAC = bytes.fromhex("246f28aabbcc")
USB = SimpleNamespace(device="/dev/ttyUSB0", description="CP2102 USB to UART", vid=0x10C4, pid=0xEA60)


class Desk(Machine):
    """A machine with these USB ports."""

    def __init__(self, *plugged):
        self.plugged = list(plugged)

    def usb_ports(self):
        return self.plugged


def listed(monkeypatch, answer, probe=False, extra=("/dev/ttyUSB0",), machine=None):
    """The list when every port answers like that: an error, or what was found."""

    def ask(link):
        asked.append(link)
        found = answer(link) if callable(answer) else answer
        if isinstance(found, Exception):
            raise found
        return found

    asked = []
    monkeypatch.setattr(ports.detect, "detect" if probe else "ask_app", ask)
    monkeypatch.setattr(ports.detect, "ask_app" if probe else "detect", None)
    return ports.look(machine or Desk(), [Link(each) for each in extra], probe, Link("")), asked


def test_a_device_of_a_site_is_named_and_the_app_alone_is_asked(monkeypatch):
    rig = Rig({}, Site())
    found = Found(APP, Description("commissioned", rig.credential, {"admit": "0.1.0"}, MAC))
    (only,), asked = listed(monkeypatch, found, machine=Desk(USB), extra=())
    assert (only.port, only.title, only.usb) == ("/dev/ttyUSB0", "CP2102 USB to UART", "10c4:ea60")
    assert (only.runs, only.state, only.device) == ("app", "commissioned", "kiosk-1")
    assert (only.mac, only.board_id, only.chip, only.problem) == ("24:6f:28:aa:bb:cc", MAC.hex(), None, None)
    assert [each.port for each in asked] == ["/dev/ttyUSB0"]


@pytest.mark.parametrize(
    "error, runs, problem",
    [
        (Busy("serial-in-use", "another program holds it"), None, "in use by another program"),
        (NotFound("serial-not-found", "x"), None, "there is no such port"),
        (LocalError("serial-no-access", "no access to x: its group"), None, "no access to x: its group"),
        (TimedOut("port-silent", "x"), "silent", None),
        (TimedOut("link-dropped", "it was unplugged"), None, "it was unplugged"),
        (Unsupported("port-not-micropython", "CircuitPython 9"), None, "CircuitPython 9"),
    ],
)
def test_why_nobody_answers_is_told_in_its_line(monkeypatch, error, runs, problem):
    (only,), _ = listed(monkeypatch, error)
    assert (only.runs, only.problem) == (runs, problem)


def test_one_bad_port_does_not_hide_the_others_and_none_is_listed_twice(monkeypatch):
    def answer(link):
        return Busy("serial-in-use") if link.port == "/dev/ttyUSB0" else Found(REPL)

    found, _ = listed(monkeypatch, answer, probe=False, extra=("/dev/ttyUSB0", "socket://x:1"), machine=Desk(USB))
    assert [(each.port, each.runs) for each in found] == [("/dev/ttyUSB0", None), ("socket://x:1", "repl")]


def test_a_credential_that_cannot_be_read_is_no_reason_to_fail(monkeypatch):
    (only,), _ = listed(monkeypatch, Found(APP, Description("commissioned", b"junk", {}, b"12345678")))
    assert (only.runs, only.device, only.mac, only.board_id) == ("app", None, None, b"12345678".hex())


def test_no_ports_are_an_empty_list():
    assert ports.look(Desk(), [], False, Link("")) == []


def test_a_probe_tells_chip_and_mac_and_has_the_board_run_again(tmp_path, monkeypatch):
    ran, run = [], ports.esptool.run

    def noted(arguments, *more, **named):
        ran.append(arguments)
        return run(arguments, *more, **named)

    monkeypatch.setattr(ports.esptool, "run", noted)
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        (only,) = ports.look(Desk(), [Link(rom.port)], True, Link("", "no-reset", attempts=1))
    assert (only.runs, only.chip, only.problem) == ("rom", "esp32c3", None)
    assert only.mac == ":".join(f"{byte:02x}" for byte in rom.mac)
    assert ran[-1][:7] == ["--no-stub", "--port", rom.port, "--before", "no-reset", "--after", "hard-reset"]


def test_without_a_probe_a_rom_loader_is_silent(tmp_path):
    with RomBoard("esp32", tmp_path / "flash") as rom:
        (only,) = ports.look(Desk(), [Link(rom.port)], False, Link(""))
    assert (only.runs, only.chip) == ("silent", None)


def test_a_port_of_a_terminal_server_is_asked_like_any_other(tmp_path):
    with RomBoard("esp32", tmp_path / "flash", Rfc2217()) as rom:
        (only,) = ports.look(Desk(), [Link(rom.port)], False, Link(""))
    assert rom.port.startswith("rfc2217://") and (only.runs, only.problem) == ("silent", None)
