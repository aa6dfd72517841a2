"""Keys that followed one another on a device, and the last words of devices that were wiped."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, String

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "rotations",
        Column("public", LargeBinary(64), primary_key=True),
        Column("old", LargeBinary(64), nullable=False, index=True),
        Column("device_id", String(64), nullable=False),
        Column("credential", LargeBinary, nullable=False),
        Column("by_old", LargeBinary, nullable=False),
        Column("by_new", LargeBinary, nullable=False),
        Column("begun_at", BigInteger, nullable=False),
        Column("done_at", BigInteger),
    )
    op.create_table(
        "wipes",
        Column("public", LargeBinary(64), primary_key=True),
        Column("device_id", String(64), nullable=False),
        Column("credential", LargeBinary, nullable=False),
        Column("certificate", LargeBinary, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
    )
