"""A line that somebody types at the friendly REPL, with echo, backspace and the arrows for what was typed before.

Owns: editing, and when a line is not the whole statement.
"""

import line

_COMPOUND = ("@", "if", "while", "for", "try", "with", "def", "class", "async")
_CONTROLS = b"\x01\x02\x04\x05"  # mean something on an empty line
_HISTORY = 8

_history = []


def read(prompt):
    """Print `prompt` and return (text, b"") or (text, control character that ended it)."""
    line.write(prompt)
    typed, back = bytearray(), 0
    while True:
        char = line.read(1)
        if char == b"\r":
            line.write("\n")
            return _remember(_text(typed)), b""
        if char == b"\x03":
            line.write("\n")
            return "", char
        if not typed and char in _CONTROLS:
            return "", char
        if char in b"\b\x7f":
            typed = _erase(typed)
        elif char == b"\x1b":
            before, back = back, _arrow(back)
            if back != before:
                while typed:
                    typed = _erase(typed)
                typed.extend(_history[-back].encode() if back else b"")
                line.write(typed)
        elif char >= b" ":
            typed.extend(char)
            line.write(char)


def rest(text):
    """Read what more lines the statement that begins with `text` has; None if Ctrl-C gave it up."""
    while unfinished(text):
        more, end = read("... ")
        if end == b"\x03":
            return None
        text += "\n" + more
        if end:
            break
    return text


def unfinished(text):
    """Does it need another line: an open bracket or long string, a backslash, a block before its empty line?"""
    if text.endswith("\\"):
        return True
    depth, quote, at = 0, "", 0
    while at < len(text):
        char = text[at]
        if char in "\"'":
            length = 3 if text[at : at + 3] == char * 3 else 1
            mark = char * length
            if not quote:
                quote = mark
            elif text[at : at + len(quote)] == quote:
                length, quote = len(quote), ""
            else:
                length = 1
            at += length
            continue
        if quote and char == "\\":
            at += 1
        elif not quote:
            depth += (char in "([{") - (char in ")]}")
        at += 1
    if len(quote) == 3 or (depth > 0 and not quote):
        return True
    return _compound(text) and not text.endswith("\n")


def _compound(text):
    word = ""
    for char in text:
        if not (char.isalpha() or (char == "@" and not word)):
            break
        word += char
    return word in _COMPOUND or text[:1] == "@"


def _text(typed):
    try:
        return typed.decode()
    except UnicodeError:
        return "?"  # no statement either


def _remember(text):
    if text.strip():
        _history.append(text)
        del _history[:-_HISTORY]
    return text


def _erase(typed):
    """Without its last character, which may have several bytes."""
    if typed:
        line.write("\b \b")
    end = len(typed) - 1
    while end > 0 and 0x80 <= typed[end] < 0xC0:
        end -= 1
    return typed[: max(end, 0)]


def _arrow(back):
    """After an escape: how far back in what was typed we are then."""
    if line.read(1) != b"[":
        return back
    code = line.read(1)
    while b"0" <= code <= b"9":
        code = line.read(1)
    return min(back + 1, len(_history)) if code == b"A" else max(back - 1, 0) if code == b"B" else back
