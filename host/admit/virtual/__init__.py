"""A kiosk and the air around it on a PC: bumble's radios, real MicroPython, no hardware."""

import logging

# bumble warns of what is everyday life here (a peer that has just left); our users' terminals are not for that.
logging.getLogger("bumble").addHandler(logging.NullHandler())
logging.getLogger("bumble").propagate = False
