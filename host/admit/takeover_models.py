"""The registry's tables of recovery keys and takeovers. A change here needs a migration, as in registry_models.py."""

from sqlalchemy import BigInteger, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from admit.registry_models import Base


class RecoveryPolicyRow(Base):
    """A recovery policy that the authority signed: who may take its devices over. The one with the greatest number
    counts.
    """

    __tablename__ = "recovery_policies"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[int] = mapped_column(BigInteger)


class RecoveryHeldRow(Base):
    """The number of the recovery policy that a device was last known to hold."""

    __tablename__ = "recovery_held"

    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(Integer)


class SeenTakeoverRow(Base):
    """What waits at a device of this site, as it said in a session at `seen_at`: `words`, and for how many seconds.

    Gone with the visit that finds nothing.
    """

    __tablename__ = "takeovers_seen"

    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    words: Mapped[bytes] = mapped_column(LargeBinary)
    left_s: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[int] = mapped_column(BigInteger)


class BegunTakeoverRow(Base):
    """A takeover that was begun from here, at a device of the site `site_id` (hex), whose `credential` there says which
    key it has and keeps. `left_s`: seconds that it had to wait at `seen_at`; `adopted_as`: its name here since.
    """

    __tablename__ = "takeovers_begun"

    site_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    words: Mapped[bytes] = mapped_column(LargeBinary)
    left_s: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[int] = mapped_column(BigInteger)
    adopted_as: Mapped[str | None] = mapped_column(String(64))
