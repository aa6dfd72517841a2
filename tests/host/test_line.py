"""The line of a virtual chip: what a cable does to bytes, and what a test may do to the cable."""

import os
import select
import termios
import threading
import time

import pytest
import serial

from admit.virtual.line import INTERRUPTS, TO_CHIP, TO_CLIENT, Line
from admit.virtual.way import PATIENCE_S

EVERY_BYTE = bytes(range(256))
LIMIT_S = 10.0


@pytest.fixture
def make(tmp_path):
    """Makes lines, each plugged in, with the chip's end open as `.end`."""
    lines = []

    def make(**options):
        line = Line(tmp_path / "cable", **options)
        lines.append(line)
        line.start()
        line.end = os.open(line.chip, os.O_RDWR | os.O_NOCTTY)
        return line

    yield make
    for line in lines:
        line.stop()
        os.close(line.end)


def client(line, url=None):
    return serial.serial_for_url(str(url or line.path), 115200, timeout=LIMIT_S, write_timeout=LIMIT_S, exclusive=True)


def heard(fd, length, limit_s=LIMIT_S):
    """The next bytes at the chip's end: `length` of them, or fewer if no more come in time."""
    data = b""
    while len(data) < length and select.select([fd], [], [], limit_s)[0]:
        data += os.read(fd, length - len(data))
    return data


def test_bytes_cross_it_unchanged_both_ways(make):
    line = make()
    with client(line) as port:
        port.write(EVERY_BYTE)
        assert heard(line.end, 256) == EVERY_BYTE
        os.write(line.end, EVERY_BYTE)
        assert port.read(256) == EVERY_BYTE
        port.write(b"more")
        assert heard(line.end, 4) == b"more"
    assert line.messages == 3 and line.counts == {TO_CHIP: 260, TO_CLIENT: 256}


@pytest.mark.parametrize("baud", [115200, 921600])
def test_a_throttled_line_takes_ten_bits_a_byte_each_way(make, baud):
    line, size = make(baud=baud), baud // 50
    floor = size * 10 / baud
    with client(line) as port:
        began = time.monotonic()
        port.write(bytes(size))
        assert len(heard(line.end, size)) == size
        there = time.monotonic()
        threading.Thread(target=os.write, args=(line.end, bytes(size)), daemon=True).start()
        assert len(port.read(size)) == size
        back = time.monotonic()
    print(f"floor {floor * 1000:.1f} ms; there {(there - began) * 1000:.1f}, back {(back - there) * 1000:.1f}")
    assert floor <= there - began < floor + 0.2
    assert floor <= back - there < floor + 0.2


def test_both_directions_have_a_line_of_their_own(make):
    line = make(baud=115200)
    with client(line) as port:
        began = time.monotonic()
        port.write(bytes(1000))
        os.write(line.end, bytes(1000))
        assert len(port.read(1000)) == len(heard(line.end, 1000)) == 1000
        assert time.monotonic() - began < 1.7 * 1000 * 10 / 115200


def test_a_pulled_cable_is_what_a_pulled_usb_cable_is(make):
    said = bytearray()
    line = make(on_output=said.extend)
    port = client(line)
    device = os.readlink(line.path)
    line.unplug()
    assert not os.path.lexists(line.path) and not os.path.exists(device) and not line.plugged
    with pytest.raises(serial.SerialException, match="returned no data"):
        port.read()
    with pytest.raises(serial.SerialException, match="Input/output error"):
        port.write(b"hello?")
    with pytest.raises(OSError, match="Input/output error"):
        port.in_waiting  # noqa: B018
    port.close()
    with pytest.raises(serial.SerialException, match="No such file"):
        client(line)
    line.unplug()

    os.write(line.end, b"nobody hears this")
    while not said:
        time.sleep(0.001)
    line.plug()
    with client(line) as port:
        os.write(line.end, b"but this")
        assert port.read(8) == b"but this"


@pytest.mark.parametrize("direction", [TO_CHIP, TO_CLIENT])
def test_it_can_be_cut_in_the_middle_of_any_message(make, direction):
    line, cut = make(), threading.Event()
    number = {TO_CHIP: 5, TO_CLIENT: 4}[direction]
    line.cut_at(number, 0.5, cut.set)
    with client(line) as port:
        with pytest.raises(serial.SerialException):
            for _ in range(4):
                port.write(b"question")
                assert heard(line.end, 8, 0.2) in (b"question", b"ques")
                os.write(line.end, b"answer")
                assert port.read(6) == b"answer"
    assert cut.wait(LIMIT_S) and not line.plugged
    assert line.messages == number
    line.plug()
    with client(line) as port:
        port.write(b"and on")
        assert heard(line.end, 6) == b"and on"


def test_a_tap_may_change_lose_or_cut(make):
    line = make()

    def tap(direction, data):
        if b"cut" in data:
            line.unplug()
        return data.replace(b"secret", b"").upper() if direction == TO_CHIP else data

    line.tap = tap
    with client(line) as port:
        port.write(b"a secret thing")
        assert heard(line.end, 8) == b"A  THING"
        os.write(line.end, b"cut")
        with pytest.raises(serial.SerialException):
            port.read()


def test_what_nobody_reads_is_lost_and_the_chip_goes_on(make):
    line = make()
    began = time.monotonic()
    for _ in range(40):
        os.write(line.end, bytes(4096))
    assert time.monotonic() - began < 3 * PATIENCE_S
    while line.counts[TO_CLIENT] < 40 * 4096:
        time.sleep(0.01)
    with client(line) as port:
        os.write(line.end, b"now")
        assert len(port.read_until(b"now")) <= 2 * 4096


def test_a_reader_that_is_only_slow_loses_nothing(make):
    line, size = make(), 60_000
    data = EVERY_BYTE * (size // 256)
    with client(line) as port:
        threading.Thread(target=os.write, args=(line.end, data), daemon=True).start()
        read = b""
        while len(read) < len(data):
            read += port.read(min(5000, len(data) - len(read)))
            time.sleep(0.005)
        assert read == data


def test_a_chip_with_a_small_buffer_loses_what_it_does_not_read_in_time(make):
    line = make(fifo=260)
    with client(line) as port:
        port.write(EVERY_BYTE * 4)
        assert heard(line.end, 1024, 0.2) == (EVERY_BYTE * 4)[:260]
        port.write(b"later")
        assert heard(line.end, 5) == b"later"


def test_power_that_comes_back_finds_nothing_on_the_line(make):
    line = make(baud=1200)
    with client(line) as port:
        port.write(b"x" * 100)
        assert heard(line.end, 1) == b"x"
        line.begin()
        port.write(b"y")
        assert heard(line.end, 1) == b"y"


def test_a_tcp_port_is_another_way_in(make):
    line = make(tcp=True)
    with client(line, line.url) as port:
        port.write(EVERY_BYTE)
        assert heard(line.end, 256) == EVERY_BYTE
        os.write(line.end, EVERY_BYTE)
        assert port.read(256) == EVERY_BYTE
        with client(line, line.url) as second:  # takes over
            os.write(line.end, b"for you")
            assert second.read(7) == b"for you"
            line.unplug()
            with pytest.raises(serial.SerialException):
                second.read()
    with pytest.raises(serial.SerialException, match="refused"):
        client(line, line.url)
    line.plug()
    with client(line, line.url) as port:
        port.write(b"again")
        assert heard(line.end, 5) == b"again"
    with client(line) as port:
        port.write(b"by path")
        assert heard(line.end, 7) == b"by path"
        os.write(line.end, b"back")
        assert port.read(4) == b"back"


def test_a_waiting_ctrl_c_is_one_signal_until_the_chip_has_seen_it(make):
    signals = []
    line = make(on_interrupt=lambda: signals.append(line.modes()))
    modes = termios.tcgetattr(line.end)
    modes[3] |= INTERRUPTS
    termios.tcsetattr(line.end, termios.TCSANOW, modes)
    seen = []
    line.tap = lambda direction, data: seen.append(data) or data
    with client(line) as port:
        port.write(b"a\x03\x03\x03b")
        assert heard(line.end, 2) == b"ab"
        assert len(signals) == 1 and signals[0] & INTERRUPTS
        modes[3] &= ~INTERRUPTS
        termios.tcsetattr(line.end, termios.TCSANOW, modes)
        port.write(b"\x03\x03c\x1a\x1c")
        assert heard(line.end, 5) == b"\x03\x03c\x1a\x1c"
    assert b"".join(seen) == b"a\x03\x03\x03b\x03\x03c\x1a\x1c"
