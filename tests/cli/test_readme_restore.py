"""A site is lost with its laptop, and comes back on another one by what README.md says, word for word."""

import os
import subprocess
import sys

import pytest

from imports import ROOT

HEADING, TURN = "## If the laptop is gone", "On a new machine"


def commands():
    """(what the page has one type on the old machine, on the new one)."""
    _, _, section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n{HEADING}\n")
    before, turn, after = section.partition("\n## ")[0].partition(TURN)
    assert turn
    return [[line[6:] for line in part.splitlines() if line.startswith("    $ ")] for part in (before, after)]


@pytest.fixture
def admit(tmp_path):
    """A folder in which `admit` is, as it is once it is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "admit").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m admit_cli "$@"\n')
    (folder / "admit").chmod(0o755)
    return folder


def typed(kiosk, command, folder, admit, **more):
    """Type a command there; the passphrase is given as programs give it."""
    path = os.pathsep.join([str(admit), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=kiosk.environment(PATH=path, **more),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    kiosk.shown += [done.stdout, done.stderr]
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_an_empty_machine_becomes_the_site_by_the_readmes_words(kiosk, admit, tmp_path):
    at_the_old, at_the_new = commands()
    assert [each.split()[1] for each in at_the_old] == ["backup"] and at_the_new[0].startswith("admit restore")
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new, new / "home"):
        folder.mkdir()
    for command in at_the_old:
        typed(kiosk, command, old, admit)
    (kept,) = old.iterdir()
    kept.rename(new / kept.name)
    os.rename(kiosk.site.folder, tmp_path / "gone")

    machine = {"HOME": new / "home"} | dict.fromkeys(("XDG_DATA_HOME", "ADMIT_SITE", "ADMIT_VIA"))
    told = [typed(kiosk, command, new, admit, **machine) for command in at_the_new]
    assert told[0].startswith("site     Test site\n")
    assert "current" in told[1] and "state " in told[2]  # it was met, and believed the admin
    typed(kiosk, "admit invoke kiosk-1 open seconds=1", new, admit, **machine)
    os.rename(tmp_path / "gone", kiosk.site.folder)
    assert kiosk.secrets_shown() == []
