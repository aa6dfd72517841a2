"""From an error to what the user sees: its cause, the next thing to try, and the exit code. The one place for it."""

import click

from admit_protocol import errors

DONE, FAILURE, USAGE, NOT_FOUND, DENIED, CONFLICT, BUSY, REFUSED, UNVERIFIED = range(9)

# The first class that fits decides.
_CODES = (
    (errors.NotFound, NOT_FOUND),
    (errors.Denied, DENIED),
    (errors.Conflict, CONFLICT),
    (errors.Busy, BUSY),
    (errors.TimedOut, BUSY),
    (errors.Unverified, UNVERIFIED),
    (errors.Untrusted, UNVERIFIED),
    (errors.Refused, REFUSED),
    (errors.UnknownCredential, REFUSED),
)

# A grant that is genuine, but does not count: that is a denial, although no device was asked.
_DENIALS = ("grant-expired", "grant-not-yet-valid", "grant-time-unknown", "grant-revoked", "grant-other-device")

_HINTS = {
    "access-no-grant": "admit grant USER ROUTINE --on DEVICE",
    "admin-name": "choose a name of letters and digits, like alice or kiosk-1",
    "anchor-name": "choose a shorter name with --name",
    "authority-other-key": "put back authority.pem and anchor.cbor from the same backup",
    "authority-passphrase": "choose a longer passphrase: a few words are good",
    "ble-connect-failed": "go nearer, and look whether somebody else is connected to it",
    "ble-no-service": "check the name: another device may have taken it",
    "ble-not-found": "look whether it has power and is in reach; admit devices shows names",
    "ble-several": "give its name: --via ble:NAME",
    "ble-unavailable": "turn Bluetooth on, or go another way: --via",
    "board-dead": "check the micropython that ADMIT_MICROPYTHON or PATH leads to",
    "board-ended": "look at what it said last; its storage folder can be thrown away",
    "bundle-too-long": "let grants end by themselves (--until): those need no revocation in the end",
    "device-commissioned": "admit devices shows the site's own",
    "device-other": "go to the right device, or check what --via leads to",
    "device-refused": "look at admit journal DEVICE",
    "device-unproven": "an impostor, or a device that must first be provisioned: admit provision",
    "edhoc-unknown-credential": "ask an admin whether the grant is this site's: admit grants",
    "file-exists": "choose another name, or move it away",
    "file-missing": "check the path, or put the file back from a backup",
    "file-readable": "chmod 600 on that file; if others had a chance to read it, make a new key",
    "form-endless": "give --until with a date, or --tz UTC",
    "grant-expired": "ask an admin for a new grant: admit grant",
    "grant-not-yet-valid": "come back later: admit grants shows when",
    "grant-other-device": "ask an admin for a grant on this device: admit grant",
    "grant-revoked": "ask an admin: admit grants USER --all",
    "grant-time-unknown": "let an admin visit the device, which sets its clock",
    "handshake-refused": "try again; look whether the device's journal says more",
    "key-file": "give a PEM file with one or two P-256 public keys (login, then signing)",
    "key-passphrase": "try again; ADMIT_PASSPHRASE_FILE names the file to read it from",
    "link-dropped": "go nearer, and try again: nothing is done twice",
    "micropython-missing": "install it, or set ADMIT_MICROPYTHON to its path",
    "passphrase-keyring": "unlock the keyring, or use ADMIT_PASSPHRASE_FILE; the site itself was made",
    "passphrase-missing": "run it on a terminal, or set ADMIT_PASSPHRASE_FILE to a file that holds it",
    "radio-unavailable": "check ADMIT_BLE; admit virtual makes an air of its own",
    "registry-ambiguous": "admit grants shows whole ids",
    "registry-busy": "wait a moment and try again",
    "registry-changed": "look at what changed, then do it again",
    "registry-device-exists": "choose another name for the device: admit devices",
    "registry-exists": "choose another database: ADMIT_REGISTRY",
    "registry-failed": "check the database, or put registry.sqlite back from a backup",
    "registry-key-exists": "ask for the right key file: each user has a key of their own",
    "registry-missing": "check ADMIT_REGISTRY and the folder, or make a site: admit init",
    "registry-newer": "upgrade admit: pip install --upgrade admit",
    "registry-no-device": "admit devices",
    "registry-no-grant": "admit grants",
    "registry-no-user": "admit user list, or admit user add",
    "registry-url": "a URL looks like sqlite:///path or postgresql+psycopg://host/name; is its driver installed?",
    "registry-user-exists": "choose another name: admit user list",
    "serial-in-use": "close the other program that has the port open",
    "serial-no-access": "give yourself access to the port, then log in again",
    "serial-not-found": "look whether the cable is in, and what the port is called",
    "site-config": 'mend that file: every line is name = "value"',
    "site-exists": "choose another folder with --site, or use the site that is there",
    "site-missing": "admit init makes one; --site or ADMIT_SITE names another folder",
    "transport-name": "try ble, ble:NAME, udp://HOST or a serial port",
    "udp-no-host": "check the host's name and the network",
    "wallet-missing": "admit user add NAME makes one for a user of this machine",
    "wallet-other-key": "give it to the user whom it was made for: admit grants",
    "wallet-other-site": "use a wallet of that site: ADMIT_WALLET, or --site and --as",
    "wallet-no-grant": "ask an admin: admit grant USER ROUTINE --on DEVICE",
}

_CODE_HINTS = {
    FAILURE: "add --debug to see where it happened",
    NOT_FOUND: "check the name",
    DENIED: "admit why USER ROUTINE --on DEVICE says what would have to change",
    CONFLICT: "look at what is there already, then do it again",
    BUSY: "try again in a moment",
    REFUSED: "look at admit journal DEVICE for what the device says of it",
    UNVERIFIED: "do not trust it: check that this is the right device, site and file",
}


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
        fail(_cause(error), hint(error))
        return exit_code(error)
    fail(_foreign_cause(error), "add --debug to see where it happened")
    return FAILURE


def exit_code(error: errors.AdmitError) -> int:
    """The exit code of an error. DESIGN section 10."""
    if error.reason in _DENIALS:
        return DENIED
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILURE)


def hint(error: errors.AdmitError) -> str:
    """The next thing to try."""
    return _HINTS.get(error.reason) or _CODE_HINTS[exit_code(error)]


def _cause(error: errors.AdmitError) -> str:
    return f"{error.detail} ({error.reason})" if error.detail else error.reason


def _foreign_cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, click.ClickException):
        return error.format_message()
    return f"unexpected {type(error).__name__}: {error}"
