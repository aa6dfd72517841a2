"""Flashing a board: everything that can be known before is checked before, then esptool writes.

Rules: a chip that is locked in any way is never written to. An image is read through before it is sent.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from admit_protocol.errors import Conflict, NotFound, TooLarge
from admit_provisioning import boards, images
from admit_provisioning.boards import Board
from admit_provisioning.esptool import Chip, Link, Progress, chip_info, unheard, write


def flash(
    link: Link,
    board: Board,
    image: Path,
    tell: Callable[[str], None],
    progress: Progress = unheard,
    erase: bool = False,
    found: Callable[[Chip], None] = lambda chip: None,
    known: Chip | None = None,
) -> Chip:
    """Write MicroPython's `image` to the board at `link`; its chip.

    `tell(words)` hears of each step, `found(chip)` of the chip before anything is written: it may raise to stop.
    `known`: what the chip said a moment ago. To ask it takes a second, and half a minute over RFC 2217.
    Raises image-… for the file, flash-… for the chip, serial-… for the port.
    """
    if not board.chip:
        raise _no_chip(board)
    described = images.check(image, board)
    if known is None:
        tell("asking the chip who it is")
    chip = known or chip_info(link)
    check_chip(chip, board)
    if described.end > chip.flash_size > 0:
        raise TooLarge(
            "image-too-large", f"it needs {described.end >> 20} MB of flash, and the chip has {chip.flash_size >> 20}"
        )
    found(chip)
    tell("erasing and writing" if erase else "writing")
    if not write(link, board.chip, board.image_offset, image, erase, progress):
        tell("this port cannot reset the board: press its reset button")
    return chip


def check_chip(chip: Chip, board: Board) -> None:
    """Raise Conflict unless the chip is the board's, and open: flash-no-chip, flash-other-chip, flash-secured."""
    check_kind(chip, board)
    if chip.secured:
        raise Conflict("flash-secured", f"{_called(chip.name)} with {', '.join(chip.secured)}")


def check_kind(chip: Chip, board: Board) -> None:
    """Raise Conflict unless the chip is the board's: flash-no-chip, flash-other-chip."""
    if not board.chip:
        raise _no_chip(board)
    if chip.name != board.chip:
        advice = ""
        with contextlib.suppress(NotFound):
            advice = f"; try --board {boards.with_chip(chip.name)}"
        wanted = f"{board.name} has an {_called(board.chip)}"
        raise Conflict("flash-other-chip", f"it is an {_called(chip.name)}, and {wanted}{advice}")


def _no_chip(board: Board) -> Conflict:
    return Conflict("flash-no-chip", f"{board.name} has no chip to flash: it runs on a PC")


def _called(name: str) -> str:
    """esp32s3 → ESP32-S3."""
    family, rest = name[:5].upper(), name[5:].upper()
    return f"{family}-{rest}" if rest else family
