"""A bounded list that survives a power cut at any change, torn ones too, and wears a flash little."""

from admit_device.segments import Segments
from admit_protocol.errors import StorageError
from limits import TAIL
from memory_ports import Memory, PowerCut
from support import raises

SIZE = 2 * TAIL


def open_list(storage, size=SIZE, limit=None):
    return Segments(storage, "list", size, "start", limit)


def name(number):
    return b"%d" % number


def fill(storage, count, size=SIZE, limit=None):
    segments = open_list(storage, size, limit)
    for number in range(segments.count, count):
        segments.append(name(number), "header %d" % number)
    return segments


def test_the_last_records_are_kept_and_the_rest_is_dropped_a_segment_at_a_time():
    segments = fill(Memory(), 5 * TAIL + 3)
    first, header, records = segments.since(0)
    assert (first, header) == (2 * TAIL, "header %d" % (2 * TAIL))
    assert list(records) == list(segments.all()) == [name(number) for number in range(2 * TAIL, 5 * TAIL + 3)]
    assert segments.count == 5 * TAIL + 3


def test_it_is_found_again_after_a_reset():
    for count in range(5 * TAIL + 3):
        storage = Memory()
        before = fill(storage, count)
        again = open_list(storage)
        assert again.count == before.count == count
        assert list(again.all()) == list(before.all())
        again.append(b"next", "header")
        assert list(open_list(storage).all()) == list(again.all())


def test_a_reader_gets_the_segment_that_holds_what_is_wanted():
    segments = fill(Memory(), 5 * TAIL)
    for number in (0, 2 * TAIL, 4 * TAIL - 1):
        assert segments.since(number)[:2] == (2 * TAIL, "header %d" % (2 * TAIL))
    for number in (4 * TAIL, 5 * TAIL - 1, 5 * TAIL, 9 * TAIL):
        first, header, records = segments.since(number)
        assert (first, header) == (4 * TAIL, "header %d" % (4 * TAIL))
        assert list(records) == [name(each) for each in range(4 * TAIL, 5 * TAIL)]


def test_a_segment_may_be_bounded_in_bytes_too():
    storage = Memory()
    segments = open_list(storage, 10_000, 3000)
    for number in range(400):
        segments.append(bytes(100), "header")
        kept = sum([len(each) for each in segments.all()])
        assert kept <= 2 * (3000 + 2048) + 2048
        assert kept >= min(3000, 100 * (number + 1))
    assert sum([len(each) for value in storage.files.values() if isinstance(value, list) for each in value]) < 9000


def test_long_records_do_not_gather_into_more_than_a_small_heap_holds():
    storage = Memory()
    segments = open_list(storage)
    for number in range(10):
        segments.append(name(number) * 900, "header")
    assert list(open_list(storage).all()) == [name(number) * 900 for number in range(10)]
    assert max([len(piece) for piece in storage.files["list-a"]]) <= 2048


def test_a_record_longer_than_all_of_the_tail_comes_back():
    storage = Memory()
    segments = fill(storage, 3)
    segments.append(bytes(4000), "header")
    segments.append(b"last", "header")
    assert list(open_list(storage).all()) == [name(0), name(1), name(2), bytes(4000), b"last"]


def test_a_power_cut_at_every_change_leaves_a_list_that_was_there_before_or_after():
    """Also at a torn one."""
    for tears in (False, True):
        for cut in range(5 * TAIL):
            storage = Memory()
            storage.cut_after, storage.tears = cut, tears
            confirmed = 0
            try:
                segments = open_list(storage)
                for number in range(5 * TAIL):
                    segments.append(name(number), "header %d" % number)
                    confirmed = number + 1
            except PowerCut:
                pass
            storage.cut_after = None
            kept = open_list(storage)
            assert kept.count == confirmed
            records = list(kept.all())
            assert records == [name(number) for number in range(confirmed - len(records), confirmed)]
            assert len(records) >= min(confirmed, SIZE)
            fill(storage, confirmed + TAIL + 1)
            assert list(open_list(storage).all())[-1] == name(confirmed + TAIL)


def test_full_storage_is_an_error_and_changes_nothing():
    for count in (2, TAIL, SIZE):
        storage = Memory()
        segments = fill(storage, count)
        storage.full = True
        with raises(StorageError, "storage-full"):
            segments.append(b"more", "header")
        assert (segments.count, list(segments.all())) == (count, [name(number) for number in range(count)])
        storage.full = False
        segments.append(b"more", "header")
        assert list(open_list(storage).all())[-1] == b"more"


def test_a_record_lost_from_the_middle_of_the_tail_is_damage_and_no_end():
    for damage in (lambda storage: storage.damaged.append("list-2"), lambda storage: storage.files.pop("list-2")):
        storage = Memory()
        fill(storage, 5)
        damage(storage)
        with raises(StorageError, "storage-corrupt"):
            open_list(storage)


def test_a_tail_that_is_damaged_while_the_device_runs_is_not_dropped_in_silence():
    storage = Memory()
    segments = fill(storage, TAIL)
    storage.damaged.append("list-%d" % (TAIL - 1))
    with raises(StorageError, "storage-corrupt"):
        list(segments.all())
    with raises(StorageError, "storage-corrupt"):
        segments.append(b"next", "header")
    assert "list-0" in storage.files and len(storage.files["list-a"]) == 1


def test_what_an_older_round_left_in_a_slot_is_not_taken_for_a_record():
    storage = Memory()
    fill(storage, TAIL + 2)
    assert open_list(storage).count == TAIL + 2
    storage.files["list-1"] = storage.files["list-5"]
    assert open_list(storage).count == TAIL + 1


def test_a_storage_that_fails_is_not_taken_for_an_empty_one():
    storage = Memory()
    fill(storage, 3)
    read = storage.read

    def failing(name):
        if name == "list-2":
            raise StorageError("storage-failed", name)
        return read(name)

    storage.read = failing
    with raises(StorageError, "storage-failed"):
        open_list(storage)


def test_the_header_of_a_segment_must_be_one():
    storage = Memory()
    fill(storage, 1)
    storage.files["list-a"][0] = b"\x81\x00"
    with raises(StorageError, "storage-corrupt"):
        open_list(storage)
