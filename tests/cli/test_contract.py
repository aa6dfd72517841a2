"""DESIGN section 10, on real processes: what goes where, what is imported, what is asked, and how it ends."""

import errno
import json
import os
import re
import subprocess
import sys

import pytest

from admit_cli import __version__, hints, reasons, table
from admit_cli.command import CommandLine
from admit_protocol import errors
from imports import ROOT
from sites import PASSPHRASE
from terminals import Terminal, environment


def admit(*arguments, **more):
    """Run `admit` as a process of its own, off a terminal."""
    command = [sys.executable, "-m", "admit_cli", *arguments]
    settings = environment(**more)
    return subprocess.run(command, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def imported_by(*arguments):
    """The modules that a command has imported when it is done."""
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"sys.argv = ['admit', *{arguments!r}]\n"
        "from admit_cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=60)
    return set(done.stderr.splitlines()[-1].split())


def test_the_version_is_the_distributions_and_costs_no_import():
    assert admit("--version").stdout == f"admit {__version__}\n"
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert not imported_by("--version") & {
        "click",
        "rich",
        "rich_click",
        "admit",
        "admit_protocol",
        "importlib.metadata",
    }
    assert admit("--version", "grants").stdout == f"admit {__version__}\n"


def test_help_lists_every_command_and_imports_none():
    shown = admit("--help").stdout
    for words in table.COMMANDS:
        assert words.split()[0] in shown
    heavy = {"admit", "admit_protocol", "sqlalchemy", "alembic", "cryptography", "keyring", "zoneinfo"}
    assert not imported_by("--help") & heavy


@pytest.mark.parametrize("words", ["login", "invoke", "virtual"])
def test_who_needs_no_registry_does_not_wait_for_it(words):
    """SQLAlchemy takes longer to import than all the rest."""
    assert not imported_by(*words.split(), "--help") & {"sqlalchemy", "admit.registry"}


@pytest.mark.parametrize("words", table.COMMANDS)
def test_each_command_has_help_and_it_has_no_effect(words, run, tmp_path):
    shown = run(*words.split(), "--help").stdout
    assert table.COMMANDS[words][1].rstrip(".")[:12].lower() in shown.lower() or "Usage" in shown
    assert "--debug" in shown
    assert list(tmp_path.iterdir()) == []


def test_without_a_command_there_is_help_and_a_usage_error():
    for words in ([], ["user"]):
        done = admit(*words)
        assert (done.returncode, done.stderr) == (2, "")
        assert "Usage" in done.stdout


@pytest.mark.parametrize("words", ["nonsense", "user nonsense", "grants --nonsense", "grants alice bob"])
def test_what_is_no_command_is_a_usage_error(words):
    done = admit(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


def test_data_goes_to_stdout_and_all_else_to_stderr(site):
    added = admit("user", "add", "alice", "--json")
    assert json.loads(added.stdout)["user"]["name"] == "alice"
    assert "may do nothing yet" in added.stderr
    empty = admit("devices")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "There are no devices.\n")
    assert json.loads(admit("devices", "--json").stdout) == {"schema": 1, "devices": []}


def test_there_is_no_colour_off_a_terminal(site):
    for words in ("grants", "grants --json", "grants nobody", "user list"):
        done = admit(*words.split())
        assert "\x1b" not in done.stdout + done.stderr


def test_an_error_names_its_cause_and_the_next_thing_to_try(tmp_path):
    done = admit("grants", "--site", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (3, "")
    cause, hint = done.stderr.splitlines()
    assert cause == f"error: no site in {tmp_path}/nowhere (site-missing)"
    assert hint.startswith("try: admit init")


def test_a_traceback_is_shown_only_to_who_asks_for_it(site):
    done = admit("grants", "nobody")
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert "Traceback" in admit("grants", "nobody", "--debug").stderr


def test_a_registry_that_is_none_is_named(tmp_path, site):
    (tmp_path / "other").write_bytes(b"not a database, " * 100)
    done = admit("grants", ADMIT_REGISTRY=str(tmp_path / "other"))
    assert done.returncode == 1
    assert "registry-failed" in done.stderr


def test_an_error_that_nobody_foresaw_is_still_one_line(site, run, monkeypatch):
    monkeypatch.setattr("admit.registry.Registry.devices", lambda self: 1 / 0)
    result = run("devices", code=1)
    assert result.stderr.splitlines()[0] == "error: unexpected ZeroDivisionError: division by zero"
    assert "--debug" in result.stderr


def test_a_full_disk_is_named(site, run, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "there")

    monkeypatch.setattr("tempfile.mkstemp", full)
    assert run("user", "add", "alice", code=1).stderr.startswith("error: No space left on device: there\n")
    assert [user.name for user in site.registry.users()] == ["admin"]


def test_a_read_only_site_is_named(tmp_path, site):
    if os.geteuid() == 0:
        site.registry.close()
        locked = {"ADMIT_REGISTRY": f"sqlite:///file:{site.folder}/registry.sqlite?mode=ro&uri=true"}
        done = admit("user", "add", "alice", **locked)
    else:
        (site.folder / "registry.sqlite").chmod(0o400)
        done = admit("user", "add", "alice")
    assert done.returncode == 1
    assert "registry-failed" in done.stderr and "readonly" in done.stderr


def test_settings_come_from_the_flag_then_the_variable_then_the_site(site, run, monkeypatch, tmp_path):
    run("user", "add", "alice")
    run("grant", "alice", "open", "--on", "*", "--until", "2030-06-30")
    end = json.loads(run("grants", "alice", "--json").stdout)["grants"][0]
    assert (end["expires"], end["until"]) == ("2030-06-30T22:00:00Z", "the end of 2030-06-30")  # the site's: Berlin
    monkeypatch.setenv("ADMIT_TZ", "UTC")
    assert json.loads(run("grants", "alice", "--json").stdout)["grants"][0]["until"] == "2030-06-30 22:00"
    made = run("grant", "alice", "open", "--on", "*", "--until", "2030-06-30", "--tz", "Asia/Tokyo", "--json")
    assert json.loads(made.stdout)["grant"]["expires"] == "2030-06-30T15:00:00Z"
    assert run("grants", "--site", str(tmp_path), code=3).stderr.startswith(f"error: no site in {tmp_path} ")


def test_no_option_takes_a_secret():
    options = set()
    root = CommandLine()
    for words in table.COMMANDS:
        _, found, _ = _resolve(root, words.split())
        options |= {name for parameter in found.params for name in parameter.opts}
    assert "--json" in options
    assert not {name for name in options if "pass" in name or "secret" in name or "password" in name}


def _resolve(branch, words):
    found = branch.resolve_command(None, words)
    return _resolve(found[1], found[2]) if found[2] else found


def test_a_passphrase_is_never_guessed_off_a_terminal(site, tmp_path):
    admit("user", "add", "alice")
    done = admit("grant", "alice", "open", "--on", "*", ADMIT_PASSPHRASE_FILE="")
    assert done.returncode == 1
    assert "passphrase-missing" in done.stderr and "ADMIT_PASSPHRASE_FILE" in done.stderr
    done = admit("init", "--site", str(tmp_path / "new"), ADMIT_PASSPHRASE_FILE=str(tmp_path / "no-such-file"))
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_on_a_terminal_a_new_passphrase_is_asked_for_twice_and_never_shown(tmp_path):
    terminal = Terminal("init", "--site", str(tmp_path / "new"), "--name", "Ours", "--tz", "UTC")
    terminal.answer("Passphrase for the new authority", PASSPHRASE)
    terminal.answer("Repeat for confirmation", PASSPHRASE)
    code, shown = terminal.end()
    assert code == 0
    assert PASSPHRASE not in terminal.before + shown
    assert "Ours" in shown


def test_on_a_terminal_the_passphrase_is_asked_for_when_something_is_signed(site):
    admit("user", "add", "alice")
    terminal = Terminal("grant", "alice", "open", "--on", "*", ADMIT_PASSPHRASE_FILE="")
    terminal.answer("Passphrase of Test site", PASSPHRASE)
    code, shown = terminal.end()
    assert code == 0
    assert PASSPHRASE not in shown


def test_on_a_terminal_what_cannot_be_undone_is_asked(site):
    admit("user", "add", "alice")
    admit("grant", "alice", "open", "--on", "*")
    terminal = Terminal("revoke", "alice")
    terminal.answer("Take back alice, with 1 grant?", "n")
    code, shown = terminal.end()
    assert (code, "stopped" in shown) == (1, True)
    assert site.registry.revoked() == set()
    terminal = Terminal("revoke", "alice")
    terminal.answer("Take back alice, with 1 grant?", "y")
    assert terminal.end()[0] == 0
    assert len(site.registry.revoked()) == 1


def test_on_a_terminal_there_is_colour_unless_no_color_is_set(site):
    assert "\x1b[" in Terminal("grants").end()[1]
    assert "\x1b[" not in Terminal("grants", NO_COLOR="1").end()[1]


def test_the_passphrase_may_be_in_the_systems_keyring(tmp_path, run, passphrase_file, monkeypatch):
    import keyring
    from keyring.backend import KeyringBackend

    class Backend(KeyringBackend):
        priority = 1
        kept = {}

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

    before = keyring.get_keyring()
    keyring.set_keyring(Backend())
    try:
        monkeypatch.setenv("ADMIT_SITE", str(tmp_path / "new"))
        run("init", "--keyring")
        monkeypatch.delenv("ADMIT_PASSPHRASE_FILE")
        run("user", "add", "alice")
        run("grant", "alice", "open", "--on", "*")
        Backend.kept.clear()
        run("grant", "alice", "open", "--on", "*", code=1)
    finally:
        keyring.set_keyring(before)
    assert PASSPHRASE not in (tmp_path / "new/site.toml").read_text()


def test_each_class_of_error_has_its_exit_code():
    expected = {
        errors.LocalError: 1,
        errors.Malformed: 1,
        errors.NotFound: 3,
        errors.Denied: 4,
        errors.Conflict: 5,
        errors.Busy: 6,
        errors.TimedOut: 6,
        errors.Refused: 7,
        errors.UnknownCredential: 7,
        errors.Unverified: 8,
        errors.Untrusted: 8,
    }
    for kind, code in expected.items():
        assert hints.exit_code(kind("some-reason")) == code
        assert hints.hint(kind("some-reason"))
    assert hints.exit_code(errors.Untrusted("grant-expired")) == 4
    assert hints.exit_code(errors.Untrusted("grant-other-site")) == 8


def test_each_reason_that_the_registry_and_the_site_can_give_has_a_hint_of_its_own():
    found = set()
    for path in [*(ROOT / "host/admit").glob("*.py"), *(ROOT / "host/admit_cli").glob("*.py")]:
        owners = "access|admin|authority|file|key|passphrase|registry|site|wallet"
        found |= set(re.findall(rf'\(.*"((?:{owners})-[a-z-]+)", ', path.read_text()))
    assert {"registry-newer", "wallet-other-key", "access-no-grant"} <= found
    assert found - reasons.REASONS.keys() == set()
