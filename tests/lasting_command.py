"""A command that runs until it is stopped, whose lines are read as they come."""

import re
import signal
import subprocess
import sys
import threading

from cli_kiosk import LIMIT_S


class LastingCommand:
    """`admit WORDS` of a Typist. `lines`: what it has said so far, on either stream."""

    def __init__(self, typist, *words, **more):
        command = [sys.executable, "-m", "admit_cli", *map(str, words)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=typist.environment(**more), text=True, **pipes)
        self.lines = []
        self._news = threading.Condition()
        streams = (self.process.stdout, self.process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(each,), daemon=True) for each in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()

    def expect(self, pattern):
        """Wait for a line that matches; the match."""
        with self._news:
            assert self._news.wait_for(lambda: self._find(pattern), LIMIT_S), self.lines
            return self._find(pattern)

    def _find(self, pattern):
        return next((found for found in (re.search(pattern, line) for line in self.lines) if found), None)

    def stop(self, number=signal.SIGINT):
        """The exit code after a signal."""
        self.process.send_signal(number)
        code = self.process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join(LIMIT_S)
        return code
