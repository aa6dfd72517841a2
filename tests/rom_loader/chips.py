"""What differs between the chips: ids and registers that esptool reads, and where their eFuses are."""

from collections import namedtuple

Chip = namedtuple("Chip", "name chip_id magic spi spi_usr2 spi_w0 efuse_base registers")
# chip_id: as security info and image headers have it; the ESP32 has no security info and shows a magic number
# spi, spi_usr2, spi_w0: addresses of the flash controller's command, USR2 and W0 registers
# registers: address → value of what never changes

_MAGIC_ADDRESS = 0x40001000

ESP32 = Chip(
    "esp32",
    0,
    0x00F01D83,
    0x3FF42000,
    0x3FF42024,
    0x3FF42080,
    0x3FF5A000,
    {
        _MAGIC_ADDRESS: 0x00F01D83,
        0x3FF6607C: 1 << 31,  # APB_CTL_DATE: silicon revision 3
        0x3FF40014: 347,  # UART_CLKDIV: 40 MHz / 115200
        0x3FF5F06C: 2048 << 7,  # RTCCALICFG1; with an 8 MHz clock of 50 it says 40 MHz
    },
)


def _riscv_or_s3(name, chip_id, spi, efuse_base):
    return Chip(name, chip_id, 0, spi, spi + 0x20, spi + 0x58, efuse_base, {_MAGIC_ADDRESS: 0x6F51306F})


CHIPS = {
    "esp32": ESP32,
    "esp32s3": _riscv_or_s3("esp32s3", 9, 0x60002000, 0x60007000),
    "esp32c3": _riscv_or_s3("esp32c3", 5, 0x60002000, 0x60008800),
    "esp32c6": _riscv_or_s3("esp32c6", 13, 0x60003000, 0x600B0800),
}
