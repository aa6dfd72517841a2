"""Runs test modules under MicroPython: every `test_…` function of each file, in the order of the source.

    MICROPYPATH=firmware:tests:.frozen micropython tests/micropython/runner.py FILE [test_name …] [FILE …] …

Names after a file choose among its tests, each in an argument of its own: one of over 255 bytes stops MicroPython.
For each test it prints `@start name`, whatever the test prints, a traceback if it failed, and then
`@passed MILLISECONDS name` or `@failed MILLISECONDS name`. A file ends with `@done COUNT`. tests/conftest.py reads
these lines. The exit code is 1 if a test failed or a module could not be imported.
"""

import gc
import sys
import time


def test_names(path):
    """Names of the test functions in a file; a module's own dict has lost their order."""
    names = []
    with open(path) as source:
        for line in source:
            if line.startswith("def test_"):
                names.append(line[4 : line.index("(")])
    return names


def run_test(module, name):
    """Run one test, print its lines, return whether it passed."""
    print("@start", name)
    gc.collect()
    passed = True
    started = time.ticks_ms()
    try:
        getattr(module, name)()
    except Exception as error:
        passed = False
        sys.print_exception(error, sys.stdout)
    print("@passed" if passed else "@failed", time.ticks_diff(time.ticks_ms(), started), name)
    return passed


def run_file(path, wanted):
    """Run the tests in a file that are wanted, or all if none is named; return whether all passed."""
    folder, _, name = path.rpartition("/")
    sys.path.insert(0, folder)
    module = __import__(name[: -len(".py")])
    names = [name for name in test_names(path) if name in wanted or not wanted]
    results = [run_test(module, name) for name in names]
    print("@done", len(names))
    sys.path.pop(0)
    sys.modules.pop(module.__name__)  # tests/protocol and tests/device may hold files of one name
    return all(results)


def main(arguments):
    files = [at for at, argument in enumerate(arguments) if argument.endswith(".py")] + [len(arguments)]
    return all([run_file(arguments[at], arguments[at + 1 : end]) for at, end in zip(files, files[1:])])


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
