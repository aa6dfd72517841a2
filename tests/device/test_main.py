"""main.py joins a board to the device app, and finds the site's routines."""

import sys

import main
from admit_device.routines import Routine, collect
from admit_device.strangers import StrangerProfile
from folders import Folder

SOURCE = b"""
from admit_device.routines import output, routine

door = output("door", at_power_loss="locks")


@routine("Open the door.", outputs=(door,))
def open(kiosk):
    return "open"
"""


class Board:
    """What main asks of a board."""

    def __init__(self, routines_file=None, test_identity=None):
        self.routines_file = routines_file
        self.test_identity = test_identity


def joined(board):
    """(ports, namespace, profile) that `main.main` makes a device of; it runs once."""
    made, ran = [], []

    class Device:
        def __init__(self, *given):
            made.extend(given)

        async def run(self):
            ran.append(self)

    real = main.open_board, main.Device
    main.open_board, main.Device = lambda: board, Device
    try:
        main.main()
    finally:
        main.open_board, main.Device = real
    assert len(ran) == 1
    return made


def test_without_a_file_there_are_no_routines():
    assert main.load_routines(None) == main.load_routines("") == {}


def test_a_routines_file_is_run_and_its_names_are_found():
    with Folder() as folder:
        routines, outputs = collect(main.load_routines(folder.write("any-name.py", SOURCE)))
    assert list(routines) == ["open"] and isinstance(routines["open"], Routine)
    assert list(outputs) == ["door"]
    assert routines["open"].function(None) == "open"


def test_a_compiled_file_is_imported_by_its_name():
    path = sys.path[:]
    with Folder() as folder:
        folder.write("site_routines_for_main.py", SOURCE)  # found by name like a .mpy, which CPython cannot run
        names = main.load_routines(folder.path + "/site_routines_for_main.mpy")
    sys.path[:] = path
    assert list(collect(names)[0]) == ["open"]


def test_a_file_that_is_missing_or_broken_stops_the_start():
    with Folder() as folder:
        broken = folder.write("broken.py", b"door = output(")
        for name, kind in ((broken, SyntaxError), (folder.path + "/missing.py", OSError)):
            try:
                main.load_routines(name)
            except kind:
                continue
            raise AssertionError(name)


def test_the_board_and_its_routines_make_a_device_that_knows_no_strangers():
    with Folder() as folder:
        board = Board(folder.write("routines.py", SOURCE))
        ports, namespace, profile = joined(board)
    assert (ports, profile) == (board, None)
    assert "open" in namespace


def test_strangers_are_let_in_only_where_the_board_names_them():
    with Folder() as folder:
        profile = joined(Board(test_identity=folder.write("strangers.json", b'{"methods": [3]}')))[2]
    assert isinstance(profile, StrangerProfile) and profile.methods == (3,)
