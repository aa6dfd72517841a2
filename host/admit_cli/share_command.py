"""`admit share`: pass a part of one's own grant on to somebody else, without an admin and without a device."""

from pathlib import Path

import rich_click as click

from admit import forms, keyfiles, sharing
from admit.sharing import Wish
from admit_cli.command import Call, command
from admit_cli.handing import handing_options, printed, public_keys
from admit_cli.output import say
from admit_cli.pages import page_setting
from admit_cli.types import ALLOW, ROUTINE, parse_date
from admit_cli.visiting import as_user, wallet_of
from admit_cli.wallet_commands import own_zone
from admit_cli.words import access_fields

_SHOWN = ["grant", "user", "on", "allows", "from", "until"]


@command("admit share open --to bob.pem --on kiosk-1 --until 2027-06-30 -o bob.admit")
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option(
    "--to",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Their public.pem, or their phone's link in a file.",
)
@click.option("--name", metavar="NAME", help="What they are called. Default: as the link says, or the file.")
@click.option("--allow", multiple=True, type=ALLOW, help="What else: 'r/*:GET', 'r/open:POST{seconds<=10}'.")
@click.option("--on", "devices", multiple=True, metavar="DEVICE", help="Where. Default: wherever yours counts.")
@click.option("--from", "begin", metavar="DATE", help="The first day, or moment.")
@click.option("--until", metavar="DATE", help="The last day, or moment. Default: as long as yours.")
@click.option("--delegate", type=click.IntRange(0, 3), default=0, help="How many more may pass it on, one to the next.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The invitation, a file to send.",
)
@handing_options
@as_user
def share(call: Call, routines, keys, name, allow, devices, begin, until, delegate, output, as_link, as_qr, page, user):
    """Pass on what your own grant allows, or a part of it, to whoever has the keys of --to: their public.pem, or the
    link that their phone shows, in a file.

    It counts as long as yours does, under the same conditions, and can be taken back like any grant. Without ROUTINES
    and --allow it is all that yours allows.
    """
    as_link = as_link or as_qr
    if not output and not as_link:
        raise click.UsageError("say how they get it: --output FILE, --link or --qr")
    page = page_setting(call, page) if as_link else None
    owner, zone = wallet_of(call, user), own_zone()
    called, publics = public_keys(keyfiles.read_file(keys))
    rules = [*routines, *allow]
    wish = Wish(
        name or called or keys.stem,
        tuple(publics),
        rules or None,
        list(devices) or None,
        None if begin is None else parse_date(begin, zone, "--from"),
        None if until in (None, forms.NEVER) else parse_date(until, zone, "--until", last=True),
        delegate,
    )
    given = sharing.share(owner, wish, call.now)
    data = sharing.invite(owner, given)
    if output:
        keyfiles.write_file(output, data, secret=False)
        say(f"Send {output} to {wish.name}. They take it with admit wallet accept.")
    fields = access_fields(wish.name, given.audience, given.rules, (given.not_before, given.expires), zone)
    fields = {"grant": given.id.hex()} | fields
    if as_link:
        lines = printed(data, page, as_qr)
        call.out.lines("shared", fields | {"link": lines[-1]}, lines)
    else:
        call.out.fields("shared", fields, _SHOWN)
