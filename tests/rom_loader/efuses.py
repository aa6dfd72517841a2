"""The eFuse controller of a chip: its registers, and bits that only ever become 1.

Owns: the blocks, in a file if there is one, and what their bits mean to the ROM. Block 0 is at word 0 as in the chips'
manuals. Left out: write protection and Reed-Solomon errors, which espefuse checks before it burns.
"""

import json
from pathlib import Path

_WRITE, _READ = 2, 1  # commands


class Efuses:
    """The eFuses of `chip` with this MAC; `file` keeps them beyond this process."""

    def __init__(self, chip, mac, file=None):
        self._layout = _ESP32 if chip.name == "esp32" else _OTHERS
        self._base = chip.efuse_base
        self._pending = {}
        self._file = Path(file) if file else None
        if self._file and self._file.exists():
            self.blocks = json.loads(self._file.read_text())
        else:
            self.blocks = [[0] * length for _, _, length in self._layout["blocks"]]
            _factory(chip.name, self.blocks, mac)
        self.load()

    def load(self):
        """Take into the registers what is burnt: at a reset, and when the controller is told to."""
        self._shown = [list(block) for block in self.blocks]

    def burn(self, block, word, bits):
        """Set bits of a word, from inside: what the factory or somebody else did. They show after a reset."""
        self.blocks[block][word] |= bits
        if self._file:
            self._file.write_text(json.dumps(self.blocks))

    def read(self, address):
        """The register at `address`; None if it is not the controller's."""
        offset = address - self._base
        if not 0 <= offset < 0x200:
            return None
        for number, (start, _, length) in enumerate(self._layout["blocks"]):
            if start <= offset < start + 4 * length:
                return 0 if self._unreadable(number) else self._shown[number][(offset - start) // 4]
        return 0 if offset == self._layout["command"] else self._pending.get(offset, 0)

    def write(self, address, value):
        """Write a register; True if it is the controller's."""
        offset = address - self._base
        if not 0 <= offset < 0x200:
            return False
        if offset == self._layout["command"] and value & _WRITE:
            self._program((value >> 2) & 0xF)
        elif offset == self._layout["command"] and value & _READ:
            self.load()
        elif offset != self._layout["command"]:
            self._pending[offset] = value
        return True

    def _program(self, only):
        if self._pending.get(self._layout["conf"]) != 0x5A5A:
            return
        for number, (_, start, length) in enumerate(self._layout["blocks"]):
            if self._layout["window"] and number != only:
                continue
            for word in range(length):
                self.burn(number, word, self._pending.get(start + 4 * word, 0))
                if not self._layout["window"]:
                    self._pending[start + 4 * word] = 0

    def _unreadable(self, number):
        word, shift, first = self._layout["read_disable"]
        return number >= first and bool(self._shown[0][word] >> shift + number - first & 1)

    def _bit(self, name):
        word, mask = self._layout[name]
        return self._shown[0][word] & mask

    @property
    def download_disabled(self):
        """Whether the ROM loader never starts again."""
        return bool(self._bit("download_disabled"))

    @property
    def secure_download(self):
        """Whether the ROM loader neither reads nor runs anything for anybody."""
        return bool(self._bit("secure_download"))

    def security_info(self, chip_id):
        """The 20 bytes of GET_SECURITY_INFO."""
        flags = bool(self._bit("secure_boot")) | self.secure_download << 2
        flags |= (bin(self._bit("soft_jtag")).count("1") & 1) << 6 | bool(self._bit("hard_jtag")) << 7
        count = self._bit("crypt_count") >> 18
        purposes = bytes(self._shown[0][2] >> 24 + 4 * n & 15 for n in range(2))
        purposes += bytes(self._shown[0][3] >> 4 * n & 15 for n in range(4)) + b"\0"
        return flags.to_bytes(4, "little") + bytes([count]) + purposes + chip_id.to_bytes(4, "little") + bytes(4)


# blocks: (offset of the read registers, of the write registers, words); window: all blocks share the write registers
_ESP32 = {
    "blocks": [(0x00, 0x1C, 7), (0x38, 0x98, 8), (0x58, 0xB8, 8), (0x78, 0xD8, 8)],
    "window": False,
    "conf": 0xFC,
    "command": 0x104,
    "read_disable": (0, 16, 1),
    "download_disabled": (0, 1 << 27),
    "secure_download": (0, 0),
}
_OTHERS = {
    "blocks": [(0x2C, 0, 6), (0x44, 0, 6)] + [(0x5C + 0x20 * n, 0, 8) for n in range(9)],
    "window": True,
    "conf": 0x1CC,
    "command": 0x1D4,
    "read_disable": (1, 0, 4),
    "download_disabled": (4, 1 << 0),
    "secure_download": (4, 1 << 5),
    "secure_boot": (3, 1 << 20),
    "crypt_count": (2, 7 << 18),
    "soft_jtag": (1, 7 << 16),
    "hard_jtag": (1, 1 << 19),
}


def _factory(name, blocks, mac):
    """What Espressif's factory burns: MAC and revision."""
    number = int.from_bytes(mac, "big")
    if name == "esp32":
        blocks[0][1] = number & 0xFFFFFFFF
        blocks[0][2] = number >> 32 | _crc8(mac) << 16
        blocks[0][3] = 1 << 15 | 1 << 9  # revision 1 and later; package D0WD
        blocks[0][4] = 50  # calibration of the 8 MHz clock
        blocks[0][5] = 1 << 20  # revision 2 and later
        return
    blocks[1][0], blocks[1][1] = number & 0xFFFFFFFF, number >> 32
    blocks[1][3] = 1 << 18  # minor revision 1
    if name == "esp32c6":
        blocks[1][1] |= 0xFEFF << 16  # MAC_EXT
        blocks[1][4] = 1  # 4 MB of flash in the package


def _crc8(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc
