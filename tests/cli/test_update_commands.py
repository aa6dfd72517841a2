"""`admit release`, `admit update`, `admit rollback` as they are typed, and a fleet that `admit provision` made.

Among the releases is a bad one: the fleet heals by itself. tests/bench/bench_rollout.py does the same with twenty.
"""

import hashlib
import signal
from unittest import mock

import platformdirs
import pytest
from click.testing import CliRunner

from admit.transport import open_transport
from admit.virtual.board import VirtualBoard
from admit_cli import update_commands
from admit_cli.command import CommandLine
from cli_kiosk import Beside, Typist, another_site
from release_files import with_parts
from rom_loader.image import program
from sites import new_site, passphrase
from update_bench import release

KIOSKS = [f"lobby-{number}" for number in (1, 2, 3, 4)]
CACHE = platformdirs.user_cache_path()  # what was compiled for other tests
BROKEN = "raise ValueError('a typo')"


class Fleet(Typist):
    """A site with four kiosks, each commissioned over its cable, each in its network. Commands run in this process."""

    def __init__(self, folder, beside):
        self.site = new_site(folder / "site")
        self.signer = self.site.authority(passphrase)
        self.beside = beside
        super().__init__(folder, ADMIT_SITE=folder / "site", XDG_CACHE_HOME=CACHE)
        self.boards = {name: VirtualBoard(folder / name, blank=True) for name in KIOSKS}
        for name, board in self.boards.items():
            beside.do(board.start())
            beside.do(board.expect("MicroPython v"))
            self.admit("provision", board.cable, "--name", name)

    def close(self):
        for board in self.boards.values():
            self.beside.do(board.stop())
        self.site.registry.close()

    def admit(self, *words, code=0, **more):
        """Run a command to its end; a program of its own does the same, later."""
        words = [each for part in words for each in (part.split() if isinstance(part, str) else [str(part)])]
        settings = {name: None for name, value in more.items() if value is None} | self.environment(**more)
        with mock.patch.object(update_commands, "transport_to", lambda _, device_id, **__: self.way(device_id)):
            ended = CliRunner().invoke(CommandLine(), words, env=settings)
        self.shown.append(ended.output)
        assert ended.exit_code == code, (ended.output, ended.exception)
        return ended

    def via(self, device_id):
        return f"udp://127.0.0.1:{self.boards[device_id].udp_port}"

    def way(self, device_id):
        """As the radio finds a kiosk by its name."""
        return open_transport(self.via(device_id))

    def file(self, version, more=""):
        """A release file of its own routines."""
        path = self.folder / f"{version}.admit"
        path.write_bytes(release(self, version, version, more).encode())
        return path

    def status(self, *words):
        return self.data("update status", *words)

    def states(self):
        """Where each device of the latest rollout is."""
        return {each["device"]: each["state"] for each in self.status()[0]["devices"]}

    def runs(self, device_id):
        return self.site.registry.board_of(device_id).set_hash.hex()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Beside() as beside:
        made = Fleet(tmp_path_factory.mktemp("fleet"), beside)
        yield made
        made.close()


def test_a_release_is_built_for_the_boards_that_the_site_has_and_proven(fleet):
    first = fleet.folder / "release.admit"
    told = fleet.data("release build --version 0.9.0 -o", first)
    assert (told["version"], told["sequence"], told["boards"], told["port"]) == ("0.9.0", 1, ["virtual"], "virtual")
    again = fleet.folder / "again.admit"
    said = fleet.admit("release build --version 0.9.0 -o", again, ADMIT_PASSPHRASE_FILE=None).stderr
    assert again.read_bytes() == first.read_bytes()
    assert f"admit update 'kiosk-*' {again}" in said
    shown = fleet.data("release inspect", again)
    assert shown == told | {"length": shown["length"]} and len(shown["list"]) == shown["files"] > 100
    assert fleet.admit("release inspect", again).stdout.startswith("version     0.9.0\n")


def test_micropythons_own_image_comes_along_for_boards_with_a_place_for_it(fleet, tmp_path):
    app, file = tmp_path / "app.bin", tmp_path / "image.admit"
    app.write_bytes(program("esp32", bytes(5000)))
    build = ("release build --version 0.9.4 --image", app, "-o", file)
    assert "(release-image)" in fleet.admit(*build, code=5).stderr
    app.write_bytes(program("esp32c3", bytes(5000)))
    assert "(image-other-chip)" in fleet.admit(*build, "--board esp32_generic_ota", code=5).stderr
    app.write_bytes(program("esp32", bytes(5000)))
    told = fleet.data(*build, "--board esp32_generic_ota")
    assert told["image_bytes"] == app.stat().st_size
    assert told["image_sha256"] == hashlib.sha256(app.read_bytes()).hexdigest()
    assert "\nimage bytes " in fleet.admit("release inspect", file).stdout


def test_what_is_wrong_with_a_release_is_said_before_anybody_is_visited(fleet, tmp_path):
    good = fleet.file("0.9.1").read_bytes()
    other = another_site(tmp_path)
    file = tmp_path / "wrong.admit"
    for content, code, reason in (
        (b"", 1, "release-file"),
        (good[:-100], 1, "release-file"),
        (good[:90_000] + bytes([good[90_000] ^ 16]) + good[90_001:], 8, "release-damaged"),
        (good[:200] + bytes([good[200] ^ 1]) + good[201:], 8, "release-signature"),
        (with_parts(good, format=7), 1, "release-file"),
    ):
        file.write_bytes(content)
        for words in ("release inspect", "update lobby-1"):
            assert f"({reason})" in fleet.admit(words, file, code=code).stderr
    file.write_bytes(good)
    said = fleet.admit("release inspect", file, code=8, ADMIT_SITE=other.folder).stderr
    assert "(release-other-site)" in said
    assert "(update-no-device)" in fleet.admit("update", "nobody-*", file, code=3).stderr
    fleet.admit("update lobby-1", code=2)
    fleet.admit("update lobby-1", file, "--rollout 50%", code=2)
    fleet.admit("update lobby-1", file, "--pause-on 0-failures", code=2)
    assert fleet.status() == []
    assert fleet.admit("update status").stderr == "No release has been brought anywhere.\n"


def test_a_version_is_taken_once_and_what_cannot_be_built_leaves_no_file(fleet):
    file = fleet.folder / "unwritten.admit"
    build = ("release build -o", file, "--version")
    assert "(release-taken)" in fleet.admit(*build, "0.9.0 --until 2028-01-01", code=5).stderr
    assert "(release-unknown)" in fleet.admit(*build, "0.9.3 --floor 7", code=3).stderr
    assert "(board-unknown)" in fleet.admit(*build, "0.9.3 --board toaster", code=3).stderr
    fleet.admit(*build, "0.9.3 --until tomorrow", code=2)
    assert not file.exists()


def test_a_fleet_is_updated_in_stages_and_heals_from_a_bad_release_by_itself(fleet):
    good = fleet.file("1.4.0")
    done = fleet.admit("update lobby-*", good, "--rollout 1,50%,100% --pause-on 2-failures")
    assert [line for line in done.stderr.splitlines() if line.startswith("Stage")] == [
        "Stage 1 of 3: until 1 runs it",
        "Stage 2 of 3: until 2 run it",
        "Stage 3 of 3: until 4 run it",
    ]
    assert done.stdout.splitlines()[0].split() == ["DEVICE", "STATE", "RAN", "SINCE", "BYTES"]
    assert fleet.states() == dict.fromkeys(KIOSKS, "updated")
    told = fleet.status()[0]
    assert (told["version"], told["state"], told["counts"]) == ("1.4.0", "done", {"updated": 4})
    assert [each["ran"] for each in told["devices"]] == ["0.1.0"] * 4
    assert max(each["bytes"] for each in told["devices"]) < 12_000  # handshakes of all the questions included
    running = {name: fleet.runs(name) for name in KIOSKS}
    assert len(set(running.values())) == 1

    bad = fleet.file("1.5.0", BROKEN)
    said = fleet.admit("update lobby-*", bad, "--rollout 1,50%,100% --pause-on 1-failure", code=7).stderr
    assert "the new version did not prove itself: trial-faults" in said and "(update-went-back)" in said
    assert "--retry goes on" in said
    assert fleet.states() == dict.fromkeys(KIOSKS, "waiting") | {"lobby-1": "failed"}
    told = fleet.status()[0]
    assert (told["state"], told["devices"][0]["reason"]) == ("paused", "update-went-back")
    assert "(rollout-paused)" in fleet.admit("update lobby-*", bad, code=5).stderr
    assert {name: fleet.runs(name) for name in KIOSKS} == running
    assert fleet.data("invoke lobby-1 open --via", fleet.via("lobby-1"))["outcome"] == "done"

    mended = fleet.file("1.5.1")
    said = fleet.admit("update lobby-1 lobby-2", mended, "--rollout 1,100%").stderr
    assert "is replaced by this one" in said
    assert fleet.states() == {"lobby-1": "updated", "lobby-2": "updated"}
    assert [each["state"] for each in fleet.status("--all")] == ["done", "replaced", "done"]
    assert {each["ran"] for each in fleet.status()[0]["devices"]} == {"1.4.0"}


def test_a_device_goes_back_and_the_registry_knows(fleet):
    told = fleet.data("rollback lobby-2")
    assert (told["ran"], told["runs"]) == ("1.5.1", "1.4.0")
    assert fleet.runs("lobby-2") == told["set_hash"]
    assert fleet.states() == {"lobby-1": "updated", "lobby-2": "back"}


def test_what_was_stopped_by_ctrl_c_goes_on_with_the_same_command(fleet):
    file = fleet.file("2.1.0")
    fleet.boards["lobby-3"]._expected = fleet.boards["lobby-3"]._lines
    ended = fleet.start("update lobby-3", file, "--via", fleet.via("lobby-3"))
    fleet.beside.do(fleet.boards["lobby-3"].expect("status ready", 30))
    ended.send_signal(signal.SIGINT)
    said = fleet.end(ended, 1).stderr
    assert "try: give the same command: it goes on where it was" in said
    assert fleet.states() == {"lobby-3": "sending"}
    assert "Going on with rollout" in fleet.admit("update lobby-3", file).stderr
    assert fleet.states() == {"lobby-3": "updated"}


def test_what_a_courier_brings_is_known_at_the_desk_by_what_they_take_home(fleet, tmp_path):
    """A courier's laptop: the release in a file, the rights in a wallet of their own. The desk reaches nobody."""
    dora = tmp_path / "dora"
    fleet.admit("wallet new", dora)
    fleet.admit("user add dora --key", dora / "public.pem")
    fleet.admit("grant dora --allow release:GET,POST,PUT --on lobby-4 --output", tmp_path / "dora.admit")
    fleet.admit("wallet accept", dora, tmp_path / "dora.admit")
    file = fleet.file("2.2.0")
    with mock.patch.object(fleet, "way", lambda _: open_transport("udp://127.0.0.1:9")):
        fleet.admit("update lobby-3 lobby-4", file, code=6)
    laptop = {"ADMIT_SITE": tmp_path / "none", "ADMIT_WALLET": dora}
    assert fleet.admit("release inspect", file, **laptop).stdout.startswith("version     2.2.0\n")
    said = fleet.admit("update lobby-4", file, **laptop).stderr
    assert "lobby-4  updated" in said and "admit courier give" in said
    assert fleet.states() == {"lobby-3": "missed", "lobby-4": "missed"}
    home = tmp_path / "home.admit"
    assert fleet.data("courier give -o", home, **laptop)[0]["device"] == "lobby-4"
    fleet.admit("courier unpack", home)
    assert fleet.states() == {"lobby-3": "missed", "lobby-4": "updated"}
    assert fleet.runs("lobby-4") == fleet.data("release inspect", file)["set_hash"]


def test_a_terminal_shows_each_device_with_its_step(fleet):
    file = fleet.file("2.3.0")
    code, shown = fleet.on_terminal("update", "lobby-1", str(file), "--via", fleet.via("lobby-1"))
    assert code == 0, shown
    for words in ("sending what it lacks", "waiting until it has proven itself", "lobby-1"):
        assert words in shown


def test_who_may_not_brings_nothing(fleet):
    file = fleet.file("2.4.0")
    fleet.admit("user add alice")
    fleet.admit("grant alice open --on lobby-1")
    said = fleet.admit("update lobby-1", file, "--as alice", code=4).stderr
    assert "(rule-none)" in said and "--retry goes on" in said


def test_a_device_that_is_off_is_missed_and_no_failure(fleet):
    file = fleet.file("2.5.0")
    fleet.beside.do(fleet.boards["lobby-4"].kill())
    said = fleet.admit("update lobby-3 lobby-4", file, "--rollout 2,100%", code=6).stderr
    assert "(link-dropped)" in said and "--retry" not in said
    assert fleet.states() == {"lobby-3": "updated", "lobby-4": "missed"}
    fleet.boards["lobby-4"]._expected = fleet.boards["lobby-4"]._lines
    fleet.beside.do(fleet.boards["lobby-4"].start())
    fleet.beside.do(fleet.boards["lobby-4"].expect("status ready"))
    fleet.admit("update lobby-3 lobby-4", file)
    assert fleet.status("--all")[0]["state"] == "done"


def test_no_secret_was_shown(fleet):
    assert fleet.secrets_shown() == []
