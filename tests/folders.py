"""A folder of its own for one test, on both runtimes."""

import os
from binascii import hexlify


class Folder:
    """`with Folder() as folder:` makes one at `folder.path`, and removes it with all its files."""

    def __enter__(self):
        self.path = (os.getenv("TMPDIR") or "/tmp") + "/admit-" + hexlify(os.urandom(8)).decode()
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        _remove(self.path)

    def write(self, name, data):
        """Make a file; its path."""
        with open(self.path + "/" + name, "wb") as file:
            file.write(data)
        return self.path + "/" + name

    def read(self, name):
        """The bytes of a file."""
        with open(self.path + "/" + name, "rb") as file:
            return file.read()


def _remove(path):
    """A file, or a folder with all that is in it: CPython may have left a __pycache__."""
    if os.stat(path)[0] & 0x4000:
        for name in os.listdir(path):
            _remove(path + "/" + name)
        os.rmdir(path)
    else:
        os.remove(path)
