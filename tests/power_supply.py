"""Storage and key store on one supply: a test cuts the power, or has a change refused, at any of all their changes."""

from admit_protocol.errors import StorageError
from memory_ports import Memory, PowerCut, copied
from rig import Rig
from visitors import ROUTINES


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


class Powered(Rig):
    """A commissioned kiosk whose power a test cuts."""

    def __init__(self, files):
        self.files = files
        super().__init__(ROUTINES)

    def boot(self):
        if not isinstance(self.storage, Supplied):
            self.storage, self.keystore = Supplied(), Supplied()
            self.storage.files = copied(self.files[0])
            self.keystore.files = copied(self.files[1])
            self.power(Supply())
        super().boot()

    def power(self, supply):
        self.supply = self.storage.supply = self.keystore.supply = supply
