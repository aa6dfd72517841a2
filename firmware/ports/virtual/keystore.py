"""The virtual kiosk's key store: a folder of its own, for the identity only.

Owns: keeping the few secrets apart from all other data, and making them go on purpose. Whoever made the folder keeps
other users out of it. Must not know what the secrets are.
"""

from ports.virtual.storage import Storage


class Keystore:
    """The identity's values in `folder`: whole or absent like any other write."""

    def __init__(self, folder, limit=None, read_only=False):
        self._storage = Storage(folder, limit, read_only)

    def read(self, name):
        """Return the secret `name`, or None. StorageError("storage-corrupt") if its checksum fails."""
        return self._storage.read(name)

    def write(self, name, data):
        """Make `data` the secret `name`."""
        self._storage.write(name, data)

    def erase(self):
        """Overwrite and remove every secret. A folder may still keep old blocks: a real board's flash is erased."""
        for name in self._storage.names():
            self._storage.overwrite(name)
            self._storage.remove(name)
