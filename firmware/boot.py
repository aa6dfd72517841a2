"""Chooses the firmware set that runs: `/slot` names it. Never raises, starts nothing.

MicroPython listens for Ctrl-C from the moment it starts a file, so the first thing is to stop that: whoever holds the
cable must not get between power and the app. Nothing before it can be interrupted, for MicroPython looks only where
code branches: so a Ctrl-C that came already strikes in the loop, and is forgotten. The REPL listens again.
"""

try:
    import micropython

    micropython.kbd_intr(-1)
    for _ in (1, 2):
        pass
except KeyboardInterrupt:
    pass

try:
    import sys

    with open("/slot") as _file:
        _slot = _file.read(1)
    if _slot in ("a", "b"):
        sys.path.insert(0, "/" + _slot)
except Exception as _error:
    print("no firmware set:", _error)
