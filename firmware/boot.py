"""Chooses the firmware set that runs: `/slot` names it, and for one start `/trial`. Never raises, starts nothing.

MicroPython listens for Ctrl-C from the moment it starts a file, so the first thing is to stop that: whoever holds the
cable must not get between power and the app. Nothing before it can be interrupted, for MicroPython looks only where
code branches: so a Ctrl-C that came already strikes in the loop, and is forgotten. The REPL listens again.

A set on trial is marked as begun before it runs, and a watchdog waits beside it; begun once, it never runs a second
time unless it has had itself written into `/slot`.
"""

try:
    import micropython

    micropython.kbd_intr(-1)
    for _ in (1, 2):
        pass
except KeyboardInterrupt:
    pass

_slot = ""
try:
    import sys

    with open("/slot") as _file:
        _slot = _file.read(1)
    import os

    with open("/trial") as _file:
        _trial = _file.read(2)
    if _trial in ("a0", "b0"):
        with open("/trial.new", "w") as _file:
            _file.write(_trial[0] + "1")
        os.rename("/trial.new", "/trial")
        _slot = _trial[0]
        import machine

        machine.WDT(timeout=120000)
except Exception as _error:
    if not _slot:
        print("no firmware set:", _error)
if _slot in ("a", "b"):
    sys.path.insert(0, "/" + _slot)
