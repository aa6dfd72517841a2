"""What may stand on a command line: admit.forms as types of click, so that a wrong form is a usage error."""

from collections.abc import Callable
from typing import Any

import click

from admit import forms
from admit_protocol.errors import LocalError


class Form(click.ParamType):
    """A form that people write, read by `parse`."""

    def __init__(self, name: str, parse: Callable[[str], Any]):
        self.name = name
        self._parse = parse

    def convert(self, value, param, ctx):
        """The value in the form `value`."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except LocalError as error:
            self.fail(error.detail, param, ctx)


ALLOW = Form("PATH:METHOD", forms.parse_allow)
ROUTINE = Form("ROUTINE", forms.routine)
REQUEST = Form("ROUTINE", forms.parse_request)
DAYS = Form("DAYS", forms.parse_days)
HOURS = Form("HH:MM-HH:MM", forms.parse_hours)
ZONE = Form("ZONE", forms.parse_zone)
SPAN = Form("SPAN", forms.parse_span)


def parse_date(text: str, zone, parameter: str, last: bool = False) -> int:
    """Unix seconds of a date given for `parameter`, in a zone that is known only later."""
    try:
        return forms.parse_moment(text, zone, last)
    except LocalError as error:
        raise click.BadParameter(error.detail, param_hint=parameter) from None


def parse_argument(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`: whole numbers, yes and no are taken as such, anything else as text."""
    name, found, value = text.partition("=")
    if not found or not name:
        raise LocalError("form-argument", f"'{text}' is not like seconds=5")
    if value in ("yes", "no"):
        return name, value == "yes"
    return name, int(value) if value.lstrip("-").isdigit() else value


ARGUMENT = Form("NAME=VALUE", parse_argument)
