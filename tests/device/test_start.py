"""start.py joins a board to the device app; a fault in the site's routines never stops the device."""

import asyncio
import sys

import start
from admit_device import crash, faults
from admit_device import device as app
from admit_device.identity import CREDENTIAL, SECRET
from admit_device.routine_forms import collect
from admit_device.strangers import StrangerProfile
from admit_protocol import cbor
from admit_protocol.errors import StorageError
from folders import Folder
from memory_ports import HandClock, Memory, Outputs
from ports.faults import print_exception

SOURCE = b"""
from admit_device.routines import output, routine

door = output("door", at_power_loss="locks")


@routine("Open the door.", outputs=(door,))
def open(kiosk):
    return "open"
"""

BROKEN = {
    "syntax": (b"door = output(", "routines: SyntaxError"),
    "error": (b"1 / 0", "routines: ZeroDivisionError"),
    "exit": (b"raise SystemExit", "routines: SystemExit"),
    "import": (b"import nothing_like_that", "routines: "),
    "secret": (b"raise ValueError('a secret')", "routines: ValueError at "),
    "declaration": (SOURCE.replace(b"def open", b"def " + 40 * b"o"), "routines: LocalError: routine-name"),
    "talkative": (b"raise ImportError(200 * 'x')", "routines: ImportError: xxx"),
}


class Reset(BaseException):
    """The board was reset."""


class Board:
    """What start asks of a board."""

    restarts = True
    reset_cause, trial = "power", None

    def __init__(self, routines_file=None, test_identity=None, identity=None):
        self.routines_file, self.test_identity = routines_file, test_identity
        self.faults, self.watched, self.tended, self.repl = [], False, 0, None
        self.keystore, self.outputs = Memory(), Outputs()
        if identity is not None:
            self.keystore.write("identity", identity)

    def watch(self):
        self.watched = True

    async def tend(self):
        self.tended += 1

    def restart(self, repl=False):
        self.repl = repl
        raise Reset


class Remembering(Board):
    """One that has storage and a clock, too."""

    def __init__(self, **given):
        super().__init__(**given)
        self.storage, self.clock = Memory(), HandClock()


class Device:
    """Stands in for the app, and runs once, or fails."""

    failure = None
    made = None

    def __init__(self, *given):
        Device.made = given

    async def run(self):
        if Device.failure:
            raise Device.failure


def run(board, failure=None):
    """Run start.main on `board`; what the device was made of. No time passes until a reset."""
    real = start.open_board, app.Device, start._LINGER_S
    Device.failure = failure
    start.open_board, app.Device, start._LINGER_S = lambda: board, Device, 0
    try:
        start.main()
    finally:
        start.open_board, app.Device, start._LINGER_S = real
    return Device.made


def ends(board, failure):
    """Run it; what ended it: Reset, or the failure itself if nobody caught it."""
    try:
        run(board, failure)
    except (Reset, OSError) as end:
        return type(end)


def test_without_a_file_there_are_no_routines():
    assert start.load_routines(None) == start.load_routines("") == {}


def test_a_routines_file_is_run_and_its_names_are_found():
    with Folder() as folder:
        routines, outputs = collect(start.load_routines(folder.write("any-name.py", SOURCE)))
    assert list(routines) == ["open"] and list(outputs) == ["door"]
    assert routines["open"].function(None) == "open"


def test_a_compiled_file_is_imported_by_its_name():
    path = sys.path[:]
    with Folder() as folder:
        folder.write("site_routines_for_start.py", SOURCE)  # found by name like a .mpy, which CPython cannot run
        names = start.load_routines(folder.path + "/site_routines_for_start.mpy")
    sys.path[:] = path
    assert list(collect(names)[0]) == ["open"]


def test_the_board_and_its_routines_make_a_device_that_knows_no_strangers():
    with Folder() as folder:
        board = Board(folder.write("routines.py", SOURCE))
        ports, namespace, profile = run(board)
    assert (ports, profile, board.faults) == (board, None, [])
    assert "open" in namespace
    assert board.watched


def test_strangers_are_let_in_only_where_the_board_names_them():
    with Folder() as folder:
        profile = run(Board(test_identity=folder.write("strangers.json", b'{"methods": [3]}')))[2]
    assert isinstance(profile, StrangerProfile) and profile.methods == (3,)


def test_a_routines_file_that_fails_is_told_and_the_device_runs_without_it():
    for name, (source, fault) in BROKEN.items():
        with Folder() as folder:
            board = Board(folder.write(name + ".py", source))
            namespace = run(board)[1]
        assert namespace == {}, name
        assert len(board.faults) == 1 and board.faults[0].startswith(fault), board.faults
        assert len(board.faults[0]) <= 80


def test_a_missing_routines_file_is_a_fault_too():
    with Folder() as folder:
        board = Board(folder.path + "/missing.py")
        assert run(board)[1] == {} and board.faults[0].startswith("routines: ")


def test_routines_that_starved_the_watchdog_are_left_out_once():
    with Folder() as folder:
        board = Board(folder.write("routines.py", SOURCE))
        board.reset_cause = "watchdog"
        assert run(board)[1] == {}
    assert board.faults == ["routines: the watchdog ended the last run"]
    board = Board()
    board.reset_cause = "watchdog"
    run(board)
    assert board.faults == []


class Refusing:
    """What ports.updates() gives on a flash that takes nothing any more."""

    def fail(self, reason):
        raise StorageError("storage-failed")


def test_a_trial_without_end_is_ended_though_the_flash_refuses_to_say_so():
    board, real = Board(), start._TRIAL_S
    board.trial, board.updates, start._TRIAL_S = "on", Refusing, 0
    try:
        asyncio.run(start._limit(board))
        raise AssertionError("it goes on")
    except Reset:
        assert board.repl is False
    finally:
        start._TRIAL_S = real


def test_a_fault_of_the_app_leaves_a_factory_board_to_the_repl():
    for identity in (None, cbor.encode({SECRET: bytes(32)})):
        board = Board(identity=identity)
        assert ends(board, OSError(5)) is Reset
        assert board.repl is True


def test_a_device_of_a_site_starts_again_instead():
    board = Board(identity=cbor.encode({SECRET: bytes(32), CREDENTIAL: b"credential"}))
    assert ends(board, OSError(5)) is Reset
    assert board.repl is False
    assert board.outputs.get("status") == "fault" and board.tended == 1  # the boot button still counts


def test_a_damaged_identity_counts_as_one():
    board = Board(identity=b"\xff")
    assert start.belongs_to_site(board)
    board.keystore.damaged = ["identity"]
    assert start.belongs_to_site(board)
    assert ends(board, StorageError("storage-corrupt")) is Reset
    assert board.repl is False


def test_where_nothing_can_be_restarted_the_fault_is_told_to_who_started_it():
    board = Board()
    board.restarts = False
    assert ends(board, OSError(5)) is OSError
    assert board.repl is None


def test_what_ended_the_app_is_remembered_and_storage_that_refuses_keeps_no_reset_away():
    board = Remembering()
    assert ends(board, OSError(5)) is Reset
    what, place, boots, uptime_s = crash.read(board.storage)
    assert (what, boots, uptime_s) == ("OSError: errno 5", 0, 1) and "run" in place
    board.storage.full = True
    assert ends(board, ValueError("x")) is Reset
    assert crash.read(board.storage)[0] == "OSError: errno 5"


def test_what_a_port_meets_is_written_into_the_log_once_the_app_is_there():
    run(Board())
    before = faults.totals[1]
    try:
        raise ValueError("a secret")
    except ValueError as error:
        print_exception(error)
    assert faults.totals[1] == before + 1 and "ValueError at test_start.py" in faults.lines[-1][2]
