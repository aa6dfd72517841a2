"""Users, their keys and grants, devices, what was revoked, and the journals that were collected."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "users",
        Column("name", String(64), primary_key=True),
        Column("added_at", BigInteger, nullable=False),
    )
    op.create_table(
        "keys",
        Column("fingerprint", String(16), primary_key=True),
        Column("user_name", String(64), ForeignKey("users.name"), nullable=False, index=True),
        Column("public", LargeBinary(64), nullable=False, unique=True),
        Column("sig_public", LargeBinary(64)),
        Column("added_at", BigInteger, nullable=False),
    )
    op.create_table(
        "grants",
        Column("id", String(16), primary_key=True),
        Column("kid", LargeBinary(8), nullable=False, unique=True),
        Column("user_name", String(64), ForeignKey("users.name"), nullable=False, index=True),
        Column("fingerprint", String(16), ForeignKey("keys.fingerprint"), nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
        Column("expires", BigInteger),
    )
    op.create_table(
        "revocations",
        Column("grant_id", String(16), ForeignKey("grants.id"), primary_key=True),
        Column("revoked_at", BigInteger, nullable=False),
    )
    _create_device_tables()


def _create_device_tables() -> None:
    op.create_table(
        "devices",
        Column("id", String(64), primary_key=True),
        Column("public", LargeBinary(64), nullable=False, unique=True),
        Column("credential", LargeBinary, nullable=False),
        Column("added_at", BigInteger, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("held_epoch", Integer, nullable=False),
        Column("version", Integer, nullable=False),
    )
    op.create_table(
        "bundles",
        _device_id(),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
    )
    op.create_table(
        "records",
        _device_id(),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
    )
    op.create_table(
        "heads",
        _device_id(),
        Column("count", BigInteger, primary_key=True, autoincrement=False),
        Column("head", LargeBinary(32), nullable=False),
        Column("first", BigInteger, nullable=False),
        Column("base", LargeBinary(32), nullable=False),
        Column("signed", LargeBinary, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
    )


def _device_id() -> Column:
    return Column("device_id", String(64), ForeignKey("devices.id"), primary_key=True)
