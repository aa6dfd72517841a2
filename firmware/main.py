"""Starts the app, unless somebody who may do so has asked for the REPL at this start. On a PC: the virtual board.

On a chip this runs after boot.py, which explains the first lines. Whatever ends the app is told by MicroPython, which
then shows its REPL; start.py sees to it that this does not happen to a device that belongs to a site.
"""

try:
    import micropython

    micropython.kbd_intr(-1)
    for _ in (1, 2):
        pass
except (AttributeError, ImportError, KeyboardInterrupt):  # CPython has nothing of the kind
    pass

import os


def repl_was_asked_for(note="/repl"):
    """Was the REPL asked for at this start? Not at the next."""
    try:
        os.remove(note)
        return True
    except OSError:
        return False


if __name__ == "__main__" and not repl_was_asked_for():
    import start

    start.main()
