"""A kiosk and the air around it on a PC: bumble's radios, real MicroPython, no hardware."""

import logging

logging.getLogger("bumble").addHandler(logging.NullHandler())  # its warnings are not for our users' terminals
