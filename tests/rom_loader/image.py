"""Images as MicroPython's build makes them: bootloader, partition table and program in one file. They boot nothing."""

import hashlib

from rom_loader.chips import CHIPS

PARTITIONS = (
    ("nvs", 1, 2, 0x9000, 0x6000),
    ("phy_init", 1, 1, 0xF000, 0x1000),
    ("factory", 0, 0, 0x10000, 0x1F0000),
    ("vfs", 1, 0x81, 0x200000, 0x200000),
)
OTA_PARTITIONS = (
    ("nvs", 1, 2, 0x9000, 0x4000),
    ("otadata", 1, 0, 0xD000, 0x2000),
    ("phy_init", 1, 1, 0xF000, 0x1000),
    ("ota_0", 0, 0x10, 0x10000, 0x180000),
    ("ota_1", 0, 0x11, 0x190000, 0x180000),
    ("vfs", 1, 0x81, 0x310000, 0xF0000),
)


def image(chip, content=b"MicroPython", partitions=PARTITIONS):
    """A whole image for a chip, with `content` in its program; it begins where the chip's bootloader does."""
    start = 0x1000 if chip == "esp32" else 0
    data = program(chip, b"bootloader").ljust(0x8000 - start, b"\xff") + table(partitions)
    return data.ljust(0x10000 - start, b"\xff") + program(chip, content)


def program(chip, content):
    """One program of one segment: header, segment, checksum, sha256."""
    content += bytes(-len(content) % 4)
    header = bytes([0xE9, 1, 2, 0x20]) + bytes(4) + bytes([0xEE, 0, 0, 0])
    header += CHIPS[chip].chip_id.to_bytes(2, "little") + bytes(9) + b"\1"
    data = header + (0x3F400020).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content
    checksum = 0xEF
    for byte in content:
        checksum ^= byte
    data += bytes(15 - len(data) % 16) + bytes([checksum])
    return data + hashlib.sha256(data).digest()


def table(partitions):
    """A partition table with its MD5."""
    data = b""
    for name, kind, subtype, offset, size in partitions:
        place = offset.to_bytes(4, "little") + size.to_bytes(4, "little")
        data += b"\xaa\x50" + bytes([kind, subtype]) + place + name.encode().ljust(16, b"\0") + bytes(4)
    return (data + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(data).digest()).ljust(0xC00, b"\xff")
