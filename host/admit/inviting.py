"""Making an invite: a grant to a key that follows from a secret, for whoever redeems it first at one device.

Owns: the order: a secret, its key, the grant, the registry, the link.
Rules: the secret goes into the link and nowhere else: not into the registry, not into a log. An invite ends with its
grant, and so does whatever was made of it.
Must not know: how the link reaches anybody.
"""

from admit import invites, statements
from admit.access_models import InviteRow
from admit.authority import Authority
from admit.editing import Edit
from admit.invites import Link
from admit.registry_devices import device_of
from admit.registry_model import role_of
from admit.statements import Rules
from admit.suite import HostSuite
from admit_protocol import grant, invite
from admit_protocol.errors import LocalError

MAX_USES = 255


def make(
    edit: Edit,
    signer: Authority,
    device_id: str,
    valid_s: int,
    uses: int = 1,
    role: str | None = None,
    rules: Rules = (),
) -> tuple[InviteRow, Link]:
    """Invite `uses` phones to do what a role and `rules` allow at a device, for `valid_s` seconds.

    Raises NotFound registry-no-device or registry-no-role, LocalError grant-nothing.
    """
    device_of(edit.session, device_id)
    of_role = statements.decode_rules(role_of(edit.session, role).rules) if role else ()
    allowed = [*of_role, *rules]
    if not allowed:
        raise LocalError("grant-nothing", "that would allow nothing")
    suite = HostSuite()
    secret = suite.random(invite.SECRET_LENGTH)
    data = signer.issue_grant(
        f"invite to {device_id}",
        [device_id],
        allowed,
        invite.key(secret, suite).public,
        edit.now,
        expires=edit.now + valid_s,
        selectors=[f"role:{role}"] if role else [],
        delegate=1,
        enrol=uses,
    )
    given = grant.parse(data)
    row = InviteRow(
        id=given.id.hex(), kid=given.kid, role=role, device_id=device_id, uses=uses, data=data, who=edit.who
    )
    row.issued_at, row.expires = edit.now, edit.now + valid_s
    edit.session.add(row)
    edit.touch_devices([device_id])
    edit.note("invite", f"{row.id} for {uses} to {device_id}")
    return row, invites.Link(secret, signer.anchor.site_id, data)
