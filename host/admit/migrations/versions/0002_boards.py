"""Boards and their provisioning, identities that were retired, and the images that were pinned."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "boards",
        Column("board_id", String(64), primary_key=True),
        Column("board", String(64)),
        Column("name", String(64), unique=True),
        Column("device_id", String(64), ForeignKey("devices.id"), unique=True),
        Column("state", String(16), nullable=False),
        Column("set_hash", LargeBinary(32)),
        Column("reserved_by", String(128), nullable=False),
        Column("reserved_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
    )
    op.create_table(
        "provisioning",
        Column("id", Integer, primary_key=True),
        Column("run", String(16), nullable=False),
        Column("board_id", String(64), ForeignKey("boards.board_id"), nullable=False, index=True),
        Column("device_id", String(64), nullable=False),
        Column("step", String(16), nullable=False),
        Column("event", String(16), nullable=False),
        Column("detail", String(400)),
        Column("who", String(128), nullable=False),
        Column("at", BigInteger, nullable=False),
    )
    op.create_table(
        "retired",
        Column("public", LargeBinary(64), primary_key=True),
        Column("device_id", String(64), primary_key=True),
        Column("board_id", String(64)),
        Column("credential", LargeBinary, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("journal", LargeBinary, nullable=False),
        Column("retired_at", BigInteger, nullable=False),
    )
    op.create_table(
        "images",
        Column("name", String(128), primary_key=True),
        Column("sha256", String(64), nullable=False),
        Column("source", String(400)),
        Column("first_used_at", BigInteger, nullable=False),
    )
