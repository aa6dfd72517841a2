"""A bounded list that survives a power cut at any change."""

from admit_device.segments import Segments
from admit_protocol.errors import StorageError
from memory_ports import Memory, PowerCut
from support import raises


def fill(storage, count, size=4):
    segments = Segments(storage, "list", size, "start")
    for number in range(count):
        if segments.full():
            segments.rotate("header %d" % number)
        segments.append(b"%d" % number)
    return segments


def test_the_last_records_are_kept_and_the_rest_is_dropped_a_segment_at_a_time():
    segments = fill(Memory(), 10)
    assert segments.oldest() == "header 4"
    assert list(segments.all()) == [b"4", b"5", b"6", b"7", b"8", b"9"]
    assert segments.header == "header 8"
    assert list(segments.current()) == [b"8", b"9"]


def test_it_is_found_again_after_a_reset():
    storage = Memory()
    fill(storage, 10)
    again = Segments(storage, "list", 4, "start")
    assert (again.header, list(again.current()), again.full()) == ("header 8", [b"8", b"9"], False)
    assert (again.oldest(), list(again.all())[:4]) == ("header 4", [b"4", b"5", b"6", b"7"])


def test_a_power_cut_at_every_change_leaves_a_list_that_was_there_before_or_after():
    whole = [b"%d" % number for number in range(10)]
    for cut in range(40):
        storage = Memory()
        storage.cut_after = cut
        try:
            fill(storage, 10)
        except PowerCut:
            pass
        storage.cut_after = None
        kept = Segments(storage, "list", 4, "start")
        records = list(kept.all())
        assert not records or whole[whole.index(records[0]) : whole.index(records[-1]) + 1] == records
        kept.append(b"next")
        assert list(kept.current())[-1] == b"next"


def test_full_storage_is_an_error_and_changes_nothing():
    storage = Memory()
    segments = fill(storage, 2)
    storage.full = True
    with raises(StorageError, "storage-full"):
        segments.append(b"more")
    assert list(segments.current()) == [b"0", b"1"]
