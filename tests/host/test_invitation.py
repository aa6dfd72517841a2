"""An invitation: an anchor and a grant, one after the other, and nothing else."""

import pytest

from admit import invitation, wallet
from admit_protocol.errors import Malformed
from sites import NOW


def test_what_is_written_is_read(tmp_path, site, signer):
    bob = wallet.create(tmp_path / "bob")
    data = signer.issue_grant("bob", ["*"], [("/r/open", 2, {})], bob.publics[0], NOW)
    made = invitation.encode(site.anchor, data)
    anchor, given, parents = invitation.decode(made)
    assert (anchor.site_id, anchor.name, given, parents) == (site.anchor.site_id, site.anchor.name, data, [])
    for wrong in (
        b"",
        made[:-1],
        made + b"\x00",
        data,
        site.anchor.encode(),
        data + site.anchor.encode(),
        b"\xff" * 40,
    ):
        with pytest.raises(Malformed) as caught:
            invitation.decode(wrong)
        assert caught.value.reason == "invitation-file"
    with pytest.raises(Malformed):
        invitation.decode(made + bytes(invitation.MAX_LENGTH))
