"""Sites whose policy is large, and the file that says it: for tests and benches that count what a plan costs."""

from sqlalchemy import insert

from admit import policy_export
from admit.access_models import GroupRow, MemberRow, StatementRow
from admit.keyfiles import fingerprint
from admit.policy_model import present
from admit.registry_models import GrantRow, Key, User
from admit.statements import Statement
from sites import NOW

GRANTS = 10  # of each user
_END = NOW + 200 * 86400


def fill(site, users, by_group=False):
    """So many users u0, u1, …, with GRANTS each: by statements of their own, or by groups of 100 that are in roles."""
    names = [f"u{number}" for number in range(users)]
    publics = [b"u%063d" % number for number in range(users)]
    said = list((_of_groups if by_group else _of_users)(users))
    with site.registry.editing() as session:
        session.execute(insert(User), [{"name": name, "added_at": NOW} for name in names])
        session.execute(insert(Key), [_key(name, public) for name, public in zip(names, publics, strict=True)])
        if by_group:
            teams = [f"t{number}" for number in range(max(users // 100, 1))]
            session.execute(insert(GroupRow), [{"name": team, "added_at": NOW} for team in teams])
            members = [{"group_name": f"t{n % len(teams)}", "member": f"user:{name}"} for n, name in enumerate(names)]
            session.execute(insert(MemberRow), members)
        session.execute(insert(StatementRow), [_statement(each, number) for number, each in enumerate(said)])
        for place in range(GRANTS):
            session.execute(insert(GrantRow), [_grant(name, n, publics[n], place) for n, name in enumerate(names)])


def text_of(site, zone, now=NOW):
    """The registry's policy as a file."""
    with site.registry.reading() as session:
        return policy_export.export(present(session, now).policy, zone, now)


def _of_users(users):
    for number in range(users):
        for place in range(GRANTS):
            yield _said(f"user:u{number}", number, place)


def _of_groups(users):
    for number in range(max(users // 100, 1)):
        for place in range(GRANTS):
            yield _said(f"group:t{number}", number, place)


def _said(subject, number, place):
    """One of many different statements."""
    rules = ((f"/r/door{place}", 3, {}), ("/health", 1, {}))
    return Statement(subject, (f"d{number % 1000}", f"hall-{place}-*"), rules[: 1 + place % 2], expires=_END)


def _statement(said, number):
    row = {"id": f"g-{number:06}", "subject": said.subject, "role": None, "terms": said.encode()}
    return row | {"expires": said.expires, "who": "admin", "issued_at": NOW}


def _key(name, public):
    return {"fingerprint": fingerprint(public), "user_name": name, "public": public, "added_at": NOW}


def _grant(name, number, public, place):
    identifier = number.to_bytes(7, "big") + bytes([place])
    row = {"id": identifier.hex(), "kid": identifier, "user_name": name, "fingerprint": fingerprint(public)}
    row |= {"data": bytes(400), "issued_at": NOW, "audience": f"d{number % 1000}", "delegate": 0, "expires": _END}
    return row | {"statement_id": f"g-{number * GRANTS + place:06}", "form": bytes(16)}
