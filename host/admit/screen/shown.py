"""What a kiosk's screen shows: the device's own words, one line for each change of an output, made into one view.

Owns: which of the things that are so at one time is shown, and until when. Fed by the cable's thread, read by the
page's.
Rules: what the device does not say any longer is shown no longer; a line that is none of those that a screen knows
changes nothing. Names are text and nothing else. Must not know: cables, browsers.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CODE_S = 60  # that a device shows a code (docs/SPEC.md 17.14)
BYE_S = 6
_MAX_NAME = 200  # characters: a subject has 64 bytes, and may say through whom
_MAX_CODE = 12

# How it stands with the cable.
CONNECTING, CONNECTED = "connecting", "connected"
UNPLUGGED, BUSY, SILENT, MUTE = "unplugged", "busy", "silent", "mute"

_OUTPUTS = ("status", "visitor", "asker", "code", "newcomer", "takeover")
_NUMBERS = ("code", "takeover")
_VIEWS = {"factory": "setup", "ready": "waiting", "logged in": "waiting"}


@dataclass(frozen=True)
class Kiosk:
    """What a device says that it is; nothing of it is proven, but whose cable it is knows which device is at it.

    `code`: what its QR code says, in parts: its public label, perhaps with the site's page before it.
    """

    device_id: str
    site: str
    fingerprint: str
    code: tuple[str, ...]


class Shown:
    """What the screen shows. `name`: what people call the kiosk, if not by its device id."""

    def __init__(self, name: str | None = None, clock: Callable[[], float] = time.monotonic):
        self._name = name
        self._clock = clock
        self._news = threading.Condition()
        self.news = 0  # how many there have been
        self._link = CONNECTING
        self._kiosk: Kiosk | None = None
        self._outputs: dict[str, str] = {}
        self._fresh: dict[str, str] | None = None
        self._is_caught_up = False  # the device has said how everything was when the cable came
        self._code_until = 0.0
        self._is_counted = False  # the code was seen to come, so the seconds are known
        self._bye: tuple[str, float] = ("", 0.0)

    # -- what is heard --

    def hear(self, text: str) -> None:
        """A diagnostic text of the device: the name of an output, and its value."""
        name, _, value = text.rstrip("\n").partition(" ")
        if name not in _OUTPUTS:
            return
        value = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value)[:_MAX_NAME]
        if name in _NUMBERS and not (value.isascii() and value.isdigit() and len(value) <= _MAX_CODE):
            value = ""
        with self._news:
            if self._fresh is not None:
                self._fresh[name] = value
            self._take(name, value)
            self._tell()

    def link(self, state: str) -> None:
        """How it stands with the cable. What was shown before it broke is over."""
        with self._news:
            self._link = state
            if state != CONNECTED:
                self._outputs, self._fresh, self._bye = {}, None, ("", 0.0)
                self._is_caught_up = False
            self._tell()

    def met(self, kiosk: Kiosk | None) -> None:
        """Which device is at the cable; None for one that belongs to no site."""
        with self._news:
            self._link, self._kiosk = CONNECTED, kiosk
            self._tell()

    def asked(self) -> None:
        """The device is about to say how everything is."""
        with self._news:
            self._fresh = {}

    def answered(self) -> bool:
        """It has had the time for it: what it did not mention is no longer so. Did it say anything?"""
        with self._news:
            fresh, self._fresh = self._fresh, None
            for name in _OUTPUTS:
                if fresh and name not in fresh and name in self._outputs:
                    self._take(name, "")
            self._is_caught_up |= bool(fresh)
            self._tell()
            return bool(fresh)

    @property
    def status(self) -> str:
        """The device's word for how it is; "" before it has said it."""
        return self._outputs.get("status", "")

    def _take(self, name: str, value: str) -> None:
        before, now = self._outputs.get(name, ""), self._clock()
        if name == "code" and value and value != before:
            self._code_until, self._is_counted = now + CODE_S, self._is_caught_up
        if name == "visitor" and before and not value:
            self._bye = before, now + BYE_S
        self._outputs[name] = value

    # -- what is seen --

    @property
    def code(self) -> tuple[str, ...] | None:
        """What the kiosk's QR code says."""
        return self._kiosk.code if self._kiosk else None

    def view(self) -> dict[str, Any]:
        """What is to be seen now: `view`, and what belongs to it."""
        with self._news:
            kiosk, now = self._kiosk, self._clock()
            told: dict[str, Any] = {
                "view": self._view(now),
                "name": self._name or (kiosk.device_id if kiosk else ""),
                "site": kiosk.site if kiosk else "",
                "fingerprint": kiosk.fingerprint if kiosk else "",
            }
            if told["view"] == "code":
                seconds = int(self._code_until - now + 0.5) if self._is_counted else None
                told |= {"code": self._outputs["code"], "who": self._outputs.get("asker", ""), "seconds": seconds}
            elif told["view"] == "hello":
                told["who"] = self._outputs["visitor"]
            elif told["view"] == "bye":
                told["who"] = self._bye[0]
            elif told["view"] == "waiting":
                told["newcomer"] = bool(self._outputs.get("newcomer"))
            if takeover := self._outputs.get("takeover"):  # whatever else is so: in so many hours it changes hands
                told["takeover"] = int(takeover)
            return told

    def wait(self, news: int, timeout_s: float) -> None:
        """Wait until there are more than `news` news, or something is over by itself, at most so long."""
        with self._news:
            now = self._clock()
            ends = [end - now for end in (self._code_until, self._bye[1]) if end > now]
            self._news.wait_for(lambda: self.news > news, min([timeout_s, *ends]))

    def _tell(self) -> None:
        self.news += 1
        self._news.notify_all()

    def _view(self, now: float) -> str:
        if self._link != CONNECTED:
            return self._link
        if self._kiosk is None:
            return "setup"
        if not self._is_caught_up:
            return CONNECTING
        if self._outputs.get("code") and now < self._code_until:
            return "code"
        if self._outputs.get("visitor"):
            return "hello"
        if now < self._bye[1]:
            return "bye"
        return _VIEWS.get(self.status or "ready", "fault")
