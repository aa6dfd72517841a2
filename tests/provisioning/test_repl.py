"""The raw REPL as a library: of a virtual chip with real MicroPython, and of puppets for what goes wrong."""

import contextlib
import os
import pty
import select
import threading
import tty

import pytest

from admit_protocol.errors import AdmitError, Busy, Conflict, NotFound, RemoteError, TimedOut, Unsupported
from admit_provisioning import receiver, repl
from admit_provisioning.repl import Repl
from blank_chip import BlankChip

BANNER = b"raw REPL; CTRL-B to exit\r\n>"


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    with BlankChip(tmp_path_factory.mktemp("chip"), tcp=True) as chip:
        yield chip


def test_one_round_trip_tells_what_runs_there(chip):
    with Repl(chip.port) as line:
        before = line.turnarounds
        runtime = line.describe()
        assert line.turnarounds - before == 1
    assert runtime.version.split(".")[:2] >= ["1", "23"]
    assert (runtime.mpy, runtime.platform, runtime.board_id) == (6, "linux", chip.board.chip.id)
    assert 1_000_000 < runtime.free_bytes < 2 * 1024 * 1024
    assert runtime.arch in ("x64", "")


def test_what_code_prints_comes_back(chip):
    with Repl(chip.port) as line:
        assert line.exec("print(6 * 7)") == b"42\r\n"


def test_a_long_program_crosses_the_line_compressed(chip):
    program = "x = 0\n" + "x += 1  # one more\n" * 500 + "print(x)"
    with Repl(chip.port) as line:
        before = line.sent
        assert line.exec(program) == b"500\r\n"
        assert line.sent - before < 400
        assert line.exec("print('x' in globals())") == b"False\r\n"  # and leaves nothing in the heap


def test_of_a_traceback_the_last_line_is_told(chip):
    with Repl(chip.port) as line:
        with pytest.raises(RemoteError) as caught:
            line.exec("def f():\n 1/0\nf()")
        assert (caught.value.reason, caught.value.detail) == ("repl-failed", "ZeroDivisionError: divide by zero")
        with pytest.raises(RemoteError, match="SyntaxError"):
            line.exec("x = (" + "1," * 200)
        assert line.exec("print(1)") == b"1\r\n"


def test_a_program_that_runs_is_interrupted(chip):
    with Repl(chip.port) as line:
        line.start("while True: pass")
    assert chip.run("print('here')") == "here\r\n"


def test_a_program_that_does_not_end_is_not_waited_for(chip):
    with Repl(chip.port) as line:
        with pytest.raises(TimedOut) as caught:
            line.exec("print('begun')\nwhile True: pass", timeout_s=0.3)
    assert caught.value.reason == "repl-silent" and '"begun"' in caught.value.detail


@pytest.mark.parametrize("part", [0, 3, 500], ids=["before a window", "in its head", "in its middle"])
def test_a_receiver_that_was_left_alone_gives_the_repl_back(chip, part):
    with Repl(chip.port) as line:
        receiver.Receiver(line)
        line.write((2 * (4000).to_bytes(2, "little") + bytes(4000))[:part])
        leave_alone(line)
    assert chip.run("print('here')") == "here\r\n"


def leave_alone(line):
    """As a host that dies: it says no goodbye."""
    line._close()


def test_a_network_port_will_do(chip):
    with Repl(chip.line.url) as line:
        assert line.describe().board_id == chip.board.chip.id


def test_a_cable_that_is_pulled_is_told(chip):
    with pytest.raises(TimedOut) as caught, Repl(chip.port) as line:
        line.start("import time; time.sleep(0.2)")
        chip.board.unplug()
        line.finish()
    assert caught.value.reason == "link-dropped"
    chip.line.plug()
    assert chip.run("print('here')") == "here\r\n"


def test_a_port_that_is_not_there_or_held_says_which(chip, tmp_path):
    with pytest.raises(NotFound) as caught, Repl(str(tmp_path / "ttyUSB7")):
        pass
    assert caught.value.reason == "serial-not-found"
    with Repl(chip.port), pytest.raises(Busy) as caught, Repl(chip.port):
        pass
    assert caught.value.reason == "serial-in-use"


# What answers, and is no REPL of ours


class Puppet:
    """Something at a pseudo-terminal: `answer(bytes)` is what it says when it has heard them."""

    def __init__(self, answer):
        self._answer = answer

    def __enter__(self):
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.port = os.ttyname(self._theirs)
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self._stopped)
        self._thread.join()
        for fd in (self._ours, self._theirs, self._stop):
            os.close(fd)

    def _play(self):
        while self._stop not in select.select([self._ours, self._stop], [], [])[0]:
            with contextlib.suppress(OSError):
                os.write(self._ours, self._answer(os.read(self._ours, 8192)))


@pytest.fixture(autouse=True)
def impatient(monkeypatch, request):
    if "chip" not in request.fixturenames:
        monkeypatch.setattr(repl, "_KNOCK_S", 0.03)


ROM = b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n"
LOOP = (
    b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nabort() was called\r\n"
)


@pytest.mark.parametrize(
    "said, kind, reason, detail",
    [
        (b"", TimedOut, "repl-silent", "nothing answers at "),
        (ROM, Conflict, "repl-rom-loader", "waits for a download"),
        (LOOP, RemoteError, "repl-boot-loop", "abort() was called"),
        (b"\xc0\x0ahello\xc0", Conflict, "repl-app-running", "an app is running"),
        (b"\r\nLogin: \x1b[0m", Unsupported, "repl-not-micropython", 'it says "Login: ·[0m"'),
        (b"\xfe\x00" * 4000, Unsupported, "repl-not-micropython", "it says "),
    ],
)
def test_a_line_without_a_repl_says_what_there_is_instead(said, kind, reason, detail):
    with Puppet(lambda heard: said) as puppet, pytest.raises(AdmitError) as caught, Repl(puppet.port, 921_600):
        pass
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert detail in caught.value.detail and len(caught.value.detail) < 200
    assert all(each.isprintable() for each in caught.value.detail)


def speaking(told, error=b""):
    """A raw REPL at which any program prints `told`."""

    def answer(heard):
        banner = BANNER if b"\x01" in heard else b""
        return banner + (b"OK" + told + b"\x04" + error + b"\x04>" if b"\x04" in heard else b"")

    return Puppet(answer)


@pytest.mark.parametrize(
    "told, kind, reason, detail",
    [
        (b'["circuitpython", [9, 2, 1], 518, "ESP32", [1], 1]\r\n', Unsupported, "repl-not-micropython", "9.2.1"),
        (b'["micropython", [1, 19, 1], 10246, "esp32", [1], 1]\r\n', Unsupported, "repl-old", "1.19.1; 1.23 is"),
        (b'["micropython", [1, 26, 0], 6, "rp2", null, 1]\r\n', RemoteError, "repl-garbled", "itself as"),
        (b"hello\r\n", RemoteError, "repl-garbled", 'itself as "hello"'),
        (b"[1, 2]\r\n", RemoteError, "repl-garbled", '"[1, 2]"'),
        (b"", RemoteError, "repl-garbled", '""'),
    ],
)
def test_what_is_not_the_micropython_that_we_need_is_told_apart(told, kind, reason, detail):
    with speaking(told) as puppet, Repl(puppet.port) as line, pytest.raises(AdmitError) as caught:
        line.describe()
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert detail in caught.value.detail


def test_an_esp32_is_described_in_full():
    told = b'["micropython", [1, 27, 0], 10758, "esp32", [48, 174, 164, 1, 2, 3], 2076672]\r\n'
    with speaking(told) as puppet, Repl(puppet.port) as line:
        runtime = line.describe()
    assert runtime == repl.Runtime("1.27.0", 6, "xtensawin", "esp32", bytes.fromhex("30aea4010203"), 2076672)


def test_a_board_without_machine_or_native_code_is_described_too():
    with speaking(b'["micropython", [1, 23, 0], 0, "x", [], 1]') as puppet, Repl(puppet.port) as line:
        assert line.describe() == repl.Runtime("1.23.0", 0, "", "x", b"", 1)


@pytest.mark.parametrize(
    "error, kind, reason",
    [
        (b"ImportError: no module named 'deflate'", Unsupported, "repl-no-deflate"),
        (b"MemoryError: memory allocation failed", RemoteError, "repl-failed"),
        (b"", RemoteError, "repl-garbled"),
    ],
)
def test_a_board_that_cannot_load_a_program_says_why(error, kind, reason):
    with speaking(b"hm", error and b"Traceback:\r\n" + error + b"\r\n") as puppet:
        with Repl(puppet.port) as line, pytest.raises(AdmitError) as caught:
            line.exec("pass\n" * 100)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert error.decode() in caught.value.detail
