"""Who answers at a port, and that asking disturbs nobody: puppets at the other end of a pseudo-terminal."""

import contextlib
import os
import pty
import re
import select
import subprocess
import threading
import time
import tty

import pytest

from admit.virtual.board import find_micropython
from admit_protocol import cbor, coap, slip
from admit_protocol.coap_udp import ACK, decode_datagram, encode_datagram
from admit_protocol.errors import Busy, LocalError, NotFound, TimedOut, Unsupported
from admit_provisioning import detect
from admit_provisioning.detect import APP, REPL, ROM, Found
from admit_provisioning.esptool import Chip, Link
from rom_loader import RomBoard

BOARD_ID = bytes(range(6))
BANNER = b"MicroPython v1.25.0 on 2025-04-15; Generic ESP32S3 module with ESP32S3\r\n"
CHIP = Chip("esp32", mac=BOARD_ID)


class Puppet:
    """A board at a pseudo-terminal: `answer(bytes)` says what it writes when it has heard them."""

    def __init__(self, answer=lambda data: b""):
        self.answer, self.heard = answer, b""

    def __enter__(self):
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.link = Link(os.ttyname(self._theirs))
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self._stopped)
        self._thread.join()
        for fd in (self._ours, self._theirs, self._stop):
            os.close(fd)

    def say(self, data):
        os.write(self._ours, data)

    def _play(self):
        while self._stop not in (ready := select.select([self._ours, self._stop], [], [])[0]):
            with contextlib.suppress(OSError):
                data = os.read(self._ours, 4096)
                self.heard += data
                self.say(self.answer(data))
            assert ready


class App:
    """A device app that answers GET /id, from its `nth` question on."""

    def __init__(self, nth=1, state="factory"):
        self.frames, self.nth, self.asked = slip.Decoder(1280), nth, 0
        self.body = {1: state, 2: None, 3: {"admit": "0.1.0"}, 5: BOARD_ID}

    def __call__(self, data):
        return b"".join(self.reply(content) for kind, content in self.frames.feed(data) if kind == "coap")

    def reply(self, datagram):
        _, mid, request = decode_datagram(datagram)
        assert (request.code, request.path) == (coap.GET, ("id",))
        self.asked += 1
        if self.asked < self.nth:
            return b""
        response = coap.response(coap.CONTENT, cbor.encode(self.body), coap.CONTENT_CBOR)
        response.token = request.token
        return slip.encode_diagnostic("a word\n") + slip.encode_coap(encode_datagram(ACK, mid, response))


def repl(data):
    """What a REPL prints, as far as detect asks for it."""
    return b"\r\n>>> " * (b"\x03" in data) + (b"\r\n" + BANNER + b">>> ") * (b"\x02" in data)


def edited(data):
    """What the Unix port's line editor, which knows ASCII alone, makes of a question."""
    return b"".join(bytes((byte,)) + b"D\x08" for byte in data if 32 <= byte < 127 and byte != ord("D"))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(detect, "START_S", 0.6)
    monkeypatch.setattr(detect, "_QUESTIONS", [(question, min(wait_s, 0.1)) for question, wait_s in detect._QUESTIONS])


def test_an_app_is_known_by_its_answer_and_hears_nothing_else():
    with Puppet(App()) as board:
        began = time.monotonic()
        found = detect.detect(board.link)
        assert time.monotonic() - began < 0.3
    assert (found.kind, found.board_id, found.description.state) == (APP, BOARD_ID.hex(), "factory")
    assert re.fullmatch(rb"\xc0\xa9[^\xc0]+\xc0", board.heard)


def test_an_app_that_is_busy_is_asked_twice_and_the_rom_loader_left_alone(quick, monkeypatch):
    monkeypatch.setattr(detect, "chip_info", lambda link: pytest.fail("it was reset"))
    with Puppet(App(nth=2)) as board:
        assert detect.detect(board.link).kind == APP


def test_a_repl_is_known_by_its_prompt_and_its_banner_names_the_chip():
    with Puppet(repl) as board:
        found = detect.detect(board.link)
    assert (found.kind, found.banner) == (REPL, BANNER.decode().strip())


def test_asking_the_app_is_plain_text_to_a_repl():
    """MicroPython's own line editor: nothing runs, whatever the message id was, and Ctrl-C leaves an empty line."""
    ours, theirs = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with subprocess.Popen([find_micropython()], **streams, start_new_session=True) as repl:
        said = until(ours, b">>> ")
        for _ in range(50):
            os.write(ours, detect._frame(b"abcd") + b"\x03")
            said += until(ours, b"\n>>> ")
        os.write(ours, b"print(6 * 7)\r\x04")
        said += until(ours, b"42")
        repl.kill()
    os.close(ours)
    os.close(theirs)
    assert b"Error" not in said and b"raw REPL" not in said


def until(fd, ending):
    said = b""
    while ending not in said:
        assert select.select([fd], [], [], 10)[0], said
        said += os.read(fd, 4096)
    return said


@pytest.mark.parametrize("echo", [lambda data: data.replace(b"\x01", b""), edited], ids=["UTF-8", "ASCII"])
def test_who_sends_our_question_back_is_not_waited_for(echo):
    with Puppet(lambda data: repl(data) or echo(data)) as board:
        began = time.monotonic()
        assert detect.detect(board.link).kind == REPL
        assert time.monotonic() - began < detect.QUIET_S


def test_a_repl_of_something_else_is_no_board_of_ours():
    banner = b"Adafruit CircuitPython 9.2.1 on 2024-11-20; FeatherS3 with ESP32S3\r\n"
    with Puppet(lambda data: repl(data).replace(BANNER, banner)) as board:
        with pytest.raises(Unsupported) as caught:
            detect.detect(board.link)
    assert (caught.value.reason, "FeatherS3" in caught.value.detail) == ("port-not-micropython", True)


def test_a_silent_board_is_asked_for_its_rom_loader_last(quick, monkeypatch):
    heard = []
    with Puppet() as board:
        monkeypatch.setattr(detect, "chip_info", lambda link: heard.append(board.heard) or CHIP)
        found = detect.detect(board.link)
    assert (found.kind, found.chip) == (ROM, CHIP)
    assert heard[0].count(b"\xc0\xa9") == 2 and b"\x03" in heard[0]


def test_a_chip_in_its_rom_loader_is_asked_by_esptool(tmp_path):
    """The real one, after all that was written before."""
    with RomBoard("esp32c3", tmp_path / "flash") as rom:
        found = detect.detect(Link(rom.port, attempts=1))
        assert (found.kind, found.chip.name, found.chip.mac, found.board_id) == (ROM, "esp32c3", rom.mac, None)


@pytest.mark.parametrize("reason, told", [("flash-no-answer", "port-silent"), ("flash-boot-mode", "flash-boot-mode")])
def test_where_nobody_answers_the_cause_is_said(quick, monkeypatch, reason, told):
    def refuse(link):
        raise TimedOut(reason)

    monkeypatch.setattr(detect, "chip_info", refuse)
    with Puppet() as board, pytest.raises(TimedOut) as caught:
        detect.detect(board.link)
    assert caught.value.reason == told


def test_a_board_without_reset_lines_is_left_alone(quick, monkeypatch):
    monkeypatch.setattr(detect, "chip_info", lambda link: pytest.fail("it was reset"))
    with Puppet() as board, pytest.raises(TimedOut) as caught:
        detect.detect(board.link, rom=False)
    assert caught.value.reason == "port-silent"


def test_noise_and_a_strangers_answer_are_no_app(quick):
    response = coap.response(coap.CONTENT, b"", coap.CONTENT_CBOR)
    response.token = b"none"
    strange = slip.encode_coap(encode_datagram(ACK, 1, response)) + b"\xc0\xa9\x00\xc0 hello\r\n"
    with Puppet(lambda data: strange) as board, pytest.raises(TimedOut):
        detect.detect(board.link, rom=False)


def test_a_chip_that_finds_nothing_to_start_is_soon_asked_in_its_rom(monkeypatch):
    """A blank one with power, say: it starts again and again, and tells of it each time."""
    monkeypatch.setattr(detect, "chip_info", lambda link: CHIP)
    over = threading.Event()
    with Puppet() as board:

        def start_in_vain():
            while not over.wait(0.05):
                board.say(
                    b"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\n"
                )

        thread = threading.Thread(target=start_in_vain)
        thread.start()
        assert detect.detect(board.link) == Found(ROM, chip=CHIP)
        over.set()
        thread.join()
        assert b"\x03" not in board.heard


def test_a_board_that_never_stops_talking_does_not_hold_us(quick, monkeypatch):
    monkeypatch.setattr(detect, "_CHATTER_S", 0.2)
    chatter = threading.Event()
    with Puppet() as board:

        def talk():
            while not chatter.wait(0.01):
                board.say(b"temperature 21\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(TimedOut):
            detect.detect(board.link, rom=False)
        chatter.set()
        thread.join()


def test_a_port_that_is_not_there_or_held_is_told_as_such():
    with pytest.raises(NotFound) as caught:
        detect.detect(Link("/dev/no-such-port"))
    assert caught.value.reason == "serial-not-found"
    with Puppet() as board, detect._Line(board.link.port), pytest.raises(Busy) as busy:
        detect.detect(board.link)
    assert busy.value.reason == "serial-in-use"


def test_a_cable_pulled_just_as_its_port_was_opened_is_a_lost_link(monkeypatch):
    ours, theirs = pty.openpty()
    name, opened = os.ttyname(theirs), detect.open_port

    def open_and_pull(url, *more):
        port = opened(url, *more)
        os.close(ours)
        return port

    monkeypatch.setattr(detect, "open_port", open_and_pull)
    with pytest.raises(TimedOut) as caught:
        detect.detect(Link(name), rom=False)
    assert caught.value.reason == "link-dropped"
    os.close(theirs)


def test_after_a_reset_only_who_is_expected_is_asked():
    """A board in the middle of its start would take Ctrl-C for a wish to stop it."""
    with Puppet(App(nth=3)) as board:
        assert detect.wait_for(APP, board.link).kind == APP
    assert b"\x03" not in board.heard
    with Puppet(repl) as board:
        assert detect.wait_for(REPL, board.link).kind == REPL
    assert b"\xc0" not in board.heard


def test_a_board_that_comes_up_as_something_else_is_told_as_such(quick):
    with Puppet(repl) as board, pytest.raises(LocalError) as caught:
        detect.wait_for(APP, board.link)
    assert caught.value.reason == "board-not-started"


def test_what_a_board_said_before_it_fell_back_to_its_prompt_is_passed_on():
    """And it is not waited for any longer."""
    died = b'Traceback (most recent call last):\r\n  File "start.py"\r\nImportError: no module\r\n' + BANNER + b">>> "
    with Puppet(lambda data: died if b"\xc0" in data else repl(data)) as board, pytest.raises(LocalError) as caught:
        detect.wait_for(APP, board.link)
    assert caught.value.reason == "board-not-started" and "ImportError: no module" in caught.value.detail


def test_a_port_that_goes_away_with_the_board_is_waited_for(quick, tmp_path):
    with Puppet(App()) as board:
        port = tmp_path / "port"
        timer = threading.Timer(0.3, port.symlink_to, [board.link.port])
        timer.start()
        assert detect.wait_for(APP, Link(str(port))).kind == APP
        timer.join()


@pytest.mark.parametrize("answer, shown", [(App(), False), (repl, True), (lambda data: b"", False)])
def test_whether_a_cable_opens_a_repl(answer, shown):
    with Puppet(answer) as board:
        assert detect.shows_repl(board.link) is shown
