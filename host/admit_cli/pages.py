"""The site's own page, which QR codes open: the option, and where its setting comes from."""

import os

import click

from admit import links
from admit.site import user_config
from admit_cli.command import Call
from admit_protocol.errors import NotFound

page_option = click.option(
    "--page", metavar="URL", help="The site's own page, which the QR code opens. Default: ADMIT_PAGE, the site's."
)


def page_setting(call: Call, flag: str | None) -> str | None:
    """The page's address, or None: the flag, ADMIT_PAGE, `page` in the site's folder, the user's config.

    An empty flag is none. Raises LocalError page-url.
    """
    if flag == "":
        return None
    try:
        found = call.site.setting("page", flag)
    except NotFound:  # no site on this machine
        found = flag or os.environ.get("ADMIT_PAGE") or user_config().get("page")
    return links.check_page(found) if found else None
