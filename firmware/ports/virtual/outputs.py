"""The virtual kiosk's outputs: each change is one line on the console, `door open`, `lamp off`, `status ready`.

Owns: the line; and the button, which is a file: who touches it has pressed it. Who comes is told only where a screen
stands. Must not know which outputs there are, nor what they mean.
"""

import os
import time

_BUTTON = "button"
_FOR_A_SCREEN = ("asker", "newcomer", "visitor")


class Outputs:
    """Values by name: text, numbers, or True and False, which read as on and off. `button`: the path of that file.

    `screen`: does one stand there? `say`: where its lines go, `print` unless somebody puts another in its place.
    """

    def __init__(self, button=None, screen=False):
        self._values = {}
        self._button = button
        self._screen = screen
        self.say = None

    def set(self, name, value):
        """Give output `name` a value; the console tells if it is another one than before."""
        if name in self._values and self._values[name] == value:
            return
        self._values[name] = value
        if self._screen or name not in _FOR_A_SCREEN:
            print(name, _told(value))
            if self.say:
                self.say(name, _told(value))

    def get(self, name):
        """The value that `name` has, or None if it was never set; how many milliseconds ago the button was pressed."""
        return self._pressed_ms() if name == _BUTTON else self._values.get(name)

    def tell(self):
        """Tell the screen all that it missed."""
        for name in self._values:
            (self.say or print)(name, _told(self._values[name]))

    def _pressed_ms(self):
        try:
            return max(int(time.time() - os.stat(self._button)[8]), 0) * 1000
        except (OSError, TypeError):  # never, or there is none
            return None


def _told(value):
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value
