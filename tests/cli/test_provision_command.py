"""A technician at a board's cable: once, twice, under names that are taken, and with a cable that falls out."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal

import pytest

from admit_protocol import block, coap, slip
from admit_protocol.coap_udp import decode_datagram
from cli_kiosk import another_site
from imports import ROOT

numbers = itertools.count(2)


@pytest.fixture
def board(kiosk):
    """A factory board, and the name that it shall have."""
    made = kiosk.factory_board(f"board-{next(numbers)}")
    yield made
    kiosk.beside.do(made.stop())


@pytest.fixture
def name():
    return f"kiosk-{next(numbers)}"


def is_whole(message):
    """Does a request end with this message? Longer ones come in blocks."""
    value = message.option(coap.BLOCK1)
    return value is None or not block.parse(value)[1]


class LooseCable:
    """A cable to `board` that falls out, with the power, at PUT /identity: before the board has heard it, or after."""

    def __init__(self, board, after):
        self.board, self.after = board, after
        self.toward = slip.Decoder(1280)

    async def __aenter__(self):
        self.line = os.open(self.board.cable, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        self.url = f"socket://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        os.close(self.line)

    async def carry(self, reader, writer):
        """Bytes in both directions, until a PUT comes by, or its last block."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.line, lambda: writer.write(self.hear()))
        while data := await reader.read(100):
            puts = [each for each in self.requests(data) if each.code == coap.PUT]
            if puts and not self.after:
                break
            os.write(self.line, data)
            if any(not block.parse(each.option(coap.BLOCK1))[1] for each in puts):
                loop.remove_reader(self.line)  # the board's answer never arrives
                await self.board.expect("status ready")
                break
        loop.remove_reader(self.line)
        if data:
            await self.board.kill()
        writer.close()

    def requests(self, data):
        return [decode_datagram(each)[2] for kind, each in self.toward.feed(data) if kind == "coap"]

    def hear(self):
        with contextlib.suppress(BlockingIOError):
            return os.read(self.line, 4096)
        return b""


def test_a_board_joins_the_site_and_is_proven(kiosk, board, name):
    told = kiosk.data("provision", board.cable, "--name", name)
    assert (told["device"], told["state"], told["proven"], told["version"]) == (name, "commissioned", True, "0.1.0")
    assert kiosk.fingerprint(name) == told["fingerprint"]
    assert [each["name"] for each in kiosk.data("routines", name, "--via", kiosk.via(board))][0] == "broken"


def test_twice_is_as_good_as_once_even_if_the_registry_has_forgotten(kiosk, board, name):
    registry = kiosk.site.folder / "registry.sqlite"
    shutil.copy(registry, kiosk.folder / "before.sqlite")
    first = kiosk.data("provision", board.cable, "--name", name)["fingerprint"]
    assert kiosk.data("provision", board.cable, "--name", name)["fingerprint"] == first
    shutil.copy(kiosk.folder / "before.sqlite", registry)
    assert kiosk.fingerprint(name) is None
    table = kiosk.admit("provision", board.cable, "--name", name).stdout
    assert table.splitlines()[0] == "state        commissioned"
    assert kiosk.fingerprint(name) == first


def test_a_board_has_one_name_and_one_site(kiosk, board, name, tmp_path):
    kiosk.admit("provision", board.cable, "--name", name)
    said = kiosk.admit("provision", board.cable, "--name kiosk-99", code=5).stderr
    assert f"it is {name} of this site already (device-commissioned)" in said
    other = another_site(tmp_path)
    said = kiosk.admit("provision", board.cable, "--name", name, code=5, ADMIT_SITE=other.folder).stderr
    assert "it belongs to another site" in said and "(device-commissioned)" in said
    assert kiosk.fingerprint("kiosk-99") is None


def test_a_name_that_is_taken_is_refused_and_another_one_will_do(kiosk, board, name):
    said = kiosk.admit("provision", board.cable, "--name kiosk-1", code=5).stderr
    assert "there is another device kiosk-1 already (registry-device-exists)" in said
    assert kiosk.data("provision", board.cable, "--name", name)["state"] == "commissioned"


@pytest.mark.parametrize("after", [False, True], ids=["before PUT", "after PUT"])
def test_the_same_command_finishes_what_a_loose_cable_broke_off(kiosk, board, name, after):
    loose = LooseCable(board, after)
    kiosk.beside.do(loose.__aenter__())
    try:
        broken = kiosk.admit("provision", loose.url, "--name", name, code=6)
    finally:
        kiosk.beside.do(loose.__aexit__())
    assert "(link-dropped)" in broken.stderr
    before = kiosk.fingerprint(name)
    kiosk.beside.do(board.start())
    kiosk.beside.do(board.expect("status ready" if after else "status factory"))
    assert kiosk.data("provision", board.cable, "--name", name)["fingerprint"] == before == kiosk.fingerprint(name)


def test_a_blank_board_gets_firmware_first_and_what_it_does_comes_from_a_file(kiosk, name):
    """From a chip that has never run anything to a door that opens; then other routines, and who says them wrongly."""
    blank = kiosk.blank_board(f"board-{name}")
    routines = kiosk.folder / f"{name}.py"
    routines.write_text("def open(:\n")
    said = kiosk.admit("provision", blank.cable, "--name", name, "--routines", routines, code=1).stderr
    assert f"{name}.py:1: " in said and "(compile-routines)" in said
    routines.write_text((ROOT / "boards/virtual/routines.py").read_text())
    told = kiosk.data("provision", blank.cable, "--name", name, "--routines", routines)
    assert (told["board"], told["board_id"], told["current"]) == ("virtual", blank.chip.id.hex(), True)
    assert told["sent"] > 40_000 and set(told["seconds"]) >= {"detect", "install", "key", "issue", "lock", "prove"}
    invoked = kiosk.data("invoke", name, "open", "--via", kiosk.via(blank))
    assert invoked["outcome"] == "done"
    routines.write_text("SITE = 'ours'\n")
    table = kiosk.admit("provision", blank.cable, "--name", name, "--routines", routines)
    assert "runs other firmware than this admit would install: --again installs it" in table.stderr
    again = kiosk.data("provision", blank.cable, "--name", name, "--routines", routines, "--again")
    assert (again["current"], again["fingerprint"]) == (True, told["fingerprint"])
    assert again["sent"] < told["sent"] / 4
    kiosk.listen(blank)
    kiosk.admit("reboot", name, "--via", kiosk.via(blank))
    kiosk.beside.do(blank.expect("status ready"))
    said = kiosk.admit("reboot", name, "--repl", "--via", kiosk.via(blank)).stderr
    assert "its REPL is open until it does so again" in said
    kiosk.beside.do(blank.expect("MicroPython v"))
    kiosk.beside.do(blank.restart())
    assert kiosk.data("provision", blank.cable, "--name", name, "--routines", routines)["sent"] == 0


def test_a_technician_who_stops_it_is_told_how_to_go_on(kiosk, board, name):
    ended = kiosk.start("provision", board.cable, "--name", name)
    kiosk.beside.do(board.expect("status ready", 30))
    ended.send_signal(signal.SIGINT)
    assert "try: give the same command: it goes on where it was" in kiosk.end(ended, 1).stderr
    assert kiosk.data("provision", board.cable, "--name", name)["state"] == "commissioned"


def test_a_terminal_shows_each_step_as_it_starts(kiosk, board, name):
    code, shown = kiosk.on_terminal("provision", str(board.cable), "--name", name)
    assert code == 0
    for words in ("looking who answers", "making the device's key", "issuing its credential", "locking it", "proving"):
        assert words in shown
    assert "took" in shown


def test_a_network_is_no_cable(kiosk, board, name):
    assert "(serial-not-found)" in kiosk.admit("provision", kiosk.via(board), "--name", name, code=3).stderr
    assert list(board.console)[-1] == "status factory"


def test_what_stops_a_technician_before_the_board_is_touched(kiosk, board):
    for words, code, reason in (
        (["provision", "/dev/no-such-port", "--name", "kiosk-98"], 3, "serial-not-found"),
        (["provision", board.cable, "--name", "a/b"], 1, "admin-name"),
        (["provision", board.cable, "--name", "kiosk-98", "--as", "carol"], 3, "wallet-no-grant"),
        (["provision", board.cable, "--name", "kiosk-98", "--as", "nobody"], 3, "wallet-missing"),
    ):
        assert f"({reason})" in kiosk.admit(*words, code=code).stderr
    said = kiosk.admit("provision", board.cable, "--name kiosk-98", code=1, ADMIT_PASSPHRASE_FILE=None).stderr
    assert "(passphrase-missing)" in said
    kiosk.admit("provision", board.cable, code=2)
    assert not (board.storage / "keys/identity").exists()


def test_no_secret_was_shown(kiosk):
    assert kiosk.secrets_shown() == []
