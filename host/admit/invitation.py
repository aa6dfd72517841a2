"""An invitation: what is handed to somebody who made their keys elsewhere: the site's anchor and a grant for them.

Owns: the bytes of the file, one item after the other (docs/SPEC.md); behind a delegation the grants that it was made
from, nearest first.
Rules: nothing in it is secret, and nothing is worth more than the way on which it came: an anchor vouches for itself.
Must not know: whose wallet it goes into (wallet.py), and who is granted what.
"""

from collections.abc import Iterable

from admit_protocol import anchor, cbor, grant
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, Unsupported

_MAX_GRANTS = 1 + grant.MAX_DELEGATE
MAX_LENGTH = (1 + _MAX_GRANTS) * cbor.MAX_LENGTH


def encode(site_anchor: Anchor, grant_data: bytes, parents: Iterable[bytes] = ()) -> bytes:
    """The bytes of an invitation to the site of `site_anchor`, with a grant, and those behind it, nearest first."""
    return site_anchor.encode() + grant_data + b"".join(parents)


def decode(data: bytes) -> tuple[Anchor, bytes, list[bytes]]:
    """(anchor, grant, those behind it) in an invitation; none is believed yet. Raises Malformed invitation-file."""
    try:
        if len(data) > MAX_LENGTH:
            raise Malformed("invitation-file")
        _, end = cbor.decode_first(data)
        site_anchor, papers = anchor.decode(data[:end]), split(data[end:])
    except (Malformed, Unsupported) as error:
        raise Malformed("invitation-file", f"this is no invitation: {error.reason}") from None
    return site_anchor, papers[0], papers[1:]


def split(data: bytes) -> list[bytes]:
    """The grants that stand one after the other in `data`: one, or a delegation and those behind it.

    Raises Malformed.
    """
    grants: list[bytes] = []
    while data or not grants:
        _, end = cbor.decode_first(data)
        grant.parse(data[:end])
        grants.append(data[:end])
        data = data[end:]
    if len(grants) > _MAX_GRANTS:
        raise Malformed("invitation-file")
    return grants
