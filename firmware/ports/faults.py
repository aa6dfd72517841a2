"""Where a port tells its faults: the console, never a peer; or as the app does, once start.py has said how that is."""

import io
import sys

tell = None

if hasattr(sys, "print_exception"):  # MicroPython

    def _print(error):
        try:
            text = io.StringIO()
            sys.print_exception(error, text)
            print(text.getvalue(), end="")
        except MemoryError:  # what is told here was handled; that it cannot be told is no fault more
            pass

else:
    from traceback import print_exception as _print


def print_exception(error):
    """Print an error with its traceback, through `print`: a board whose console is its cable replaces that."""
    (tell or _print)(error)


def guarded(server, link, call, *arguments):
    """Call the listener. An error that serving one peer met is printed, and costs that peer its link, nobody else's."""
    try:
        call(*arguments)
    except Exception as error:
        print_exception(error)
        server.close(link)
