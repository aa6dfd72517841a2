"""The virtual board: which ports it has, told by the environment that its runner (admit.virtual.board) sets.

ADMIT_STORAGE          folder with two folders in it, `keys` and `data`
ADMIT_STORAGE_LIMIT    bytes that `data` may hold; ADMIT_READ_ONLY=1 refuses every write
ADMIT_RADIO_FD, ADMIT_CABLE_FD, ADMIT_UDP_PORT     each port is there if its variable is
ADMIT_CLOCK_OFFSET_S   added to the PC's clock; "unknown" for a board that does not know the time
ADMIT_ROUTINES         the routines file
ADMIT_TEST_IDENTITY    a file of test identities (admit_device/strangers.py); never on a device that guards anything
"""

import os

from ports.virtual.clock import Clock
from ports.virtual.entropy import Entropy
from ports.virtual.keystore import Keystore
from ports.virtual.outputs import Outputs
from ports.virtual.storage import Storage


class Board:
    """The ports of admit_device/ports.py as attributes, the routines file, and the file of test identities or None."""

    def __init__(self):
        folder = os.getenv("ADMIT_STORAGE")
        limit, read_only = _number("ADMIT_STORAGE_LIMIT"), os.getenv("ADMIT_READ_ONLY") == "1"
        self.storage = Storage(_folder(folder + "/data"), limit, read_only)
        self.keystore = Keystore(_folder(folder + "/keys"), None, read_only)
        self.clock = Clock(_offset())
        self.entropy = Entropy()
        self.outputs = Outputs()
        self.links = list(_links())
        self.routines_file = os.getenv("ADMIT_ROUTINES")
        self.test_identity = os.getenv("ADMIT_TEST_IDENTITY")


def open_board():
    """The board that the environment describes."""
    return Board()


def _links():
    """The link servers that the board has; the module of one that it lacks is not loaded."""
    if _number("ADMIT_RADIO_FD") is not None:
        from ports.virtual.radio import Radio

        yield Radio(_number("ADMIT_RADIO_FD"))
    if _number("ADMIT_CABLE_FD") is not None:
        from ports.virtual.cable import Cable

        yield Cable(_number("ADMIT_CABLE_FD"))
    if _number("ADMIT_UDP_PORT") is not None:
        from ports.virtual.udp import Udp

        yield Udp(_number("ADMIT_UDP_PORT"))


def _offset():
    return None if os.getenv("ADMIT_CLOCK_OFFSET_S") == "unknown" else _number("ADMIT_CLOCK_OFFSET_S") or 0


def _number(name):
    text = os.getenv(name)
    return int(text) if text else None


def _folder(path):
    try:
        os.mkdir(path)
    except OSError:
        pass
    return path
