"""Where the authority's passphrase comes from. Never from an argument, never from the value of a variable.

In this order: the file that ADMIT_PASSPHRASE_FILE names; the system's keyring, if the site was made with --keyring; the
terminal.
"""

import os
import sys
from pathlib import Path

import click

from admit.authority import MIN_PASSPHRASE
from admit.site import Site
from admit_cli.output import warn
from admit_protocol.errors import LocalError

_SERVICE = "admit"


def existing(site: Site) -> str:
    """The passphrase of a site's authority. Raises LocalError passphrase-missing."""
    return _from_file() or _from_keyring(site) or _prompt(f"Passphrase of {site.name}", again=False)


def of_file(name: str) -> str:
    """The passphrase of a backup, for which there is no site yet. Raises LocalError passphrase-missing."""
    return _from_file() or _prompt(f"Passphrase of {name}", again=False)


def new(text: str = "Passphrase for the new authority") -> str:
    """A passphrase for a new authority, or another key. Raises LocalError passphrase-missing."""
    chosen = _from_file() or _prompt(text, again=True)
    while sys.stdin.isatty() and len(chosen) < MIN_PASSPHRASE:  # what was asked for before need not be typed again
        warn(f"the passphrase needs at least {MIN_PASSPHRASE} characters")
        chosen = _prompt(text, again=True)
    return chosen


def remember(site: Site, passphrase: str) -> None:
    """Keep a passphrase in the system's keyring. Raises LocalError passphrase-keyring."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, site.anchor.site_id.hex(), passphrase)
    except KeyringError as error:
        raise LocalError("passphrase-keyring", f"the keyring did not take it: {error}") from None


def _from_file() -> str | None:
    name = os.environ.get("ADMIT_PASSPHRASE_FILE")
    if not name:
        return None
    lines = Path(name).read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise LocalError("passphrase-missing", f"{name} is empty")
    return lines[0]


def _from_keyring(site: Site) -> str | None:
    if site.setting("keyring") != "yes":
        return None
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, site.anchor.site_id.hex())
    except KeyringError:
        return None  # locked or gone: the terminal is left


def _prompt(text: str, again: bool) -> str:
    if not sys.stdin.isatty():
        raise LocalError(
            "passphrase-missing", "the authority's passphrase is needed, and there is no terminal to ask on"
        )
    return click.prompt(text, hide_input=True, confirmation_prompt=again, err=True)
