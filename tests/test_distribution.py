"""The wheel: what somebody who installs admit without a checkout gets."""

import stat
import subprocess
import sys
import zipfile

import pytest

from imports import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("admit-*.whl"))) as archive:
        yield archive


def test_it_has_the_library_and_the_command(wheel):
    names = wheel.namelist()
    for name in ["admit_protocol/cbor.py", "admit/__init__.py", "admit_cli/main.py"]:
        assert name in names
    entry_points = next(name for name in names if name.endswith("entry_points.txt"))
    assert b"admit = admit_cli.main:main" in wheel.read(entry_points)


@pytest.mark.parametrize("folder", ["firmware", "boards"])
def test_it_brings_every_file_that_goes_onto_boards(wheel, folder):
    """As files and unchanged, below admit/_files, where a checkout has them at its root."""
    expected = {path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert expected
    for path in expected:
        assert wheel.read(f"admit/_files/{path.relative_to(ROOT)}") == path.read_bytes()


def test_it_brings_the_phones_page(wheel):
    expected = {path for path in (ROOT / "phone").rglob("*") if path.is_file()}
    assert ROOT / "phone/index.html" in expected
    for path in expected:
        assert wheel.read(f"admit/_files/{path.relative_to(ROOT)}") == path.read_bytes()


def test_it_brings_the_page_of_a_kiosks_screen(wheel):
    for path in (ROOT / "host/admit/screen/page").iterdir():
        assert wheel.read(f"admit/screen/page/{path.name}") == path.read_bytes()


def test_it_can_find_a_micropython(wheel):
    tool = wheel.getinfo("admit/_files/tools/micropython")
    assert (tool.external_attr >> 16) & stat.S_IXUSR


def test_it_leaves_out_what_only_we_need(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}
    assert tops <= {"admit", "admit_cli", "admit_protocol", "admit_provisioning"}
