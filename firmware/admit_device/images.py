"""MicroPython's own image in an update, where a board can replace it. Loaded for a release that has one.

The image goes into its place as it comes, since nothing has room for it twice; releases.py does the rest. The place is
the port's (ports/esp32/image.py).
Rules: one that runs already need not come; none is booted that was not proven from the flash just before.
"""

from admit_device.releases import SLOTS, store
from admit_protocol.errors import Conflict, StorageError, TooLarge, Unsupported, Unverified

_REASON = "release-image"


def place(manifest, updates):
    """Where the release's image goes; None if that very image runs. Raises Unsupported release-image."""
    size, digest = manifest.image
    found = updates.image()
    if found is None:
        raise Unsupported(_REASON, "this board cannot replace its MicroPython")
    if size > found.size:
        raise Unsupported(_REASON, "there is room for %d bytes" % found.size)
    return None if found.runs(size) == digest else found


def look(manifest, updates):
    """How many bytes of the image are here already; None if nothing is to come. Raises StorageError."""
    found, size = place(manifest, updates), manifest.image[0]
    if found is None:
        return None
    if not found.is_begun():
        _do(found.begin)
        return 0
    return None if found.holds(size) == manifest.image[1] else found.have(size)


def take(manifest, device, updates, offset, length, data):
    """A piece of it: how many of its bytes are here then. Raises TooLarge, Unverified, StorageError."""
    looked, missing, have = device.staging
    size, digest = manifest.image
    if length != size or offset + len(data) > size:
        raise TooLarge("release-too-long")
    if have is None:
        return size
    found = updates.image()
    device.staging = None  # what a flash that refuses has taken is found out by looking again
    if data and offset == have:
        _do(found.write, offset, data, size)
        have += len(data)
    if have == size:
        _check(found, size, digest)
        have = None
    device.staging = looked, missing, have
    return size if have is None else have


def prove(found, manifest, device):
    """Is all of it there? Raises Conflict release-incomplete, Unverified release-damaged."""
    device.staging = None
    if not found.is_begun():
        raise Conflict("release-incomplete", "the image")
    _check(found, *manifest.image)


def boot(found, device, updates, known):
    """The next start is that image's. Raises Unsupported release-image: the chip does not take it."""
    try:
        found.boot()
    except OSError as error:
        known[SLOTS].pop(updates.other)
        store(device, known)
        updates.end_trial()
        raise Unsupported(_REASON, "the chip does not take it: errno %s" % error.errno)


def _check(found, size, digest):
    if found.holds(size) != digest:
        _do(found.begin)
        raise Unverified("release-damaged", "the image")


def _do(step, *arguments):
    try:
        step(*arguments)
    except OSError as error:
        raise StorageError("storage-failed", "errno %s" % error.errno)
