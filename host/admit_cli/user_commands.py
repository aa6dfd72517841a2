"""`admit user add`, `admit user list`."""

import rich_click as click

from admit import admin, keyfiles
from admit.site import wallet_folder
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.words import utc
from admit_protocol import grant
from admit_protocol.errors import Malformed


@command("admit user add alice")
@click.argument("name")
@click.option(
    "--key", type=click.File("rb"), help="Their public keys, a PEM file; else a wallet is made here. '-': stdin."
)
def add(call: Call, name, key):
    """Add somebody who may be granted something.

    Without --key the user is one of this machine: their keys are made here, in a wallet of their own. With --key they
    made them elsewhere, and sent the public ones: the key to log in with, and perhaps the one to sign with.
    """
    publics = keyfiles.parse_public_pem(_text(key.read())) if key else None
    made = admin.add_user(call.site, name, publics, call.now)
    folder = None if key else str(wallet_folder(call.site.folder, name))
    call.out.fields(
        "user", {"name": name, "fingerprint": made.fingerprint, "wallet": folder}, ["fingerprint", "wallet"]
    )
    say(f"{name} may do nothing yet: admit grant {name} ROUTINE --on DEVICE")


@command("admit user list")
def list_users(call: Call):
    """List users, their keys and how many grants of theirs count."""
    registry, revoked = call.site.registry, call.site.registry.revoked()
    rows = []
    for user in registry.users():
        given = [grant.parse(row.data) for row in registry.grants(user.name) if row.id not in revoked]
        counting = [each for each in given if each.expires is None or each.expires > call.now]
        keys = [key.fingerprint for key in registry.keys(user.name)]
        rows.append({"name": user.name, "keys": keys, "grants": len(counting), "added": utc(user.added_at)})
    call.out.rows("users", rows, ["name", "keys", "grants", "added"], "There are no users.")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("key-file", "not a PEM file") from None
