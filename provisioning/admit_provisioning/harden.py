"""Burning eFuses, which nobody can take back: a plan first, rehearsed bit by bit, then the plan and nothing else.

Owns: which eFuses admit would burn on which chip and why, the plan's file, the rehearsal on espefuse's virtual chip,
and the comparison of every bit before and after each step.
Rules: only what this file lists is ever burned. A plan is for one chip, in one state; a chip in another state is
refused, unless it is a state that the plan itself leads through, so that a pulled cable is made good by the same
command. A plan that was edited does not survive its second rehearsal.
Must not know: terminals; who confirms.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound, TimedOut, Unverified
from admit_provisioning import boards
from admit_provisioning.esptool import Chip, Link, chip_info, run
from admit_provisioning.flash import check_kind

FORMAT = "admit-harden-plan-1"
DOWNLOAD_OFF = "download-off"

_TOKEN = re.compile(r"^EFSR:\S+$", re.MULTILINE)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One eFuse: what burning it does and costs. `after`: the chip's eFuses then, as the rehearsal had them."""

    efuse: str
    does: str
    costs: str
    after: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be burned on one chip, whose eFuses now are `efuses` (espefuse's token), and what is not."""

    chip: str
    title: str
    mac: str
    board: str
    efuses: str
    steps: list[Step]
    left_alone: dict[str, str]

    def save(self, file: Path) -> None:
        """Write it, as JSON, for people too: each block of eFuses also in hex."""
        data = {"format": FORMAT, **asdict(self), "blocks": [block.hex() for block in blocks(self.efuses)]}
        file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_NO_DEBUGGER = "no debugger can ever be attached again"
_JTAG = Step("DIS_PAD_JTAG", "switches JTAG on the pins off: nobody reads keys out of the running chip", _NO_DEBUGGER)
_USB_JTAG = Step("DIS_USB_JTAG", "switches JTAG over USB off; the USB serial port stays", _NO_DEBUGGER)
_DIRECT = Step("DIS_DIRECT_BOOT", "the ROM starts nothing but a bootloader with a proper header", "nothing that we use")
_SECURE_DOWNLOAD = Step(
    "ENABLE_SECURITY_DOWNLOAD",
    "the ROM loader reads no flash, no memory and no eFuses any more: keys cannot be copied over the cable",
    "admit flash refuses the board from then on; esptool can still write and erase its flash, blindly",
)
_OTHERS = [_JTAG, _USB_JTAG, _DIRECT, _SECURE_DOWNLOAD]

# What is burned, in this order; what locks the loader comes last.
_STEPS = {
    "esp32": [
        Step("JTAG_DISABLE", "switches JTAG off: nobody reads keys out of the running chip", _NO_DEBUGGER),
        Step(
            "CONSOLE_DEBUG_DISABLE",
            "the ROM's BASIC does not start when the flash does not boot",
            "nothing that we use",
        ),
    ],
    "esp32c3": _OTHERS,
    "esp32c6": _OTHERS,
    "esp32s3": _OTHERS,
}
_LAST = "the ROM loader never starts again: the board can never be flashed again, whatever goes wrong with it"
_DOWNLOAD_OFF = {
    "esp32": Step("UART_DOWNLOAD_DIS", "switches the ROM loader off for good", _LAST),
    "others": Step("DIS_DOWNLOAD_MODE", "switches the ROM loader off for good", _LAST),
}

LEFT_ALONE = {
    "secure boot": "it starts signed images only. MicroPython's own images are not signed: a chip burnt so would"
    " never start again. It needs a MicroPython of your own, signed with a key of your own, before the first eFuse",
    "flash encryption": "it encrypts what is in the flash, with a key that the chip alone knows. MicroPython's own"
    " images are not built for it, and its file system would not be readable. Without it, whoever takes the flash chip"
    " off the board can read the device's key",
}


def make_plan(link: Link, board_name: str | None, tell: Tell, also: tuple[str, ...] = ()) -> Plan:
    """What there is to burn on the chip at `link`: read, rehearsed, explained. Nothing is burned.

    `board_name`: None for the first board with that chip. `also` may name DOWNLOAD_OFF.
    Raises what asking the chip does; Conflict harden-unreadable, harden-unsupported, flash-other-chip.
    """
    tell("asking the chip who it is")
    chip = _readable(link)
    board = boards.load(board_name or boards.with_chip(chip.name))
    check_kind(chip, board)
    tell("reading its eFuses")
    efuses = read(link, chip.name)
    steps = _wanted(chip, efuses, also)
    tell("rehearsing on a virtual chip")
    after = rehearse(efuses, [step.efuse for step in steps])
    before = [efuses, *after]
    new = [Step(s.efuse, s.does, s.costs, to) for s, was, to in zip(steps, before, after, strict=False) if was != to]
    return Plan(chip.name, chip.title, chip.mac.hex(":"), board.name, efuses, new, LEFT_ALONE)


def _readable(link: Link) -> Chip:
    """The chip at `link`. Raises Conflict harden-unreadable."""
    chip = chip_info(link)
    if chip.secure_download:
        raise Conflict("harden-unreadable", "it is in secure download mode: its eFuses can be neither read nor burned")
    return chip


def _wanted(chip: Chip, efuses: str, also: tuple[str, ...]) -> list[Step]:
    if chip.name not in _STEPS:
        raise Conflict("harden-unsupported", f"admit does not know the eFuses of {chip.title}")
    steps = list(_STEPS[chip.name])
    if DOWNLOAD_OFF in also:
        if chip.name == "esp32" and int(efuses.split(":")[2]) < 300:
            raise Conflict("harden-unsupported", "an ESP32 older than revision 3 cannot switch its loader off")
        steps = [step for step in steps if step is not _SECURE_DOWNLOAD]  # the loader itself goes
        steps.append(_DOWNLOAD_OFF.get(chip.name, _DOWNLOAD_OFF["others"]))
    return steps


# The chip, and the virtual one


def read(link: Link, chip: str) -> str:
    """All eFuses of the chip, as espefuse's token."""
    return _tokens(run(["--chip", chip, *link.options("no-reset"), *_DUMP], program="espefuse"))[-1]


def rehearse(efuses: str, names: list[str]) -> list[str]:
    """Burn these on a virtual chip with these eFuses, one by one: its eFuses after each."""
    states = [efuses]
    for name in names:
        output = run(["--token", states[-1], "--do-not-confirm", *_DUMP, *_burning(name)], program="espefuse")
        told = _tokens(output)
        if len(told) < 2 or blocks(told[0]) != blocks(states[-1]):
            raise LocalError("harden-rehearsal", "the virtual chip does not take on the state of the real one")
        states.append(told[-1])
    return states[1:]


_DUMP = ["dump", "--format", "token"]  # beside a burn, it is done after it too


def _burning(name: str) -> list[str]:
    return ["burn-efuse", name, "1"]


def _tokens(output: str) -> list[str]:
    found = _TOKEN.findall(output)
    if not found:
        raise LocalError("harden-rehearsal", "espefuse gave no token: it may be too old")
    return found


# The plan's file


def load(file: Path) -> Plan:
    """A plan that `save` wrote. Raises NotFound file-missing, Malformed harden-plan."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT or [b.hex() for b in blocks(data["efuses"])] != data.pop("blocks"):
            raise ValueError("it is no plan, or its eFuses were changed")
        plan = Plan(**(data | {"steps": [Step(**step) for step in data["steps"]]}))
        _check_steps(plan)
    except FileNotFoundError:
        raise NotFound("file-missing", str(file)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed("harden-plan", f"{file}: {error}") from None
    return plan


def _check_steps(plan: Plan) -> None:
    """Only what this file lists, in its own words: a plan explains what it does. Raises ValueError."""
    if _chip_of(plan.efuses) != plan.chip:
        raise ValueError(f"its eFuses are no {plan.chip}'s")
    known = {step.efuse: step for step in _STEPS[plan.chip]}
    last = _DOWNLOAD_OFF.get(plan.chip, _DOWNLOAD_OFF["others"])
    for step in plan.steps:
        listed = (known | {last.efuse: last}).get(step.efuse)
        if listed is None or (step.does, step.costs) != (listed.does, listed.costs):
            raise ValueError(f"admit does not burn {step.efuse}, or not for that reason")
        if _chip_of(step.after) != plan.chip:
            raise ValueError(f"{step.efuse} does not lead to an {plan.chip}")


def _chip_of(token: str) -> str:
    """The chip in a token, whose check must hold. Raises ValueError."""
    blocks(token)
    return token.split(":")[1]


def blocks(token: str) -> list[bytes]:
    """The blocks in espefuse's token; b"" for one that is all zero. Raises ValueError."""
    parts = token.split(":")
    if len(parts) < 6 or parts[0] != "EFSR":
        raise ValueError("that is no token of eFuses")
    crc = binascii.crc32((":".join(parts[:-1]) + ":").encode()).to_bytes(4, "little")
    if _decoded(parts[-1]) != crc:
        raise ValueError("the check of a token of eFuses does not hold")
    return [_decoded(part) for part in parts[3:-2]]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


# Burning


def apply(link: Link, plan: Plan, confirm: Callable[[list[Step]], None], tell: Tell) -> list[Step]:
    """Burn what the plan says on the chip that it was made for; the steps that were burned now.

    `confirm(steps)` is called when all is known and nothing is burned; it raises unless somebody typed their consent.
    Raises Conflict harden-other-board, harden-changed, harden-unreadable; Malformed harden-plan; Unverified
    harden-unverified if the chip is not, after a step, what the rehearsal said.
    """
    tell("rehearsing once more")
    if rehearse(plan.efuses, [step.efuse for step in plan.steps]) != [step.after for step in plan.steps]:
        raise Malformed("harden-plan", "its steps do not lead where it says: it was changed, or espefuse was")
    tell("comparing every eFuse of the chip")
    left = _left(link, plan)
    if not left:
        return []
    confirm(left)
    for step in left:
        _check_still(link, plan, step)
        tell(f"burning {step.efuse}")
        _burn(link, plan, step)
    return left


def _left(link: Link, plan: Plan) -> list[Step]:
    """The steps that are not done yet, of a chip that is in a state on the plan's way."""
    chip = _readable(link)
    if chip.name != plan.chip or chip.mac.hex(":") != plan.mac:
        raise Conflict("harden-other-board", f"the plan is for {plan.mac}; this is {chip.mac.hex(':')}")
    now = read(link, plan.chip)
    states = [blocks(each) for each in (plan.efuses, *(step.after for step in plan.steps))]
    for done, state in enumerate(states):
        if blocks(now) == state:
            return plan.steps[done:]
    raise Conflict("harden-changed", f"since the plan was made, {', '.join(_differences(states[0], blocks(now)))}")


def _check_still(link: Link, plan: Plan, step: Step) -> None:
    """Raise unless the chip at the port, whose eFuses hold its MAC too, is the one that the plan leads to this step.

    Between the comparison and the burn somebody read, and typed: meanwhile another board may have been plugged in.
    """
    now, before = read(link, plan.chip), [plan.efuses, *(each.after for each in plan.steps)][plan.steps.index(step)]
    if blocks(now) != blocks(before):
        found = ", ".join(_differences(blocks(before), blocks(now)))
        raise Conflict("harden-changed", f"it is not the chip that was compared: {found}")


def _differences(before: list[bytes], now: list[bytes]) -> list[str]:
    """Every bit that differs, in words."""
    found = []
    for number, (old, new) in enumerate(zip(before, now, strict=False)):
        changed = int.from_bytes(old, "little") ^ int.from_bytes(new, "little")
        found += [f"bit {bit} of block {number} changed" for bit in range(changed.bit_length()) if changed >> bit & 1]
    return found[:8] or ["its revision changed"]


def _burn(link: Link, plan: Plan, step: Step) -> None:
    """Burn one eFuse, and look at all of them; if that closed the loader, see that it is closed."""
    command = ["--chip", plan.chip, *link.options("no-reset"), "--do-not-confirm", *_burning(step.efuse), *_DUMP]
    found = _TOKEN.findall(run(command, program="espefuse"))
    if not (blocks(found[-1]) == blocks(step.after) if found else _is_closed(link, step)):
        raise Unverified("harden-unverified", f"after {step.efuse} the chip is not what the rehearsal said")


def _is_closed(link: Link, step: Step) -> bool:
    """Whether the loader tells nothing any more, or does not even answer, if that is what the step was for."""
    try:
        return chip_info(link).secure_download
    except TimedOut:
        return step.efuse == _DOWNLOAD_OFF["others"].efuse
