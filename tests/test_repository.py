"""What holds for the repository as a whole: what its files may not name, what must stand beside what, how big it is."""

import os
import re
import subprocess
from functools import cache

import pytest

from footprint import ALIVE_AFTER_BOOT_LIMIT, alive_after_boot, compiled_sizes
from imports import ROOT

# Written so that these patterns do not match themselves.
REGISTRY_HOST = re.compile(r"\b(?:(?:deb|security|snapshot)\.debian|pypi|pythonhosted|npmjs)\.(?:org|com)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:w[o]rk|f[a]rm|r[o]ot|h[o]me/\w+|t[m]p/bash_)/")

CONTRACTS = {"ports.py"}  # describe, and have nothing to run


@cache
def text_files():
    """Path → content of each file that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content:
            found[name] = content.decode("utf-8")
    return found


def lines_with(pattern):
    return [
        f"{name}:{number}: {line.strip()}"
        for name, content in text_files().items()
        for number, line in enumerate(content.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry_host():
    assert lines_with(REGISTRY_HOST) == []


def test_no_file_names_a_path_of_one_machine():
    assert lines_with(MACHINE_PATH) == []


@pytest.mark.parametrize("text", ["see deb" + ".debian.org/x", "https://pypi" + ".org/simple"])
def test_a_registry_host_would_be_found(text):
    assert REGISTRY_HOST.search(text)


@pytest.mark.parametrize("text", ["cd /wo" + "rk/main", "'/ro" + "ot/x'", "/ho" + "me/alice/admit"])
def test_a_machine_path_would_be_found(text):
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("folder", ["protocol", "device"])
def test_every_module_has_its_test_file(folder):
    """Of its own name, or of its family's: edhoc_initiator.py may be tested by test_edhoc.py."""
    modules = {path.name for path in (ROOT / f"firmware/admit_{folder}").glob("*.py")} - {"__init__.py"} - CONTRACTS
    tested = [path.stem.removeprefix("test_") for path in (ROOT / "tests" / folder).glob("test_*.py")]
    assert [name for name in sorted(modules) if not any(f"{name[:-3]}_".startswith(f"{t}_") for t in tested)] == []


def test_nothing_is_skipped():
    """Strangers, MicroPython and browsers are never skipped: what cannot run here must fail here."""
    assert lines_with(re.compile(r"\b(?:mark[.]skip|mark[.]xfail|pytest[.]skip|import[o]rskip)")) == []


def test_the_readme_tells_how_to_begin():
    readme = text_files()["README.md"]
    for command in ["make demo", "make test", "admit init", "admit provision", "admit grant", "admit login"]:
        assert command in readme


def test_make_alone_tells_of_every_target():
    phony = re.search(r"^[.]PHONY: (.*)$", text_files()["Makefile"], re.MULTILINE).group(1).split()
    told = subprocess.run(["make", "-C", str(ROOT)], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert told.returncode == 0
    for target in ["demo", "test", "check", "fix", "bench", *phony]:
        assert f"  make {target} " in told.stdout


def test_what_stays_alive_after_boot_is_counted():
    sizes = compiled_sizes(alive_after_boot())
    print(f"alive after boot: {sum(sizes.values())} bytes of .mpy, limit {ALIVE_AFTER_BOOT_LIMIT}; see make bench")
    assert ROOT / "firmware/admit_device/device.py" in sizes
    assert not [path for path in sizes if "ports" in path.relative_to(ROOT / "firmware").parts]
    assert all(size > 0 for size in sizes.values())
    assert sum(sizes.values()) <= ALIVE_AFTER_BOOT_LIMIT
