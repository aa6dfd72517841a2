"""The virtual kiosk's outputs: each change is one line on the console, `door open`, `lamp off`, `status ready`.

Owns: the line; and the button, which is a file: who touches it has pressed it. Must not know which outputs there are,
nor what they mean.
"""

import os
import time

_BUTTON = "button"


class Outputs:
    """Values by name: text, numbers, or True and False, which read as on and off. `button`: the path of that file."""

    def __init__(self, button=None):
        self._values = {}
        self._button = button

    def set(self, name, value):
        """Give output `name` a value; the console tells if it is another one than before."""
        if name in self._values and self._values[name] == value:
            return
        self._values[name] = value
        print(name, {True: "on", False: "off"}[value] if isinstance(value, bool) else value)

    def get(self, name):
        """The value that `name` has, or None if it was never set; how many milliseconds ago the button was pressed."""
        return self._pressed_ms() if name == _BUTTON else self._values.get(name)

    def _pressed_ms(self):
        try:
            return max(int(time.time() - os.stat(self._button)[8]), 0) * 1000
        except (OSError, TypeError):  # never, or there is none
            return None
