"""Starts the app, unless somebody who may do so has asked for the REPL at this start. On a PC: the virtual board.

On a chip this runs after boot.py, which explains the first lines. Whatever ends the app is told by MicroPython, which
then shows its REPL; start.py sees to it that this does not happen to a device that belongs to a site. What ends a set
on trial is written down, and the next start is the old one's: here, since that set may lack anything.
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


def end_trial(error, note="/trial"):
    """Was what failed on trial? Then the reason is written down, unless it has proven itself already."""
    try:
        with open(note) as file:
            trial = file.read(2)
    except OSError:
        return False
    if trial[1:] != "1":
        return trial[1:] == "3"
    reason = str(getattr(error, "reason", "") or type(error).__name__)
    try:
        with open(note + ".new", "w") as file:
            file.write(trial[0] + "2" + (reason if reason[:6] == "trial-" else "trial-exception: " + reason)[:80])
        os.rename(note + ".new", note)
    except OSError:  # then nobody knows why
        pass
    return True


if __name__ == "__main__" and not repl_was_asked_for():
    try:
        import start

        start.main()
    except BaseException as error:  # asyncio's CancelledError is no Exception; what exits resets by itself
        if not isinstance(error, SystemExit) and end_trial(error):
            import machine

            machine.reset()
        raise
