"""The two places on the flash where a set of firmware may lie, `/a` and `/b`, and which of them runs.

Owns: the file `/slot`, one byte, the file `/repl` and the set's hash (docs/SPEC.md "Firmware set"). boot.py reads
`/slot` too: it cannot import anything. Loaded when somebody asks.
"""

import os
from hashlib import sha256

from admit_protocol.const import const

try:
    from os import ilistdir
except ImportError:
    from ports.slots_cpython import ilistdir

_DIRECTORY = const(0x4000)


def active(root=""):
    """The folder of the set that runs, or None where there are no slots."""
    try:
        with open(root + "/slot") as file:
            name = file.read(1)
    except OSError:
        return None
    return root + "/" + name if name in ("a", "b") else None


def installed(root=""):
    """The hash of the set that runs, 32 bytes, read from the flash now; None where there are no slots."""
    folder = active(root)
    if folder is None:
        return None
    total = sha256()
    for name in sorted(_names(folder, "")):
        total.update(name.encode() + b"\x00" + _hash_of(folder + "/" + name))
    return total.digest()


def routines_file(root=""):
    """The path of the site's routines in the set that runs, or None."""
    folder = active(root)
    if folder is None or "routines.mpy" not in os.listdir(folder):
        return None
    return folder + "/routines.mpy"


def ask_repl(root=""):
    """Have main.py leave the next start to the REPL."""
    with open(root + "/repl", "w"):
        pass


def _names(folder, prefix):
    for name, kind, *_ in ilistdir(folder):
        if kind & _DIRECTORY:
            yield from _names(folder + "/" + name, prefix + name + "/")
        else:
            yield prefix + name


def _hash_of(path):
    content = sha256()
    with open(path, "rb") as file:
        while True:
            piece = file.read(1024)
            if not piece:
                return content.digest()
            content.update(piece)
