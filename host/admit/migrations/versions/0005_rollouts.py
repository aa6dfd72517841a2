"""Firmware sets and releases, and which devices were brought which release."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "sets",
        Column("set_hash", LargeBinary(32), primary_key=True),
        Column("files", LargeBinary, nullable=False),
    )
    op.create_table(
        "releases",
        Column("sequence", Integer, primary_key=True, autoincrement=False),
        Column("version", String(64), unique=True, nullable=False),
        Column("set_hash", LargeBinary(32), nullable=False),
        Column("manifest", LargeBinary, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
    )
    op.create_table(
        "rollouts",
        Column("id", Integer, primary_key=True),
        Column("sequence", Integer, ForeignKey("releases.sequence"), nullable=False),
        Column("stages", String(200), nullable=False),
        Column("pause_on", Integer, nullable=False),
        Column("began_at", BigInteger, nullable=False),
        Column("state", String(16), nullable=False),
        Column("change", Integer, nullable=False),
    )
    op.create_table(
        "arrivals",
        Column("rollout_id", Integer, ForeignKey("rollouts.id"), primary_key=True),
        Column("device_id", String(64), primary_key=True),
        Column("place", Integer, nullable=False),
        Column("state", String(16), nullable=False),
        Column("ran", String(64)),
        Column("moved", BigInteger, nullable=False),
        Column("reason", String(64)),
        Column("detail", String(400)),
        Column("at", BigInteger, nullable=False),
    )
