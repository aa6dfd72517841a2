"""The registry's tables of who may do what: what admins said, and which of them said it.

Roles, groups, statements, denies, invites, devices that no longer count, and changes. What follows from them, grants
and bundles, is in registry_models.py. A change here needs a migration, as there.
"""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from admit.registry_models import Base


class RoleRow(Base):
    """A name for rules: `rules` is the CBOR of [[pattern, methods, {conditions}], ...]."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    rules: Mapped[bytes] = mapped_column(LargeBinary)
    added_at: Mapped[int] = mapped_column(BigInteger)


class GroupRow(Base):
    """A name for people; MemberRow says for whom."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    added_at: Mapped[int] = mapped_column(BigInteger)


class MemberRow(Base):
    """Who is in a group: `user:NAME`, or all of another group: `group:NAME`."""

    __tablename__ = "members"

    group_name: Mapped[str] = mapped_column(ForeignKey("groups.name"), primary_key=True)
    member: Mapped[str] = mapped_column(String(80), primary_key=True, index=True)


class StatementRow(Base):
    """What an admin granted: `subject` is user:NAME or group:NAME, `terms` the CBOR of all of it (statements.py)."""

    __tablename__ = "statements"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(80), index=True)
    role: Mapped[str | None] = mapped_column(ForeignKey("roles.name"), index=True)
    terms: Mapped[bytes] = mapped_column(LargeBinary)
    expires: Mapped[int | None] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(String(128))
    issued_at: Mapped[int] = mapped_column(BigInteger)


class PolicyRuleRow(Base):
    """A deny or a lockdown, on `devices` (one pattern a line); `data` is the CBOR of its rule.PolicyRule."""

    __tablename__ = "policy_rules"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    effect: Mapped[int] = mapped_column(Integer)
    devices: Mapped[str] = mapped_column(Text)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    who: Mapped[str] = mapped_column(String(128))
    issued_at: Mapped[int] = mapped_column(BigInteger)


class InviteRow(Base):
    """An invite that was issued: a grant to a key that follows from a secret, which is kept nowhere."""

    __tablename__ = "invites"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    kid: Mapped[bytes] = mapped_column(LargeBinary(8), unique=True)
    role: Mapped[str | None] = mapped_column(ForeignKey("roles.name"), index=True)
    device_id: Mapped[str] = mapped_column(String(64), index=True)
    uses: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    who: Mapped[str] = mapped_column(String(128))
    issued_at: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class DismissedRow(Base):
    """The key of a device that no longer counts, by its fingerprint."""

    __tablename__ = "dismissed"

    fingerprint: Mapped[str] = mapped_column(String(16), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64), index=True)
    dismissed_at: Mapped[int] = mapped_column(BigInteger)


class NoticeRow(Base):
    """A signed notice to wallets: which devices no longer count."""

    __tablename__ = "notices"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[int] = mapped_column(BigInteger)


class ChangeRow(Base):
    """Which admin did what, and when. Rows are only ever added."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    who: Mapped[str] = mapped_column(String(128))
    act: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text)


class PolicyRow(Base):
    """One row: how often who may do what was changed. Whoever changes it holds this row, so that all stand in line."""

    __tablename__ = "policy"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer)
