"""Where faults of our own or of a site's routines are told: the debug console, never a visitor."""

import io
import sys

if hasattr(sys, "print_exception"):  # MicroPython

    def print_exception(error):
        """Print an error with its traceback, through `print`: a board whose console is its cable replaces that."""
        try:
            text = io.StringIO()
            sys.print_exception(error, text)
            print(text.getvalue(), end="")
        except MemoryError:  # what is told here was handled; that it cannot be told is no fault more
            pass

else:
    import traceback

    print_exception = traceback.print_exception
