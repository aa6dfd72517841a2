"""Acts that say who may not: revocations, denies, lockdowns. Each is one part of an Edit (editing.py).

Rules: what was taken back never counts again; what is denied or locked down does, once that is lifted.
Must not know: what follows for grants and devices.
"""

from collections.abc import Collection, Iterable

import cbor2
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from admit import contradictions, groups, statements
from admit.access_models import DismissedRow, InviteRow, MemberRow, NoticeRow, PolicyRuleRow, StatementRow
from admit.authority import Authority
from admit.compile_access import take_back
from admit.editing import Edit
from admit.granting import check_devices, check_subject, withdraw_statement
from admit.key_models import RotationRow
from admit.keyfiles import fingerprint
from admit.registry_devices import device_of
from admit.registry_model import newest_notice, policy_rule
from admit.registry_models import GrantRow, Key
from admit.registry_named import the_only
from admit.registry_people import user_of
from admit_protocol import rule, rule_reader
from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound

_NAMED = 256  # keys in a notice: all of it must fit into one bundle, beside rules
_2020 = 1_577_836_800  # notices are numbered by the time: one from before a restore is never taken for the newer one


def revoke_grant(edit: Edit, row: GrantRow) -> None:
    """Take a grant back, and the statement behind it. Raises Conflict grant-of-group if others have it, too."""
    said = edit.session.get(StatementRow, row.statement_id) if row.statement_id else None
    if said is None:
        take_back(edit.session, [row.id], edit.now)
        edit.changes.revoked.append(row)
        edit.note("revoke", f"{row.id} of {row.user_name}")
    elif said.subject.startswith(groups.GROUP):
        name = said.subject.removeprefix(groups.GROUP)
        raise Conflict("grant-of-group", f"{row.user_name} has it as a member of {name}, by {said.id}")
    else:
        withdraw_statement(edit, said)


def revoke_invite(edit: Edit, invite: InviteRow) -> None:
    """Take an invite back, and whatever was made of it."""
    row = edit.session.get(InviteRow, invite.id)
    if row is None or row.revoked_at is not None:
        return
    row.revoked_at = edit.now
    edit.changes.invites.append(row)
    edit.note("revoke", f"invite {row.id}")


def revoke_user(edit: Edit, name: str) -> None:
    """Take back everything that a user has, was passed on, or has passed on; they are in no group any more."""
    user = user_of(edit.session, name)
    if user.revoked_at is not None:
        return
    user.revoked_at = edit.now
    selector = groups.USER + name
    for row in edit.session.scalars(select(StatementRow).where(StatementRow.subject == selector)):
        edit.session.delete(row)
    edit.session.execute(delete(MemberRow).where(MemberRow.member == selector))
    edit.touch_users([name])
    edit.touch_all_devices()
    edit.note("revoke", f"user {name}")


def reinstate_user(edit: Edit, name: str) -> None:
    """Let a revoked user be granted something again. What was taken back stays so. Raises Conflict user-counts."""
    user = user_of(edit.session, name)
    if user.revoked_at is None:
        raise Conflict("user-counts", f"{name} was not revoked")
    user.revoked_at = None
    edit.touch_all_devices()
    edit.note("reinstate", f"user {name}")


def revoke_key(edit: Edit, wanted: str) -> Key:
    """Take back all that a key (its fingerprint, or the first digits of it) has: a phone that was lost.

    Raises NotFound registry-no-key, Conflict registry-ambiguous.
    """
    missing = NotFound("registry-no-key", f"no key {wanted}")
    key: Key = the_only(edit.session, Key.fingerprint, wanted.lower(), missing)
    if key.revoked_at is None:
        key.revoked_at = edit.now
        edit.touch_users([key.user_name])
        edit.touch_all_devices()
        edit.note("revoke", f"key {key.fingerprint} of {key.user_name}")
    return key


def revoke_device(edit: Edit, signer: Authority, device_id: str) -> None:
    """Tell all wallets, through all other devices, that a device no longer counts: it was stolen, say."""
    name = fingerprint(device_of(edit.session, device_id).public)
    if strike_off(edit, signer, device_id, name):
        edit.session.execute(
            update(InviteRow)
            .where(InviteRow.device_id == device_id, InviteRow.revoked_at.is_(None))
            .values(revoked_at=edit.now)
        )
        edit.note("revoke", f"device {device_id}, key {name}")


def strike_off(edit: Edit, signer: Authority, device_id: str, name: str) -> bool:
    """Tell all wallets that the key of a device with this fingerprint no longer counts; whether they were not told."""
    if edit.session.get(DismissedRow, name):
        return False
    edit.session.add(DismissedRow(fingerprint=name, device_id=device_id, dismissed_at=edit.now))
    edit.session.flush()
    tell_wallets(edit, signer)
    return True


def tell_wallets(edit: Edit, signer: Authority) -> None:
    """A new notice to all wallets of which keys of devices no longer count."""
    newest = newest_notice(edit.session)
    number = max(newest.number if newest else 0, edit.now - _2020) + 1
    data = signer.issue_notice(number, _struck_off(edit.session), edit.now)
    edit.session.add(NoticeRow(number=number, data=data, issued_at=edit.now))
    edit.touch_all_devices()


def _struck_off(session: Session) -> list[bytes]:
    """The fingerprints that a notice names: keys that no other one of their device followed before those that were
    exchanged, which wallets find out as older ones too; the latest of each, as far as there is room.
    """
    exchanged = {fingerprint(old) for old in session.scalars(select(RotationRow.old).where(RotationRow.done_at > 0))}
    rows = sorted(session.scalars(select(DismissedRow)), key=lambda row: (-row.dismissed_at, row.fingerprint))
    rows.sort(key=lambda row: row.fingerprint in exchanged)
    return [bytes.fromhex(row.fingerprint) for row in rows[:_NAMED]]


def deny(
    edit: Edit,
    effect: int,
    subjects: Collection[str],
    devices: Collection[str],
    what: Iterable[tuple[str, int, dict]],
    conditions: dict | None = None,
    exceptions: Collection[str] = (),
) -> list[PolicyRuleRow]:
    """Deny (or, by `effect`, lock down) each of `what`, (pattern, methods, bounds), to some, on some devices.

    Raises NotFound for who is not there, Conflict denial-exists, LocalError denial-form or grant-audience.
    """
    for selector in (*subjects, *exceptions):
        check_subject(edit, selector)
    check_devices(devices)
    rows = []
    for pattern, methods, bounds in what:
        said = [effect, sorted(subjects), sorted(exceptions), pattern, methods, bounds | (conditions or {})]
        rows.append(put_denial(edit, said, sorted(devices)))
        if effect == rule.DENY:
            for text in contradictions.of_denial(edit.session, policy_rule(rows[-1]), list(devices)):
                edit.warn(f"{rows[-1].id}: {text}")
    return rows


def put_denial(edit: Edit, said: list, devices: list[str], name: str | None = None) -> PolicyRuleRow:
    """Deny what was checked: `said` is a rule.PolicyRule without its id, which is `name` or follows from it; its row.

    Raises Conflict denial-exists, LocalError denial-form.
    """
    identifier = name or _new_id(edit, "l" if said[0] == rule.LOCKDOWN else "d", said, devices)
    try:
        one = rule_reader.parse_policy_rule([*said, identifier])
    except Malformed as error:
        raise LocalError("denial-form", error.detail or error.reason) from None
    row = PolicyRuleRow(id=identifier, effect=one.effect, devices="\n".join(devices), data=_encoded(one))
    row.who, row.issued_at = edit.who, edit.now
    edit.session.add(row)
    edit.session.flush()
    edit.touch_devices([row.devices])
    edit.note("lockdown" if one.effect == rule.LOCKDOWN else "deny", f"{row.id} on {', '.join(devices)}")
    return row


def lift(edit: Edit, row: PolicyRuleRow) -> None:
    """Let a deny or a lockdown be over."""
    edit.session.execute(delete(PolicyRuleRow).where(PolicyRuleRow.id == row.id))
    edit.touch_devices([row.devices])
    edit.note("lift", f"{row.id} on {row.devices}".replace("\n", ", "))


def _new_id(edit: Edit, kind: str, said: list, devices: list[str]) -> str:
    for each in statements.ids_of(kind, cbor2.dumps([said, devices], canonical=True)):
        known = edit.session.get(PolicyRuleRow, each)
        if known is None:
            return each
        if cbor2.loads(known.data)[:6] == said and known.devices == "\n".join(devices):
            raise Conflict("denial-exists", f"that is denied already, by {known.id}")
    raise Conflict("denial-exists", "too many denials are alike")


def _encoded(one: rule.PolicyRule) -> bytes:
    return cbor2.dumps(list(one), canonical=True)
