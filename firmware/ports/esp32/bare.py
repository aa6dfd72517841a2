"""What is left of a board that did not come up: enough to see whose it is, and to start it again.

Must not need anything that may be what failed: board.json, pins, the radio, storage.
"""

import machine

from ports.esp32.keystore import Keystore

if not hasattr(machine, "reset"):
    raise ImportError("machine")  # a PC's: MicroPython has that module there, too


class Bare:
    """A board of which nothing works but its key store and its storage, if they do."""

    @property
    def keystore(self):
        """As any board's; made when it is asked for, since that may fail too."""
        return Keystore()

    @property
    def storage(self):
        """As any board's, for the crash record."""
        from ports.folder import FolderStorage, make_folder

        return FolderStorage(make_folder("/data"))

    @property
    def clock(self):
        """As any board's; it counts from now."""
        from ports.esp32.clock import Clock

        return Clock()

    def restart(self):
        """Reset the chip."""
        machine.reset()
