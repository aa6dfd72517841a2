"""Where the code of a sealed label comes from. Never from an argument, never from the value of a variable.

In this order: the file that ADMIT_LABEL_FILE names; the terminal; standard input, for a scanner that types.
"""

import os
import sys
from pathlib import Path

import click

from admit_protocol.errors import LocalError


def ask() -> bytes:
    """The secret of a sealed label, 16 bytes. Raises LocalError label-code-missing, Malformed label-code."""
    from admit.codes import parse_sealed

    return parse_sealed(_from_file() or _from_terminal() or _from_input())


def _from_file() -> str | None:
    name = os.environ.get("ADMIT_LABEL_FILE")
    return Path(name).read_text(encoding="utf-8").strip() if name else None


def _from_terminal() -> str | None:
    if not sys.stdin.isatty():
        return None
    return click.prompt("Code under the label's seal (type or scan it)", hide_input=True, err=True)


def _from_input() -> str:
    line = sys.stdin.readline().strip()
    if not line:
        raise LocalError("label-code-missing", "the code of the sealed label is needed, and nothing was given")
    return line
