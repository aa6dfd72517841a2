"""The kiosk as a routine sees it: outputs to set, and things to do later.

Nothing here decides; by the time a routine runs, the decision has been made and journalled.
"""

from admit_device.faults import print_exception


class Kiosk:
    """Handed to every routine. `changed(name)` is called after an output took a new value."""

    def __init__(self, outputs, clock, changed):
        self._outputs = outputs
        self._clock = clock
        self._changed = changed
        self._timers = []
        self.user = None

    def set(self, name, value):
        """Give the output `name` a value."""
        self._outputs.set(name, value)
        self._changed(name)

    def get(self, name):
        """The value that the output `name` has now."""
        return self._outputs.get(name)

    def show(self, name, text, seconds):
        """Have the output `name` show `text` for so long, or until it shows another."""
        self._outputs.set(name, text)
        self._timers = [each for each in self._timers if each[2] != name]  # one for each, however often it is shown
        self.after(seconds, lambda: self.get(name) == text and self._outputs.set(name, ""), name)

    def after(self, seconds, action, shown=None):
        """Call `action()` in so many seconds. A reset forgets it, and then outputs are at their safe values anyway.

        `shown`: for `show` alone, the output that it is about.
        """
        self._timers.append((self._clock.monotonic_ms() + int(seconds * 1000), action, shown))

    def rest(self, outputs):
        """Bring all `outputs` (routines.Output) to their safe values: at start-up, before anybody may ask."""
        for each in outputs.values():
            self._outputs.set(each.name, each.safe)

    def expire(self):
        """Do what is due."""
        now_ms = self._clock.monotonic_ms()
        due = [each for each in self._timers if each[0] <= now_ms]
        self._timers = [each for each in self._timers if each[0] > now_ms]
        for _, action, _ in due:
            try:
                action()
            except Exception as error:  # a site's own code may raise anything; the others are still due
                print_exception(error)

    def deadline(self):
        """When `expire` has something to do, in milliseconds of the monotonic clock, or None."""
        return min(each[0] for each in self._timers) if self._timers else None
