"""Attacks on whoever provisions: a board, an impostor, a line or a file that is out to harm the host or another board.

Each test plays one attacker and names the error that stops it. What attacks a board is in tests/device.
"""

import base64
import binascii
import dataclasses
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from admit.boards import Entry, Run
from admit.registry import create_registry
from admit_cli.factory_screen import FactoryScreen
from admit_protocol.errors import AdmitError, Conflict, NotFound, RemoteError
from admit_provisioning import boards, compile, detect, esptool, harden, install, pipeline, repl
from admit_provisioning.esptool import Chip, Link
from admit_provisioning.factory import FAILED, Result
from rig import Site
from sites import NOW

LINK = Link("nowhere")


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


def test_a_file_of_the_working_folder_does_not_tell_esptool_what_to_do(tmp_path, monkeypatch):
    """Old releases even ran the code in it."""
    (tmp_path / "esptool.cfg").write_text("[esptool]\ncustom_reset_sequence = D0\n")
    monkeypatch.chdir(tmp_path)
    assert "configuration" not in esptool.run(["version"])


# The wrong chip


def token(*blocks):
    """Espefuse's word for an ESP32 with these blocks."""
    text = ":".join(["EFSR", "esp32", "300", *(base64.urlsafe_b64encode(each).decode() for each in blocks), "0", ""])
    crc = binascii.crc32(text.encode()).to_bytes(4, "little")
    return text + base64.urlsafe_b64encode(crc).decode()


MINE, OTHERS = bytes.fromhex("240ac4000001"), bytes.fromhex("240ac4000002")


class Bench:
    """A port with a chip, in the place of esptool and espefuse. Whoever sits there may change the chip."""

    def __init__(self, monkeypatch, swap_at):
        self.mac, self.burned, self._swap_at = MINE, [], swap_at
        for name in ("chip_info", "read", "rehearse", "run"):
            monkeypatch.setattr(harden, name, getattr(self, name))
        listed = harden._STEPS["esp32"]
        steps = [dataclasses.replace(step, after=self._token(n + 1)) for n, step in enumerate(listed)]
        self.plan = harden.Plan("esp32", "ESP32", MINE.hex(":"), "esp32_generic", self._token(0), steps, {})

    def at(self, moment):
        if moment == self._swap_at:
            self.mac = OTHERS

    def _token(self, burned, mac=MINE):
        return token(bytes([burned]) + mac)

    def chip_info(self, _link):
        return Chip("esp32", mac=self.mac)

    def read(self, _link, _chip):
        return self._token(len(self.burned) if self.mac == MINE else 0, self.mac)

    def rehearse(self, _efuses, names):
        return [self._token(n + 1) for n in range(len(names))]

    def run(self, command, program):
        self.burned.append((self.mac, command[command.index("burn-efuse") + 1]))
        return self.read(LINK, "esp32")


@pytest.mark.parametrize("moment", ["asked", "burning JTAG_DISABLE", "burning CONSOLE_DEBUG_DISABLE", None])
def test_a_chip_that_takes_the_place_of_the_confirmed_one_is_never_burned(moment, monkeypatch):
    """The technician reads, thinks, types a MAC; the board at the port may be another one by then, or after a step."""
    bench = Bench(monkeypatch, moment and moment.replace("burning ", "before "))

    def checked(link, chip, real=bench.read):
        bench.at("before " + bench.plan.steps[min(len(bench.burned), 1)].efuse)
        return real(link, chip)

    def confirm(_steps):
        bench.at("asked")
        monkeypatch.setattr(harden, "read", checked)

    if moment is None:
        assert harden.apply(LINK, bench.plan, confirm, lambda words: None) == bench.plan.steps
    else:
        assert reason(harden.apply, LINK, bench.plan, confirm, lambda words: None) == "harden-changed"
    assert {mac for mac, _ in bench.burned} <= {MINE}
    assert len(bench.burned) == {"burning CONSOLE_DEBUG_DISABLE": 1, None: 2}.get(moment, 0)


def test_a_chip_whose_locks_cannot_be_read_whole_is_not_taken_for_an_open_one(monkeypatch):
    def short(arguments, **_):
        Path(arguments[-1]).write_bytes(bytes(12))
        return ""

    monkeypatch.setattr(esptool, "run", short)
    assert reason(esptool._with_security, LINK, Chip("esp32")) == "flash-failed"


# A hostile line


class Chatter:
    """A serial port that says the same for ever, and how late it is on its clock: each read takes a moment."""

    in_waiting = 4096

    def __init__(self, says):
        self._says, self.now_s = says, 0.0

    def read(self, _count):
        self.now_s += 0.001
        if self.now_s > 1:
            raise AssertionError("whoever listens to this never stops")
        return self._says * 4096

    def write(self, data):
        pass


def line(says=b"a", heard=b""):
    opened = repl.Repl("nowhere")
    opened._transport = SimpleNamespace(serial=Chatter(says))
    opened._heard += heard
    return opened


@pytest.mark.parametrize(
    "listen",
    [
        lambda opened: opened.read_until(b"never", 0.2),
        lambda opened: opened.finish(0.2),
        lambda opened: opened.discard(0.05),
        lambda opened: opened.read(1 << 40, 0.2),
    ],
    ids=["until", "finish", "discard", "read"],
)
def test_a_board_that_never_stops_talking_is_not_listened_to_for_ever(listen, monkeypatch):
    opened = line()
    port = opened._transport.serial
    monkeypatch.setattr(repl, "time", SimpleNamespace(monotonic=lambda: port.now_s))
    monkeypatch.setattr(repl, "_LONGEST_NOISE_S", 0.3)
    assert reason(listen, opened) == "repl-garbled"


SAYS_OF_ITSELF = {
    "deep": b"[" * 100_000,
    "a number": b"5",
    "an id that is a number": b'["micropython",[1,25,0],6,"linux",10000000000,1]',
    "an endless id": b'["micropython",[1,25,0],6,"linux",[' + b"1," * 40 + b"1],1]",
    "a version of words": b'["micropython",["a","b"],6,"linux",[1,2,3],1]',
    "an mpy of words": b'["micropython",[1,25,0],"6","linux",[1,2,3],1]',
    "a platform that is a list": b'["micropython",[1,25,0],6,["linux"],[1,2,3],1]',
}


@pytest.mark.parametrize("says", SAYS_OF_ITSELF.values(), ids=SAYS_OF_ITSELF)
def test_what_a_board_says_of_itself_is_read_with_care(says, monkeypatch):
    monkeypatch.setattr(repl.Repl, "exec", lambda self, code: says)
    assert reason(line().describe) == "repl-garbled"


SAYS_OF_ITS_FILES = {
    "deep": b"[" * 100_000,
    "a number": b"5",
    "other things": b'["4096",null,5,"files"]',
    "no pairs": b'[4096,100,"a",["/a/start.mpy"]]',
    "sizes of words": b'[4096,100,"a",[["/a/start.mpy","1"]]]',
    "blocks of no size": b'[8,100,"a",[]]',
}


@pytest.mark.parametrize("says", SAYS_OF_ITS_FILES.values(), ids=SAYS_OF_ITS_FILES)
def test_what_a_board_says_of_its_files_is_read_with_care(says):
    board = SimpleNamespace(run=lambda step, *_: says if step == "survey" else b"")
    assert reason(install.look, board, {}, {}) == "install-garbled"


def test_what_a_board_says_last_cannot_steer_the_terminal():
    opened = line(heard=b"\x04Traceback\r\nOSError: \x1b]0;owned\x07\x1b[2J\x9b31m\x04>")
    with pytest.raises(RemoteError) as caught:
        opened.finish()
    assert caught.value.detail.isprintable()


def test_what_fails_in_the_factory_cannot_steer_the_terminal():
    screen, told = FactoryScreen(1), io.StringIO()
    screen._shown = SimpleNamespace(console=Console(file=told, force_terminal=True, color_system=None, width=200))
    screen.ended(Result("port", FAILED, reason="repl-failed", detail="\x1b]0;owned\x07\x1b[2J\x9b31m[red]"))
    assert "owned" in told.getvalue() and "[red]" in told.getvalue()
    assert told.getvalue().strip().isprintable()


# A board that says it is another one


def test_a_board_does_not_choose_which_file_of_the_host_describes_it(tmp_path):
    """A path might be a share of the attacker's, or a stick that came with the board."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/board.toml").write_text('title = "x"\nport = "virtual"\nradio = "none"\n')
    assert boards.load(tmp_path / "evil").name == "evil"
    order = pipeline.Order(LINK)
    for told in (str(tmp_path / "evil"), "../evil", "//attacker/share", "nothing\ntry: curl"):
        release = pipeline.device.Release("1", bytes(32), told, "1.25.0", 6, b"123456")
        with pytest.raises(NotFound) as caught:
            pipeline._Pipeline(order, None, None)._is_ours(release)
        assert caught.value.reason == "board-unknown" and "\n" not in caught.value.detail


def test_a_board_without_an_id_takes_no_name(monkeypatch, tmp_path):
    """Two of them would be one board to the registry."""

    class Nameless:
        def __init__(self, _port):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def describe(self):
            return repl.Runtime("1.25.0", 6, "", "esp32", b"", 1 << 20)

    monkeypatch.setattr(pipeline, "Repl", Nameless)
    opened = []
    journal = SimpleNamespace(open=opened.append)
    work = pipeline._Pipeline(pipeline.Order(LINK), journal, None)
    assert reason(work._install, detect.Found(detect.REPL)) == "board-nameless" and opened == []


def test_a_board_that_shows_the_key_of_another_gets_no_credential_for_it(tmp_path):
    """A public key is no secret. One key under two names would be one identity for two boards."""
    site = Site()
    registry = create_registry(f"sqlite:///{tmp_path}/registry.sqlite")
    first, second = Run("1", "aa", "kiosk-1", "anna"), Run("2", "bb", "kiosk-2", "anna")
    try:
        for run in (first, second):
            registry.reserve(run, NOW)
        registry.bind_device(first, site.vouch("kiosk-1", site.key.public), NOW)
        assert (
            reason(registry.bind_device, second, site.vouch("kiosk-2", site.key.public), NOW) == "registry-device-key"
        )
        assert [each.id for each in registry.devices()] == ["kiosk-1"]
        assert registry.board("bb").device_id is None
    finally:
        registry.close()


def test_of_two_boards_that_say_they_are_the_same_one_only_the_later_goes_on(tmp_path):
    """Else the authority would vouch for both under one name. Nobody but a liar has another board's id."""
    site, registry = Site(), create_registry(f"sqlite:///{tmp_path}/registry.sqlite")
    first, second = (Run(number, "aa", "kiosk-1", f"anna@bench-{number}") for number in "12")
    own = {run.id: site.vouch("kiosk-1", site.suite.generate().public) for run in (first, second)}
    try:
        for run in (first, second):
            registry.reserve(run, NOW)
            registry.record(run, Entry("key", "began", NOW))
        with pytest.raises(Conflict, match="bench-2") as caught:
            registry.bind_device(first, own["1"], NOW)
        assert caught.value.reason == "board-reserved"
        with pytest.raises(Conflict, match="bench-2"):
            registry.record(first, Entry("key", "done", NOW))
        registry.bind_device(second, own["2"], NOW)
        assert registry.device("kiosk-1").credential == own["2"]
    finally:
        registry.close()


# A hostile routines file


@pytest.mark.parametrize("source", [b"x = " + b"-" * 3000 + b"1", b"x = " + b"-" * 100_000 + b"1"])
def test_routines_that_no_parser_gets_through_are_told(source, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert compile._imports(source, "") == []


def test_routines_that_never_finish_compiling_do_not_hold_up_the_factory(tmp_path, monkeypatch):
    """mpy-cross works constants out: this one would take it days."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compile, "PATIENCE_S", 0.3)
    routines = tmp_path / "routines.py"
    routines.write_text("x = 3 ** 100000000\n")
    assert reason(compile._compiled_routines, routines, routines.read_bytes()) == "compile-routines"
