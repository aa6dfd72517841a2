"""The registry's tables of devices that change hands. A change here needs a migration, as in registry_models.py."""

from sqlalchemy import BigInteger, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from admit.registry_models import Base


class VoucherRow(Base):
    """A voucher that this site gave: `data`; `id` is its hash in hex. It names a device and its key, `public`.

    `to_site` (hex) and `to_name`: whom it is for. `cancelled_at`: it was taken back since. With a `receipt` the device
    has left by it; that is the device's own word, taken here at `left_at`.
    """

    __tablename__ = "vouchers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64), index=True)
    public: Mapped[bytes] = mapped_column(LargeBinary(64))
    number: Mapped[int] = mapped_column(Integer)
    to_site: Mapped[str] = mapped_column(String(32))
    to_name: Mapped[str] = mapped_column(String(64))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int | None] = mapped_column(BigInteger)
    cancelled_at: Mapped[int | None] = mapped_column(BigInteger)
    receipt: Mapped[bytes | None] = mapped_column(LargeBinary)
    left_at: Mapped[int | None] = mapped_column(BigInteger)


class StrayRow(Base):
    """A device of the site that was found to be none: when somebody came, what answered under its name said so.

    `said`: `factory`, or the id (hex) of the site whose it is now. Nobody vouches for that. `board_id`: in hex, if it
    said which board it is.
    """

    __tablename__ = "strays"

    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    said: Mapped[str] = mapped_column(String(32))
    board_id: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[int] = mapped_column(BigInteger)
