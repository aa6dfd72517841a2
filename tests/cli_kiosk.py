"""The command line as people type it, in processes of its own, and a kiosk under real MicroPython that it meets.

The kiosk, its air and its power run in a thread beside the test. Everything that any command said is kept, so that a
module can look at its end whether a secret was among it.
"""

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from admit import admin, keyfiles
from admit.admin import Access
from admit.virtual import frames
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard
from imports import ROOT
from kiosks import join
from sites import PASSPHRASE, new_site, passphrase

FOLDERS = os.pathsep.join(str(ROOT / folder) for folder in ("firmware", "host", "provisioning"))
LIMIT_S = 60
ROUTINES = """
from admit_device.routines import Integer
import asyncio

@routine("Hand over a parcel, which takes its time.", outputs=(door,), seconds=Integer(0, 9, default=1))
async def parcel(kiosk, seconds):
    kiosk.set("door", "open")
    await asyncio.sleep(seconds)
    kiosk.set("door", "closed")
    return b"\\x01\\xff"

@routine("Break.")
def broken(kiosk):
    raise ValueError("a secret of the site")
"""


class Typist:
    """Somebody at a shell in `folder`, with their own settings and nobody else's."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.settings = settings
        self.shown = []
        (folder / "passphrase").write_text(PASSPHRASE + "\n")

    def environment(self, **more):
        """What a command sees of the environment; None takes a setting away."""
        inherited = {name: os.environ[name] for name in ("PATH", "ADMIT_MICROPYTHON", "LANG") if name in os.environ}
        home = {"HOME": str(self.folder / "home"), "XDG_DATA_HOME": str(self.folder / "home/data")}
        own = {"PYTHONPATH": FOLDERS, "ADMIT_PASSPHRASE_FILE": str(self.folder / "passphrase")}
        settings = inherited | home | own | self.settings | more
        return {name: str(value) for name, value in settings.items() if value is not None}

    def admit(self, *words, code=0, given=None, **more):
        """Run a command to its end. With an exit code but 0, stdout must be empty, and stderr say what to try."""
        ended = self.end(self.start(*words, **more), code, given)
        assert code == 0 or ended.stdout == ""
        return ended

    def start(self, *words, before=(), **more):
        """Run a command, perhaps by way of another program, and do not wait for its end."""
        words = [each for part in words for each in (part.split() if isinstance(part, str) else [str(part)])]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [*before, sys.executable, "-m", "admit_cli", *words]
        return subprocess.Popen(command, env=self.environment(**more), cwd=self.folder, text=True, **pipes)

    def end(self, process, code=0, given=None):
        """Wait for the end of a command; (stdout, stderr) as attributes."""
        stdout, stderr = process.communicate(given, LIMIT_S)
        self.shown += [stdout, stderr]
        assert process.returncode == code, (process.args[3:], process.returncode, stdout, stderr)
        assert "Traceback" not in stdout + stderr and "\x1b" not in stdout + stderr
        assert code == 0 or stderr.splitlines()[-1].startswith("try: ")
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def data(self, *words, **more):
        """What a command prints with --json."""
        value = json.loads(self.admit(*words, "--json", **more).stdout)
        assert value.pop("schema") == 1
        (only,) = value.values()
        return only

    def on_terminal(self, *words, typed=b"", **more):
        """(exit code, all that is shown) of a command on a terminal, where `typed` is typed ahead."""
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "admit_cli", *" ".join(words).split()]
        process = subprocess.Popen(
            command,
            env=self.environment(TERM="xterm", **more),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        with contextlib.suppress(OSError):  # what Linux says at the end of a pseudo-terminal
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
        self.shown.append(shown.decode())
        return process.wait(LIMIT_S), shown.decode()

    def secrets_shown(self):
        """Which of the secrets under the typist's folder were in anything that was said, or lie in a file for all."""
        secrets = secrets_under(self.folder)
        assert len(secrets) > 3
        files = [each for each in self.folder.rglob("*") if each.is_file() and not is_key_file(each)]
        said = "".join(self.shown).encode() + b"".join(each.read_bytes() for each in files)
        return [secret for secret in secrets if secret in said]


def secrets_under(folder):
    """The passphrase, and each line of base64 of each private key, but those too short to tell anything."""
    lines = [PASSPHRASE.encode()]
    for file in folder.rglob("*.pem"):
        if file.name != "public.pem":
            lines += [each for each in file.read_bytes().splitlines() if len(each) >= 16 and b"-" not in each]
    return lines


def is_key_file(file):
    return (
        file.suffix == ".pem" and file.name != "public.pem" or file.name == "passphrase" or file.parent.name == "keys"
    )


class Beside:
    """An event loop in a thread."""

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, work, limit_s=LIMIT_S):
        """Run a coroutine there; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)


class CliKiosk(Typist):
    """A site with users, and its kiosk-1, reached over UDP unless a command says otherwise.

    alice may open the door for three seconds on weekdays, and light the lamp at weekends; bob may hand over parcels;
    carol may do nothing. The kiosk believes that it is a Wednesday.
    """

    def __init__(self, folder, beside):
        super().__init__(folder, ADMIT_SITE=folder / "site")
        self.beside = beside
        self.site = new_site(folder / "site")
        self.air = Air()
        routines = folder / "routines.py"
        routines.write_text((ROOT / "boards/virtual/routines.py").read_text() + ROUTINES)
        self.clock = {"ROUTINES": str(routines), "CLOCK_OFFSET_S": str(seconds_to_wednesday())}
        self.boards = []

    def __enter__(self):
        self.beside.do(self.air.start())
        self.settings["ADMIT_BLE"] = self.air.name
        self.board = self.factory_board("kiosk-1", self.air.name)
        self.settings["ADMIT_VIA"] = self.via(self.board)
        self.beside.do(join(self.site, self.board))
        now = int(time.time())
        week, weekend = {1: [[31, 0, 0]]}, {1: [[96, 0, 0]]}
        self.grant("alice", [("/r/open", 3, week | {3: {"seconds": [1, 3]}}), ("/r/light", 3, weekend)])
        self.grant("bob", [("/r/parcel", 3, {})])
        admin.add_user(self.site, "carol", None, now)
        return self

    def __exit__(self, *_):
        for board in self.boards:
            self.beside.do(board.stop())
        self.beside.do(self.air.stop())
        self.site.registry.close()

    def start(self, *words, **more):
        """As a Typist does; what the kiosk is then expected to say has not been said before."""
        self.listen(self.board)
        return super().start(*words, **more)

    def listen(self, board):
        """What this board is expected to say has not been said before."""
        board._expected = board._lines

    def factory_board(self, name, air=None):
        """A new board with power, without radio unless it is given an air."""
        board = VirtualBoard(self.folder / name, air=air, settings=self.clock)
        self.boards.append(board)
        self.beside.do(board.start())
        self.beside.do(board.expect("status factory"))
        return board

    def blank_board(self, name):
        """A board with power and MicroPython, and nothing else on its flash."""
        clock = {"CLOCK_OFFSET_S": self.clock["CLOCK_OFFSET_S"]}
        board = VirtualBoard(self.folder / name, settings=clock, blank=True)
        self.boards.append(board)
        self.beside.do(board.start())
        self.beside.do(board.expect("MicroPython v"))
        return board

    def grant(self, user, rules, site=None, **life):
        """A new user, or one who was there, gets another grant for kiosk-1."""
        site = site or self.site
        now = int(time.time())
        if user not in [each.name for each in site.registry.users()]:
            admin.add_user(site, user, None, now)
        if life.get("expires", now + 1) <= now:
            now = life["expires"] - 1  # one that was issued while it had not ended
        return admin.give(site, site.authority(passphrase), user, Access(["kiosk-1"], rules, **life), now)

    def join(self, board, device_id="kiosk-1", site=None):
        """Take a board into the site, or into another."""
        self.beside.do(join(site or self.site, board, device_id))
        return board

    def via(self, board):
        """How to reach a board over the network."""
        return f"udp://127.0.0.1:{board.udp_port}"

    def restart(self, board=None, **settings):
        """Cut the power and give it back; the environment's settings may change with it."""
        board = board or self.board
        board._settings = self.clock | settings
        self.beside.do(board.restart())
        self.beside.do(board.expect("status ready"))

    def cut_power(self, heard=None, said=None):
        """Cut the power, and give it back, in place of the n-th value of GATT that is to reach the kiosk or leave it.

        Empty values, which only acknowledge, do not count.
        """
        radio, left, tasks = self.board.radio, [heard or said], []
        tell, indicate = radio._tell, radio._indicate

        def is_due(value):
            left[0] -= len(value) > 1
            if left[0] == 0:
                tasks.append(asyncio.create_task(self.board.restart()))
            return left[0] <= 0

        def cut_tell(kind, link, payload=b""):
            if kind != frames.RECEIVED or not is_due(payload):
                tell(kind, link, payload)

        async def cut_indicate(link):
            get = link.indications.get

            async def cut_get():
                value = await get()
                return value if not is_due(value) else await asyncio.Event().wait()

            link.indications.get = cut_get
            await indicate(link)

        if heard:
            radio._tell = cut_tell
        else:
            radio._indicate = cut_indicate

    def expect(self, text):
        """Wait until the kiosk says so, once more since the last command began."""
        return self.beside.do(self.board.expect(text))

    def fingerprint(self, device_id):
        """The fingerprint of a device's key in the registry; None if there is no such device."""
        found = [keyfiles.fingerprint(each.public) for each in self.site.registry.devices() if each.id == device_id]
        return found[0] if found else None

    def count(self, line):
        """How often the console has said so."""
        return list(self.board.console).count(line)


@contextlib.contextmanager
def cli_kiosk(folder):
    """A CliKiosk whose kiosk runs until the end."""
    with Beside() as beside, CliKiosk(Path(folder), beside) as kiosk:
        yield kiosk


def another_site(folder, name="site-2"):
    """A site that has the same words but other keys."""
    with mock.patch.object(keyfiles, "_SCRYPT_N", 2):
        return admin.create_site(folder / name, "Another", PASSPHRASE, "admin", {"tz": "UTC"}, int(time.time()))


def seconds_to_wednesday():
    """How far to set a clock ahead, so that it is a Wednesday, 10:00 UTC."""
    now = datetime.now(UTC)
    then = (now + timedelta(days=(2 - now.weekday()) % 7)).replace(hour=10, minute=0, second=0, microsecond=0)
    return int((then - now).total_seconds())
