"""What may name a user, a device, a role or a group."""

import re

from admit_protocol.errors import LocalError

_NAME = re.compile(r"\w[\w.@+-]*")
_COMMANDS = ("verify",)  # `admit journal verify` is not about a device of that name


def check_name(name: str) -> str:
    """`name` if it can name something. Raises LocalError admin-name."""
    if not _NAME.fullmatch(name) or len(name.encode()) > 64:
        raise LocalError("admin-name", f"'{name}' is no name: letters, digits and . _ @ + - after the first, 64 bytes")
    if name in _COMMANDS:
        raise LocalError("admin-name", f"'{name}' is a word of a command, and cannot be a name")
    return name
