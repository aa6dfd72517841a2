"""From an error to what the user sees: its cause, the next thing to try, and the exit code. The one place for it."""

import click

from admit_cli.reasons import REASONS
from admit_protocol import errors

DONE, FAILURE, USAGE, NOT_FOUND, DENIED, CONFLICT, BUSY, REFUSED, UNVERIFIED = range(9)

# The first class that fits decides: the exit code, and the words for a reason that reasons.py does not know.
_KINDS = (
    (errors.NotFound, NOT_FOUND, "it is not there"),
    (errors.Denied, DENIED, "denied"),
    (errors.Conflict, CONFLICT, "it is so already, differently"),
    (errors.Busy, BUSY, "not now"),
    (errors.TimedOut, BUSY, "no answer in time"),
    (errors.Unverified, UNVERIFIED, "what was received or stored is not genuine"),
    (errors.Untrusted, UNVERIFIED, "it is genuine, but does not count here"),
    (errors.Refused, REFUSED, "the device refuses"),
    (errors.UnknownCredential, REFUSED, "the device does not know that grant"),
    (errors.Malformed, FAILURE, "what was received or stored cannot be read"),
    (errors.Unsupported, FAILURE, "it asks for something that this version does not know"),
    (errors.RemoteError, FAILURE, "the other side did what it should not"),
    (errors.AdmitError, FAILURE, ""),
)

_CODES = {
    "esptool-option": USAGE,
    "transport-name": USAGE,
    # A grant that is genuine, but does not count: that is a denial, although no device was asked.
    "share-wider": DENIED,
    "delegation-depth": DENIED,
    "grant-expired": DENIED,
    "grant-not-yet-valid": DENIED,
    "grant-other-device": DENIED,
    "grant-revoked": DENIED,
    "grant-time-unknown": DENIED,
}

_HINTS = {
    FAILURE: "bring admit and the device to the same version; --debug shows where it happened",
    NOT_FOUND: "check the name",
    DENIED: "admit why USER ROUTINE --on DEVICE says what would have to change",
    CONFLICT: "look at what is there already, then do it again",
    BUSY: "try again in a moment",
    REFUSED: "look at admit journal DEVICE for what the device says of it",
    UNVERIFIED: "do not trust it: check that this is the right device, site and file",
}

_EXTRAS = ("bleak", "bumble")


def report(error: Exception) -> int:
    """Tell the user of an error; the exit code that says the same to a program."""
    from admit_cli.output import fail

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        fail("stopped")
        return FAILURE
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    if isinstance(error, click.UsageError):
        fail(error.format_message(), f"{error.ctx.command_path} --help" if error.ctx else "")
        return USAGE
    if isinstance(error, errors.AdmitError):
        fail(cause(error), hint(error), getattr(error, "__notes__", ()))
        return exit_code(error)
    fail(*_foreign(error))
    return FAILURE


def exit_code(error: errors.AdmitError) -> int:
    """The exit code of an error. DESIGN section 10."""
    return _CODES.get(error.reason) or _kind(error)[1]


def cause(error: errors.AdmitError) -> str:
    """What went wrong, in words, and the reason that programs may rely on."""
    words, _ = REASONS.get(error.reason, ("", ""))
    if not words and (isinstance(error, errors.Denied) or error.reason not in REASONS or not error.detail):
        words = _kind(error)[2]
    text = ": ".join(part for part in (words, error.detail) if part)
    return f"{text} ({error.reason})" if text else error.reason


def hint(error: errors.AdmitError) -> str:
    """The next thing to try."""
    return REASONS.get(error.reason, ("", ""))[1] or _HINTS[exit_code(error)]


def _kind(error: errors.AdmitError) -> tuple[type, int, str]:
    return next(kind for kind in _KINDS if isinstance(error, kind[0]))


def _foreign(error: Exception) -> tuple[str, str]:
    """(cause, hint) of an error that is not ours."""
    if isinstance(error, OSError) and error.strerror:
        cause = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        return cause, "check the path, who may use it, and the room on the disk"
    if isinstance(error, click.ClickException):
        return error.format_message(), "check the path, and who may use it"
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in _EXTRAS:
        return f"{error.name} is not installed", "pip install 'admit[virtual]'"
    return f"unexpected {type(error).__name__}: {error}", "add --debug to see where it happened"
