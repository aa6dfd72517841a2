"""How devices were, each time that they were asked."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "health",
        Column("id", Integer, primary_key=True),
        Column("device_id", String(64), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("data", LargeBinary),
        Column("reason", String(64)),
    )
    op.create_index("ix_health_device_id_at", "health", ["device_id", "at"])
