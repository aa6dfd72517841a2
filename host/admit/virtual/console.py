"""What a virtual chip's program prints, picked out of the bytes on its line.

Owns: telling text from CoAP frames (slipmux) and from the REPL's talk with a tool, which is nobody's news. Must not
know what the text says.
"""

END, ESCAPE = 0xC0, 0xDB
COAP = 0xA9
ESCAPED = {0xDC: END, 0xDD: ESCAPE}
LONGEST = 1000

REPL_BEGINS = ("raw REPL; CTRL-B to exit", 'Type "help()" for more information.')
SOFT_REBOOT, RESET = "MPY: soft reboot", "rst:"


class Console:
    """Fed with the line's bytes, gives lines of text."""

    def __init__(self):
        self._line = bytearray()
        self._first = True  # of what stands between two ENDs
        self._frame = False  # it is CoAP's
        self._escaped = False
        self._repl = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        lines = []
        for byte in data:
            if byte == END or (byte == 0x0A and not self._frame) or len(self._line) >= LONGEST:
                lines += self._finish()
            if byte == END and not self._repl:  # the REPL has no frames, but it echoes what is sent to it
                self._first, self._frame, self._escaped = True, False, False
            else:
                self._add(byte)
        return lines

    def _add(self, byte: int) -> None:
        if self._first:
            self._first, self._frame = False, byte == COAP and not self._repl
        if self._frame or byte == 0x0A:
            return
        if byte == ESCAPE:
            self._escaped = True
            return
        self._line.append(ESCAPED.get(byte, byte) if self._escaped else byte)
        self._escaped = False

    def _finish(self) -> list[str]:
        """The line that is complete now, unless it is empty or the REPL's."""
        text = self._line.decode(errors="backslashreplace").strip("\r\n")
        self._line.clear()
        if text.startswith((SOFT_REBOOT, RESET)):
            self._repl = False
        silent = self._repl or text == SOFT_REBOOT
        if text.endswith(REPL_BEGINS):
            self._repl = silent = True
        return [] if silent or not text else [text]
