"""An invitation: what an admin hands to a user who made their keys elsewhere: the site's anchor and a grant.

Owns: the bytes of the file, the two items one after the other (docs/SPEC.md).
Rules: nothing in it is secret, and nothing is worth more than the way on which it came: an anchor vouches for itself.
Must not know: whose wallet it goes into (wallet.py), and who is granted what.
"""

from admit_protocol import anchor, cbor, grant
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, Unsupported

MAX_LENGTH = 2 * cbor.MAX_LENGTH


def encode(site_anchor: Anchor, grant_data: bytes) -> bytes:
    """The bytes of an invitation to the site of `site_anchor`, with a grant of its authority."""
    return site_anchor.encode() + grant_data


def decode(data: bytes) -> tuple[Anchor, bytes]:
    """(anchor, grant) in an invitation; neither is believed yet. Raises Malformed invitation-file."""
    if len(data) > MAX_LENGTH:
        raise Malformed("invitation-file", "too long")
    try:
        _, end = cbor.decode_first(data)
        site_anchor, grant_data = anchor.decode(data[:end]), data[end:]
        grant.parse(grant_data)
    except (Malformed, Unsupported) as error:
        raise Malformed("invitation-file", f"this is no invitation: {error.reason}") from None
    return site_anchor, grant_data
