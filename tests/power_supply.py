"""Storage and key store on one supply: a test cuts the power, or has a change refused, at any of all their changes."""

from admit_protocol.errors import StorageError
from memory_ports import Memory, PowerCut


class Supply:
    """Counts the changes of storage and key store together. At change `cut` the power goes, for good; change `refused`
    alone is refused.
    """

    def __init__(self, cut=None, refused=None):
        self.changes, self.cut, self.refused, self.dead = 0, cut, refused, False

    def change(self):
        if self.dead or self.changes == self.cut:
            self.dead = True
            raise PowerCut()
        self.changes += 1
        if self.changes - 1 == self.refused:
            raise StorageError("storage-full")


class Supplied(Memory):
    """A storage or key store on a supply, which its owner sets as `supply`."""

    supply = None

    def _change(self):
        self.supply.change()
