"""Runs a piece of the program as MicroPython does on a chip.

Owns: when Ctrl-C interrupts (only while the program runs), and how errors are told: without a word of this ROM.
"""

import io
import sys

import line

_OURS = '/pyexec.py", line '


def file(name, scope):
    """Run a file if it is there. Return True if it asked for a soft reset."""
    try:
        open(name).close()
    except OSError:
        return False
    return _run("", execfile, name, scope)  # noqa: F821


def source(text, kind, scope, end=""):
    """Run source text of a `kind` that compile() knows; `end` is printed after its output, and after its error."""

    def compile_and_run():
        line.kbd_intr(-1)
        code = compile(text, "<stdin>", kind)
        line.kbd_intr(3)
        exec(code, scope)

    return _run(end, compile_and_run)


def _run(end, call, *arguments):
    leaves, failure = False, None
    try:
        line.kbd_intr(3)
        call(*arguments)
    except SystemExit:
        leaves = True
    except BaseException as error:
        failure = error
    _listen_no_more()
    line.write(end)
    if failure:
        tell(failure)
    line.write(end)
    return leaves


def _listen_no_more():
    """Ctrl-C is a byte from now on, also when one comes at this moment: the interpreter raises it wherever it is."""
    while True:
        try:
            return line.kbd_intr(-1)
        except KeyboardInterrupt:
            pass


def tell(error):
    """Print a traceback, beginning where the program begins."""
    buffer = io.StringIO()
    sys.print_exception(error, buffer)
    lines = buffer.getvalue().split("\n")
    line.write("\n".join(each for each in lines if _OURS not in each))
