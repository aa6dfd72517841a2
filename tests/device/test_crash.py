"""The crash record: what ended a run, in 256 bytes that survive any reset and any power cut, and hold no secret."""

from admit_device import crash
from admit_protocol import cbor
from admit_protocol.errors import Malformed, StorageError
from memory_ports import HandClock, Memory, PowerCut


class Board:
    was_doing = b""

    def __init__(self, boots=5):
        self.storage, self.clock = Memory(), HandClock()
        self.storage.write("boots", cbor.encode(boots))


class Seldom(Exception):
    pass


def raised(error, depth=0):
    try:
        if depth:
            raised_below(error, depth)
        raise error
    except Exception as caught:
        return caught


def raised_below(error, depth):
    if depth > 1:
        raised_below(error, depth - 1)
    raise error


def test_it_names_what_was_raised_where_and_in_which_run():
    board = Board()
    board.clock.ms = 61_000
    crash.keep(board, raised(Malformed("cbor-truncated", "a secret"), 2))
    what, place, boots, uptime_s = crash.read(board.storage)
    assert (what, boots, uptime_s) == ("Malformed: cbor-truncated", 5, 61)
    assert place.startswith("test_crash.py:") and place.count(" < ") == 2 and "raised_below < " in place


def test_no_words_of_an_exception_are_kept_only_its_type_our_reason_and_errno():
    for error, expected in (
        (ValueError("a secret"), "ValueError"),
        (KeyError("a secret"), "KeyError"),
        (OSError("a secret"), "OSError"),
        (OSError(28, "a secret"), "OSError: errno 28"),
        (StorageError("storage-full", "a secret"), "StorageError: storage-full"),
        (Seldom("a secret"), "Seldom"),
        (MemoryError(), "MemoryError"),
    ):
        board = Board()
        crash.keep(board, raised(error))
        assert crash.read(board.storage)[0] == expected
        assert b"secret" not in board.storage.read("crash")


def test_it_is_bounded_and_plain_text_whatever_was_raised():
    board = Board(1 << 40)
    board.clock.ms = 1 << 44
    error = raised(StorageError("x" * 500 + "\u20ac"), 40)
    crash.keep(board, error)
    assert len(board.storage.read("crash")) <= 256
    what, place = crash.told(error, '  File "' + "\u20ac" * 300 + '", line 1, in f\n')
    assert all(" " <= each <= "~" for each in what + place) and (len(what), len(place)) == (72, 144)


def test_a_device_that_crashes_at_every_start_writes_it_once_in_sixteen():
    board = Board()
    error = raised(ValueError())
    for boots in range(1, 33):
        board.storage.write("boots", cbor.encode(boots))
        before = board.storage.changes
        crash.keep(board, error)
        assert board.storage.changes - before == (1 if boots in (1, 17) else 0), boots
    crash.keep(board, raised(KeyError()))
    assert crash.read(board.storage)[0] == "KeyError"


def test_after_a_power_cut_it_is_the_old_one_or_the_new_one():
    seen = []
    for cut in (0, 1, None):
        board = Board()
        crash.keep(board, raised(ValueError()))
        board.storage.cut_after = cut
        try:
            crash.keep(board, raised(KeyError()))
        except PowerCut:
            pass
        board.storage.cut_after = None
        seen.append(crash.read(board.storage)[0])
    assert seen == ["ValueError", "KeyError", "KeyError"]


def test_a_record_that_is_damaged_is_none_and_the_next_one_is_written():
    board = Board()
    assert crash.read(board.storage) is None
    crash.keep(board, raised(ValueError()))
    board.storage.damaged = ["crash"]
    assert crash.read(board.storage) is None
    crash.keep(board, raised(ValueError()))
    assert crash.read(board.storage)[0] == "ValueError"


def test_the_watchdogs_names_what_was_being_done_in_the_run_before():
    board = Board()
    crash.keep_watchdog(board, 6)
    assert crash.read(board.storage) == ("watchdog", "-", 5, None)
    board.was_doing = b"/r/hang\xff" + bytes(300)
    crash.keep_watchdog(board, 7)
    assert crash.read(board.storage) == ("watchdog", "/r/hang" + "?" * 137, 6, None)
