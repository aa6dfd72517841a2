"""An invite link: a secret, a site and an invite in one line of text, which is never repeated."""

import pytest

from admit import invites
from admit.invites import Link
from admit_protocol.errors import Malformed
from newcomers import OPEN, SECRET, invite_key, new_invite
from rig import Site
from visitors import SITE

SITE_ID = SITE.anchor.site_id
LINK = Link(SECRET, SITE_ID, new_invite())
TEXT = invites.encode(LINK)


def test_what_is_written_is_read_and_hides_its_secret():
    assert TEXT.startswith("admit://invite#") and "=" not in TEXT
    assert invites.decode(f"  {TEXT}\n") == LINK
    assert SECRET.hex() not in repr(LINK) and repr(LINK).startswith("<Link of invite ")


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        TEXT[:-4],
        TEXT[:-1] + "!",
        "https" + TEXT,
        TEXT + "A",
        TEXT.replace("#", "?"),
        invites.encode(Link(bytes(16), SITE_ID, LINK.grant)),  # the secret is not this invite's
        invites.encode(Link(SECRET, Site("other", b"other").anchor.site_id, LINK.grant)),
        invites.encode(Link(SECRET, SITE_ID, SITE.grant(invite_key().public, OPEN))),  # a grant, but no invite
        invites.encode(Link(SECRET, SITE_ID, b"")),
    ],
)
def test_a_damaged_link_is_none_and_is_never_repeated(damaged):
    with pytest.raises(Malformed) as caught:
        invites.decode(damaged)
    assert caught.value.reason == "invite-link"
    assert TEXT[20:40] not in str(caught.value)
