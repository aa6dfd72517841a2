"""The virtual kiosk's outputs: each change is one line on the console, `door open`, `lamp off`, `status ready`.

Owns: the line. Must not know which outputs there are, nor what they mean.
"""


class Outputs:
    """Values by name: text, numbers, or True and False, which read as on and off."""

    def __init__(self):
        self._values = {}

    def set(self, name, value):
        """Give output `name` a value; the console tells if it is another one than before."""
        if name in self._values and self._values[name] == value:
            return
        self._values[name] = value
        print(name, {True: "on", False: "off"}[value] if isinstance(value, bool) else value)

    def get(self, name):
        """The value that `name` has, or None if it was never set."""
        return self._values.get(name)
