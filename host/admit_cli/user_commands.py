"""`admit user add`, `admit user list`."""

import rich_click as click

from admit import admin, keyfiles, withdrawing
from admit.site import wallet_folder
from admit_cli.command import Call, command
from admit_cli.editing_words import act
from admit_cli.handing import public_keys
from admit_cli.output import say
from admit_cli.words import utc
from admit_protocol.errors import Unverified


@command("admit user add alice")
@click.argument("name")
@click.option(
    "--key",
    type=click.File("rb"),
    help="Their public keys: a PEM file, or the link that their phone shows; '-': stdin. Else a wallet is made here.",
)
@click.option("--fingerprint", metavar="DIGITS", help="What they read to you from their phone: another key is refused.")
@click.option("--another", is_flag=True, help="Another key of a user who is there: all their grants are made for it.")
@click.option("--again", is_flag=True, help="A user who was revoked may be granted something anew.")
def add(call: Call, name, key, fingerprint, another, again):
    """Add somebody who may be granted something.

    Without --key the user is one of this machine: their keys are made here, in a wallet of their own. With --key they
    made them elsewhere, and sent the public ones: the key to log in with, and perhaps the one to sign with. Whoever can
    change what they send can send another key: compare the fingerprint that their phone shows, with --fingerprint.
    """
    if fingerprint and not key:
        raise click.UsageError("--fingerprint is that of --key FILE")
    called, publics = public_keys(key.read()) if key else (None, None)
    if called not in (None, name):
        say(f"Whoever made that link calls themselves {called}; here they are {name}.")
    if publics and fingerprint:
        _check_fingerprint(publics[0], fingerprint)
    if again or another:
        _add_to(call, name, publics, another, again)
        return
    made = admin.add_user(call.site, name, publics, call.now)
    folder = None if key else str(wallet_folder(call.site.folder, name))
    call.out.fields(
        "user", {"name": name, "fingerprint": made.fingerprint, "wallet": folder}, ["fingerprint", "wallet"]
    )
    say(f"{name} may do nothing yet: admit grant {name} ROUTINE --on DEVICE")


def _check_fingerprint(public: bytes, told: str) -> None:
    """Whether it is the key that was meant. Raises Unverified key-fingerprint."""
    found = keyfiles.fingerprint(public)
    if "".join(told.lower().split()) != found:
        raise Unverified("key-fingerprint", f"the file's key is {found}")


def _add_to(call: Call, name: str, publics: list[bytes] | None, another: bool, again: bool) -> None:
    """Give a user who is there another key, or let them count again."""
    if another != bool(publics):
        raise click.UsageError("--another takes the new key from --key FILE")
    with act(call) as edit:
        if again:
            withdrawing.reinstate_user(edit, name)
        made = admin.add_key(edit, name, publics) if publics else None
    fields = {"name": name, "fingerprint": made.fingerprint if made else None, "wallet": None}
    call.out.fields("user", fields, ["name", "fingerprint"])


@command("admit user list")
def list_users(call: Call):
    """List users, their keys and how many grants of theirs count."""
    registry = call.site.registry
    keys, counting = registry.all_keys(), registry.counting_grants(call.now)
    rows = []
    for user in registry.users():
        fingerprints = [key.fingerprint for key in keys.get(user.name, ())]
        state = "counts" if user.revoked_at is None else "revoked"
        row = {"name": user.name, "keys": fingerprints, "grants": counting.get(user.name, 0), "state": state}
        rows.append(row | {"added": utc(user.added_at)})
    call.out.rows("users", rows, ["name", "keys", "grants", "state", "added"], "There are no users.")
