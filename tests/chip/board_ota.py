"""A flash with OTA partitions, and the bootloader that chooses between them, for tests on both runtimes.

Written from ESP-IDF's esp_ota_ops.c, bootloader_utility.c, bootloader_common.c and esp_image_format.c, and from
MicroPython's esp32_partition.c and partitions-4MiB-ota.csv. At least as strict as the chip: writing turns ones into
zeros and nothing else, an image is verified in full before it is booted, one that is new has a single start unless it
is marked valid, whoever writes to the partition that runs crashes. Power may fail in the middle of each erasure and of
each write.
Must not know the firmware, and where the bytes are kept.
"""

from binascii import crc32
from hashlib import sha256

BLOCK = 4096
# name: type, subtype, address, size
TABLE = {
    "nvs": (1, 2, 0x9000, 0x4000),
    "otadata": (1, 0, 0xD000, 0x2000),
    "phy_init": (1, 1, 0xF000, 0x1000),
    "ota_0": (0, 0x10, 0x10000, 0x180000),
    "ota_1": (0, 0x11, 0x190000, 0x180000),
    "vfs": (1, 0x81, 0x310000, 0xF0000),
}
NEW, PENDING, VALID, INVALID, ABORTED, UNDEFINED = 0, 1, 2, 3, 4, 0xFFFFFFFF
_CHIPS = {"esp32": 0, "esp32c3": 5, "esp32s3": 9, "esp32c6": 13}
_ENTRY = 32
_NONE = 0xFFFFFFFF
_ENOENT, _ESP_FAIL, _INVALID_ARG, _INVALID_SIZE, _VALIDATE_FAILED = 2, 1, -258, -260, -0x1503


class Flash:
    """`bytes_of(name)`: an object with read(at, length) and write(at, data), which keeps a partition's bytes.
    `power(name, length)`: asked before each change, how much of it comes to pass; less means that power failed.
    """

    def __init__(self, bytes_of, power=lambda name, length: length, chip="esp32", table=TABLE, rollback=True):
        self.bytes_of, self.power, self.table = bytes_of, power, table
        self.running = None
        self._chip_id, self._rollback = _CHIPS[chip], rollback

    # -- changes --

    def erase(self, name, at):
        """A block of 4 KB."""
        self._put(name, at, b"\xff" * BLOCK)

    def program(self, name, at, data):
        old = self.bytes_of(name).read(at, len(data))
        self._put(name, at, bytes([old[n] & data[n] for n in range(len(data))]))

    def _put(self, name, at, data):
        assert name != self.running, "the chip aborts: that is what runs"
        arrive = self.power(name, len(data))
        self.bytes_of(name).write(at, data[:arrive])
        if arrive < len(data):
            self.lost()

    def lost(self):
        """Power fails."""
        raise SystemExit

    # -- the bootloader --

    def start(self):
        """What a reset does: choose a partition, which then runs; its name."""
        self.running = None
        entries = self._entries()
        if "otadata" not in self.table:
            self.running = "factory"
            return self.running
        for number in (0, 1):
            if self._rollback and entries[number][1] == PENDING:
                self._write(number, entries[number][0], ABORTED)
        entries = self._entries()
        active, first = self._active(entries), 0
        if active is not None:
            first = (entries[active][0] - 1) % 2
            if self._rollback and entries[active][1] == NEW:
                self._write(active, entries[active][0], PENDING)
        for slot in (first, 1 - first):
            if self.verify("ota_%d" % slot):
                self.running = "ota_%d" % slot
                return self.running
        raise AssertionError("a brick: no partition holds an image")

    def boot_partition(self):
        """What esp_ota_get_boot_partition() tells."""
        if "otadata" not in self.table:
            raise OSError(_ENOENT)
        entries = self._entries()
        active = self._active(entries)
        return "ota_0" if active is None else "ota_%d" % ((entries[active][0] - 1) % 2)

    def set_boot(self, name):
        """esp_ota_set_boot_partition()."""
        if not self.verify(name):
            raise OSError(_VALIDATE_FAILED, "ESP_ERR_OTA_VALIDATE_FAILED")
        entries, slot = self._entries(), self.table[name][1] & 15
        active = self._active(entries)
        state = NEW if self._rollback else UNDEFINED
        if active is None:
            return self._write(0, slot + 1, state)
        sequence = (slot + 1) % 2
        while entries[active][0] > sequence:
            sequence += 2
        self._write(1 - active, sequence, state)

    def mark_valid(self):
        """esp_ota_mark_app_valid_cancel_rollback()."""
        entries = self._entries()
        active = self._active(entries)
        if active is None:
            raise OSError(_ESP_FAIL, "ESP_FAIL")
        if entries[active][1] != VALID:
            self._write(active, entries[active][0], VALID)

    def verify(self, name):
        """Is what a partition holds an image for this chip, whole?"""
        content, size = self.bytes_of(name), self.table[name][3]
        header = content.read(0, 24)
        if header[0] != 0xE9 or not 0 < header[1] <= 16 or int.from_bytes(header[12:14], "little") != self._chip_id:
            return False
        at, check, total = 24, 0xEF, sha256(header)
        for _ in range(header[1]):
            segment = content.read(at, 8)
            length = int.from_bytes(segment[4:], "little")
            if at + 8 + length > size:
                return False
            data = content.read(at + 8, length)
            total.update(segment + data)
            for byte in data:
                check ^= byte
            at += 8 + length
        end = content.read(at, 16 - at % 16)
        total.update(end)
        if end[-1] != check:
            return False
        return header[23] != 1 or total.digest() == content.read(at + len(end), 32)

    # -- the bootloader's notes --

    def _entries(self):
        """(sequence, state, whether it is whole) of both."""
        found = []
        for number in (0, 1) if "otadata" in self.table else ():
            data = self.bytes_of("otadata").read(number * BLOCK, _ENTRY)
            sequence, state, check = [int.from_bytes(data[at : at + 4], "little") for at in (0, 24, 28)]
            found.append((sequence, state, check == _check(data[:4])))
        return found

    def _active(self, entries):
        """The number of the one that counts."""
        valid = [each[2] and each[0] != _NONE and each[1] not in (INVALID, ABORTED) for each in entries]
        if all(valid):
            return 0 if entries[0][0] >= entries[1][0] else 1
        return valid.index(True) if True in valid else None

    def _write(self, number, sequence, state):
        head = sequence.to_bytes(4, "little")
        self.erase("otadata", number * BLOCK)
        data = head + b"\xff" * 20 + state.to_bytes(4, "little") + _check(head).to_bytes(4, "little")
        self.program("otadata", number * BLOCK, data)


class Bytes:
    """A partition's bytes in memory; what was never written is erased."""

    def __init__(self, size):
        self.data = bytearray(b"\xff" * size)

    def read(self, at, length):
        return bytes(self.data[at : at + length])

    def write(self, at, data):
        self.data[at : at + len(data)] = data


class Partition:
    """MicroPython's esp32.Partition; `flash` is set by whoever hands it out."""

    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1
    flash = None

    def __init__(self, id, block_size=BLOCK):
        if id == self.BOOT:
            id = self.flash.boot_partition()
        elif id == self.RUNNING:
            id = self.flash.running
        if id not in self.flash.table:
            raise OSError(_ENOENT)
        self._name = id

    @classmethod
    def find(cls, type=0, subtype=0xFF, label=None, block_size=BLOCK):
        """The partitions of a type, of a subtype and a label if one is given."""
        found = []
        for name, row in cls.flash.table.items():
            if row[0] == type and subtype in (0xFF, row[1]) and label in (None, name):
                found.append(cls(name))
        return found

    def info(self):
        return self.flash.table[self._name] + (self._name, False)

    def readblocks(self, block, buffer, offset=0):
        self._reach(block * BLOCK + offset, len(buffer))
        buffer[:] = self.flash.bytes_of(self._name).read(block * BLOCK + offset, len(buffer))

    def writeblocks(self, block, buffer, offset=None):
        """Without an offset what lies there is erased before."""
        at = block * BLOCK + (offset or 0)
        if offset is None:
            if len(buffer) % BLOCK:
                raise OSError(_INVALID_SIZE)
            for each in range(0, len(buffer), BLOCK):
                self.ioctl(6, block + each // BLOCK)
        self._reach(at, len(buffer))
        self.flash.program(self._name, at, bytes(buffer))

    def ioctl(self, command, argument):
        """The block device's: 4 the number of blocks, 5 their size, 6 erase one."""
        if command == 4:
            return self.flash.table[self._name][3] // BLOCK
        if command == 5:
            return BLOCK
        if command == 6:
            self._reach(argument * BLOCK, BLOCK)
            self.flash.erase(self._name, argument * BLOCK)
            return 0
        return None if command > 6 else 0

    def set_boot(self):
        if self.flash.table[self._name][0] != self.TYPE_APP:
            raise OSError(_INVALID_ARG)
        self.flash.set_boot(self._name)

    def get_next_update(self):
        """The OTA partition after this one, else the first."""
        found = [each for each in ("ota_0", "ota_1") if each in self.flash.table]
        if not found:
            raise OSError(_ENOENT)
        return type(self)(found[1] if self._name == "ota_0" and found[1:] else found[0])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        if "otadata" not in cls.flash.table:
            raise OSError(-261, "ESP_ERR_NOT_FOUND")
        cls.flash.mark_valid()

    def _reach(self, at, length):
        size = self.flash.table[self._name][3]
        if not 0 <= at <= size:
            raise OSError(_INVALID_ARG)
        if at + length > size:
            raise OSError(_INVALID_SIZE)


def program(chip="esp32", content=b""):
    """An image of one segment, as MicroPython's build makes them."""
    content += bytes(-len(content) % 4)
    header = bytes([0xE9, 1, 2, 0x20]) + bytes(4) + b"\xee\0\0\0" + bytes([_CHIPS[chip]]) + bytes(10) + b"\1"
    data = header + bytes([0x20, 0, 0x40, 0x3F]) + len(content).to_bytes(4, "little") + content
    check = 0xEF
    for byte in content:
        check ^= byte
    data += bytes(15 - len(data) % 16) + bytes([check])
    return data + sha256(data).digest()


def _check(sequence):
    return crc32(sequence, _NONE) & 0xFFFFFFFF
