"""Windows: how they are cut; and a line may lose, change and invent bytes. The board's half runs on a virtual chip."""

import hashlib
import json
import random
import zlib

import pytest

from admit.virtual.line import TO_CHIP, TO_CLIENT
from admit_protocol.errors import RemoteError, TimedOut
from admit_provisioning import receiver
from admit_provisioning.receiver import WINDOW, Receiver
from admit_provisioning.repl import Repl
from blank_chip import BlankChip

NOISE = random.Random(3).randbytes(10_000)
CONTENTS = {
    "noise": NOISE,
    "nothing but zeros": bytes(3_000_000),
    "text": b"".join(b"line %d of a file\n" % number for number in range(9000)),
    "a byte": b"x",
    "nothing": b"",
}


# How windows are cut


class Board:
    """A Repl with a board that inflates what it gets, in Python."""

    port, baud = "a fake", 115_200
    sent = received = turnarounds = 0

    def __init__(self):
        self.windows, self.answers, self.number, self.heard = [], bytes(6), 0, b""
        self.inflate = zlib.decompressobj(-receiver.WBITS)

    def start(self, code):
        pass

    def read(self, count, timeout_s=0):
        taken, self.answers = self.answers[:count], self.answers[count:]
        return taken

    def write(self, data):
        self.heard += data
        while len(self.heard) >= 4 + int.from_bytes(self.heard[:2], "little") > 4:
            size = 4 + int.from_bytes(self.heard[:2], "little")
            frame, self.heard = self.heard[:size], self.heard[size:]
            self.take(frame)
        assert len(self.heard) <= receiver.AHEAD

    def take(self, frame):
        assert frame[:2] == frame[2:4] == (len(frame) - 4).to_bytes(2, "little")
        assert zlib.crc32(frame[4:-4], self.number) == int.from_bytes(frame[-4:], "little")
        self.number += 1
        self.windows.append((frame[4:-6], int.from_bytes(frame[-6:-4], "little")))
        self.answers += bytes(2) + zlib.crc32(b"", self.number).to_bytes(4, "little")


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_decoder_that_has_a_window_has_used_all_of_it(content):
    board = Board()
    sender = Receiver(board)
    sender.run("digests", content=content)
    sender.run("digests")
    arrived = b""
    for data, inflated in board.windows:
        assert 0 < len(data) <= WINDOW and 0 < inflated < 0x10000
        assert len(board.inflate.copy().decompress(data[:-1])) < inflated
        arrived += board.inflate.decompress(data)
        assert arrived and not board.inflate.unused_data
    assert sum(inflated for _, inflated in board.windows) == len(arrived)
    assert content in arrived


def test_progress_is_told_and_comes_to_its_end():
    told = []
    Receiver(Board()).run("digests", content=NOISE, progress=lambda *each: told.append(each))
    assert len(told) == 3 and told == sorted(told) and told[-1][0] == told[-1][1] >= len(NOISE)


def test_a_function_is_sent_once():
    board = Board()
    sender = Receiver(board)
    sender.run("fill", [])
    first = board.windows[0][1]
    sender.run("fill", [])
    assert board.windows[1][1] < first / 4


# On a real chip


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    with BlankChip(tmp_path_factory.mktemp("chip")) as chip:
        yield chip


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(receiver, "ANSWER_S", 0.6)
    monkeypatch.setattr(receiver, "AGAIN_S", 0.6)


def send(chip, path="/noise", content=NOISE):
    """Send a file, and have its size on the chip told."""
    with Repl(chip.port) as repl:
        sender = Receiver(repl)
        sender.run("fill", [(path, len(content))], content=content)
        _, _, _, found = json.loads(sender.run("survey", [path]))
        digest = sender.run("digests")
        sender.stop()
        assert repl.exec("print('and the REPL is back')") == b"and the REPL is back\r\n"
    assert [size for _, size in found] == [len(content)]
    return digest


def right(content=NOISE):
    return hashlib.sha256(content).digest()


def test_content_arrives(chip):
    assert send(chip) == right()
    assert send(chip, "/text", CONTENTS["text"]) == right(CONTENTS["text"])


class Spoiler:
    """Changes what goes by: `spoil(data)`, for the `nth` piece of a direction that has at least `size` bytes."""

    def __init__(self, direction, nth, spoil, size=1, times=1):
        self.direction, self.left, self.spoil, self.size, self.times = direction, nth, spoil, size, times

    def __call__(self, direction, data):
        if direction != self.direction or len(data) < self.size or not self.times:
            return data
        self.left -= 1
        if self.left > 0:
            return data
        self.times -= 1
        return self.spoil(data)


def without(at, count=1):
    return lambda data: data[:at] + data[at + count :]


def changed(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def doubled(data):
    return data[:50] + data


WINDOWS = {"size": 300, "nth": 2}  # the second window's beginning, as a pseudo-terminal takes 4 KB at most at once
SPOILS = {
    "a byte of a window is lost": Spoiler(TO_CHIP, spoil=without(100), **WINDOWS),
    "many bytes are lost": Spoiler(TO_CHIP, spoil=without(100, 190), **WINDOWS),
    "its head is lost": Spoiler(TO_CHIP, spoil=without(0, 4), **WINDOWS),
    "half of its head is lost": Spoiler(TO_CHIP, spoil=without(0, 2), **WINDOWS),
    "a byte of its head is lost": Spoiler(TO_CHIP, spoil=without(1), **WINDOWS),
    "its head is changed": Spoiler(TO_CHIP, spoil=changed(0), **WINDOWS),
    "a byte is changed": Spoiler(TO_CHIP, spoil=changed(200), **WINDOWS),
    "bytes come twice": Spoiler(TO_CHIP, spoil=doubled, **WINDOWS),
    "the beginning that comes ahead is lost": Spoiler(TO_CHIP, spoil=lambda data: data[:-200], **WINDOWS),
    "a window is lost whole": Spoiler(TO_CHIP, spoil=lambda data: b"", **WINDOWS),
    "an answer is lost": Spoiler(TO_CLIENT, nth=8, spoil=lambda data: b""),
    "a byte of an answer is lost": Spoiler(TO_CLIENT, nth=8, spoil=without(0)),
    "an answer is changed": Spoiler(TO_CLIENT, nth=8, spoil=changed(0)),
    "an answer comes twice": Spoiler(TO_CLIENT, nth=8, spoil=lambda data: data + data),
    "the last window is lost": Spoiler(TO_CHIP, nth=9, spoil=lambda data: b""),
    "a byte of the last window is lost": Spoiler(TO_CHIP, nth=9, spoil=without(20)),
}


@pytest.mark.parametrize("spoiler", SPOILS.values(), ids=SPOILS)
def test_a_line_that_errs_costs_a_window_and_not_the_install(chip, spoiler):
    with chip.tapped(spoiler):
        assert send(chip) == right()
    assert not spoiler.times


def test_a_line_that_errs_too_often_is_told_and_the_same_call_then_works(chip):
    with chip.tapped(Spoiler(TO_CHIP, spoil=without(100), times=99, **WINDOWS)), pytest.raises(TimedOut) as caught:
        send(chip)
    assert caught.value.reason == "install-lost" and "loses bytes" in caught.value.detail
    assert send(chip) == right()


def test_a_chip_that_holds_few_bytes_and_reads_none_while_it_writes_gets_them_all(tmp_path):
    """An ESP32's buffer, 259 bytes. This machine may stop the chip for longer than that lasts, so some come twice."""
    assert receiver.AHEAD < 259
    with BlankChip(tmp_path, fifo=259, baud=57_600) as chip, Repl(chip.port, 57_600) as repl:
        sender = Receiver(repl)
        before = repl.sent
        sender.run("fill", [("/noise", len(NOISE))], content=NOISE)
        assert repl.sent - before < 2 * len(NOISE)
        sender.run("survey", ["/noise"])
        assert sender.run("digests") == right()


def test_a_step_that_fails_says_so_and_the_repl_is_back(chip):
    with Repl(chip.port) as repl:
        with pytest.raises(RemoteError) as caught:
            Receiver(repl).run("remove", ["/none"])
        assert (caught.value.reason, caught.value.detail) == ("repl-failed", "OSError: [Errno 2] ENOENT")
        assert repl.exec("print('here')") == b"here\r\n"


def test_what_was_sent_ahead_of_a_step_that_fails_is_no_program_for_the_repl(chip):
    """Random bytes hold what a REPL acts on."""
    for seed in range(4):
        content = random.Random(seed).randbytes(9000)
        with Repl(chip.port) as repl:
            with pytest.raises(RemoteError) as caught:
                Receiver(repl).run("fill", [("/boot.py/x", len(content))], content=content)
            assert (caught.value.reason, caught.value.detail) == ("repl-failed", "OSError: 20")
            assert repl.exec("print('here')") == b"here\r\n"


def test_a_receiver_restarts_the_board_after_its_last_step(chip):
    with Repl(chip.port) as repl, Receiver(repl) as sender:
        sender.run("fill", [("/old", 1)], content=b"x")
        sender.restart("remove", ["/old"])
    said = chip.run("import machine, os; print(machine.reset_cause() == machine.HARD_RESET, 'old' in os.listdir())")
    assert said == "True False\r\n"


def test_a_receiver_that_was_begun_and_not_needed_gives_the_repl_back(chip):
    with Repl(chip.port) as repl:
        with pytest.raises(ZeroDivisionError), Receiver(repl):
            _ = 1 / 0
        assert repl.exec("print('here')") == b"here\r\n"


def test_a_heap_that_is_too_small_is_told(tmp_path):
    with BlankChip(tmp_path, heap="72k") as chip, Repl(chip.port) as repl, pytest.raises(RemoteError) as caught:
        Receiver(repl).run("digests")
    assert caught.value.reason == "repl-failed" and "MemoryError" in caught.value.detail


def test_a_board_that_says_something_else_is_not_believed(chip):
    with chip.tapped(lambda direction, data: b"\1\0abcde" if data == bytes(6) else data):
        with Repl(chip.port) as repl, pytest.raises(RemoteError) as caught:
            Receiver(repl).run("digests")
    assert caught.value.reason == "install-garbled"
    assert send(chip) == right()
