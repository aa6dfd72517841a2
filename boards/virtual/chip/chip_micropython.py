"""`micropython` on a virtual chip: the interpreter's own kbd_intr(-1) would have Ctrl-C end the process."""

import line

from micropython import *  # noqa: F403

kbd_intr = line.kbd_intr
