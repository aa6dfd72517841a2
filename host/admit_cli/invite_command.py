"""`admit invite`: a link for somebody whose keys nobody knows yet."""

import sys
from pathlib import Path

import rich_click as click

from admit import invites, inviting, keyfiles, links, qr
from admit.condition_forms import parse_duration
from admit.editing import editing
from admit.forms import moment_text
from admit_cli.command import Call, command
from admit_cli.output import say, show_secret
from admit_cli.pages import page_option, page_setting
from admit_cli.types import ALLOW, ROUTINE, Form
from admit_cli.words import utc

_SHOWN = ["id", "on", "role", "uses", "until", "file"]


@command("admit invite --role guest --on lobby-1 --uses 1 --valid 24h")
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option("--role", metavar="ROLE", help="What a role allows: admit role list.")
@click.option("--allow", multiple=True, type=ALLOW, help="What else: r/open:POST, 'r/open:POST{seconds<=10}'.")
@click.option("--on", "device", required=True, metavar="DEVICE", help="At which device it is redeemed, and counts.")
@click.option("--uses", type=click.IntRange(1, inviting.MAX_USES), default=1, help="For how many phones. Default: 1.")
@click.option(
    "--valid", type=Form("TIME", parse_duration), default="24h", help="How long it, and what it gives, counts: 24h, 7d."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the link to a file: .png or .svg for a QR code, else text.",
)
@page_option
def invite(call: Call, routines, role, allow, device, uses, valid, output, page):
    """Make a link, and a QR code of it. Whoever opens it first at DEVICE may do what it says, until it ends.

    The link holds a secret and is shown this once, on the terminal or in the file. What is written about it holds none.
    With a page of the site's own it is that page's address, and the secret stands behind its #, which no browser sends.
    """
    if not routines and not allow and not role:
        raise click.UsageError("name a routine or a role, or say with --allow what to allow")
    if output and not output.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    if not output and (call.out.as_json or not sys.stdout.isatty()):
        raise click.UsageError("the link is a secret: give --output FILE, or run it on a terminal")
    page = page_setting(call, page)
    with editing(call.site, call.signer, call.now) as edit:
        row, link = inviting.make(edit, call.signer, device, valid, uses, role, (*routines, *allow))
        text = links.on_page(page, invites.encode(link))
        if output:
            _write(output, text)  # before the invite counts: one that nobody has is worth nothing
    if output:
        say(f"Whoever has {output} is invited: send it by a way that you trust, then delete it.")
    else:
        show_secret(text, qr.lines(text))
    fields = {"id": row.id, "on": device, "role": role, "uses": uses, "file": str(output) if output else None}
    fields |= {"until": moment_text(row.expires, call.zone), "expires": utc(row.expires)}
    call.out.fields("invite", fields, _SHOWN)


def _write(output: Path, text: str) -> None:
    kind = output.suffix.lower()
    if kind in (".png", ".svg"):
        keyfiles.write_file(output, qr.image(text, kind[1:]))
    else:
        keyfiles.write_file(output, f"{text}\n".encode())
