"""A site for each test, and `run`, which runs a command in this process as it would run on its own."""

import pytest
from click.testing import CliRunner

from admit_cli.command import CommandLine
from cli_kiosk import cli_kiosk
from sites import PASSPHRASE, forget_settings, new_site


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    forget_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def passphrase_file(tmp_path, monkeypatch):
    """The authority's passphrase in a file, as a program would give it."""
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    monkeypatch.setenv("ADMIT_PASSPHRASE_FILE", str(file))
    return file


@pytest.fixture
def site(tmp_path, monkeypatch, passphrase_file):
    """A site with the user `admin`, which every command means."""
    made = new_site(tmp_path / "site")
    monkeypatch.setenv("ADMIT_SITE", str(made.folder))
    yield made
    made.registry.close()


@pytest.fixture
def run():
    """run("grants", "alice") → the result, with its exit_code, stdout and stderr; `code` is what is expected."""

    def run(*arguments, code=0, given=None):
        result = CliRunner().invoke(CommandLine(), list(arguments), input=given)
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory):
    """A site and its kiosk under real MicroPython, for all tests of a module: they must not disturb each other."""
    with cli_kiosk(tmp_path_factory.mktemp("kiosk")) as running:
        yield running
