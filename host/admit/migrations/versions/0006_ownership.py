"""Vouchers by which devices were given away, and devices that were found to be no longer the site's."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "vouchers",
        Column("id", String(64), primary_key=True),
        Column("device_id", String(64), nullable=False, index=True),
        Column("public", LargeBinary(64), nullable=False),
        Column("number", Integer, nullable=False),
        Column("to_site", String(32), nullable=False),
        Column("to_name", String(64), nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
        Column("expires", BigInteger),
        Column("cancelled_at", BigInteger),
        Column("receipt", LargeBinary),
        Column("left_at", BigInteger),
    )
    op.create_table(
        "strays",
        Column("device_id", String(64), primary_key=True),
        Column("said", String(32), nullable=False),
        Column("board_id", String(64)),
        Column("seen_at", BigInteger, nullable=False),
    )
