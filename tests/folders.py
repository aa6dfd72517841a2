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
        for name in os.listdir(self.path):
            if name != "__pycache__":
                os.remove(self.path + "/" + name)
        os.rmdir(self.path)

    def write(self, name, data):
        """Make a file; its path."""
        with open(self.path + "/" + name, "wb") as file:
            file.write(data)
        return self.path + "/" + name

    def read(self, name):
        """The bytes of a file."""
        with open(self.path + "/" + name, "rb") as file:
            return file.read()
