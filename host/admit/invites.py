"""Invite links: what an admin hands to somebody whose keys nobody knows yet.

Owns: the link's bytes: `admit://invite#` and base64url of secret, site id and the invite, a grant (docs/SPEC.md).
Rules: whoever has the link has the invite: it goes by QR or through stdin and files, never as an argument.
Must not know: who redeems it, and where.
"""

import base64
import binascii
from dataclasses import dataclass

from admit.suite import HostSuite
from admit_protocol import grant, invite
from admit_protocol.errors import Malformed, Unsupported

PREFIX = "admit://invite#"
_SITE_ID = 16


@dataclass(frozen=True)
class Link:
    """What a link holds; the secret is the invite's key in short."""

    secret: bytes
    site_id: bytes
    grant: bytes

    def __repr__(self) -> str:
        return f"<Link of invite {grant.kid_of(self.grant).hex()}>"


def encode(link: Link) -> str:
    """The link as text."""
    data = link.secret + link.site_id + link.grant
    return PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> Link:
    """What a link holds, which is not believed yet. Raises Malformed invite-link, which never repeats it."""
    text = text.strip()
    try:
        if not text.startswith(PREFIX):
            raise Malformed("invite-link")
        code = text.removeprefix(PREFIX)
        data = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
        end = invite.SECRET_LENGTH + _SITE_ID
        link = Link(data[: invite.SECRET_LENGTH], data[invite.SECRET_LENGTH : end], data[end:])
        invited = grant.parse(link.grant)
        if not invited.enrol or invited.site_id != link.site_id:
            raise Malformed("invite-link")
        if invite.key(link.secret, HostSuite()).public != invited.key or encode(link) != text:
            raise Malformed("invite-link")
    except (Malformed, Unsupported, binascii.Error, ValueError):
        raise Malformed("invite-link", "that is no invite link, or not the whole of one") from None
    return link
