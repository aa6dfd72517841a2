"""age itself, the program, as a stranger: it opens what we encrypt with a passphrase, and we open what it does."""

import os
import pty
import shutil
import subprocess

import pytest

from admit import age_file
from imports import ROOT
from sites import PASSPHRASE

TEXT = bytes(range(256)) * 300  # more than one of its pieces


@pytest.fixture(scope="module")
def age():
    """The program."""
    if not shutil.which("age"):
        subprocess.run([ROOT / "tools/debian-needs", "age"], check=True)
    return shutil.which("age")


def run(program, *arguments, asked=1):
    """Run it on a terminal of its own, and type the passphrase as often as it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    while asked:
        shown += os.read(ours, 4096)
        if b"passphrase" in shown:
            os.write(ours, PASSPHRASE.encode() + b"\n")
            shown, asked = b"", asked - 1
    try:
        while os.read(ours, 4096):
            pass
    except OSError:  # what Linux says at the end of a pseudo-terminal
        pass
    os.close(ours)
    assert process.wait(60) == 0


def test_age_opens_what_is_sealed_here_and_it_takes_work(age, tmp_path):
    sealed = age_file.seal(TEXT, PASSPHRASE)
    assert 15 <= int(sealed.split(b"\n")[1].split()[3]) <= 22  # 2^15 is 32 MiB
    (tmp_path / "sealed.age").write_bytes(sealed)
    run(age, "--decrypt", "--output", tmp_path / "opened", tmp_path / "sealed.age")
    assert (tmp_path / "opened").read_bytes() == TEXT


def test_what_age_sealed_opens_here(age, tmp_path):
    (tmp_path / "text").write_bytes(TEXT)
    run(age, "--passphrase", "--output", tmp_path / "sealed.age", tmp_path / "text", asked=2)
    assert age_file.unseal((tmp_path / "sealed.age").read_bytes(), PASSPHRASE) == TEXT
