"""tools/micropython in a world of fakes: its own project folder, its own PATH, an apt-get that plays the mirror.

That the real thing works is seen at the start of every test run, which takes its MicroPython from this tool.
"""

import os
import shutil
import subprocess
import threading

import pytest

from imports import ROOT

NEEDED = "awk cat chmod dirname find flock grep id mkdir mktemp mv rm sed sleep sort tr uname".split()
GOOD = "#!/bin/sh\nexit 0\n"
TOO_OLD = "#!/bin/sh\nexit 1\n"

# Plays apt-get: notes each call; "installs" into archives/ a folder that the fake dpkg-deb copies as a package.
APT_GET = """#!/bin/sh
echo "$*" >>"$FAKES/calls"
case "$*" in
*indextargets*) echo "bookworm http://mirror.invalid/debian/" ;;
*update) [ ! -e "$FAKES/offline" ] || { echo "E: Failed to fetch InRelease"; exit 100; } ;;
*install*) sleep 0.2; cp -r "$FAKES/package" "$(dirname "$2")/archives/all.deb" ;;
esac
"""
DPKG_DEB = '#!/bin/sh\ncp -r "$2/." "$3"\n'
DPKG = "#!/bin/sh\necho amd64\n"
LOADER = '#!/bin/sh\n[ "$1" = --library-path ] && [ -e "$2/libc.so.6" ] && shift 2 && exec "$@"\n'


def write(path, text, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


class World:
    """A project folder with the tool, and a machine to run it on."""

    def __init__(self, folder):
        self.tool = folder / "project/tools/micropython"
        self.tool.parent.mkdir(parents=True)
        shutil.copy(ROOT / "tools/micropython", self.tool)
        self.cached = folder / "project/.cache/micropython/trixie/micropython"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in [*NEEDED, "cp"]:
            (self.bin / name).symlink_to(shutil.which(name))
        self.os_release = folder / "os-release"
        self.fakes = folder / "fakes"
        write(self.fakes / "package/usr/bin/micropython", GOOD)
        write(self.fakes / "package/usr/lib/x86_64-linux-gnu/libc.so.6", "")
        write(self.fakes / "package/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", LOADER)

    def debian(self):
        self.os_release.write_text(
            'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n'
        )
        write(self.bin / "apt-get", APT_GET)
        write(self.bin / "dpkg", DPKG)
        write(self.bin / "dpkg-deb", DPKG_DEB)
        return self

    def run(self, **variables):
        environment = {"PATH": str(self.bin), "FAKES": str(self.fakes), "ADMIT_OS_RELEASE": str(self.os_release)}
        return subprocess.run([self.tool], env=environment | variables, capture_output=True, text=True, timeout=60)

    def downloads(self):
        calls = self.fakes / "calls"
        return calls.read_text().count("install micropython") if calls.exists() else 0


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_the_one_on_path_is_taken(world):
    write(world.bin / "micropython", GOOD)
    done = world.debian().run()
    assert (done.returncode, done.stdout) == (0, f"{world.bin}/micropython\n")
    assert world.downloads() == 0


def test_one_that_is_too_old_on_path_is_passed_over(world):
    write(world.bin / "micropython", TOO_OLD)
    done = world.debian().run()
    assert (done.returncode, done.stdout) == (0, f"{world.cached}\n")


def test_the_variable_goes_before_path(world):
    write(world.bin / "micropython", GOOD)
    write(world.fakes / "mine", GOOD)
    assert world.run(ADMIT_MICROPYTHON=str(world.fakes / "mine")).stdout == f"{world.fakes}/mine\n"


def test_a_variable_that_names_no_micropython_is_an_error(world):
    write(world.bin / "micropython", GOOD)
    done = world.run(ADMIT_MICROPYTHON="/nowhere/micropython")
    assert done.returncode == 1
    assert "ADMIT_MICROPYTHON=/nowhere/micropython is not a MicroPython of at least 1.23" in done.stderr


def test_the_package_is_fetched_once(world):
    first = world.debian().run()
    assert (first.returncode, first.stdout) == (0, f"{world.cached}\n")
    assert "from trixie at http://mirror.invalid/debian/" in first.stderr
    again = world.run()
    assert (again.stdout, again.stderr, world.downloads()) == (first.stdout, "", 1)
    assert sorted(path.name for path in world.cached.parent.parent.iterdir()) == ["lock", "trixie"]


def test_the_cache_may_be_moved_with_the_project(world, tmp_path):
    world.debian().run()
    world.tool.parent.parent.rename(tmp_path / "moved")
    world.tool = tmp_path / "moved/tools/micropython"
    assert world.run().stdout == f"{tmp_path}/moved/.cache/micropython/trixie/micropython\n"
    assert world.downloads() == 1


@pytest.mark.parametrize("damage", ["missing", "broken", "old"])
def test_a_damaged_cache_is_fetched_anew(world, damage):
    world.debian().run()
    program = world.cached.parent / "root/usr/bin/micropython"
    if damage == "missing":
        program.unlink()
    else:
        write(program, "\0" if damage == "broken" else TOO_OLD)
    done = world.run()
    assert (done.returncode, done.stdout, world.downloads()) == (0, f"{world.cached}\n", 2)
    assert program.read_text() == GOOD


def test_two_runs_at_once_fetch_once(world):
    world.debian()
    answers = []
    runs = [threading.Thread(target=lambda: answers.append(world.run())) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [done.stdout for done in answers] == [f"{world.cached}\n"] * 3
    assert world.downloads() == 1


def test_a_mirror_that_does_not_answer_is_named_with_its_error(world):
    world.debian()
    write(world.fakes / "offline", "")
    done = world.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "E: Failed to fetch InRelease" in done.stderr
    assert "this machine's apt could not fetch it" in done.stderr
    assert not world.cached.exists()
    assert [path.name for path in world.cached.parent.parent.iterdir()] == ["lock"]


def test_what_does_not_run_is_not_kept(world):
    write(world.fakes / "package/usr/bin/micropython", TOO_OLD)
    done = world.debian().run()
    assert done.returncode == 1
    assert "does not run here, or is too old" in done.stderr
    assert not world.cached.exists()


@pytest.mark.parametrize(
    ("os_release", "hint"),
    [
        ('PRETTY_NAME="Fedora Linux 42"\nID=fedora\n', "install one on Fedora Linux 42: dnf install micropython"),
        ('PRETTY_NAME="Arch Linux"\nID=arch\n', "install one on Arch Linux: pacman -S micropython"),
        ('PRETTY_NAME="Plan 10"\nID=plan10\n', "install one on Plan 10: the package is mostly called 'micropython'"),
    ],
)
def test_another_system_is_told_what_to_install(world, os_release, hint):
    world.os_release.write_text(os_release)
    done = world.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "no MicroPython of at least 1.23: there is none on PATH" in done.stderr
    assert hint in done.stderr
    assert "set ADMIT_MICROPYTHON to the path of one" in done.stderr


if shutil.which("apt-get"):

    def test_a_mirror_that_debian_has_not_signed_is_refused(world, tmp_path):
        """With the real apt: a repository that is complete but unsigned gives nothing, whatever the machine allows."""
        index = tmp_path / "mirror/dists/trixie/main/binary-amd64"
        index.mkdir(parents=True)
        (index / "Packages").write_text("")
        (tmp_path / "mirror/dists/trixie/Release").write_text("Codename: trixie\nComponents: main\n")
        world.debian()
        write(world.bin / "micropython", TOO_OLD)  # hides the machine's own
        real = shutil.which("apt-get")
        write(
            world.bin / "apt-get",
            f'#!/bin/sh\n[ "$1" = indextargets ] && exec echo "x file:{tmp_path}/mirror/"\nexec {real} "$@"\n',
        )
        done = world.run(PATH=f"{world.bin}:{os.defpath}")
        assert done.returncode == 1
        assert "is not signed" in done.stderr
        assert not world.cached.exists()
