"""Joins a board's ports to the device app: main.py's whole work.

Owns: which ports, which routines, and what becomes of a fault. A fault in the site's routines disables them and is told
in /health; a fault in the app resets a device that belongs to a site, and leaves any other one to the REPL.
"""

import gc
import sys

# MicroPython looks for most of its own modules on the flash first, in all of sys.path, each time that one is imported.
if sys.implementation.name == "micropython":
    for _name in ("binascii", "collections", "hashlib", "os", "time"):
        sys.modules[_name] = __import__(_name)

from admit_device.ondemand import borrowed, is_small

# Importing makes almost as much garbage as code. Collected often, it is gone before the next module is put beside it;
# collected late, it leaves a quarter of the heap in holes that no buffer fits into. A large heap has room for holes,
# and takes long to collect.
if is_small:
    gc.threshold(4096)

import asyncio
import json

from ports import faults
from ports.faults import print_exception

_TRIAL_S = 90  # a chip computes for some seconds in a self-test
_LINGER_S = 20  # time for the boot button, before a device that cannot run is reset


def main():
    """Run the device until it is switched off."""
    try:
        asyncio.run(serve(open_board()))
    except BaseException as error:  # a board that did not even come up, or what a routine's sys.exit throws past all
        if not was_on_trial():
            rescue(error)
        raise


def open_board():
    """The board that board.json describes; without one, the virtual board."""
    config = {"board": "virtual", "port": "virtual", "radio": "ble", "pins": {}}
    try:
        with open("/board.json") as file:
            config = json.load(file)
    except OSError:
        pass
    if config["port"] == "esp32":
        from ports.esp32.board import open_board
    else:
        from ports.virtual.board import open_board
    return open_board(config)


async def serve(board):
    """Run the device app on `board`; if it fails, on a board that can be started again, do that."""
    board.watch()
    tending = asyncio.create_task(board.tend())
    if board.trial == "on":
        asyncio.create_task(_limit(board))
    try:
        await _device_of(board).run()
    except Exception as error:
        remember(board, error)
        if not board.restarts or board.trial == "on":
            raise
        print_exception(error)
        await recover(board)
    finally:
        tending.cancel()


def _device_of(board):
    """The device app. It is imported here: the board has switched the radio on before."""
    from admit_device.device import Device
    from admit_device.faults import print_exception
    from admit_device.ondemand import learn_names

    learn_names()
    faults.tell = print_exception
    namespace, profile = routines_of(board), None
    if board.test_identity:
        from admit_device.strangers import load

        profile = load(board.test_identity)
    device = Device(board, namespace, profile)
    if is_small:
        gc.threshold(-1)  # from now on when the heap is full, and in every pause
    return device


def routines_of(board):
    """The names that the board's routines file defines; none if it fails, which is told in `board.faults`."""
    if board.reset_cause == "watchdog" and board.routines_file and not board.trial:
        board.faults.append("routines: the watchdog ended the last run")
        return {}
    try:
        namespace = load_routines(board.routines_file)
        with borrowed():
            from admit_device.routine_forms import collect
            from admit_device.sensors import declared

            collect(namespace)
            declared(namespace)
        return namespace
    except (Exception, SystemExit) as error:  # a site's own file may raise anything
        print_exception(error)
        board.faults.append(_told(error))
        return {}


def _told(error):
    try:
        with borrowed():
            from admit_device.crash import fault

            return fault(error)
    except Exception:  # no memory for that
        return "routines: " + type(error).__name__


def load_routines(path):
    """The names that a routines file defines, .py or compiled to .mpy; none if there is no file."""
    if not path:
        return {}
    if path.endswith(".mpy"):  # compiled before it came here: the compiler itself would take 30 KB of heap
        folder, _, name = path.rpartition("/")
        if folder not in sys.path:
            sys.path.insert(0, folder)
        return __import__(name[:-4]).__dict__
    namespace = {}
    with open(path) as file:
        exec(file.read(), namespace)
    return namespace


async def _limit(board):
    """A trial that comes to no end has failed."""
    await asyncio.sleep(_TRIAL_S)
    if board.trial == "on":
        try:
            board.updates().fail("trial-too-long")
        finally:  # what cannot be written down ends it all the same
            board.restart()


def was_on_trial():
    """Is the set that runs on trial? Then main.py sees to what follows."""
    try:
        with open("/trial") as file:
            return file.read(2)[1:] in ("1", "3")
    except OSError:
        return False


async def recover(board):
    """The app has ended. A device of a site starts again, since the REPL would give away its key; any other one goes
    to the REPL, where it can be mended.
    """
    if not belongs_to_site(board):
        board.restart(True)
    board.outputs.set("status", "fault")
    await asyncio.sleep(_LINGER_S)
    board.restart()


def remember(board, error):
    """Keep what ended the app: `admit health` tells it later. Nothing that goes wrong here may keep the reset away."""
    gc.collect()
    try:
        with borrowed():
            from admit_device.crash import keep

            keep(board, error)
    except Exception as failed:
        print_exception(failed)


def rescue(error):
    """There is no board left to ask. A chip that belongs to a site starts again all the same; returns for others."""
    try:
        from ports.esp32.bare import Bare
    except ImportError:  # a PC
        return
    if belongs_to_site(Bare()):
        remember(Bare(), error)
        print_exception(error)
        Bare().restart()  # at once: a door may be open, and nobody is left to close it


def belongs_to_site(board):
    """Has the device been commissioned, or might it have been?"""
    try:
        stored = board.keystore.read("identity")
        if stored is None:
            return False
        from admit_device.identity import CREDENTIAL
        from admit_protocol import cbor

        return CREDENTIAL in cbor.decode(stored)
    except Exception as error:
        print_exception(error)
        return True
