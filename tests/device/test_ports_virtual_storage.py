"""Storage of the virtual kiosk: whole or absent at every byte at which the power may go, and its named errors."""

import os
from binascii import hexlify

from admit_protocol.errors import LocalError, StorageError
from ports.virtual.keystore import Keystore
from ports.virtual.storage import Storage
from support import raises

MAX_RECORD = 4096


class Folder:
    """A folder of its own for one test, removed with all its files afterwards."""

    def __enter__(self):
        self.path = (os.getenv("TMPDIR") or "/tmp") + "/admit-" + hexlify(os.urandom(8)).decode()
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        for name in os.listdir(self.path):
            os.remove(self.path + "/" + name)
        os.rmdir(self.path)

    def bytes_of(self, name):
        with open(self.path + "/" + name, "rb") as file:
            return file.read()

    def damage(self, name, data):
        with open(self.path + "/" + name, "wb") as file:
            file.write(data)


class PowerCut(Exception):
    pass


class FailingStorage(Storage):
    """Loses power after so many steps: opening a file, each byte, a rename and a removal are one step each."""

    steps = None

    def _step(self, wanted=1):
        done = min(wanted, self.steps)
        self.steps -= done
        return done

    def _write(self, path, mode, data):
        if not self._step():
            raise PowerCut
        done = self._step(len(data))
        Storage._write(self, path, mode, data[:done])
        if done < len(data):
            raise PowerCut

    def _rename(self, old, new):
        if not self._step():
            raise PowerCut
        Storage._rename(self, old, new)

    def _remove(self, path):
        if not self._step():
            raise PowerCut
        Storage._remove(self, path)


class BrokenStorage(Storage):
    """Every write fails with an errno, after the first half of its bytes."""

    errno = None

    def _write(self, path, mode, data):
        Storage._write(self, path, mode, data[: len(data) // 2])
        raise OSError(self.errno, "broken")


def cut_everywhere(prepare, act, check):
    """Cut the power in `act` after 0, 1, 2, … steps until it succeeds; `check` what a fresh boot finds each time."""
    steps, whole = 0, False
    while not whole:
        with Folder() as folder:
            prepare(Storage(folder.path))
            storage = FailingStorage(folder.path)
            storage.steps = steps
            try:
                act(storage)
                whole = True
            except PowerCut:
                pass
            check(Storage(folder.path), whole)
            steps += 1
    assert steps > 10
    return steps


def test_a_value_comes_back_and_others_are_absent():
    with Folder() as folder:
        storage = Storage(folder.path)
        storage.write("policy", b"one")
        storage.write("policy", bytearray(b"two"))
        storage.write("empty", b"")
        assert storage.read("policy") == b"two"
        assert storage.read("empty") == b""
        assert storage.read("other") is None
        assert storage.names() == ["empty", "policy"]
        storage.remove("policy")
        storage.remove("policy")
        assert Storage(folder.path).names() == ["empty"]


def test_records_come_back_in_their_order():
    with Folder() as folder:
        storage = Storage(folder.path)
        assert list(storage.records("journal-a")) == []
        storage.append("journal-a", b"first")
        storage.append("journal-a", b"")
        storage.append("journal-a", b"x" * MAX_RECORD)
        assert list(Storage(folder.path).records("journal-a")) == [b"first", b"", b"x" * MAX_RECORD]
        storage.remove("journal-a")
        storage.append("journal-a", b"anew")
        assert list(storage.records("journal-a")) == [b"anew"]


def test_a_power_cut_leaves_the_old_value_or_the_new_one():
    seen = set()

    def check(storage, whole):
        seen.add(storage.read("policy"))
        assert storage.read("policy") == b"new value" or not whole
        assert storage.names() == ["policy"]

    cut_everywhere(
        lambda storage: storage.write("policy", b"old"), lambda storage: storage.write("policy", b"new value"), check
    )
    assert seen == {b"old", b"new value"}


def test_a_power_cut_leaves_no_half_of_a_first_value():
    seen = set()
    cut_everywhere(
        lambda storage: None,
        lambda storage: storage.write("policy", b"first"),
        lambda storage, whole: seen.add(storage.read("policy")),
    )
    assert seen == {None, b"first"}


def test_a_value_that_is_put_in_its_place_is_old_or_new_or_said_to_be_damaged():
    seen = set()

    def check(storage, whole):
        try:
            seen.add(storage.read("journal-3"))
            assert storage.read("journal-3") == b"the new value" or not whole
        except StorageError as error:
            assert error.reason == "storage-corrupt" and not whole
            seen.add("damaged")
        assert storage.names() == ["journal-3"]
        storage.put("journal-3", b"later")
        assert storage.read("journal-3") == b"later"

    cut_everywhere(
        lambda storage: storage.put("journal-3", b"old"),
        lambda storage: storage.put("journal-3", b"the new value"),
        check,
    )
    assert seen == {b"old", b"the new value", "damaged"}


def test_a_power_cut_leaves_a_record_whole_or_absent_and_the_list_usable():
    seen = set()

    def prepare(storage):
        storage.append("journal-a", b"one")
        storage.append("journal-a", b"two")

    def check(storage, whole):
        found = list(storage.records("journal-a"))
        seen.add(len(found))
        assert found[:2] == [b"one", b"two"] and found[2:] in ([], [b"three"])
        assert len(found) == 3 or not whole
        storage.append("journal-a", b"later")
        assert list(storage.records("journal-a")) == found + [b"later"]

    cut_everywhere(prepare, lambda storage: storage.append("journal-a", b"three"), check)
    assert seen == {2, 3}


def test_a_power_cut_while_a_torn_tail_is_mended_loses_nothing_more():
    def prepare(storage):
        storage.append("journal-a", b"one")
        with open(storage._path("journal-a"), "ab") as file:
            file.write(b"\x00\x09torn")

    def check(storage, whole):
        assert list(storage.records("journal-a")) in ([b"one"], [b"one", b"two"])
        assert len(list(storage.records("journal-a"))) == 2 or not whole

    cut_everywhere(prepare, lambda storage: storage.append("journal-a", b"two"), check)


def test_a_torn_tail_of_each_length_is_dropped():
    with Folder() as folder:
        storage = Storage(folder.path)
        storage.append("journal-a", b"one")
        whole = len(folder.bytes_of("journal-a"))
        storage.append("journal-a", b"two")
        data = folder.bytes_of("journal-a")
        for length in range(whole, len(data)):
            folder.damage("journal-a", data[:length])
            assert list(Storage(folder.path).records("journal-a")) == [b"one"]


def test_damage_is_told_from_a_power_cut():
    with Folder() as folder:
        storage = Storage(folder.path)
        storage.write("policy", b"value")
        storage.append("journal-a", b"one")
        storage.append("journal-a", b"two")
        for name in ("policy", "journal-a"):
            data = bytearray(folder.bytes_of(name))
            data[6] ^= 1
            folder.damage(name, data)
        with raises(StorageError, "storage-corrupt"):
            storage.read("policy")
        with raises(StorageError, "storage-corrupt"):
            list(storage.records("journal-a"))
        with raises(StorageError, "storage-corrupt"):
            Storage(folder.path).append("journal-a", b"three")
        folder.damage("policy", b"abc")
        with raises(StorageError, "storage-corrupt"):
            storage.read("policy")


def test_a_full_or_failing_storage_says_so_and_keeps_what_it_had():
    for errno, reason in (
        (28, "storage-full"),
        (30, "storage-read-only"),
        (13, "storage-read-only"),
        (5, "storage-failed"),
    ):
        with Folder() as folder:
            Storage(folder.path).write("policy", b"old")
            Storage(folder.path).append("journal-a", b"one")
            storage = BrokenStorage(folder.path)
            storage.errno = errno
            with raises(StorageError, reason):
                storage.write("policy", b"new value")
            with raises(StorageError, reason):
                storage.append("journal-a", b"two")
            assert storage.names() == ["journal-a", "policy"]
            assert storage.read("policy") == b"old"
            assert list(storage.records("journal-a")) == [b"one"]
            storage = Storage(folder.path)
            storage.append("journal-a", b"three")
            assert list(storage.records("journal-a")) == [b"one", b"three"]


def test_a_small_storage_fills_up_and_is_usable_again_after_a_removal():
    with Folder() as folder:
        storage = Storage(folder.path, limit=100)
        storage.write("policy", b"p" * 40)
        with raises(StorageError, "storage-full"):
            storage.write("grants", b"g" * 60)
        storage.append("journal-a", b"j" * 20)
        with raises(StorageError, "storage-full"):
            storage.append("journal-a", b"j" * 60)
        assert storage.read("policy") == b"p" * 40 and list(storage.records("journal-a")) == [b"j" * 20]
        storage.remove("policy")
        storage.write("grants", b"g" * 60)


def test_a_read_only_storage_reads():
    with Folder() as folder:
        Storage(folder.path).write("policy", b"value")
        storage = Storage(folder.path, read_only=True)
        assert storage.read("policy") == b"value"
        for act in (
            lambda: storage.write("policy", b""),
            lambda: storage.append("x", b""),
            lambda: storage.remove("policy"),
        ):
            with raises(StorageError, "storage-read-only"):
                act()


def test_names_and_lengths_that_storage_does_not_take():
    with Folder() as folder:
        storage = Storage(folder.path)
        for name in ("", "../up", "a/b", "UPPER", ".hidden", "half~", "x" * 41, "ü"):
            with raises(LocalError, "storage-name"):
                storage.write(name, b"")
        with raises(LocalError, "storage-record-too-long"):
            storage.append("journal-a", b"x" * (MAX_RECORD + 1))
        assert storage.names() == []


def test_the_keystore_forgets_everything_on_purpose():
    with Folder() as folder:
        keystore = Keystore(folder.path)
        keystore.write("identity", b"secret")
        assert Keystore(folder.path).read("identity") == b"secret"
        removed = []
        remove = keystore._storage._remove
        keystore._storage._remove = lambda path: (removed.append(folder.bytes_of("identity")), remove(path))
        keystore.erase()
        assert removed == [bytes(4 + len(b"secret"))]
        assert keystore.read("identity") is None
