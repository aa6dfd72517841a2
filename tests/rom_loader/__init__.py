"""A chip's ROM loader for tests: what esptool and espefuse talk to when there is no chip.

chips      what differs between the chips of boards/: ids, registers, where eFuses are
efuses     the eFuse controller: bits that only ever become 1
flash      the flash chip, as a file
protocol   Espressif's serial protocol, of the ROM and of the stub that esptool uploads: bytes in, bytes out
board      a chip on a cable: power, reset, what it boots; pseudo-terminal, TCP or RFC 2217 with its reset lines; faults
__main__   the same as a program of its own

Sources: esptool's documentation ("Serial Protocol"), the chips' technical reference manuals ("eFuse Controller"), and
what esptool itself asks.
"""

from rom_loader.board import RomBoard as RomBoard
from rom_loader.chips import CHIPS as CHIPS
from rom_loader.line import Faults as Faults
