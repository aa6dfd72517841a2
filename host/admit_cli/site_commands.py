"""`admit init`."""

import socket

import rich_click as click

from admit import admin
from admit.site import system_timezone
from admit_cli import passphrase
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.types import ZONE


@command('admit init --name "Our house" --tz Europe/Berlin')
@click.option("--name", help="What people call the site. Default: this machine's name.")
@click.option("--admin", "admin_name", default="admin", show_default=True, help="The name of the first admin.")
@click.option("--tz", type=ZONE, help="The time zone of hours and dates, like Europe/Berlin. Default: this machine's.")
@click.option("--keyring", is_flag=True, help="Let the system's keyring remember the passphrase.")
def init(call: Call, name, admin_name, tz, keyring):
    """Make a site: its authority, its registry, its first admin.

    The authority's key is encrypted with a passphrase, which is asked for, or read from the file that
    ADMIT_PASSPHRASE_FILE names. The first admin may do everything, on every device.
    """
    folder = call.folder
    admin.check_new_site(folder, admin_name)
    config = {"tz": tz.key if tz else system_timezone(), "user": admin_name}
    if keyring:
        config["keyring"] = "yes"
    secret = passphrase.new()
    made = admin.create_site(folder, name or socket.gethostname(), secret, admin_name, config, call.now)
    if keyring:
        passphrase.remember(made, secret)
    fields = {"name": made.name, "id": made.anchor.site_id.hex(), "folder": str(folder), "admin": admin_name} | config
    call.out.fields("site", fields, ["name", "id", "admin", "tz"])
    say(f"Keep a copy of {folder} and the passphrase: whoever has both is the site; without them it is lost.")
