"""main.py leaves one start to the REPL if that was asked for, and does nothing when it is imported."""

import os

import main
from admit_protocol.errors import LocalError
from folders import Folder


def test_the_repl_is_opened_for_one_start():
    with Folder() as folder:
        note = folder.write("repl", b"")
        assert main.repl_was_asked_for(note)
        assert not main.repl_was_asked_for(note)
        assert "repl" not in os.listdir(folder.path)


def test_nothing_starts_at_import():
    assert not hasattr(main, "start")


class Told(Exception):
    reason = "trial-heap"


def test_what_ends_a_trial_is_written_down():
    cases = [(ValueError("a secret"), "b2trial-exception: ValueError"), (Told(), "b2trial-heap")]
    cases.append((LocalError("radio-stuck"), "b2trial-exception: radio-stuck"))
    for error, expected in cases:
        with Folder() as folder:
            note = folder.write("trial", b"b1")
            assert main.end_trial(error, note)
            assert folder.read("trial").decode() == expected
            assert os.listdir(folder.path) == ["trial"]


def test_what_has_proven_itself_starts_again_and_nothing_is_written_down():
    with Folder() as folder:
        note = folder.write("trial", b"b3")
        assert main.end_trial(ValueError(), note) and folder.read("trial") == b"b3"


def test_nothing_is_written_down_where_nothing_is_on_trial():
    for text in (b"", b"b0", b"b2trial-heap", None):
        with Folder() as folder:
            note = folder.path + "/trial" if text is None else folder.write("trial", text)
            assert not main.end_trial(ValueError(), note)
            assert text is None or folder.read("trial") == text
