"""Recovery keys, and takeovers of devices by them: seen at devices of this site, and begun from here."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "recovery_policies",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
    )
    op.create_table(
        "recovery_held",
        Column("device_id", String(64), primary_key=True),
        Column("number", Integer, nullable=False),
    )
    op.create_table(
        "takeovers_seen",
        Column("device_id", String(64), primary_key=True),
        Column("words", LargeBinary, nullable=False),
        Column("left_s", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
    )
    op.create_table(
        "takeovers_begun",
        Column("site_id", String(32), primary_key=True),
        Column("device_id", String(64), primary_key=True),
        Column("credential", LargeBinary, nullable=False),
        Column("words", LargeBinary, nullable=False),
        Column("left_s", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
        Column("adopted_as", String(64)),
    )
