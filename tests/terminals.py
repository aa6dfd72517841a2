"""`admit` as a process of its own: its environment, and a pseudo-terminal on which somebody types."""

import codecs
import os
import pty
import subprocess
import sys

from imports import ROOT

FOLDERS = os.pathsep.join(str(ROOT / folder) for folder in ("firmware", "host", "provisioning"))


def environment(**more):
    """What a process needs that imports this checkout."""
    return os.environ | {"PYTHONPATH": FOLDERS} | more


class Terminal:
    """A process on a pseudo-terminal: what it shows, and what somebody types."""

    def __init__(self, *arguments, **more):
        self.ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "admit_cli", *arguments]
        settings = environment(TERM="xterm", **more)
        self.process = subprocess.Popen(
            command, env=settings, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""
        self._text = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two parts

    def read(self):
        """Wait for more to be shown; what it is, or nothing at the end."""
        text, part = "", b"-"
        while part and not text:
            try:
                part = os.read(self.ours, 4096)
            except OSError:  # what Linux says at the end of a pseudo-terminal
                part = b""
            text = self._text.decode(part)
        return text

    def wait_for(self, text):
        """Read on until `text` is shown."""
        while text not in self.shown:
            part = self.read()
            assert part, f"it ended without showing {text!r}: {self.shown}"
            self.shown += part

    def answer(self, question, text):
        """Wait for `question`, then type `text`."""
        self.wait_for(question)
        self.before, self.shown = self.shown, ""
        os.write(self.ours, text.encode() + b"\n")

    def end(self):
        """(exit code, everything shown since the last answer)."""
        while part := self.read():
            self.shown += part
        os.close(self.ours)
        return self.process.wait(60), self.shown
