"""The registry's table of how devices were. A change here needs a migration, as in registry_models.py."""

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from admit.registry_models import Base


class HealthRow(Base):
    """How a device was, in unix seconds `at` by the asker's clock: `data` is what it told, as health.py checked it.

    Without `data` it was asked and did not answer; `reason` says why. What was seen outlives the device: its id is no
    foreign key.
    """

    __tablename__ = "health"
    __table_args__ = (Index("ix_health_device_id_at", "device_id", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64))
    at: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    reason: Mapped[str | None] = mapped_column(String(64))
