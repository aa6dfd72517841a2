"""The registry's tables of devices' keys and of their end. A change here needs a migration, as in registry_models.py.

What they hold was verified before, and outlives the device: its id is no foreign key.
"""

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from admit.registry_models import Base


class RotationRow(Base):
    """A device's key `old` is followed by `public`, 64 bytes each, as both halves of the device's proof say.

    `credential` is the authority's for the new key; the device has been met with it since `done_at`, or never yet.
    """

    __tablename__ = "rotations"

    public: Mapped[bytes] = mapped_column(LargeBinary(64), primary_key=True)
    old: Mapped[bytes] = mapped_column(LargeBinary(64), index=True)
    device_id: Mapped[str] = mapped_column(String(64))
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    by_old: Mapped[bytes] = mapped_column(LargeBinary)
    by_new: Mapped[bytes] = mapped_column(LargeBinary)
    begun_at: Mapped[int] = mapped_column(BigInteger)
    done_at: Mapped[int | None] = mapped_column(BigInteger)


class WipeRow(Base):
    """The wipe certificate of a device that is no more, signed with its key `public`; `credential` was that key's."""

    __tablename__ = "wipes"

    public: Mapped[bytes] = mapped_column(LargeBinary(64), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64))
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    certificate: Mapped[bytes] = mapped_column(LargeBinary)
    seen_at: Mapped[int] = mapped_column(BigInteger)
