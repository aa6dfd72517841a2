"""The registry's tables: people, devices, what they were sent and what they told. access_models.py has the rest.

What they hold was issued or verified before; keys are public keys. A change here needs a migration in
migrations/versions; a test compares the two, on each database.
"""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Times are unix seconds; grants go by their id in hex."""


class User(Base):
    """Somebody who may be granted something, or, since `revoked_at`, nothing any more."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    added_at: Mapped[int] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class Key(Base):
    """A user's public keys: `public` to log in with, `sig_public` to sign with; 64 bytes each. One may be revoked."""

    __tablename__ = "keys"

    fingerprint: Mapped[str] = mapped_column(String(16), primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    public: Mapped[bytes] = mapped_column(LargeBinary(64), unique=True)
    sig_public: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    added_at: Mapped[int] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class Device(Base):
    """A device of the site.

    `epoch` is that of the newest bundle made for it, `held_epoch` that of the one which it is known to hold. `version`
    counts changes, so that two writers cannot both build on the same state.
    """

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary(64), unique=True)
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    added_at: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    held_epoch: Mapped[int] = mapped_column(Integer, default=0)
    version: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"version_id_col": version}


class GrantRow(Base):
    """A grant that was issued for `statement_id`, and was perhaps taken back. `data` is the whole of it.

    The other columns are copied from it to be searched: `audience` one pattern a line, `form` the hash of all that it
    says (compile_access.py), or None if nobody has needed it yet.
    """

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    kid: Mapped[bytes] = mapped_column(LargeBinary(8), unique=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    fingerprint: Mapped[str] = mapped_column(ForeignKey("keys.fingerprint"))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int | None] = mapped_column(BigInteger)
    statement_id: Mapped[str | None] = mapped_column(String(16), index=True)
    form: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    audience: Mapped[str] = mapped_column(Text)
    delegate: Mapped[int] = mapped_column(Integer)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger, index=True)


class BundleRow(Base):
    """A bundle made for a device, sealed in `data`; it is a difference to the one of epoch `base`, or whole if 0.

    The rest is all that a device holds that took it: `revoked` ids of 8 bytes in order, revoked `selectors` and policy
    `rules` in CBOR, the number of the `notice` it has. Rows below the epoch that a device holds are dropped.
    """

    __tablename__ = "bundles"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[int] = mapped_column(BigInteger)
    base: Mapped[int] = mapped_column(Integer)
    revoked: Mapped[bytes] = mapped_column(LargeBinary)
    selectors: Mapped[bytes] = mapped_column(LargeBinary)
    rules: Mapped[bytes] = mapped_column(LargeBinary)
    notice: Mapped[int] = mapped_column(Integer)


class RecordRow(Base):
    """A record of a device's journal, as collected and verified."""

    __tablename__ = "records"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class HeadRow(Base):
    """A signed head of a device's journal that was seen: `head` after `count` records. It witnesses what came before.

    The records collected with it begin at number `first`, before which the head was `base`; if `first` is not the count
    of the head before, the device had dropped the records between.
    """

    __tablename__ = "heads"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    head: Mapped[bytes] = mapped_column(LargeBinary(32))
    first: Mapped[int] = mapped_column(BigInteger)
    base: Mapped[bytes] = mapped_column(LargeBinary(32))
    signed: Mapped[bytes] = mapped_column(LargeBinary)
    seen_at: Mapped[int] = mapped_column(BigInteger)


class BoardRow(Base):
    """A board that was taken in hand: a chip, whatever it is called. `board_id` is its unique id in hex.

    `name` is reserved for it, `device_id` the device that it is. `state` is the last step of provisioning that it
    completed as that device, `set_hash` that of the firmware it runs. `version` counts changes, as a device's does.
    """

    __tablename__ = "boards"

    board_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    board: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str | None] = mapped_column(String(64), unique=True)
    device_id: Mapped[str | None] = mapped_column(ForeignKey("devices.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    set_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    reserved_by: Mapped[str] = mapped_column(String(128))
    reserved_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"version_id_col": version}


class StepRow(Base):
    """The journal of provisioning: that a step of a run began, was done, or failed and why."""

    __tablename__ = "provisioning"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    run: Mapped[str] = mapped_column(String(16))
    board_id: Mapped[str] = mapped_column(ForeignKey("boards.board_id"), index=True)
    device_id: Mapped[str] = mapped_column(String(64))
    step: Mapped[str] = mapped_column(String(16))
    event: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str | None] = mapped_column(String(400))
    who: Mapped[str] = mapped_column(String(128))
    at: Mapped[int] = mapped_column(BigInteger)


class RetiredRow(Base):
    """An identity that counts no more, since its board was given a new one; `journal` is all that it had told, in CBOR:
    [records, [[count, head, first, base, signed, seen_at], …]].
    """

    __tablename__ = "retired"

    public: Mapped[bytes] = mapped_column(LargeBinary(64), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    board_id: Mapped[str | None] = mapped_column(String(64))
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    epoch: Mapped[int] = mapped_column(Integer)
    journal: Mapped[bytes] = mapped_column(LargeBinary)
    retired_at: Mapped[int] = mapped_column(BigInteger)


class ImageRow(Base):
    """A firmware image, pinned at its first use: what comes under its name later must be the same. sha256 is hex."""

    __tablename__ = "images"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    source: Mapped[str | None] = mapped_column(String(400))
    first_used_at: Mapped[int] = mapped_column(BigInteger)
