"""What answers at a port: the device app, MicroPython's REPL, the chip's ROM loader, or nobody.

Owns: the few bytes that find out, and their order.
Rules: asking must not disturb whom it is not meant for. The app is asked first, by one frame of GET /id whose bytes are
plain text to a REPL; only if the line stays silent, or sends that text back, do Ctrl-C and Ctrl-B follow, which the
app drops as noise, at last so many that an install which was torn off lets go of the line. The ROM loader comes after
all that, since esptool resets boards that have reset lines. Nothing is written to a board.
Must not know: what is to become of the board.
"""

import os
import random
import re
import time
from dataclasses import dataclass

from admit.client import Description, description_in
from admit.transport.serial import BAUD_RATE, MAX_DATAGRAM, open_port
from admit_protocol import coap, slip
from admit_protocol.coap_udp import CON, decode_datagram, encode_datagram
from admit_protocol.errors import AdmitError, Busy, LocalError, NotFound, TimedOut, Unsupported
from admit_provisioning.esptool import Chip, Link, chip_info
from admit_provisioning.repl import UNSTICK

APP, REPL, ROM = "app", "repl", "rom"

QUIET_S = 0.3  # an app that is idle answers within this time
BUSY_S = 1.5  # an app that prepares for its next visitor may need as long
GONE_S = 5.0  # how long its port may be gone meanwhile
START_S = 20.0  # what a board takes at most from its reset until it answers

_READ_S = 0.02
_AGAIN_S = 0.1  # between questions to a board that is starting
_PORT_S = 0.1  # between attempts to open a port that is not there
_MAX_TEXT = 4096  # bytes kept of what is no frame
_INTERRUPT = b"\x03\x03"  # ends a line, a paste, or a program
_BANNER = b"\x02"  # Ctrl-B: leave the raw REPL; both REPLs answer with their banner
_PROMPT = b">>> "
_NAME = b"Python"  # is in the banner before a prompt: nothing follows that
_CHATTER_S = 3.0  # how long a board is listened to that never stops talking
_START = b"rst:0x"  # what an ESP32's ROM says of each start
_STARTS = 3  # so many of them while it is asked: nothing on its flash starts, nobody there will ever answer
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")

# What is written, in this order, and how long a silence after it means that nobody there understood it.
_ASK_APP = b""  # stands for a new frame
_APP_ONLY = [(_ASK_APP, QUIET_S)]
_REPL_ONLY = [(_INTERRUPT + _BANNER, QUIET_S), (_BANNER, QUIET_S)]  # a program that ended may have read the first
_STARTING = {APP: [(_ASK_APP, _AGAIN_S)], REPL: _REPL_ONLY}
_QUESTIONS = [*_APP_ONLY, *_REPL_ONLY, (_ASK_APP, BUSY_S), (UNSTICK, QUIET_S), (_BANNER, QUIET_S)]

_TOKEN = b"0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Found:
    """Who answers: APP with what it says of itself, REPL with its banner, or ROM with its chip."""

    kind: str
    description: Description | None = None
    chip: Chip | None = None
    banner: str = ""

    @property
    def board_id(self) -> str | None:
        """The board's unique id in hex, if the app told it."""
        known = self.description and self.description.board_id
        return known.hex() if known else None


def detect(link: Link, rom: bool = True) -> Found:
    """Find out who answers at `link` now; `rom=False` leaves the ROM loader alone, and so resets nothing.

    Raises TimedOut("port-silent"), Unsupported("port-not-micropython"), and what opening the port does.
    """
    with _Line(link.port) as line:
        if found := line.ask(_QUESTIONS):
            return found
    if rom:
        try:
            return Found(ROM, chip=chip_info(link))
        except TimedOut as error:
            if error.reason != "flash-no-answer":
                raise
    raise TimedOut("port-silent", f"nothing answers at {link.port}")


def ask_app(link: Link) -> Found:
    """The app at `link`, if one answers; anybody else hears plain text and no more. TimedOut("port-silent")."""
    with _Line(link.port) as line:
        if found := line.ask(_APP_ONLY):
            return found
    raise TimedOut("port-silent", f"no app answers at {link.port}")


def wait_for(kind: str, link: Link) -> Found:
    """Wait until a board that was just reset answers as `kind`, APP or REPL; nobody else is asked meanwhile, for a
    board in the middle of its start would take Ctrl-C for a wish to stop it.

    Some boards take their port with them for a moment. Raises LocalError("board-not-started") if another one answers
    in the end, and what `detect` does.
    """
    give_up, gone_at, said = time.monotonic() + START_S, None, ""
    while time.monotonic() < give_up and not said:
        try:
            with _Line(link.port) as line:
                gone_at = None
                while time.monotonic() < give_up and not said:
                    if found := line.ask(_STARTING[kind]):
                        return found
                    said = line.farewell
        except (TimedOut, NotFound, Busy, LocalError):
            gone_at = gone_at or time.monotonic()
            if time.monotonic() >= gone_at + GONE_S:
                raise
            time.sleep(_PORT_S)
    found = detect(link, rom=False)
    if found.kind != kind:
        raise LocalError("board-not-started", f"the {found.kind} answers, not the {kind}{said}")
    return found


def shows_repl(link: Link) -> bool:
    """Does anybody with this cable get a REPL now? An app that answers what follows Ctrl-C has swallowed that."""
    with _Line(link.port) as line:
        return line.is_open()


class _Line:
    """The open port, and what was heard on it since."""

    def __init__(self, url: str):
        self._url = url

    def __enter__(self) -> "_Line":
        self._port = open_port(self._url, _READ_S)
        self._frames, self._text = slip.Decoder(MAX_DATAGRAM), b""
        self._token = bytes(random.choices(_TOKEN, k=4))
        self._starts = 0
        return self

    def __exit__(self, *_) -> None:
        self._port.close()

    def ask(self, questions: list[tuple[bytes, float]]) -> Found | None:
        """Put the questions in their order until somebody answers. An app may answer an earlier one late."""
        for question, quiet_s in questions:
            self._text = b""
            self._write(question or _frame(self._token))
            if description := self._hear(quiet_s + len(question) * 10 / BAUD_RATE, until_echo=not question):
                return Found(APP, description)
            if question.endswith(_BANNER) and self._text.endswith(_PROMPT):
                return Found(REPL, banner=_banner(self._text))
            if self._starts >= _STARTS:
                break
        return None

    def is_open(self) -> bool:
        """Is there a prompt after Ctrl-C and Ctrl-B?"""
        for quiet_s in (QUIET_S, BUSY_S):
            self._write(_INTERRUPT + _BANNER + _frame(self._token))
            answered = self._hear(quiet_s, until_echo=False)
            if answered or _PROMPT in self._text:
                break
        return _PROMPT in self._text

    @property
    def farewell(self) -> str:
        """Why a board shows its prompt although nobody asked it to; empty if it does not."""
        if not self._text.endswith(_PROMPT):
            return ""
        errors = [line for line in self._text.decode(errors="replace").splitlines() if "Error" in line]
        return f"; it said {errors[-1].strip()}" if errors else "; it came up with its prompt"

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise self._gone(error) from error

    def _hear(self, quiet_s: float, until_echo: bool) -> Description | None:
        """What the app says of itself; None when the line falls silent, shows a prompt, or never stops; or echoes."""
        asked = heard = time.monotonic()
        while time.monotonic() < min(heard + quiet_s, asked + _CHATTER_S):
            data = self._read()
            heard = time.monotonic() if data else heard
            self._starts += (self._text[1 - len(_START) :] + data).count(_START)
            if description := self._description(data):
                return description
            self._text = (self._text + data)[-_MAX_TEXT:]
            if self._starts >= _STARTS or self._is_prompt(data) or until_echo and self._is_echo():
                return None
        return None

    def _is_prompt(self, data: bytes) -> bool:
        """Is what was heard, with `data` as its end, a REPL that waits? Before its banner there may be more prompts."""
        return self._text.endswith(_PROMPT) and (not data or _NAME in self._text)

    def _is_echo(self) -> bool:
        """Did somebody send our question back, as who edits a line does, and no app? MicroPython's editor may write the
        D, where 0x01 sent it, anew behind each character, and leaves out what is no text to it.
        """
        plain = self._text.replace(b"D\x08", b"").replace(b"\xb2", b"")
        return self._token + b"id" in plain

    def _read(self) -> bytes:
        try:
            return self._port.read(max(1, self._port.in_waiting))
        except (OSError, TypeError) as error:  # TypeError: what pyserial does when the port goes away under it
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> TimedOut:
        return TimedOut("link-dropped", f"{self._url}: {error}")

    def _description(self, data: bytes) -> Description | None:
        for kind, content in self._frames.feed(data):
            if kind == "coap" and (description := _answer(content, self._token)):
                return description
        return None


def _frame(token: bytes) -> bytes:
    """GET /id, with a message id that leaves nothing in the frame that a REPL would act on: no control character but
    the 0x01 of GET itself, which means "go to the start of the line" to a line that has begun.
    """
    message = coap.request(coap.GET, "/id")
    message.token = token
    while True:
        frame = slip.encode_coap(encode_datagram(CON, int.from_bytes(os.urandom(2), "big"), message))
        if not _CONTROL.search(frame.replace(b"\x01", b"", 1)):
            return frame


def _answer(datagram: bytes, token: bytes) -> Description | None:
    """The description in a datagram, if it is the answer to our question."""
    try:
        _, _, message = decode_datagram(datagram)
        return None if message.is_request or message.token != token else description_in(message)
    except AdmitError:
        return None


def _banner(text: bytes) -> str:
    """The line in which a REPL says what it is. Raises Unsupported("port-not-micropython")."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines()]
    named = [line for line in lines if "Python" in line]
    if named and "MicroPython" not in named[-1]:
        raise Unsupported("port-not-micropython", named[-1])
    return named[-1] if named else ""
