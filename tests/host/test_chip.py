"""A board that begins blank: MicroPython as on a chip, met by the real mpremote and by hand over its cable."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

from admit.virtual.board import VirtualBoard, files, find_micropython
from admit_protocol.errors import LocalError
from air_support import python, until

EVERY_BYTE = bytes(range(256))
LIMIT_S = 10.0
PROMPT = ">>> "
RAW = "raw REPL; CTRL-B to exit\r\n>"


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "board"


def blank(storage, **options):
    return VirtualBoard(storage, blank=True, **options)


def on_board(test, storage, **options):
    """Run `test(board)`, which may block, beside a blank board."""

    async def main():
        async with blank(storage, **options) as board:
            await asyncio.to_thread(test, board)

    asyncio.run(main())


class Hand:
    """Somebody at a terminal. `type` returns what the board says until it ends as expected."""

    def __init__(self, board):
        self.port = serial.serial_for_url(str(board.cable), 115200, timeout=LIMIT_S)
        self.type("\r\x03\x02'he'+'re'\r", "'here'\r\n" + PROMPT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.port.close()

    def type(self, text, ending=PROMPT):
        if text:
            self.port.write(text.encode() if isinstance(text, str) else text)
        said = self.port.read_until(ending.encode()).decode()
        assert said.endswith(ending), said
        return said.removesuffix(ending)

    def run(self, code):
        """What code prints on the raw REPL, (output, traceback)."""
        said = self.type(code + "\x04", "\x04>")
        assert said.startswith("OK")
        output, traceback = said[2:].split("\x04")
        return output, traceback


def raw(board):
    """A hand on the raw REPL."""
    hand = Hand(board)
    hand.type("\x01", RAW)
    return hand


async def mpremote(board, *words, url=None, code=0):
    """What the real mpremote says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mpremote", "connect", url or str(board.cable)),
        *map(str, words),
        env=os.environ | {"PYTHONUNBUFFERED": "1"},  # or what it prints itself comes after what it passes on
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 2 * LIMIT_S)
    assert process.returncode == code, output.decode()
    return output.decode().replace("\r\n", "\n")


# -- mpremote --


def test_mpremote_copies_files_to_it_and_back(storage, tmp_path):
    big, program, back = tmp_path / "big", tmp_path / "hello.py", tmp_path / "back"
    big.write_bytes(EVERY_BYTE * 40)
    program.write_text("print('hello from', __name__)\n")

    async def main():
        async with blank(storage) as board:
            assert await mpremote(board, "eval", "6*7") == "42\n"
            copied = ("fs", "mkdir", "d", "+", "fs", "cp", big, ":d/big", "+", "fs", "cp", ":d/big", back)
            told = await mpremote(board, *copied, "+", "fs", "sha256sum", ":d/big", "+", "fs", "ls", ":d", "+", "df")
            assert back.read_bytes() == big.read_bytes()
            assert hashlib.sha256(big.read_bytes()).hexdigest() in told
            assert "10240 big" in told and " 2097152 " in told and " /\n" in told
            removed = ("fs", "rm", ":d/big", "+", "fs", "rmdir", ":d")
            told = await mpremote(board, *removed, "+", "fs", "ls", "+", "run", program)
            assert told.endswith("ls :\n          51 boot.py\nhello from __main__\n")
            failed = await mpremote(board, "exec", "def f():\n 1/0\nf()", code=1)
            assert failed.splitlines() == [
                "Traceback (most recent call last):",
                '  File "<stdin>", line 3, in <module>',
                '  File "<stdin>", line 2, in f',
                "ZeroDivisionError: divide by zero",
            ]

    asyncio.run(main())


def test_mpremote_resets_it_and_mounts_a_folder_on_it_over_tcp(storage, tmp_path):
    (tmp_path / "main.py").write_text("import machine\nprint('main runs after', machine.reset_cause())\n")
    (tmp_path / "boot.py").write_text("print('boot runs')\n")

    async def main():
        async with blank(storage, tcp=True) as board:
            url = board.chip.line.url
            await mpremote(board, "fs", "cp", tmp_path / "main.py", tmp_path / "boot.py", ":", url=url)
            await mpremote(board, "reset", url=url)
            await board.expect("boot runs")
            await board.expect("main runs after 2")
            await mpremote(board, "soft-reset", url=url)
            assert "main runs after 5" not in board.console, "mpremote resets into the raw REPL"
            listed = await mpremote(board, "mount", tmp_path, "exec", "import os; print(os.listdir())", url=url)
            assert "main.py" in listed

    asyncio.run(main())


# -- the REPL by hand --


def test_the_friendly_repl_is_a_terminals(storage):
    def test(board):
        with Hand(board) as hand:
            assert hand.type("1+1\r") == "1+1\r\n2\r\n"
            assert hand.type("prit\x7f\x7fint('gr\u00fc\u00df')\r").endswith("gr\u00fc\u00df\r\n")
            hand.port.write(b"\xc0\xa9\xff\x80")
            assert hand.port.read(4) == b"\xc0\xa9\xff\x80"
            assert "SyntaxError" in hand.type("\r")
            hand.type("for i in range(2):\r", "... ")
            hand.type("  print(i)\r", "... ")
            assert hand.type("\r") == "\r\n0\r\n1\r\n"
            hand.type("s = '''a\r", "... ")
            assert hand.type("b'''; s\r").endswith("'a\\nb'\r\n")
            hand.type("x = [1,\r", "... ")
            assert hand.type("\x03") == "\r\n"
            assert hand.type("\x1b[A\x1b[A\x1b[B\x1b[A\x1b[D\x03").count("'''; s") == 2
            assert "NameError: name 'x'" in hand.type("x\r")
            hand.type("\x05", "=== ")
            hand.type("def f():\r    return 5\r", "=== \r\n=== "[-6:])
            hand.type("", "=== ")
            assert hand.type("f()\x04").endswith("f()\r\n")
            hand.type("\x05", "=== ")
            hand.type("f(\x03")
            banner = hand.type("\x02").strip().splitlines()
            assert banner[0].startswith("MicroPython v1.") and banner[1] == 'Type "help()" for more information.'
            hand.type("import time\r")
            hand.type("while True: print('tick'), time.sleep(10)\r", "... ")
            hand.type("\r", "tick\r\n")
            assert hand.type("\x03") == (
                'Traceback (most recent call last):\r\n  File "<stdin>", line 1, in <module>\r\nKeyboardInterrupt: \r\n'
            )

    on_board(test, storage)


def test_ctrl_d_starts_the_program_anew_and_the_heap_is_empty_then(storage):
    def test(board):
        with Hand(board) as hand:
            hand.type("f = open('main.py', 'w'); f.write('import machine; print(\"cause\", machine.reset_cause())')\r")
            hand.type("f.close(); left = 1\r")
            said = hand.type("\x04")
            assert "MPY: soft reboot\r\ncause 5\r\nMicroPython v1" in said
            assert "NameError" in hand.type("left\r")
            assert "cause 5" in hand.type("import sys; sys.exit()\r")
            assert "rst:hard, virtual chip\r\ncause 2\r\n" in hand.type("machine.reset()\r")
            assert hand.type("machine\r").startswith("machine\r\n<module"), "main.py's names are the REPL's"

    on_board(test, storage)


def test_the_raw_repl_is_byte_by_byte_what_tools_expect(storage):
    def test(board):
        with raw(board) as hand:
            assert hand.run("print('a')\nprint(1, end='')") == ("a\r\n1", "")
            assert hand.run("1/0")[1].endswith("ZeroDivisionError: divide by zero\r\n")
            assert "SyntaxError" in hand.run("1 1")[1]
            assert hand.type("junk\x03print(2)\x04", "\x04>") == "OK2\r\n\x04"
            hand.type("\x01", RAW)
            hand.type("\x05B\x01", "R\0")
            hand.port.write(b"\x05A\x01")
            assert hand.port.read(5) == b"R\x01\x80\0\x01"
            code = b"x = 0\n" * 60 + b"print('pasted')"
            hand.port.write(code)
            assert hand.port.read(len(code) // 128) == b"\x01" * (len(code) // 128)
            assert hand.type("\x04", ">") == "\x04pasted\r\n\x04\x04"
            hand.port.write(b"\x05A\x01")
            assert hand.port.read(5) == b"R\x01\x80\0\x01"
            assert "KeyboardInterrupt" in hand.type("half of it\x03", "\x04>")
            hand.type("import time\nwhile True: print('tick'), time.sleep(10)\x04", "tick\r\n")
            assert "KeyboardInterrupt" in hand.type("\x03", "\x04>")
            assert hand.type("\x04", RAW) == "OK\r\nMPY: soft reboot\r\n"
            assert hand.run("import machine; print(machine.reset_cause())") == ("5\r\n", "")
            assert hand.type("import sys; sys.exit()\x04", RAW) == "OK\x04\x04MPY: soft reboot\r\n"
            assert hand.type("\x02").startswith("\r\nMicroPython v1")

    on_board(test, storage)


def test_what_follows_a_command_at_once_is_the_commands_input(storage):
    def test(board):
        with raw(board) as hand:
            said = hand.type("import sys; print(sys.stdin.buffer.read(5))\x04\x01\x02\x04ab", "\x04>")
            assert said == "OKb'\\x01\\x02\\x04ab'\r\n\x04"

    on_board(test, storage)


# -- the program and its line --

OWNER = """
import micropython, select, sys
micropython.kbd_intr(-1)
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
poll.register(sys.stdout.buffer, select.POLLOUT)
print("mine")
byte = bytearray(1)
while True:
    for stream, event in poll.ipoll():
        if stream is sys.stdin:
            sys.stdin.buffer.readinto(byte)
            sys.stdout.buffer.write(byte)
            if byte == b"!":
                machine_that_is_not_there
"""


def write(board, name, text):
    with raw(board) as hand:
        assert hand.run(f"f = open({name!r}, 'w'); f.write({text!r}); f.close()")[1] == ""


def test_a_program_may_own_the_line_and_no_byte_is_special_then(storage):
    async def main():
        async with blank(storage) as board:
            await asyncio.to_thread(write, board, "main.py", OWNER)
            await board.restart()
            await board.expect("mine")
            await asyncio.to_thread(own, board)

    def own(board):
        with serial.serial_for_url(str(board.cable), timeout=LIMIT_S) as port:
            data = EVERY_BYTE.replace(b"!", b"\n\x03\x03") * 4
            port.write(data)
            assert port.read(len(data)) == data
            port.write(b"\x03" * 3000)
            assert port.read(3000) == b"\x03" * 3000
            port.write(b"!")
            assert b"NameError: name 'machine_that_is_not_there'" in port.read_until(b">>> ")

    asyncio.run(main())


@pytest.mark.parametrize("work", ["[0] * 100", "pass", "time.sleep_ms(1)", "print('', end='')"])
def test_a_program_that_does_not_is_stopped_by_ctrl_c_however_often_it_comes(storage, work):
    async def main():
        async with blank(storage) as board:
            await asyncio.to_thread(write, board, "main.py", f"import time\nprint('busy')\nwhile True: {work}\n")
            for _ in range(3):
                await board.restart()
                await board.expect("busy")
                await asyncio.to_thread(stop, board)

    def stop(board):
        with serial.serial_for_url(str(board.cable), timeout=LIMIT_S) as port:
            port.write(b"\x03" * 4200 + b"\r\x03\x01")
            assert port.read_until(RAW.encode()).endswith(RAW.encode())
        with raw(board) as hand:
            assert hand.run("print(1)") == ("1\r\n", "")

    asyncio.run(main())


def test_a_program_that_fails_leaves_the_repl(storage):
    async def main():
        async with blank(storage) as board:
            await asyncio.to_thread(write, board, "main.py", "print('on its way')\nraise ValueError('no')\n")
            await asyncio.to_thread(write, board, "boot.py", "boot fails\n")
            await board.restart()
            await board.expect('File "boot.py", line 1')
            await board.expect("SyntaxError")
            await board.expect("on its way")
            await board.expect('File "main.py", line 2, in <module>')
            await board.expect("ValueError: no")
            assert await asyncio.to_thread(lambda: raw(board).run("print(1)")) == ("1\r\n", "")
            assert not any("pyexec" in line or "rom.py" in line for line in board.console)

    asyncio.run(main())


# -- flash --


def test_the_flash_is_all_that_a_program_sees_and_it_stays(storage):
    def first(board):
        with raw(board) as hand:
            assert hand.run("import os, sys; print(os.listdir('/'), sys.path)") == (
                "['boot.py'] ['', '.frozen', '/lib']\r\n",
                "",
            )
            assert "ENOENT" in hand.run(f"open({str(Path(__file__))!r})")[1]
            assert "ImportError" in hand.run("import rom")[1]
            assert hand.run("import asyncio, machine; print(machine.unique_id())") == (f"{board.chip.id}\r\n", "")
            hand.run("f = open('kept', 'w'); f.write('this'); f.close()")
            hand.run("sys.path = ['/a']; import sys as again")
            assert hand.run("print(again.path)") == ("['/a']\r\n", "")

    def second(board):
        assert raw(board).run("print(open('kept').read())") == ("this\r\n", "")

    on_board(first, storage)
    assert (storage / "flash.img").stat().st_size == 2 * 1024 * 1024
    on_board(second, storage)


def test_a_full_flash_says_so_and_a_hundred_kilobytes_take_no_time(storage):
    def test(board):
        with raw(board) as hand:
            fill = "f = open('big', 'wb')\nfor _ in range(100): f.write(bytes(1024))\nf.close()"
            began = time.monotonic()
            assert hand.run(fill) == ("", "")
            took = time.monotonic() - began
            print(f"100 KB to the flash: {took * 1000:.0f} ms")
            assert took < 1
            assert "OSError: 28\r\n" in hand.run(fill.replace("'big'", "'bigger'"))[1]
            assert hand.run("import os; print(os.statvfs('/')[2])") == ("50\r\n", "")

    on_board(test, storage, flash_size=200 * 1024)


def test_power_lost_at_any_write_leaves_the_old_content_or_the_new(storage):
    async def main():
        async with blank(storage) as board:
            await asyncio.to_thread(write, board, "value", "old" * 1000)
            outcomes = []
            for number in range(1, 100):
                board._settings = {"CHIP_DIES_AT": str(number)}
                await board.restart()
                died = await asyncio.to_thread(replace, board)
                board._settings = {}
                await board.restart()
                with await asyncio.to_thread(raw, board) as hand:
                    content = hand.run("print(open('value').read())")[0].strip()
                outcomes.append(content[:3])
                assert content in ("old" * 1000, "new" * 1000)
                if not died:
                    break
            assert outcomes == sorted(outcomes, reverse=True) and outcomes[0] == "old" and outcomes[-1] == "new"
            print(f"{number - 1} writes to replace a file of 3 KB, power cut at each")
            assert 10 < number < 99

    def replace(board):
        """Did the board die?"""
        with raw(board) as hand:
            code = "import os\nf = open('beside', 'w'); f.write('new' * 1000); f.close(); os.rename('beside', 'value')"
            hand.port.timeout = 0.01
            hand.port.write(code.encode() + b"\x04")
            said = b""
            while board.running and not said.endswith(b"\x04>"):
                said += hand.port.read(100)
            return not board.running

    asyncio.run(main())


def test_a_flash_with_something_else_on_it_is_not_formatted(storage):
    storage.mkdir()
    (storage / "flash.img").write_bytes(b"precious" * 8192)

    async def main():
        async with blank(storage) as board:
            await board.expect("The flash holds no file system")
        assert (storage / "flash.img").read_bytes() == b"precious" * 8192

    asyncio.run(main())


# -- what it is made of --


def test_stand_ins_come_before_the_interpreters_own_and_find_descriptors(storage, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "package").mkdir(parents=True)
    two.mkdir()
    (one / "machine.py").write_text("from chip_machine import *\nfrom helper import wire\nmark = 'first'\n")
    (two / "machine.py").write_text("mark = 'second'\n")
    (two / "helper.py").write_text("import os\nwire = open(int(os.getenv('ADMIT_HCI_FD')), 'r+b', 0)\n")
    (one / "package/__init__.py").write_text("inside = 7\n")
    ours, theirs = os.pipe()
    code = "import machine as m, package; print(m.mark, package.inside, m.reset_cause()); m.wire.write(b'hi')"

    def test(board):
        assert raw(board).run(code) == ("first 7 1\r\n", "")
        assert os.read(ours, 2) == b"hi"
        with Hand(board) as hand:
            hand.type("import machine; machine.reset()\r")
            assert "first" in hand.type("import machine; machine.mark\r")

    on_board(test, storage, modules=[one, two], fds={"HCI": theirs}, settings={"MINE": "x"})
    os.close(ours)
    os.close(theirs)


def test_the_heap_can_be_as_small_as_a_chips(storage):
    def test(board):
        total = int(raw(board).run("import gc; print(gc.mem_free() + gc.mem_alloc())")[0])
        assert 200_000 < total <= 256 * 1024
        left = int(raw(board).run("import gc; gc.collect(); print(gc.mem_free())")[0])
        print(f"of a heap of {total} bytes the ROM takes {total - left}")
        assert left > 190_000

    on_board(test, storage, heap="256k")


def test_it_starts_in_a_tenth_of_a_second(storage):
    async def main():
        async with blank(storage) as board:
            await board.expect("MicroPython v1")
            times = []
            for _ in range(3):
                await board.kill()
                began = time.monotonic()
                await board.start()
                await board.expect("MicroPython v1")
                times.append(time.monotonic() - began)
            print(f"from power to REPL: {min(times) * 1000:.0f} ms")
            assert min(times) < 0.1

    asyncio.run(main())


# -- power and cable --


def test_a_cable_that_is_pulled_leaves_the_program_running_or_takes_its_power(storage):
    counting = "import time\nwhile True:\n  print('tick'); time.sleep(0.02)\n"

    async def main():
        async with blank(storage) as board:
            await asyncio.to_thread(write, board, "main.py", counting)
            await board.restart()
            await board.expect("tick")
            board.unplug()
            assert not board.cable.exists()
            await board.expect("tick")
            await board.plug()
            assert board.cable.exists() and list(board.console).count("rst:power, virtual chip") == 2
            board.unplug(power=True)
            await until(lambda: not board.running)
            await board.plug()
            await board.expect("rst:power")
            await board.expect("tick")
            board.cut_at(board.chip.line.messages + 1, power=True)
            with serial.serial_for_url(str(board.cable), timeout=LIMIT_S) as port:
                port.write(b"hello")
                with pytest.raises(serial.SerialException):
                    await asyncio.to_thread(port.read_until, b"never")
            await until(lambda: not board.running)
            await board.plug()
            await board.expect("rst:power")

    asyncio.run(main())


def test_an_interpreter_that_crashes_is_a_chip_that_resets_until_it_is_too_often(storage):
    async def main():
        async with blank(storage) as board:
            with await asyncio.to_thread(Hand, board) as hand:
                crash = "import os; os.system('kill -SEGV $PPID')\r"
                hand.type(crash, "rst:crash, virtual chip\r\n")
                hand.type("")
                assert "3\r\n" in hand.type("import machine; machine.reset_cause()\r")
                for _ in range(2):
                    hand.type(crash, "rst:crash, virtual chip\r\n")
                    hand.type("")
                hand.port.write(crash.encode())
                with pytest.raises(LocalError) as caught:
                    await board.expect("never")
                assert caught.value.reason == "board-ended" and not board.running

    asyncio.run(main())


RUNNER = """
import asyncio, json, sys
from admit.virtual.board import VirtualBoard

async def main():
    board = VirtualBoard(sys.argv[1], blank=True)
    await board.start()
    await board.expect("MicroPython v1")
    print(json.dumps([board._process.pid, str(board.cable.readlink())]), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_no_process_of_it_outlives_the_program_that_runs_it(storage):
    process = python("-c", RUNNER, str(storage))
    try:
        session, _ = json.loads(process.stdout.readline())
        assert len(of_session(session)) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        asyncio.run(until(lambda: not of_session(session)))
    finally:
        process.kill()
        process.stdout.close()


def of_session(session):
    """The living processes of a session."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, number = each.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(number) == session and state != "Z":
            found.append(each)
    return found


FLASH = """
import gc, sys
sys.path.append(sys.argv[1])
from flash import Flash
flash, wanted, data = Flash(sys.argv[2]), bytearray(32), bytes(range(128))
gc.collect()
gc.disable()
before = gc.mem_alloc()
for at in range(3000):
    flash.readblocks(at % 3, wanted, at % 100)
    flash.writeblocks(at % 2, data, 512)
print(gc.mem_alloc() - before < 3000)
flash.readblocks(1, wanted, 512 + 96)
print(wanted == data[96:])
"""


def test_neither_reading_nor_writing_flash_allocates(tmp_path):
    """Or the collector might close a forgotten file while littlefs works, which is the interpreter's end."""
    image = tmp_path / "flash.img"
    image.write_bytes(bytes(4 * 4096))
    (tmp_path / "flash_test.py").write_text(FLASH)
    command = [find_micropython(), str(tmp_path / "flash_test.py"), str(files() / "boards/virtual/chip"), str(image)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\nTrue\n"
