"""`admit wallet new`, `admit wallet accept`: a user on a machine of their own, with no site folder."""

import os
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import rich_click as click

from admit import forms, invitation, keyfiles, links, wallet
from admit.site import system_timezone, user_config
from admit.wallet import Wallet
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.words import access_fields
from admit_protocol.errors import Malformed

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@command("admit wallet new ~/.admit/wallet")
@click.argument("folder", type=_FOLDER)
def new(call: Call, folder):
    """Make your keys, in a new wallet in FOLDER. They stay there; only public.pem travels."""
    made = wallet.create(folder)
    public = folder / "public.pem"
    fields = {"wallet": str(folder), "public": str(public), "fingerprint": keyfiles.fingerprint(made.publics[0])}
    call.out.fields("wallet", fields)
    say(f"Send {public} to an admin: admit user add NAME --key public.pem, then admit grant NAME … --output FILE")


@command("admit wallet accept ~/.admit/wallet bob.admit")
@click.argument("folder", type=_FOLDER)
@click.argument("file", type=_FILE)
def accept(call: Call, folder, file):
    """Take the invitation FILE, which admit grant --output wrote, into the wallet in FOLDER; or a link of --link in a
    file. '-' is standard input.

    The first one says which site the wallet trusts: take it from somebody whom you believe, or compare the site's id.
    """
    zone = own_zone()
    owner = Wallet(folder)
    anchor, data, parents = invitation.decode(_invitation(file))
    given = owner.accept(anchor, data, parents)
    fields = access_fields(given.subject, given.audience, given.rules, (given.not_before, given.expires), zone)
    fields = {"site": anchor.name, "site_id": anchor.site_id.hex(), "grant": given.id.hex()} | fields
    call.out.fields("accepted", fields, ["site", "site_id", "on", "allows", "from", "until"])
    say(f"To use it: export ADMIT_WALLET={folder}")


def _invitation(file: Path) -> bytes:
    """The bytes of the invitation in a file, or in a link in it. Raises what links.parse does, or invitation-file."""
    data = sys.stdin.buffer.read() if str(file) == "-" else keyfiles.read_file(file)
    text = data.decode(errors="replace")
    if not links.is_link(text):
        return data
    found = links.parse(text)
    if not isinstance(found, links.Invitation):
        raise Malformed("invitation-file", "that is a link, but no invitation's")
    return found.data


def own_zone() -> ZoneInfo:
    """The zone in which a user without a site reads dates."""
    return forms.parse_zone(os.environ.get("ADMIT_TZ") or user_config().get("tz") or system_timezone())
