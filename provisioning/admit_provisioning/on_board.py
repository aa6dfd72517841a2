"""What runs on a board during an install. MicroPython runs it; receiver.py sends it, and nothing on the board keeps it.

First comes the core: it takes windows from the line, one by one, inflates them, and runs the steps that arrive in
them. The functions after it are those steps; each is sent when it is wanted, and a blank board wants few.

Owns: the board's half of the windows, and all that an install does to files. Bytes: docs/SPEC.md, "Install".
Rules: each byte of this file crosses the line, so it is short, and what can be decided on the host is decided there.
Ctrl-C is a byte like any other here. Nothing of the running set is written to before `switch`.
Must not know: what the files are. No PC can import this; receiver.py reads it as text.
"""

# mypy: ignore-errors

import os
import select
import sys
from binascii import crc32
from hashlib import sha256
from io import BytesIO
from json import dumps

from deflate import RAW, DeflateIO

from micropython import kbd_intr

source = sys.stdin.buffer
sink = sys.stdout.buffer
arriving = select.poll()
arriving.register(sys.stdin, 1)
space = memoryview(bytearray(4102))
piece = memoryview(bytearray(1024))
window = BytesIO(4096)
inflated = DeflateIO(window, RAW, 15)  # with a dictionary of 32 KB
number = left = 0  # windows received; bytes that the last one still inflates to
answer = b""
more = True


def tell():
    """Answer the last step, if there is something to say; the check says which window is wanted next."""
    sink.write(len(answer).to_bytes(2, "little") + answer + crc32(answer, number).to_bytes(4, "little"))


def hush():
    """Drop what is on its way."""
    while arriving.poll(100) and source.read(1):
        pass


def receive():
    """Take the next window, whole and right, however often it must be asked for.

    It blocks in readinto, because only C is as fast as the line. Whoever lost bytes, or wants the REPL back, sends
    others in their stead; what is still on its way then has arrived after 100 ms of silence.
    """
    global answer, left, number
    while True:
        tell()
        head = source.read(4)
        frame = space[: head[0] + 256 * head[1]]
        if head[:2] == head[2:]:
            source.readinto(frame)
            if crc32(frame[:-4], number) == int.from_bytes(frame[-4:], "little"):
                break
            if frame[-4:] == b"\3\3\3\3":
                raise KeyboardInterrupt
        hush()
    window.seek(0)
    window.write(frame[:-6])
    window.seek(0)
    number += 1
    left = frame[-6] + 256 * frame[-5]
    answer = b""


def some(limit):
    """At least one of the next bytes, at most `limit`; the next call overwrites them."""
    global left
    while not left:
        receive()
    found = piece[: min(limit, left, 1024)]
    left -= inflated.readinto(found)
    return found


def take(size):
    """The next `size` bytes as text."""
    found = b""
    while len(found) < size:
        found += some(size - len(found))
    return found.decode()


def digest(path):
    """SHA-256 of a file."""
    total = sha256()
    with open(path, "rb") as file:
        while size := file.readinto(piece):
            total.update(piece[:size])
    return total.digest()


kbd_intr(-1)
try:
    while more:
        exec(take(int(take(5))))
except BaseException:
    hush()  # the REPL must not take it for a program
    raise


def stop():
    """No more steps; the REPL is back."""
    global more
    more = False


def restart():
    """Answer, and start anew, as by the reset button."""
    import machine

    tell()
    machine.reset()


def survey(places):
    """Answer [block size, free blocks, the slot that runs, [path, size] of each file in the places] as JSON."""
    global answer, found
    found = []
    slot = ""

    def look(path):
        try:
            state = os.stat(path)
        except OSError:
            return
        if state[0] & 0x4000:
            for name in os.listdir(path):
                look(path + "/" + name)
        else:
            found.append((path, state[6]))

    for place in places:
        look(place)
    if ("/slot", 1) in found:
        slot = open("/slot").read()
    answer = dumps((os.statvfs("/")[0], os.statvfs("/")[3], slot, found)).encode()


def digests():
    """Answer the SHA-256 of each file that was found."""
    global answer
    answer = b"".join(digest(path) for path, _ in found)


def remove(paths):
    """Remove files, and folders of which they were the last."""
    for path in paths:
        os.remove(path)
        try:
            while "/" in path[3:]:
                path = path[: path.rindex("/")]
                os.rmdir(path)
        except OSError:
            pass


def copy(pairs):
    """Copy files to where nothing runs yet."""
    for path, target in pairs:
        with open(path, "rb") as old, create(target) as new:
            while size := old.readinto(piece):
                new.write(piece[:size])


def create(path):
    """Open a file to write to it, with the folders that it needs."""
    parts = path.split("/")
    for end in range(2, len(parts)):
        try:
            os.mkdir("/".join(parts[:end]))
        except OSError:
            pass
    return open(path, "wb")


def fill(files):
    """Take the content of the files "path size", read each back, and answer the SHA-256 of their SHA-256s.

    Those without a size are here already.
    """
    global answer
    total = sha256()
    for path, *sizes in files:
        for size in sizes:
            with create(path) as file:
                while size:
                    size -= file.write(some(size))
        total.update(digest(path))
    answer = total.digest()


def switch(slot, waiting):
    """Put what waits for the root into its place; then, as the very last thing, the slot runs at the next start."""
    for path in waiting:
        os.rename(path + ".new", path)
    with open("/slot.new", "w") as file:
        file.write(slot)
    os.rename("/slot.new", "/slot")
