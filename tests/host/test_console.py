"""What is picked out of a chip's line as its console."""

import pytest

from admit.virtual.console import LONGEST, Console
from admit_protocol import slip


def lines(*pieces):
    console = Console()
    return [line for piece in pieces for line in console.feed(piece)]


@pytest.mark.parametrize(
    "stream, expected",
    [
        (b"door open\r\n\r\nlamp on\n", ["door open", "lamp on"]),
        (b"door ", []),
        (slip.encode_diagnostic("door open\nlamp off\n"), ["door open", "lamp off"]),
        (slip.encode_diagnostic("kein Umbruch: ä"), ["kein Umbruch: ä"]),
        (slip.encode_diagnostic("\u00c0\u00db") + b"x\n", ["\u00c0\u00db", "x"]),
        (slip.encode_coap(b"a\nb\n\xc0\xdb"), []),
        (slip.encode_coap(b"a\n") + b"door open\r\n" + slip.encode_coap(b"b\n"), ["door open"]),
        (b"\xff\xfe\n", ["\\xff\\xfe"]),
        (b"x" * (LONGEST + 2), ["x" * LONGEST]),
        (b"rst:hard, virtual chip\r\n", ["rst:hard, virtual chip"]),
    ],
)
def test_text_is_told_line_by_line_however_it_comes(stream, expected):
    assert lines(stream) == expected
    assert lines(*(bytes((byte,)) for byte in stream)) == expected


def test_what_the_repl_and_a_tool_say_to_each_other_is_nobodys_news():
    assert lines(
        b'rst:power, virtual chip\r\nMicroPython v1.25.0\r\nType "help()" for more information.\r\n>>> ',
        b"\r\nraw REPL; CTRL-B to exit\r\n>OK",
        b"\x04\x04>OK\r\nMPY: soft reboot\r\nboot.py says so\r\nraw REPL; CTRL-B to exit\r\n>OKnot this\r\n\x04\x04>",
        slip.encode_coap(b"echoed\n"),
        b"\r\nrst:hard, virtual chip\r\ndoor open\r\n",
    ) == ["rst:power, virtual chip", "MicroPython v1.25.0", "boot.py says so", "rst:hard, virtual chip", "door open"]
