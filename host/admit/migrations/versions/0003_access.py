"""Who may do what: roles, groups, statements, denies, invites, devices that no longer count, and who changed it.

Each grant of before becomes a statement of its own. Bundles of before are dropped: no device reads their form now, and
whole ones follow.
"""

import cbor2
from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Text, text

from admit_protocol import grant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _create_model_tables()
    _create_other_tables()
    _change_people()
    _change_grants()
    _change_bundles()


def _create_model_tables() -> None:
    op.create_table(
        "roles",
        Column("name", String(64), primary_key=True),
        Column("rules", LargeBinary, nullable=False),
        Column("added_at", BigInteger, nullable=False),
    )
    op.create_table(
        "groups",
        Column("name", String(64), primary_key=True),
        Column("added_at", BigInteger, nullable=False),
    )
    op.create_table(
        "members",
        Column("group_name", String(64), ForeignKey("groups.name"), primary_key=True),
        Column("member", String(80), primary_key=True, index=True),
    )
    op.create_table(
        "statements",
        Column("id", String(16), primary_key=True),
        Column("subject", String(80), nullable=False, index=True),
        Column("role", String(64), ForeignKey("roles.name"), index=True),
        Column("terms", LargeBinary, nullable=False),
        Column("expires", BigInteger),
        Column("who", String(128), nullable=False),
        Column("issued_at", BigInteger, nullable=False),
    )
    op.create_table(
        "policy_rules",
        Column("id", String(16), primary_key=True),
        Column("effect", Integer, nullable=False),
        Column("devices", Text, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("who", String(128), nullable=False),
        Column("issued_at", BigInteger, nullable=False),
    )


def _create_other_tables() -> None:
    op.create_table(
        "invites",
        Column("id", String(16), primary_key=True),
        Column("kid", LargeBinary(8), nullable=False, unique=True),
        Column("role", String(64), ForeignKey("roles.name"), index=True),
        Column("device_id", String(64), nullable=False, index=True),
        Column("uses", Integer, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("who", String(128), nullable=False),
        Column("issued_at", BigInteger, nullable=False),
        Column("expires", BigInteger, nullable=False),
        Column("revoked_at", BigInteger),
    )
    op.create_table(
        "dismissed",
        Column("fingerprint", String(16), primary_key=True),
        Column("device_id", String(64), nullable=False, index=True),
        Column("dismissed_at", BigInteger, nullable=False),
    )
    op.create_table(
        "notices",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
    )
    op.create_table(
        "changes",
        Column("id", Integer, primary_key=True),
        Column("at", BigInteger, nullable=False, index=True),
        Column("who", String(128), nullable=False),
        Column("act", String(32), nullable=False),
        Column("detail", Text, nullable=False),
    )
    op.create_table(
        "policy",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("version", Integer, nullable=False),
    )
    op.execute("INSERT INTO policy (id, version) VALUES (1, 0)")


def _change_people() -> None:
    for table in ("users", "keys"):
        op.add_column(table, Column("revoked_at", BigInteger))


def _change_grants() -> None:
    op.add_column("grants", Column("statement_id", String(16)))
    op.add_column("grants", Column("form", LargeBinary(16)))
    op.add_column("grants", Column("audience", Text, nullable=False, server_default=""))
    op.add_column("grants", Column("delegate", Integer, nullable=False, server_default="0"))
    op.add_column("grants", Column("revoked_at", BigInteger))
    op.create_index("ix_grants_statement_id", "grants", ["statement_id"])
    op.create_index("ix_grants_revoked_at", "grants", ["revoked_at"])
    connection = op.get_bind()
    revocations = connection.execute(text("SELECT grant_id, revoked_at FROM revocations")).all()
    revoked = {row[0]: row[1] for row in revocations}
    for number, (grant_id, data) in enumerate(
        connection.execute(text("SELECT id, data FROM grants ORDER BY id")).all()
    ):
        given = grant.parse(bytes(data))
        if grant_id not in revoked:
            _state(f"g-{number:06}", given)
        connection.execute(
            text("UPDATE grants SET audience = :audience, statement_id = :own, revoked_at = :at WHERE id = :id"),
            {
                "audience": "\n".join(given.audience),
                "own": f"g-{number:06}",
                "at": revoked.get(grant_id),
                "id": grant_id,
            },
        )
    op.drop_table("revocations")


def _state(statement_id: str, given) -> None:
    """Say what a grant says."""
    terms = {
        "subject": f"user:{given.subject}",
        "role": None,
        "rules": [list(rule) for rule in given.rules],
        "on": list(given.audience),
        "conditions": {},
        "from": given.not_before,
        "until": given.expires,
        "delegate": 0,
    }
    insert = text(
        "INSERT INTO statements (id, subject, terms, expires, who, issued_at)"
        " VALUES (:id, :subject, :terms, :expires, '', :issued_at)"
    )
    encoded = cbor2.dumps(terms, canonical=True)
    values = {"id": statement_id, "subject": terms["subject"], "terms": encoded}
    op.get_bind().execute(insert, values | {"expires": given.expires, "issued_at": given.issued_at})


def _change_bundles() -> None:
    op.execute("DELETE FROM bundles")
    for name in ("base", "notice"):
        op.add_column("bundles", Column(name, Integer, nullable=False, server_default="0"))
    for name in ("revoked", "selectors", "rules"):
        op.add_column("bundles", Column(name, LargeBinary, nullable=False, server_default=""))
