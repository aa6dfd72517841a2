"""What people hand to each other: keys, as a file or a phone's link; invitations, as a link or a QR code. No secret."""

from collections.abc import Callable

import rich_click as click

from admit import keyfiles, links, qr
from admit_cli.output import warn
from admit_cli.pages import page_option
from admit_protocol.errors import LocalError, Malformed


def handing_options(function: Callable) -> Callable:
    """--link, --qr and --page."""
    for option in (
        page_option,
        click.option("--qr", "as_qr", is_flag=True, help="Print it as a QR code too, for their phone to scan."),
        click.option("--link", "as_link", is_flag=True, help="Print it as a link, and nothing else on stdout."),
    ):
        function = option(function)
    return function


def public_keys(data: bytes) -> tuple[str | None, list[bytes]]:
    """(what they call themselves, their keys) in a file with a PEM or a key link; the name is nobody else's word.

    Raises Malformed key-file, key-link, or what links.parse does.
    """
    text = data.decode(errors="replace")
    if not links.is_link(text):
        return None, keyfiles.parse_public_pem(text)
    found = links.parse(text)
    if not isinstance(found, links.Key):
        raise Malformed("key-link", "that is a link, but none with a key in it")
    return found.name, [found.login, found.sign]


def printed(data: bytes, page: str | None, as_qr: bool) -> list[str]:
    """The lines that hand over the invitation `data`: perhaps a QR code, and last its link."""
    text = links.on_page(page, links.Invitation(data).text())
    if not as_qr:
        return [text]
    try:
        return [*qr.lines(text), text]
    except LocalError as error:  # the grant is made, so this is no end
        warn(f"{error.detail}: send the link, or the file of --output")
        return [text]
