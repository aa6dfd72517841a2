"""Where faults of our own or of a site's routines are told: the debug console, never a visitor."""

import sys

if hasattr(sys, "print_exception"):  # MicroPython
    print_exception = sys.print_exception
else:
    import traceback

    print_exception = traceback.print_exception
