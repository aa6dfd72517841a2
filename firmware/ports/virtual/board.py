"""The virtual board: which ports it has, told by the environment that its runner (admit.virtual.board) sets.

    ADMIT_STORAGE          folder with two folders in it, `keys` and `data`
    ADMIT_STORAGE_LIMIT    bytes that `data` may hold; ADMIT_READ_ONLY=1 refuses every write
    ADMIT_RADIO_FD, ADMIT_CABLE_FD, ADMIT_UDP_PORT     each port is there if its variable is
    ADMIT_CLOCK_OFFSET_S   added to the PC's clock; "unknown" for a board that does not know the time
    ADMIT_ROUTINES         the routines file
    ADMIT_TEST_IDENTITY    a file of test identities (test_identity.py); never set on a device that guards anything
"""

import os

from admit_device.ports import Ports
from ports.virtual.cable import Cable
from ports.virtual.clock import Clock
from ports.virtual.entropy import Entropy
from ports.virtual.keystore import Keystore
from ports.virtual.outputs import Outputs
from ports.virtual.radio import Radio
from ports.virtual.storage import Storage
from ports.virtual.udp import Udp


class Board:
    """The ports, and the names that the routines file defined."""

    def __init__(self):
        folder = os.getenv("ADMIT_STORAGE")
        limit, read_only = _number("ADMIT_STORAGE_LIMIT"), os.getenv("ADMIT_READ_ONLY") == "1"
        self.ports = Ports(
            Storage(_folder(folder + "/data"), limit, read_only),
            Keystore(_folder(folder + "/keys"), None, read_only),
            Clock(_offset()),
            Entropy(),
            Outputs(),
            list(_links()),
        )

    def routines(self):
        """Run the routines file and return the names it defined."""
        namespace = {}
        path = os.getenv("ADMIT_ROUTINES")
        if path:
            with open(path) as file:
                exec(file.read(), namespace)
        return namespace

    def test_identity(self):
        """Arguments for Device that only test identities need; none on an ordinary board."""
        path = os.getenv("ADMIT_TEST_IDENTITY")
        if not path:
            return {}
        from ports.virtual.test_identity import load

        return load(path)


def open_board():
    """The board that the environment describes."""
    return Board()


def _links():
    if _number("ADMIT_RADIO_FD") is not None:
        yield Radio(_number("ADMIT_RADIO_FD"))
    if _number("ADMIT_CABLE_FD") is not None:
        yield Cable(_number("ADMIT_CABLE_FD"))
    if _number("ADMIT_UDP_PORT") is not None:
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
