"""Which firmware set runs, and its hash, which the host computes in the same way from what it sends."""

import os
import sys
from hashlib import sha256

from folders import Folder
from ports import slots

START, DEVICE = b"start", b"the app"


def flash(folder, slot):
    """A flash with a set in /a and another one in /b."""
    for name, content in (("a", START), ("b", b"an older start")):
        os.mkdir(folder.path + "/" + name)
        folder.write(name + "/start.mpy", content)
    os.mkdir(folder.path + "/a/admit_device")
    folder.write("a/admit_device/device.mpy", DEVICE)
    folder.write("slot", slot)
    return folder.path


def hash_of(files):
    return sha256(b"".join([name + b"\x00" + sha256(data).digest() for name, data in files])).digest()


def test_the_hash_is_over_names_and_contents_in_order():
    with Folder() as folder:
        root = flash(folder, b"a")
        assert slots.installed(root) == hash_of([(b"admit_device/device.mpy", DEVICE), (b"start.mpy", START)])
        folder.write("slot", b"b")
        assert slots.installed(root) == hash_of([(b"start.mpy", b"an older start")])


def test_the_hash_is_that_of_the_flash_now():
    with Folder() as folder:
        root = flash(folder, b"a")
        before = slots.installed(root)
        folder.write("a/start.mpy", b"Start")
        assert slots.installed(root) != before
        folder.write("a/start.mpy", START + bytes(5000))  # longer than one piece
        long = hash_of([(b"admit_device/device.mpy", DEVICE), (b"start.mpy", START + bytes(5000))])
        assert slots.installed(root) == long


def test_where_there_are_no_slots_nothing_is_installed():
    with Folder() as folder:
        assert slots.active(folder.path) is slots.installed(folder.path) is slots.routines_file(folder.path) is None
        for damaged in (b"", b"c", b"/"):
            folder.write("slot", damaged)
            assert slots.active(folder.path) is None, damaged


def test_the_routines_are_those_of_the_set_that_runs():
    with Folder() as folder:
        root = flash(folder, b"b")
        folder.write("a/routines.mpy", b"")
        assert slots.routines_file(root) is None
        folder.write("slot", b"a")
        assert slots.routines_file(root) == root + "/a/routines.mpy"


def test_the_repl_is_asked_for_by_a_file():
    with Folder() as folder:
        slots.ask_repl(folder.path)
        slots.ask_repl(folder.path)
        assert os.listdir(folder.path) == ["repl"]


def test_boot_py_decides_which_set_runs_and_that_is_what_is_told():
    with Folder() as folder:
        root = flash(folder, b"a")
        assert slots.trial(root) is None
        cases = [(b"b0", "a", "waiting"), (b"b1", "b", "on"), (b"b1", "a", "trial-no-answer"), (b"b1x", "a", "x")]
        for text, runs, expected in cases:
            folder.write("trial", text)
            sys.path.insert(0, root + "/" + runs)
            assert (slots.active(root), slots.trial(root)) == (root + "/" + runs, expected), text
            sys.path.pop(0)
        folder.write("slot", b"b")
        folder.write("trial", b"b1")
        assert slots.trial(root) == "confirmed"


def test_a_file_is_replaced_whole():
    with Folder() as folder:
        slots.write_whole(folder.path + "/slot", b"a")
        slots.write_whole(folder.path + "/slot", b"b")
        assert folder.read("slot") == b"b" and os.listdir(folder.path) == ["slot"]
        slots.remove(folder.path + "/slot")
        slots.remove(folder.path + "/slot")
        slots.make_folders(folder.path + "/c/d/e.mpy")
        assert os.listdir(folder.path) == ["c"] and os.listdir(folder.path + "/c") == ["d"]
        assert slots.names(folder.path) == slots.names(folder.path + "/nowhere") == []
