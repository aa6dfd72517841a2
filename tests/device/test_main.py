"""main.py leaves one start to the REPL if that was asked for, and does nothing when it is imported."""

import os

import main
from folders import Folder


def test_the_repl_is_opened_for_one_start():
    with Folder() as folder:
        note = folder.write("repl", b"")
        assert main.repl_was_asked_for(note)
        assert not main.repl_was_asked_for(note)
        assert "repl" not in os.listdir(folder.path)


def test_nothing_starts_at_import():
    assert not hasattr(main, "start")
