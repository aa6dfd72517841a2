"""Collects every module of tests/protocol and tests/device twice: for CPython, and for a real MicroPython.

Ordinary pytest items run on CPython. Beside them stands an item `test_name[micropython]` for each test function, and
for a module that imports ports, which alone ask the machine for the date, one more, `test_name[micropython-2000]`,
where time counts from 2000 as it does on an ESP32. One MicroPython process runs all items of a module; it starts with
the first of them, and each item waits for its own result. A module may set `HEAP = "256k"` (default 8M) and
`LIMIT_S = 120` (default 60), the longest that one test may take. Without a MicroPython nothing runs at all: these tests
are never skipped.
"""

import ast
import gc
import linecache
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUNNER = ROOT / "tests/micropython/runner.py"
EPOCH_2000 = ROOT / "tests/micropython/epoch_2000"
FOLDERS = ("protocol", "device")


def find_micropython():
    """Path of the MicroPython that the tests run on; ends the run if there is none."""
    tool = subprocess.run([ROOT / "tools/micropython"], capture_output=True, text=True)
    if tool.returncode:
        pytest.exit(f"the tests need MicroPython, and there is none.\n{tool.stderr.strip()}", returncode=3)
    return tool.stdout.strip()


def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):  # xdist's workers inherit the answer
        os.environ["ADMIT_MICROPYTHON"] = find_micropython()


def pytest_collection():
    """What is collected stays: looking through it for garbage meanwhile takes a quarter of the time."""
    gc.disable()


def pytest_collection_finish():
    """Nor does anybody look through it later, as a device does at each GET /health."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files go to workers whole, and all that need a browser to one: it takes a processor for itself."""
    from xdist.scheduler import LoadFileScheduling

    class OneBrowser(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    return OneBrowser(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="module")
def beside():
    """An event loop in a thread of its own: see cli_kiosk.Beside."""
    from cli_kiosk import Beside  # and all that it brings, which few tests need

    with Beside() as running:
        yield running


def pytest_report_header(config):
    return f"micropython: {os.environ.get('ADMIT_MICROPYTHON', 'not looked for yet')}"


def pytest_collect_file(file_path, parent):
    if file_path.parent.parent != ROOT / "tests" or not file_path.name.startswith("test_"):
        return None
    if file_path.suffix != ".py" or file_path.parent.name not in FOLDERS:
        return None
    return MicroPythonModule.from_parent(parent, path=file_path)


class MicroPythonModule(pytest.File):
    """A test module, to be run under MicroPython."""

    def __init__(self, **rest):
        super().__init__(**rest)
        self.runs = []

    def teardown(self):
        for run in self.runs:
            run.stop()

    def collect(self):
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        for variant in ["micropython", "micropython-2000"] if imports_ports(tree) else ["micropython"]:
            run = MicroPythonRun(self.path, variant, constants(tree))
            self.runs.append(run)
            for name in names:
                yield MicroPythonTest.from_parent(self, name=f"{name}[{variant}]", run=run, test=name)


def imports_ports(tree):
    """Does the module import something of firmware/ports?"""
    sources = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(source.split(".")[0] == "ports" for source in sources)


def constants(tree):
    """The module's literal constants by name: HEAP and LIMIT_S are looked up here."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    return found


class MicroPythonTest(pytest.Item):
    """One test function under MicroPython; `run` is shared with the others of its module."""

    def __init__(self, *, run, test, **rest):
        super().__init__(**rest)
        self.run = run
        self.test = test

    def setup(self):
        if not self.run.process:
            self.run.start([item.test for item in self.session.items if getattr(item, "run", None) is self.run])

    def runtest(self):
        passed, text = self.run.result(self.test)
        if not passed:
            raise MicroPythonFailure(text)
        print(text, end="")

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, MicroPythonFailure):
            text = str(excinfo.value).strip()
            return f"{text.splitlines()[-1]} (on MicroPython) {failed_line(text)}\n\n{text}"
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, self.name


def failed_line(text):
    """The line of source where the last traceback in `text` ends, as a traceback on MicroPython does not show it."""
    places = re.findall(r'File "(.+)", line (\d+)', text)
    return linecache.getline(places[-1][0], int(places[-1][1])).strip() if places else ""


class MicroPythonFailure(Exception):
    """A test failed on MicroPython; the text is what it printed, its traceback included."""


class MicroPythonRun:
    """One process that runs the tests of one module, and the results that it has printed so far."""

    def __init__(self, path, variant, constants):
        self.path = path
        self.heap = constants.get("HEAP", "8M")
        self.limit_s = constants.get("LIMIT_S", 60)
        folders = ([EPOCH_2000] if variant == "micropython-2000" else []) + [ROOT / "firmware", ROOT / "tests"]
        self.module_path = ":".join([*map(str, folders), ".frozen"])
        self.process = None
        self.results = {}

    def start(self, tests):
        """Start the process."""
        self.process = subprocess.Popen(
            [os.environ["ADMIT_MICROPYTHON"], "-X", f"heapsize={self.heap}", RUNNER, self.path, *tests],
            cwd=ROOT,
            env=os.environ | {"MICROPYPATH": self.module_path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )

    def stop(self):
        """End the process if it still runs, because nobody will ask for more results."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def result(self, test):
        """(passed, printed text) of one test, as soon as it is known."""
        while test not in self.results and self.read_result():
            pass
        if test not in self.results:
            return False, self.last_words
        return self.results[test]

    def read_result(self):
        """Read to the end of the next test; False if the process ended before, and then `last_words` tells how."""
        if self.process.stdout.closed:
            return False
        watchdog = threading.Timer(self.limit_s, self.process.kill)
        watchdog.start()
        lines = []
        try:
            for line in self.process.stdout:
                mark, _, rest = line.rstrip("\n").partition(" ")
                if mark in ("@passed", "@failed"):
                    self.results[rest.partition(" ")[2]] = (mark == "@passed", "".join(lines))
                    return True
                lines += [] if mark == "@start" else [line]
        finally:
            watchdog.cancel()
        self.process.stdout.close()
        code = self.process.wait()
        ending = f"was killed after {self.limit_s} s" if code == -signal.SIGKILL else f"ended with code {code}"
        self.last_words = f"{''.join(lines)}MicroPython {ending} before this test was over"
        return False
