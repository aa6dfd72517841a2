"""`admit doctor` and `admit ports` as they are typed."""

import errno
import json

import pytest
import serial

from admit_provisioning import machine
from sites import NOW


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch):
    """No USB port, whatever the machine that runs the tests has; it is the day after the site was made."""
    monkeypatch.setattr(machine.Machine, "usb_ports", lambda self: [])
    monkeypatch.setattr("admit_cli.command.time.time", lambda: NOW + 86400)


def test_the_doctor_tells_line_by_line_and_is_content(site, run):
    told = run("doctor")
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["CHECK", "STATE", "FOUND", "FIX"]
    assert any(line.startswith("mpy-cross") and "makes mpy" in line for line in lines)
    rows = json.loads(run("doctor", "--json").stdout)["doctor"]
    assert {each["state"] for each in rows} <= {"ok", "warn"}
    assert all((each["fix"] is None) == (each["state"] == "ok") for each in rows)
    assert [each["check"] for each in rows if each["check"] == "registry"] == ["registry"]


def test_what_keeps_boards_from_being_provisioned_is_an_exit_code(site, run, monkeypatch):
    monkeypatch.setattr(machine.Machine, "version", lambda self, name: None if name == "esptool" else (99,))
    told = run("doctor", code=1)
    assert "(doctor-failed)" in told.stderr and "1 of " in told.stderr
    (row,) = [line for line in told.stdout.splitlines() if line.startswith("esptool")]
    assert "fail" in row and "pip install 'admit[provisioning]'" in row


def test_the_doctor_works_without_a_site_and_makes_none(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ADMIT_SITE", str(tmp_path / "nowhere"))
    rows = json.loads(run("doctor", "--json").stdout)["doctor"]
    assert [each["state"] for each in rows if each["check"] == "site"] == ["warn"]
    assert not (tmp_path / "nowhere").exists()


def test_no_ports_are_an_empty_list_and_a_word_of_advice(run):
    assert json.loads(run("ports", "--json").stdout) == {"schema": 1, "ports": []}
    told = run("ports")
    assert told.stdout == "" and "only charges" in told.stderr


def test_a_port_that_is_not_there_is_a_line_of_the_list(run):
    (row,) = json.loads(run("ports", "/dev/no-such-port", "--json").stdout)["ports"]
    assert (row["port"], row["problem"], row["runs"]) == ("/dev/no-such-port", "there is no such port", None)
    assert "there is no such port" in run("ports", "/dev/no-such-port").stdout


def test_a_port_that_may_not_be_opened_names_its_group(run, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "port").write_bytes(b"")
    monkeypatch.setattr(serial, "serial_for_url", refuse)
    assert machine.group_of(str(tmp_path / "port")) in run("ports", str(tmp_path / "port")).stdout


def test_a_virtual_kiosk_is_seen_at_its_cable(kiosk):
    (row,) = kiosk.data("ports", kiosk.board.cable)
    assert (row["runs"], row["state"], row["device"], row["problem"]) == ("app", "commissioned", "kiosk-1", None)
    table = kiosk.admit("ports", kiosk.board.cable).stdout
    assert "kiosk-1" in table and "commissioned" in table
