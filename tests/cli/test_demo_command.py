"""`admit demo --keep`, played once: the story on stdout, its end, and what is left of it."""

import asyncio
import os
import re
import signal
import subprocess
import sys

import pytest

from admit_cli.demo_command import _Demo
from admit_cli.hints import DONE
from admit_protocol.errors import LocalError
from cli_kiosk import LIMIT_S, Typist

LINES, COLUMNS = 100, 110


@pytest.fixture(scope="module")
def typist(tmp_path_factory):
    return Typist(tmp_path_factory.mktemp("demo"), ADMIT_PASSPHRASE_FILE=None, TMPDIR=tmp_path_factory.mktemp("tmp"))


@pytest.fixture(scope="module")
def kept(typist):
    """The demo after its last act, with the kiosk still running: (process, the lines so far)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "admit_cli", "demo", "--keep"],
        env=typist.environment(ADMIT_WALLET="/nowhere", ADMIT_VIA="udp://nowhere", ADMIT_USER="nobody"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if "Ctrl-C here" in line:
            break
    else:
        raise AssertionError("\n".join([*lines, process.stderr.read()]))
    yield process, lines
    process.kill()


def test_the_story_is_on_one_screen(kept):
    _, lines = kept
    end = next(index for index, line in enumerate(lines) if line.startswith("That was all of it"))
    story = lines[: end + 1]
    assert len(story) <= LINES
    assert max(len(line) for line in story) <= COLUMNS
    acts = [line[0] for line in story if re.match(r"\d  ", line)]
    assert acts == list("12345678")
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    "told",
    [
        r"   \$ admit init .* \d+\.\d\d s$",
        r"   kiosk-1 │ status factory$",
        r"   \$ admit provision …/kiosk-1/cable --name kiosk-1 .* s$",
        r"     allows  GET,POST /r/open, Mon-Fri$",
        r"   kiosk-1 │ door open$",
        r"   kiosk-1 │ status logged in$",
        r"calibrate grams=100 --as alice .* s  exit 4$",
        r"     error: denied: no rule names /r/calibrate \(rule-none\)$",
        r"   \$ admit why alice open --on kiosk-1 --at '.*' .* s$",
        r"     detail    only Mon-Fri; it is Sun 10:00$",
        r"     rule      GET,POST /r/open, Mon-Fri$",
        r"another site's grant, refused",
        r"Alice opens the door once more; Mallory records",
        r"4\.01, and the door stays closed",
        r"     error: this may be an impostor",
        r"     error: denied: the grant was taken back \(grant-revoked\)$",
        r" denied +rule-none; by \w+$",
        r"records, each in its place, under kiosk-1's signature\.$",
    ],
)
def test_the_story_tells(kept, told):
    assert [line for line in kept[1] if re.search(told, line)], told


def test_what_a_reader_types_next_works(typist, kept):
    process, lines = kept
    exported = dict(re.findall(r"export (\w+)=(\S+)", "\n".join(lines)))
    assert sorted(exported) == ["ADMIT_BLE", "ADMIT_PASSPHRASE_FILE", "ADMIT_SITE"]
    commands = [line.split("admit ", 1)[1] for line in lines if line.startswith("    admit ")]
    assert len(commands) == 4
    for words in commands:
        typist.admit(words, **exported)
    assert process.poll() is None


def test_ctrl_c_ends_it_and_nothing_is_left(typist, kept):
    process, lines = kept
    site = re.search(r"export ADMIT_SITE=(\S+)", "\n".join(lines))[1]
    secret = open(re.search(r"export ADMIT_PASSPHRASE_FILE=(\S+)", "\n".join(lines))[1]).read().strip()
    assert len(secret) > 20
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, said) == (0, "")
    assert not os.path.exists(site) and os.listdir(typist.settings["TMPDIR"]) == []
    assert secret not in "\n".join([*lines, rest])


@pytest.mark.parametrize("line, told", [("devices", ""), ("--version", "what it does not say")])
def test_a_command_that_ends_otherwise_than_told_ends_the_demo(tmp_path, capsys, line, told):
    with pytest.raises(LocalError) as failed:
        asyncio.run(_Demo(tmp_path)._type(line, DONE, told))
    assert failed.value.reason == "demo-failed"
    assert f"$ admit {line}" in capsys.readouterr().out


def test_a_kiosk_that_does_not_start_ends_the_demo(typist):
    said = typist.end(typist.start("demo", ADMIT_MICROPYTHON="/no/such/micropython"), 1).stderr
    assert "(board-dead)" in said
    assert os.listdir(typist.settings["TMPDIR"]) == []
