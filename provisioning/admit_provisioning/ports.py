"""`admit ports`: the serial ports of this machine, and what runs on them.

Owns: what is asked of a port. Without `probe` that is one question to the app, which resets nothing and interrupts
nobody; with it also the REPL and the chip's ROM loader, for chip and MAC, which may reset the board.
Rules: a port that does not answer, is taken or forbidden is a line of the list, never its end.
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from admit_protocol import credential
from admit_protocol.errors import AdmitError, Busy, NotFound, TimedOut
from admit_provisioning import detect, esptool
from admit_provisioning.detect import APP, Found
from admit_provisioning.esptool import Chip, Link
from admit_provisioning.machine import Machine

_AT_ONCE = 8
_MAC_LENGTH = 6


@dataclass(frozen=True)
class Port:
    """A port: `usb` its USB vendor and product, `runs` who answers (app, repl, rom), `problem` why nobody was asked."""

    port: str
    title: str = ""
    usb: str | None = None
    chip: str | None = None
    mac: str | None = None
    runs: str | None = None
    device: str | None = None
    state: str | None = None
    board_id: str | None = None
    problem: str | None = None


def look(machine: Machine, extra: list[Link], probe: bool, options: Link) -> list[Port]:
    """All USB serial ports and the `extra` ones, each asked who is there. `options`: how esptool is to treat them."""
    listed = [Port(each.device, each.description, f"{each.vid:04x}:{each.pid:04x}") for each in machine.usb_ports()]
    known = {each.port for each in listed}
    listed += [Port(link.port) for link in extra if link.port not in known]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda each: _ask(each, probe, replace(options, port=each.port)), listed))


def _ask(port: Port, probe: bool, link: Link) -> Port:
    try:
        found = detect.detect(link) if probe else detect.ask_app(link)
        chip = _chip(link, found) if probe else None
    except Busy:
        return replace(port, problem="in use by another program")
    except NotFound:
        return replace(port, problem="there is no such port")
    except TimedOut as error:
        silent = error.reason == "port-silent"
        return replace(port, problem=None if silent else error.detail, runs="silent" if silent else None)
    except AdmitError as error:
        return replace(port, problem=error.detail)
    return replace(port, **_told(found, chip))


def _chip(link: Link, found: Found) -> Chip | None:
    """The chip, from its ROM loader, and then the board runs again what it ran before."""
    chip = found.chip
    with contextlib.suppress(AdmitError):
        chip = chip or esptool.chip_info(link)
        esptool.run(["--no-stub", *link.options(), "--connect-attempts", str(link.attempts), "read-mac"])
    return chip


def _told(found: Found, chip: Chip | None) -> dict:
    told: dict[str, str | None] = {"runs": found.kind, "board_id": found.board_id}
    if found.board_id and len(found.board_id) == 2 * _MAC_LENGTH:
        told["mac"] = _colons(bytes.fromhex(found.board_id))
    if chip:
        told |= {"chip": chip.name, "mac": _colons(chip.mac) if chip.mac else told.get("mac")}
    if found.kind == APP and found.description:
        told["state"] = found.description.state
        if found.description.credential:
            with contextlib.suppress(AdmitError):
                told["device"] = credential.parse(found.description.credential).device_id
    return told


def _colons(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)
