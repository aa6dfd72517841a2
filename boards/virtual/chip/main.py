"""What a virtual chip's power switch starts: MicroPython's ROM, of which the program on the flash sees nothing."""

import rom

rom.run(globals())
