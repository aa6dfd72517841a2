"""One firmware set for several kinds of board: what a release is made of.

Rules: kinds of board go together if they take the very same files: the same port, the same routines.
Must not know: releases, and who signs them.
"""

from collections.abc import Sequence
from pathlib import Path

from admit_protocol.errors import LocalError
from admit_provisioning import boards, images
from admit_provisioning.boards import Board
from admit_provisioning.compile import FirmwareSet, build

BYTECODE = 6  # of MicroPython 1.23 and later, which is what all boards of ours run


def common(names: Sequence[str], routines: Path | None) -> tuple[Board, FirmwareSet]:
    """The set that boards of all these kinds take, and one of the kinds. `routines`: a site's file.

    Raises LocalError release-boards if they do not go together; what boards.load and compile.build raise.
    """
    kinds = [boards.load(name) for name in names]
    sets = [build(kind, routines, BYTECODE) for kind in kinds]
    for kind, made in zip(kinds, sets, strict=True):
        if (kind.port, made.hash) != (kinds[0].port, sets[0].hash):
            raise LocalError("release-boards", f"{kind.name} takes other files than {kinds[0].name}")
    return kinds[0], sets[0]


def program(names: Sequence[str], file: Path) -> bytes:
    """MicroPython's own image out of a file, for boards of all these kinds. Raises what images.program does."""
    return [images.program(file, boards.load(name)) for name in names][0]
