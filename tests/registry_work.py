"""A registry at size, and what a one-line change to it costs: counted. For tests/bench, and a test of the counts."""

from sqlalchemy import event, insert, select

from admit import admin, compile_access, granting, withdrawing
from admit.access_models import GroupRow, MemberRow
from admit.admin import Access
from admit.compile_access import Scope, compile_grants
from admit.editing import editing
from admit.registry_models import Device, GrantRow, Key, User
from admit.suite import HostSuite
from admit_protocol import rule
from sites import NOW, SEALED, new_site, passphrase

OPEN = ("/r/open", 2, {})
STATEMENTS_OF_A_GROUP = 10
MEMBERS = 100


class Unsigned:
    """Stands in for the authority where 100,000 signatures would only take time: counts what it was asked for."""

    def __init__(self):
        self.count = 0

    def issue_grant(self, *_arguments, **_more):
        self.count += 1
        return self.count.to_bytes(8, "big")


def filled(folder, users, devices):
    """A site of this size: groups of 100 users, each with ten grants on its devices."""
    site = new_site(folder)
    signer, credential = site.authority(passphrase), None
    names = [f"user-{number:05}" for number in range(users)]
    with site.registry.editing() as session:
        _bulk(session, User, [{"name": name, "added_at": NOW} for name in names])
        keys = [
            {"fingerprint": f"{n:016x}", "user_name": name, "public": n.to_bytes(64, "big")}
            for n, name in enumerate(names)
        ]
        _bulk(session, Key, [each | {"added_at": NOW} for each in keys])
        credential = signer.issue_credential("kiosk", bytes(64), SEALED, NOW)
        rows = [
            {"id": f"kiosk-{n:04}", "public": n.to_bytes(64, "big"), "credential": credential} for n in range(devices)
        ]
        _bulk(session, Device, [each | {"added_at": NOW, "epoch": 0, "held_epoch": 0, "version": 1} for each in rows])
        groups = [f"group-{number}" for number in range(users // MEMBERS)]
        _bulk(session, GroupRow, [{"name": name, "added_at": NOW} for name in groups])
        _bulk(
            session,
            MemberRow,
            [{"group_name": groups[n // MEMBERS], "member": f"user:{name}"} for n, name in enumerate(names)],
        )
    _issue(site, groups, devices)
    return site


def _issue(site, groups, devices):
    """All grants, as the compiler makes them, with bytes that nobody reads in the place of signed ones."""
    real = compile_access.grant_row
    compile_access.grant_row = lambda data, fingerprint: GrantRow(
        id=data.hex(), kid=data, data=data, fingerprint=fingerprint, issued_at=NOW, audience="kiosk-*", delegate=0
    )
    issue = compile_access._issue

    def named(signer, meant, person, now):
        row = issue(signer, meant, person, now)
        row.user_name, row.expires, row.revoked_at = person.key.user_name, None, None
        return row

    compile_access._issue = named
    try:
        with site.registry.editing() as session:
            from admit.editing import Edit

            edit = Edit(session, NOW, "")
            for number, group in enumerate(groups):
                for path in range(STATEMENTS_OF_A_GROUP):
                    audience = [f"kiosk-{(number * 7 + path) % devices:04}"]
                    granting.put_statement(
                        edit, admin.statement(f"group:{group}", Access(audience, [(f"/{path}", 1, {})]))
                    )
            compile_grants(session, Unsigned(), NOW, Scope(statements=list(edit._statements)))
    finally:
        compile_access.grant_row, compile_access._issue = real, issue


def _bulk(session, table, rows):
    for begin in range(0, len(rows), 500):
        session.execute(insert(table), rows[begin : begin + 500])


class Counted:
    """Counts the statements of SQL, and the signatures, that a block makes."""

    def __init__(self, site):
        self._engine = site.registry._engine
        self.sql = 0

    def __enter__(self):
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_):
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, *_):
        self.sql += 1


def one_line(site, signer, number):
    """A grant to one user, and its end."""
    with editing(site, signer, NOW) as edit:
        granting.grant_access(
            edit, admin.statement("user:user-00001", Access(["kiosk-0001"], [(f"/x{number}", 1, {})]))
        )
    return edit


def counted(site):
    """(statements of SQL, grants issued) of a one-line change."""
    with Counted(site) as count:
        edit = one_line(site, site.authority(passphrase), "counted")
    return count.sql, len(edit.changes.issued)


def nothing_to_do(site):
    """A compilation of everything, which finds nothing to do."""
    with site.registry.rehearsing() as session:
        found = compile_grants(session, None, NOW, Scope())
    assert (found.issued, found.revoked) == ([], [])


def load(site):
    """Read all grants."""
    with site.registry._read() as session:
        return len(list(session.scalars(select(GrantRow))))


def carried(site):
    """Bytes that one changed rule makes travel to one device."""
    public = HostSuite().generate().public
    signer = site.authority(passphrase)
    admin.commission(site, signer, "lobby-1", public, SEALED, NOW)
    with editing(site, signer, NOW) as edit:
        withdrawing.deny(edit, rule.LOCKDOWN, [rule.EVERYONE], ["lobby-*"], [("*", rule.ALL_METHODS, {})])
    return sum(len(row.data) for row in site.registry.bundles_after("lobby-1", 0))
