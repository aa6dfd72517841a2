"""The two places on the flash where a set of firmware may lie, `/a` and `/b`, and which of them runs.

Owns: the file `/slot`, one byte, the file `/repl`, what `/trial` says, and the set's hash (docs/SPEC.md "Firmware
set"). boot.py reads `/slot` and `/trial` too: it cannot import anything. An update is updates.py's. Loaded when
somebody asks.
"""

import os
import sys
from hashlib import sha256

from admit_protocol.const import const

try:
    from os import ilistdir
except ImportError:
    from ports.slots_cpython import ilistdir

_DIRECTORY = const(0x4000)


def active(root=""):
    """The folder of the set that runs, or None where there are no slots. boot.py chose it: on trial it is another than
    `/slot` says.
    """
    for path in sys.path:
        if path in (root + "/a", root + "/b"):
            return path
    return _usual(root)


def trial(root=""):
    """How a trial stands: None if there is none; "on" if what runs is on trial; "confirmed" if it has proven itself,
    though that may be only half written down; "waiting" for the next start; else why it ended, "trial-…".
    """
    try:
        with open(root + "/trial") as file:
            text = file.read()
    except OSError:
        return None
    runs, usual = active(root), _usual(root)
    if runs and runs[-1:] == text[:1]:
        return "confirmed" if runs == usual or text[1:2] == "3" else "on"
    if text[1:2] == "0":
        return "trial-image" if exists(root + "/image") else "waiting"
    return text[2:] or "trial-no-answer"


def _usual(root):
    try:
        with open(root + "/slot") as file:
            name = file.read(1)
    except OSError:
        return None
    return root + "/" + name if name in ("a", "b") else None


def installed(root=""):
    """The hash of the set that runs, 32 bytes, read from the flash now; None where there are no slots."""
    folder = active(root)
    return folder and hash_of(folder)


def hash_of(folder):
    """The hash of the set in a folder."""
    total = sha256()
    for name in names(folder):
        total.update(name.encode() + b"\x00" + digest(folder + "/" + name))
    return total.digest()


def rows(folder):
    """Yield (name, size, SHA-256) of each file of a set, by name."""
    for name in names(folder):
        path = folder + "/" + name
        yield name, os.stat(path)[6], digest(path)


def vitals(root=""):
    """(slot whose firmware runs, or None; bytes of the flash in all; bytes free)."""
    folder, told = active(root), os.statvfs(root or "/")
    return folder and folder[-1], told[1] * told[2], told[1] * told[3]


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


def names(folder):
    """The names of all files in a folder, and in those below it, sorted; none if it is not there."""
    return sorted(_names(folder, "")) if exists(folder) else []


def digest(path):
    """SHA-256 of a file, or None if it is not there."""
    content = sha256()
    try:
        with open(path, "rb") as file:
            while True:
                piece = file.read(1024)
                if not piece:
                    return content.digest()
                content.update(piece)
    except OSError:
        return None


def write_whole(path, data):
    """Make `data` the content of a file: whenever the power goes it is the old one or the new one."""
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)


def exists(path):
    """Is there such a file or folder?"""
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def remove(path):
    """Remove a file, if it is there."""
    if exists(path):
        os.remove(path)


def make_folder(path):
    """Make a folder, if it is not there."""
    if not exists(path):
        os.mkdir(path)


def make_folders(path):
    """Make the folders in which a file shall be."""
    at = path.find("/", 1)
    while at > 0:
        make_folder(path[:at])
        at = path.find("/", at + 1)


def _names(folder, prefix):
    for name, kind, *_ in ilistdir(folder):
        if kind & _DIRECTORY:
            yield from _names(folder + "/" + name, prefix + name + "/")
        else:
            yield prefix + name
