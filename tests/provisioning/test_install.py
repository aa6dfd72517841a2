"""Installing firmware on a virtual chip: what is sent and what is not; the old set runs until the new one is whole."""

import hashlib
import random

import pytest

from admit_protocol.errors import AdmitError, RemoteError, StorageError, TimedOut, Unverified
from admit_provisioning import boards, compile, install, receiver
from admit_provisioning.compile import FirmwareSet
from admit_provisioning.install import Found, decide, missing_room
from admit_provisioning.repl import Repl
from blank_chip import BlankChip

BOARD = boards.load("virtual")
RANDOM = random.Random(11)


def made(seed, **changed):
    """A small set; what is not `changed` is the same in all of them."""
    files = {f"pkg/{name}.mpy": random.Random(name).randbytes(1500) for name in ("one", "two", "three")}
    files |= {"start.mpy": b"start of " + seed.encode(), "routines.mpy": b"routines"}
    return FirmwareSet(files | {name.replace("__", "/") + ".mpy": content for name, content in changed.items()}, seed)


OLD = made("old")
NEW = made("new", pkg__two=RANDOM.randbytes(9000), pkg__more__four=b"four")


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    with BlankChip(tmp_path_factory.mktemp("chip")) as chip:
        yield chip


@pytest.fixture
def blank(chip):
    chip.power_cycle()
    chip.erase()
    return chip


def put(chip, firmware, **more):
    with Repl(chip.port) as repl:
        return install.install(repl, firmware, BOARD, **more)


def running(chip):
    """The hash of the set that would run at the next start, as the firmware itself finds it out; and its slot."""
    source = (compile.brought() / "firmware/ports/slots.py").read_text()
    code = source.replace("from admit_protocol.const import const", "const = int")
    told = "next = _usual('')\nprint(next, (hash_of(next) if next else b'no').hex())"
    folder, found = chip.run(f"{code}\n{told}").split()
    return found, folder


def write(chip, path, content):
    """Have a file on the chip that no install put there."""
    chip.run(f"with open({path!r}, 'w') as file: file.write({content!r})")


def tree(chip):
    """The files on the chip."""
    code = """\
import os
def walk(path):
    for name, kind, *_ in os.ilistdir(path):
        if kind == 0x4000:
            walk(path + name + "/")
        else:
            print(path + name)
walk("/")"""
    return sorted(chip.run(code).split())


# What an install does


def test_a_blank_board_gets_all_of_it(blank):
    told = []
    done = put(blank, OLD, progress=lambda *each: told.append(each))
    assert running(blank) == (OLD.hash.hex(), "/a")
    root = ["/board.json", "/boot.py", "/main.py", "/slot"]
    assert tree(blank) == sorted([*(f"/a/{name}" for name in OLD.files), *root])
    assert set(done.sent) == {f"/a/{name}" for name in OLD.files} | {f"{path}.new" for path in root[:3]}
    assert done.kept == () and told[-1][0] == told[-1][1]


def test_the_root_s_files_are_the_board_s(blank):
    put(blank, OLD)
    for path, content in compile.root(BOARD).items():
        assert blank.run(f"print(open({path!r}, 'rb').read() == {content!r})") == "True\r\n"


def test_what_is_unchanged_is_not_sent_again(blank):
    put(blank, OLD)
    done = put(blank, NEW)
    assert running(blank) == (NEW.hash.hex(), "/b")
    assert set(done.sent) == {"/b/start.mpy", "/b/pkg/two.mpy", "/b/pkg/more/four.mpy"}
    assert {"/b/pkg/one.mpy", "/b/pkg/three.mpy", "/boot.py"} <= set(done.kept)
    again = put(blank, OLD)
    assert running(blank) == (OLD.hash.hex(), "/a") and again.sent == ()


def test_what_runs_already_is_left_alone(blank):
    put(blank, OLD)
    before = blank.board.chip.flash.read_bytes()
    done = put(blank, OLD)
    assert done.sent == () and len(done.kept) == len(OLD.files) + 3
    assert blank.board.chip.flash.read_bytes() == before


def test_a_slot_s_leftovers_are_swept(blank):
    put(blank, OLD)
    blank.run("import os\nos.mkdir('/b')")
    for path in ("/b/stale.mpy", "/boot.py.new", "/data"):
        write(blank, path, "x")
    put(blank, NEW)
    assert running(blank)[0] == NEW.hash.hex()
    assert {"/b/stale.mpy", "/boot.py.new"}.isdisjoint(tree(blank)) and "/data" in tree(blank)


def test_a_package_that_became_a_module_leaves_no_folder(blank):
    """MicroPython would import that, which is empty, rather than the module of its name."""
    for firmware in (NEW, OLD, made("module", pkg__more=b"a module now")):
        put(blank, firmware)
    assert running(blank)[1] == "/a"
    there = blank.run("import os\nprint(*sorted(os.listdir('/a/pkg')))").split()
    assert there == ["more.mpy", "one.mpy", "three.mpy", "two.mpy"]


def test_a_set_that_somebody_added_to_does_not_count_as_installed(blank):
    put(blank, OLD)
    write(blank, "/a/extra.mpy", "x")
    put(blank, OLD)
    assert running(blank) == (OLD.hash.hex(), "/b")


def test_root_files_alone_leave_the_slot_as_it_is(blank):
    put(blank, OLD)
    write(blank, "/boot.py", "print(1)")
    done = put(blank, OLD)
    assert done.sent == ("/boot.py.new",) and running(blank) == (OLD.hash.hex(), "/a")
    assert tree(blank).count("/boot.py.new") == 0


@pytest.mark.parametrize("slot", ["", "c", "A", "\n"])
def test_a_slot_file_that_says_nothing_means_that_nothing_runs(blank, slot):
    write(blank, "/slot", slot)
    put(blank, OLD)
    assert running(blank) == (OLD.hash.hex(), "/a")


def test_any_bytes_may_be_in_a_file(blank):
    every = bytes(range(256))
    firmware = FirmwareSet({"start.mpy": every * 20, "empty.mpy": b"", "control.mpy": b"\3\4\1\2" * 900}, "1")
    put(blank, firmware)
    assert running(blank)[0] == firmware.hash.hex()


def test_a_real_set_starts(blank):
    firmware = compile.build(BOARD, None, 6)
    with Repl(blank.port) as repl:
        done = install.install(repl, firmware, BOARD)
        assert running_hash_of(repl) == firmware.hash.hex()
    assert done.turnarounds * 1024 < done.bytes_sent


def running_hash_of(repl):
    code = "import sys\nsys.path.insert(0, '/a')\nfrom ports import slots\nprint(slots.installed().hex())"
    return repl.exec(code).decode().strip()


# No room


def test_a_set_that_does_not_fit_changes_nothing(tmp_path):
    with BlankChip(tmp_path, flash_size=64 * 1024) as chip:
        small = FirmwareSet({"start.mpy": b"small"}, "1")
        put(chip, small)
        before = chip.board.chip.flash.read_bytes()
        with pytest.raises(StorageError) as caught:
            put(chip, FirmwareSet({"start.mpy": RANDOM.randbytes(60_000)}, "2"))
        assert caught.value.reason == "install-no-room"
        assert caught.value.detail == "the firmware needs 100 KB of the board's flash, and 32 KB are free"
        assert chip.board.chip.flash.read_bytes() == before
        assert running(chip)[0] == small.hash.hex()


def test_a_file_system_that_fills_up_gives_back_what_was_sent(tmp_path, monkeypatch):
    with BlankChip(tmp_path, flash_size=128 * 1024) as chip:
        put(chip, OLD)
        monkeypatch.setattr(install, "missing_room", lambda *_: "")
        with pytest.raises(StorageError) as caught:
            put(chip, FirmwareSet({f"{n}.mpy": RANDOM.randbytes(9000) for n in range(12)}, "2"))
        assert caught.value.reason == "install-full"
        assert running(chip) == (OLD.hash.hex(), "/a")
        assert not [path for path in tree(chip) if path.startswith("/b/") or path.endswith(".new")]
        put(chip, NEW)
        assert running(chip)[0] == NEW.hash.hex()


# Torn


def messages_of(chip, firmware):
    """How many messages, one way and the other, an install of `firmware` takes."""
    with Repl(chip.port) as repl:
        before = chip.line.messages
        install.install(repl, firmware, BOARD)
        return chip.line.messages - before


def torn(chip, firmware, message, power):
    """Install until message number `message` is cut in its middle. Returns the error."""
    with pytest.raises(AdmitError) as caught, Repl(chip.port) as repl:
        chip.board.cut_at(chip.line.messages + message, power=power)
        install.install(repl, firmware, BOARD)
    return caught.value


def another(number):
    """A set as large as NEW, of which no other one has the large file."""
    return made(f"{number:3}", pkg__two=random.Random(number).randbytes(9000))


def test_torn_at_any_message_the_old_set_runs_and_the_same_call_finishes(blank):
    for number in (901, 902):  # then both slots hold something, and every round has the same messages
        put(blank, another(number))
        put(blank, OLD)
    messages = messages_of(blank, another(900))
    assert messages >= 18
    found = []
    for message in range(1, messages + 1):
        put(blank, OLD)
        new = another(message)
        error = torn(blank, new, message, power=True)
        assert (type(error), error.reason) == (TimedOut, "link-dropped"), message
        blank.power_cycle()
        found.append({OLD.hash.hex(): "old", new.hash.hex(): "new"}[running(blank)[0]])
        put(blank, new)
        assert running(blank)[0] == new.hash.hex(), message
    assert found == sorted(found, reverse=True) and 1 <= found.count("new") <= 5


def test_what_arrived_before_the_tear_is_not_sent_again(blank):
    big = FirmwareSet({f"{number:02}.mpy": random.Random(number).randbytes(3000) for number in range(12)}, "big")
    messages = messages_of(blank, big)
    blank.erase()
    torn(blank, big, messages - 8, power=True)
    blank.power_cycle()
    assert running(blank) == (b"no".hex(), "None")
    done = put(blank, big)
    assert running(blank)[0] == big.hash.hex()
    assert len(done.kept) >= 5 and 0 < len(done.sent) <= 8


@pytest.mark.parametrize("message", [6, 12, 18])
def test_a_cable_that_was_pulled_and_put_back_is_all_right(blank, message):
    """The board kept its power, and its receiver still waits."""
    put(blank, OLD)
    torn(blank, NEW, message, power=False)
    blank.line.plug()
    put(blank, NEW)
    assert running(blank)[0] == NEW.hash.hex()


@pytest.mark.parametrize("write", [1, 3, 9, 20, 35, 44, 60])
def test_power_lost_at_a_write_to_flash_leaves_a_set_that_runs(tmp_path, write, monkeypatch):
    monkeypatch.setattr(receiver, "ANSWER_S", 1.0)
    monkeypatch.setattr(receiver, "_ATTEMPTS", 1)
    with BlankChip(tmp_path) as chip:
        put(chip, OLD)
    with BlankChip(tmp_path, settings={"CHIP_DIES_AT": str(write)}) as chip:
        with pytest.raises(AdmitError) as caught:
            put(chip, NEW)
        assert caught.value.reason in ("link-dropped", "install-lost", "repl-silent")
    with BlankChip(tmp_path) as chip:
        assert running(chip)[0] in (OLD.hash.hex(), NEW.hash.hex())
        put(chip, NEW)
        assert running(chip)[0] == NEW.hash.hex()


class Turned(receiver.Receiver):
    """Its content has one bit turned, as if the flash had done it."""

    def run(self, step, *arguments, content=b"", **more):
        return super().run(step, *arguments, content=content[:-1] + bytes(each ^ 1 for each in content[-1:]), **more)


def test_a_flash_that_does_not_keep_what_was_written_is_found_out(blank, monkeypatch):
    put(blank, OLD)
    with monkeypatch.context() as patch, pytest.raises(Unverified) as caught:
        patch.setattr(install, "Receiver", Turned)
        put(blank, NEW)
    assert caught.value.reason == "install-damaged"
    assert caught.value.detail == "the board's flash did not keep /b/pkg/more/four.mpy"
    assert running(blank) == (OLD.hash.hex(), "/a")
    assert put(blank, NEW).sent == ("/b/pkg/more/four.mpy",)
    assert running(blank) == (NEW.hash.hex(), "/b")


def test_a_board_that_lists_nonsense_is_told(blank, monkeypatch):
    real = receiver.Receiver.run
    monkeypatch.setattr(receiver.Receiver, "run", lambda *each, **more: b"(" + real(*each, **more))
    with pytest.raises(RemoteError) as caught:
        put(blank, OLD)
    assert caught.value.reason == "install-garbled"


# The plan


def found(slot, files, free=500):
    return Found(
        4096, free, slot, {path: (len(content), hashlib.sha256(content).digest()) for path, content in files.items()}
    )


ROOT = {"/boot.py": b"boot"}


def test_on_a_blank_board_everything_is_sent():
    plan = decide(found("", {"/boot.py": b"another"}), {"x.mpy": b"x"}, ROOT)
    assert plan.send == ("/boot.py.new", "/a/x.mpy")
    assert (plan.slot, plan.copy, plan.remove, plan.rename, plan.switch) == ("a", (), (), ("/boot.py",), True)


def test_what_the_other_slot_has_is_copied_and_what_waits_is_kept():
    there = {"/a/x.mpy": b"x", "/a/y.mpy": b"y", "/b/y.mpy": b"y", "/b/z.mpy": b"old", "/boot.py": b"boot"}
    plan = decide(found("a", there), {"x.mpy": b"x", "y.mpy": b"y", "z.mpy": b"new"}, ROOT)
    assert plan.copy == (("/a/x.mpy", "/b/x.mpy"),)
    assert (plan.slot, plan.send, plan.remove, plan.rename) == ("b", ("/b/z.mpy",), ("/b/z.mpy",), ())
    assert set(plan.content) == {"/b/x.mpy", "/b/y.mpy", "/b/z.mpy", "/boot.py"}


def test_the_same_size_is_not_the_same_content():
    plan = decide(found("a", {"/a/x.mpy": b"1"}), {"x.mpy": b"2"}, {})
    assert plan.send == ("/b/x.mpy",)
    unasked = Found(4096, 500, "a", {"/a/x.mpy": (1, b"")})
    assert decide(unasked, {"x.mpy": b"2"}, {}).send == ("/b/x.mpy",)


def test_nothing_of_the_running_set_is_ever_written_to():
    for slot, other in (("a", "b"), ("b", "a")):
        there = {f"/{slot}/x.mpy": b"old", f"/{other}/x.mpy": b"older", f"/{other}/stale.mpy": b"s"}
        plan = decide(found(slot, there), {"x.mpy": b"new"}, ROOT)
        touched = [*plan.send, *plan.remove, *(target for _, target in plan.copy)]
        assert touched and not [path for path in touched if path.startswith(f"/{slot}/") or path in ROOT]


@pytest.mark.parametrize("free, fits", [(12, False), (13, True)])
def test_room_is_counted_in_blocks(free, fits):
    """Files of two blocks and of one, one new folder, and what the device keeps for itself, less what is removed."""
    files = {"p/x.mpy": bytes(5000), "y.mpy": b"y"}
    there = found("a", {"/a/z.mpy": b"z", "/b/stale.mpy": bytes(100)}, free - 1)
    told = missing_room(there, decide(there, files, {}))
    assert bool(told) != fits
    if told:
        assert told == "the firmware needs 52 KB of the board's flash, and 48 KB are free"


def test_a_full_board_that_has_everything_needs_no_room():
    there = found("a", {"/a/x.mpy": b"x"}, free=0)
    assert missing_room(there, decide(there, {"x.mpy": b"x"}, {})) == ""
