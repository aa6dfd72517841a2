"""Chooses the firmware set that runs: `/slot` names it, and for one start `/trial`. Never raises, starts nothing.

MicroPython listens for Ctrl-C from the moment it starts a file, so the first thing is to stop that: whoever holds the
cable must not get between power and the app. Nothing before it can be interrupted, for MicroPython looks only where
code branches: so a Ctrl-C that came already strikes in the loop, and is forgotten. The REPL listens again.

A set on trial is marked as begun before it runs, and a watchdog waits beside it; begun once, it never runs a second
time unless it has had itself written into `/slot`. `/image` names the partition that MicroPython must run from for it:
from another one it does not run. Whoever runs from there without a set to run, a soft start after a trial or a flash
that takes no mark, resets to get away: the bootloader then takes the image back.
"""

try:
    import micropython

    micropython.kbd_intr(-1)
    for _ in (1, 2):
        pass
except KeyboardInterrupt:
    pass

_slot, _away = "", False
try:
    import sys

    with open("/slot") as _file:
        _slot = _file.read(1)
    import os

    with open("/trial") as _file:
        _trial = _file.read(2)
    _image, _fits = "", True
    try:
        with open("/image") as _file:
            _image = _file.read()
    except OSError:
        pass
    if _image:
        import esp32

        _fits = esp32.Partition(esp32.Partition.RUNNING).info()[4] == _image
    if _fits and _trial in ("a3", "b3"):
        _slot = _trial[0]
    elif _fits and (_image or _trial in ("a0", "b0")):
        _away = _image
        if _trial in ("a0", "b0"):
            with open("/trial.new", "w") as _file:
                _file.write(_trial[0] + "1")
            os.rename("/trial.new", "/trial")
            _slot, _away = _trial[0], False
            import machine

            machine.WDT(timeout=120000)
        else:
            os.remove("/image")
except Exception as _error:
    if not _slot:
        print("no firmware set:", _error)
if _away:
    import machine

    machine.reset()
if _slot in ("a", "b"):
    sys.path.insert(0, "/" + _slot)
