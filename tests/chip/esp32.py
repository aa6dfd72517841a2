"""`esp32` of MicroPython, on the Unix port: NVS and partitions, with ADMIT_CHIP_OTA=folder OTA ones (board_ota.py).

Written from docs/library/esp32.rst, ports/esp32/{esp32_nvs,esp32_partition,mphalport}.c and ESP-IDF's nvs_flash (its
documentation, and nvs_page, nvs_storage). At least as strict as the chip: names of at most 15 characters, values as
large as the partition carries twice, errors as ESP-IDF's numbers, negated (check_esp_err_); what was not committed is
lost with the power (ESP-IDF promises nothing of it), or kept if ADMIT_CHIP_NVS=eager, since today's ESP-IDF does write
at once; each set is whole or absent, two of them are two. ADMIT_CHIP_CUT=n cuts the power at the n-th change. Whoever
erases the partition under NVS gets nothing more from it until the chip starts again.

The world keeps the partition: its items, and how many entries of 32 bytes were ever written, 126 of which cost one
erasure of a page. Must not know what is kept.
"""

import json
import os

import board_ota
import board_power
import board_wire

from micropython import const

_PAGES = const(6)  # 0x6000, as in every partition table of ports/esp32
_PAGE_ENTRIES = const(126)
_ENTRY = const(32)
_USABLE = const(630)  # one page is always free, for moving what is alive
_MOST_NAME = const(15)
_MOST_NAMESPACES = const(254)

_ERRORS = {
    0x1102: "ESP_ERR_NVS_NOT_FOUND",
    0x1105: "ESP_ERR_NVS_NOT_ENOUGH_SPACE",
    0x1106: "ESP_ERR_NVS_INVALID_NAME",
    0x1109: "ESP_ERR_NVS_KEY_TOO_LONG",
    0x110B: "ESP_ERR_NVS_INVALID_STATE",
    0x110C: "ESP_ERR_NVS_INVALID_LENGTH",
}
_NOT_FOUND, _NO_SPACE = const(0x1102), const(0x1105)
_INVALID_NAME, _KEY_TOO_LONG, _INVALID_LENGTH = const(0x1106), const(0x1109), const(0x110C)
_INVALID_STATE = const(0x110B)


def _fail(code):
    raise OSError(-code, _ERRORS[code])


class _Flash:
    """The partition: items by "namespace/key" as [type, value], and the changes that no commit has reached yet."""

    def __init__(self):
        self.items = dict(board_wire.kept.get("nvs", {}))
        self._waiting = []
        self._eager = os.getenv("ADMIT_CHIP_NVS") == "eager"
        self._cut = int(os.getenv("ADMIT_CHIP_CUT") or 0)
        self._erased = False

    def get(self, name):
        """An item, or None."""
        if self._erased:
            _fail(_INVALID_STATE)
        return self.items.get(name)

    def change(self, name, item):
        """Set an item, or erase it with None."""
        if self._erased:
            _fail(_INVALID_STATE)
        cost = _entries(item) if item else 1
        if item and sum(_entries(each) for each in self.items.values()) + cost > _USABLE:
            _fail(_NO_SPACE)
        self._step()
        if item:
            self.items[name] = item
        else:
            del self.items[name]
        self._waiting.append((name, item, cost))
        if self._eager:
            self.commit()

    def commit(self):
        """Everything that waits is on flash when this returns; one change after another, as it came."""
        while self._waiting:
            change = self._waiting.pop(0)
            self._step()
            board_wire.tell(b"F", 0, 0, json.dumps(change).encode())

    def erase(self, page):
        """Erase a page under NVS; with the last one everything is gone."""
        self._step()
        self._erased = True
        board_wire.tell(b"Q", page, _PAGES)

    def arrives(self, name, length):
        """How much of a change of another partition comes to pass. With ADMIT_CHIP_CUT_IN only that one counts."""
        if name == (os.getenv("ADMIT_CHIP_CUT_IN") or name):
            self._cut -= 1
            if self._cut == 0:
                return length // 2
        return length

    def _step(self):
        if self.arrives("nvs", 1) < 1:
            board_power.cut()


_flash = _Flash()


class NVS:
    """One namespace of the partition `nvs`."""

    def __init__(self, namespace):
        _check(namespace)
        names = {name.split("/")[0] for name in _flash.items}
        if namespace not in names and len(names) >= _MOST_NAMESPACES:
            _fail(_NO_SPACE)
        self._namespace = namespace

    def set_i32(self, key, value):
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError("overflow converting long int to machine word")
        _flash.change(self._name(key), ["i32", value])

    def get_i32(self, key):
        return self._get(key, "i32")

    def set_blob(self, key, value):
        value = value.encode() if isinstance(value, str) else bytes(memoryview(value))
        _flash.change(self._name(key), ["blob", value.hex()])

    def get_blob(self, key, buffer):
        """Copy the blob into `buffer`; its length."""
        value = bytes.fromhex(self._get(key, "blob"))
        if len(value) > len(buffer):
            _fail(_INVALID_LENGTH)
        memoryview(buffer)[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        name = self._name(key)
        if _flash.get(name) is None:
            _fail(_NOT_FOUND)
        _flash.change(name, None)

    def commit(self):
        _flash.commit()

    def _get(self, key, kind):
        item = _flash.get(self._name(key))
        if item is None or item[0] != kind:  # nvs_storage.cpp, findItem: of another type is as good as none
            _fail(_NOT_FOUND)
        return item[1]

    def _name(self, key):
        _check(key)
        return self._namespace + "/" + key


def _check(name):
    if not isinstance(name, str):
        raise TypeError("can't convert to str")
    if not name:
        _fail(_INVALID_NAME)
    if len(name) > _MOST_NAME:
        _fail(_KEY_TOO_LONG)


def _entries(item):
    """What an item takes: an integer one entry; a blob its index, a header for each page, and 32 bytes an entry."""
    if item[0] == "i32":
        return 1
    data = -(-len(item[1]) // 2 // _ENTRY)
    return 1 + data + max(1, -(-data // (_PAGE_ENTRIES - 1)))


# type, subtype, address, size: ports/esp32/partitions-4MiB.csv
_PARTITIONS = {
    "nvs": (1, 2, 0x9000, 0x6000),
    "phy_init": (1, 1, 0xF000, 0x1000),
    "factory": (0, 0, 0x10000, 0x1F0000),
    "vfs": (1, 0x81, 0x200000, 0x200000),
}
_FILES = ("otadata", "ota_0", "ota_1")
_folder = os.getenv("ADMIT_CHIP_OTA")


class Partition(board_ota.Partition):
    """A partition of the flash. `nvs` can be erased under NVS."""

    def ioctl(self, command, argument):
        if command == 6 and self._name == "nvs":
            self._reach(argument * board_ota.BLOCK, board_ota.BLOCK)
            _flash.erase(argument)
            return 0
        return super().ioctl(command, argument)


class _File:
    """A partition's bytes, in a file of the PC."""

    def __init__(self, path):
        self._file = open(path, "r+b")

    def read(self, at, length):
        self._file.seek(at)
        return self._file.read(length)

    def write(self, at, data):
        self._file.seek(at)
        self._file.write(data)


def _boot():
    """The flash with its partitions, after the bootloader: a soft start did not pass it."""
    if not _folder:
        Partition.flash = board_ota.Flash({}.get, table=_PARTITIONS)
        return Partition.flash.start()
    files = {name: _File(_folder + "/" + name) for name in _FILES}
    flash = Partition.flash = board_ota.Flash(files.get, _flash.arrives)
    flash.lost = board_power.cut
    if board_power.cause() == board_power.SOFT_RESET:
        with open(_folder + "/running") as file:
            flash.running = file.read()
        return
    with open(_folder + "/running", "w") as file:
        file.write(flash.start())


_boot()
