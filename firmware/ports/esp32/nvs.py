"""How an ESP32's key store lies in the chip's NVS. Loaded for each use of it.

Owns: NVS's limits (keys of 15 characters, negative errno) and docs/SPEC.md "Key store": a value stands under its name
and `.a` or `.b`, with a checksum and a generation; a new one goes to the place that is free and is read back before the
old one is erased. So a power cut leaves the old or the new, and a value that is damaged later is refused, not replaced
by an older one. Must not know what the secrets are.
"""

from binascii import crc32

from admit_protocol.const import const
from admit_protocol.errors import LocalError, StorageError
from esp32 import Partition

_NAMES = ("identity",)  # NVS cannot be asked for its keys
_MAX_VALUE = const(2048)
_HEADER = const(8)  # checksum, generation

# esp_err_t as MicroPython raises it
_NOT_FOUND = const(-0x1102)
_NO_SPACE = const(-0x1105)
_TOO_SHORT = const(-0x110C)

_ERASE_BLOCK = const(6)
_COUNT_BLOCKS = const(4)


def read(nvs, name):
    """Return the secret `name`, or None. StorageError("storage-corrupt") if its checksum fails.

    What a power cut left of an older value is erased: it must not come back when the newer one is damaged later.
    """
    _, value, place, other = _newest(nvs, name)
    if place and _blob(nvs, other) is not None:
        _try_to_forget(nvs, (other,))
    return value


def write(nvs, name, data):
    """Make `data` (at most 2048 bytes) the secret `name`. What raises StorageError has changed nothing."""
    if name not in _NAMES or len(data) > _MAX_VALUE:
        raise LocalError("keystore-value", name)
    generation, _, old, free = _newest(nvs, name)
    body = (generation + 1).to_bytes(4, "big") + bytes(data)
    blob = _check(body) + body
    _do(name, nvs.set_blob, free, blob)
    _do(name, nvs.commit)
    if _blob(nvs, free) != blob:
        raise StorageError("storage-failed", name + " does not read back")
    if old:  # the new one counts from here on
        _try_to_forget(nvs, (old,))


def erase(nvs):
    """Remove every secret, first from NVS's index, then from the flash: NVS itself leaves the old bytes where they
    were. Reset the chip afterwards: NVS's own picture of its partition no longer holds.
    """
    for name in _NAMES:
        _try_to_forget(nvs, _places(name))
    for partition in Partition.find(Partition.TYPE_DATA, label="nvs"):
        for block in range(partition.ioctl(_COUNT_BLOCKS, 0)):
            partition.ioctl(_ERASE_BLOCK, block)


def _newest(nvs, name):
    """(generation, value, its place, a free place) of `name`; the value is None if there is none.

    StorageError("storage-corrupt") if something stands there and nothing of it holds.
    """
    first, second = _places(name)
    newest, damaged = (0, None, None, first), False
    for place, other in ((first, second), (second, first)):
        blob = _blob(nvs, place)
        if blob is None:
            continue
        generation = int.from_bytes(blob[4:_HEADER], "big")
        if len(blob) < _HEADER or _check(blob[4:]) != blob[:4]:
            damaged = True
        elif generation > newest[0]:
            newest = (generation, blob[_HEADER:], place, other)
    if damaged and newest[1] is None:
        raise StorageError("storage-corrupt", name)
    return newest


def _blob(nvs, place):
    size = 512
    while True:
        buffer = bytearray(size)
        try:
            return bytes(buffer[: nvs.get_blob(place, buffer)])
        except OSError as error:
            if error.errno == _NOT_FOUND:
                return None
            if error.errno != _TOO_SHORT or size > _HEADER + _MAX_VALUE:
                raise StorageError("storage-corrupt", place)
            size *= 2


def _forget(nvs, place):
    try:
        nvs.erase_key(place)
    except OSError as error:
        if error.errno != _NOT_FOUND:
            raise StorageError("storage-failed", place)


def _try_to_forget(nvs, places):
    """Where something else follows in any case: the blocks' own erasure, or another try at the next start."""
    try:
        for place in places:
            _forget(nvs, place)
        _do("erase", nvs.commit)
    except StorageError:
        pass


def _do(name, step, *arguments):
    try:
        step(*arguments)
    except OSError as error:
        reason = "storage-full" if error.errno == _NO_SPACE else "storage-failed"
        raise StorageError(reason, "%s, errno %s" % (name, error.errno))


def _places(name):
    return name + ".a", name + ".b"


def _check(data):
    return (crc32(data) & 0xFFFFFFFF).to_bytes(4, "big")
