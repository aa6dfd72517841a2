"""What a person is told of an error: a cause in words, the next thing to try, and an exit code that says the same."""

import importlib
import inspect
import pkgutil
import re

import pytest

from admit_cli import hints, reasons, table
from admit_cli.command import CommandLine
from admit_cli.hints import BUSY, CONFLICT, DENIED, FAILURE, NOT_FOUND, REFUSED, UNVERIFIED, USAGE
from admit_cli.reasons import REASONS
from admit_protocol import errors
from imports import ROOT

RAISED = re.compile(r'\b([A-Z]\w+)\(\s*f?"([a-z][a-z0-9]*(?:-[a-z0-9]+)+)"')
KINDS = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
DISTRIBUTIONS = ("host/admit", "host/admit_cli", "provisioning/admit_provisioning", "firmware/admit_device")

# What no command of ours leads to, or what cannot be explained better than by the words for its kind.
PLAIN = {
    "block-",
    "cable-link-closed",
    "ccm-parameters",
    "coap-method",
    "commissioning-contribution",
    "edhoc-unexpected",
    "form-",
    "identity-body",
    "invocation-",
    "journal-page",
    "oscore-no-context",
    "p256-",
    "request-query",
    "release-body",
    "reset-body",
    "routine-name",
}


def raised(folder):
    """(kind, reason) of every error that a folder's code raises by name."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        found |= {(kind, reason) for kind, reason in RAISED.findall(path.read_text()) if kind in KINDS}
    return sorted(found)


@pytest.mark.parametrize("folder", DISTRIBUTIONS)
def test_each_reason_that_reaches_a_person_has_words_of_its_own(folder):
    found = raised(folder)
    assert found
    missing = {reason for _, reason in found if reason not in REASONS}
    assert {reason for reason in missing if not any(reason.startswith(plain) for plain in PLAIN)} == set()


def test_every_other_reason_is_explained_by_its_kind():
    for kind, reason in raised("firmware/admit_protocol"):
        error = KINDS[kind](reason)
        assert hints.cause(error).endswith(f"({reason})") or issubclass(KINDS[kind], errors.LocalError), reason
        assert hints.hint(error)


def test_the_table_names_only_reasons_that_there_are():
    words = ROOT / "host/admit_cli/reasons"
    paths = [path for folder in ("host", "provisioning", "firmware") for path in (ROOT / folder).rglob("*.py")]
    sources = "".join(path.read_text() for path in paths if path.parent != words)
    made = {"routine-failed", "routine-interrupted", "edhoc-mac-2", "edhoc-signature-2"}  # of two parts
    made |= {"grant-expired", "grant-not-yet-valid", "grant-time-unknown"}
    assert [reason for reason in REASONS if f'"{reason}"' not in sources and reason not in made] == []


def test_each_reason_has_its_words_in_one_place():
    parts = [
        importlib.import_module(f"admit_cli.reasons.{each.name}") for each in pkgutil.iter_modules(reasons.__path__)
    ]
    assert len(parts) > 1 and sum(len(getattr(each, "REASONS", ())) for each in parts) == len(REASONS)


def test_a_cause_is_a_line_of_words_and_a_hint_is_one_too():
    for reason, (cause, hint) in REASONS.items():
        assert hint and "\n" not in cause + hint, reason
        assert len(hint) <= 110 and len(cause) <= 110, reason
        assert not cause.endswith((".", "!")) and not hint.endswith((".", "!")), reason
        assert "admit " not in hint or all(
            any(words.startswith(found) for words in table.COMMANDS) or found in table.GROUPS
            for found in re.findall(r"admit ([a-z]+)", hint)
            if found not in ("and", "grants", "says")
        ), reason


@pytest.mark.parametrize(
    "reason",
    ["credential-other-site", "device-other", "device-unproven", "cose-signature", "edhoc-signature-2", "ccm-tag"],
)
def test_what_may_be_an_impostor_is_told_as_one(reason):
    error = errors.Unverified(reason)
    assert "impostor" in hints.cause(error)
    assert "do not use it" in hints.hint(error)
    assert hints.exit_code(error) == UNVERIFIED


@pytest.mark.parametrize(
    "error, code",
    [
        (errors.LocalError("serial-no-access"), FAILURE),
        (errors.StorageError("storage-full"), FAILURE),
        (errors.LocalError("transport-name"), USAGE),
        (errors.NotFound("ble-not-found"), NOT_FOUND),
        (errors.Denied("rule-none"), DENIED),
        (errors.Untrusted("grant-expired"), DENIED),
        (errors.Conflict("login-taken"), CONFLICT),
        (errors.TimedOut("link-dropped"), BUSY),
        (errors.Busy("serial-in-use"), BUSY),
        (errors.Refused("storage-full"), REFUSED),
        (errors.UnknownCredential("edhoc-unknown-credential"), REFUSED),
        (errors.Untrusted("credential-other-site"), UNVERIFIED),
        (errors.Unverified("journal-altered"), UNVERIFIED),
    ],
)
def test_the_exit_code_is_that_of_the_kind(error, code):
    assert hints.exit_code(error) == code


def test_a_cause_has_the_words_the_detail_and_the_reason():
    assert hints.cause(errors.NotFound("serial-not-found", "COM9")) == "there is no such port: COM9 (serial-not-found)"
    assert hints.cause(errors.NotFound("site-missing", "no site in x")) == "no site in x (site-missing)"
    assert hints.cause(errors.Denied("rule-none", "no rule")) == "denied: no rule (rule-none)"
    assert hints.cause(errors.Refused("some-thing")) == "the device refuses (some-thing)"
    assert hints.cause(errors.LocalError("some-thing")) == "some-thing"


def told(error, capsys):
    code = hints.report(error)
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


def test_errors_that_are_not_ours(capsys):
    code, said = told(ModuleNotFoundError("No module named 'bumble.device'", name="bumble.device"), capsys)
    assert (code, said) == (1, "error: bumble.device is not installed\ntry: pip install 'admit[virtual]'\n")
    code, said = told(PermissionError(13, "Permission denied", "/there"), capsys)
    assert code == 1 and said.startswith("error: Permission denied: /there\ntry: check the path")
    code, said = told(RuntimeError("boo"), capsys)
    assert code == 1 and "--debug" in said


def test_notes_stand_between_cause_and_hint(capsys):
    denied = errors.Denied("rule-none", "no rule names /r/x")
    denied.add_note("the grant's rules: everything")
    code, said = told(denied, capsys)
    assert code == 4
    assert said.splitlines()[1] == "the grant's rules: everything"


def test_what_a_device_says_cannot_steer_the_terminal(capsys):
    _, said = told(errors.Refused("x-y", "\x1b[2Jall is well\r\x07\u202e"), capsys)
    assert "\x1b" not in said and "\r" not in said and "\x07" not in said and "\u202e" not in said
    assert "all is well" in said


@pytest.mark.parametrize("words", table.COMMANDS)
def test_each_command_shows_an_example(words, run):
    shown = run(*words.split(), "--help").stdout
    (example,) = re.findall(r"Example: (.*?)\s*$", shown, re.MULTILINE)
    assert example.startswith(f"admit {words}")
    branch, rest = CommandLine(), words.split()
    while rest:
        _, branch, rest = branch.resolve_command(None, rest)
    options = {name for parameter in branch.params for name in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", example)) <= options
