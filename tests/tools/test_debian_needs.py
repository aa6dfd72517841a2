"""tools/debian-needs installs what is missing if it may, else prints the one command. Fakes play dpkg, apt and sudo."""

import shutil
import subprocess

import pytest

from imports import ROOT

# Notes each call; `installed` is there, nothing else is.
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
"dpkg-query "*" installed") echo installed ;;
dpkg-query*) exit 1 ;;
"id -u") echo "$USER_ID" ;;
"sudo -n true") exit "$SUDO" ;;
sudo*) "$@" ;;
*"$BROKEN") echo "E: no such mirror"; exit 100 ;;
esac
"""


@pytest.fixture
def run(tmp_path):
    """run(*packages, user_id, sudo, broken) -> (exit code, standard error, apt-get calls as root or by sudo)."""
    (tmp_path / "bin").mkdir()
    for name in ("dpkg-query", "apt-get", "id", "sudo"):
        (tmp_path / "bin" / name).write_text(FAKE)
        (tmp_path / "bin" / name).chmod(0o755)
    for name in ("basename", "cat", "mktemp", "rm"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    calls = tmp_path / "calls"

    def run(*packages, user_id=0, sudo=1, broken="nothing"):
        environment = {"PATH": str(tmp_path / "bin"), "CALLS": str(calls), "USER_ID": str(user_id)}
        environment |= {"SUDO": str(sudo), "BROKEN": broken}
        done = subprocess.run([ROOT / "tools/debian-needs", *packages], env=environment, capture_output=True, text=True)
        assert done.stdout == ""
        return done.returncode, done.stderr, [line for line in calls.read_text().splitlines() if "-q" in line.split()]

    return run


def test_nothing_is_done_where_nothing_is_missing(run):
    assert run("installed") == (0, "", [])


def test_root_installs_what_is_missing_and_says_so(run):
    code, said, calls = run("installed", "one", "two")
    assert (code, said) == (0, "installing from Debian: one two\n")
    assert calls == ["apt-get -q update", "apt-get -q install -y --no-install-recommends one two"]


def test_sudo_without_a_password_does_too(run):
    code, said, calls = run("one", user_id=1000, sudo=0)
    assert (code, said) == (0, "installing from Debian: one\n")
    assert calls[0] == "sudo apt-get -q update"


def test_anybody_else_is_told_the_one_command(run):
    code, said, calls = run("one", "two", user_id=1000)
    assert (code, calls) == (1, [])
    assert said.endswith("Run: sudo apt-get install one two\n")


def test_what_apt_could_not_do_is_shown(run):
    code, said, _ = run("one", broken=" one")
    assert code == 1
    assert "E: no such mirror" in said
