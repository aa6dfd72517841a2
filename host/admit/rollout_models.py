"""The registry's tables of releases and rollouts. A change here needs a migration, as in registry_models.py.

What a device was brought outlives it: its id is no foreign key.
"""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from admit.registry_models import Base


class SetRow(Base):
    """A firmware set that was installed or built: `files` is the list of what is in it, as a release has it."""

    __tablename__ = "sets"

    set_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    files: Mapped[bytes] = mapped_column(LargeBinary)


class ReleaseRow(Base):
    """A release: its signed `manifest`, of which the other columns are copies. Each has a number and a version."""

    __tablename__ = "releases"

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(64), unique=True)
    set_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    manifest: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[int] = mapped_column(BigInteger)


class RolloutRow(Base):
    """A release on its way to devices, in `stages` ("1,10%,100%"); so many failures as `pause_on` stop it.

    `state`: "open", "paused", "done", or "replaced" by a rollout of a later release. `change` counts changes, so that
    two who work on the same rollout cannot both build on the same state.
    """

    __tablename__ = "rollouts"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    sequence: Mapped[int] = mapped_column(ForeignKey("releases.sequence"))
    stages: Mapped[str] = mapped_column(String(200))
    pause_on: Mapped[int] = mapped_column(Integer)
    began_at: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    change: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"version_id_col": change}


class ArrivalRow(Base):
    """Where a device is in a rollout: in which `place` of the order, and in which `state` (rollouts.py), since `at`.

    `ran`: the version that it ran before; `moved`: bytes of CoAP in both directions; `reason` and `detail`: why it is
    not further.
    """

    __tablename__ = "arrivals"

    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    ran: Mapped[str | None] = mapped_column(String(64))
    moved: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(String(400))
    at: Mapped[int] = mapped_column(BigInteger)
