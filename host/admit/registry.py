"""The registry: the site's memory of users, keys, grants, devices, revocations and journals.

Owns: the database, its version, and what a conflict is.
Rules: each method is one transaction, whole or not at all. A second writer who builds on an older state is refused,
never merged in silence. A registry that a newer admit made is refused before anything is read.
Must not know: the authority's private keys. It stores what was issued; admin.py issues.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, create_engine, event, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from admit.boards import Boards, last_epoch
from admit.keyfiles import fingerprint
from admit.registry_models import BundleRow, Device, GrantRow, HeadRow, Key, RecordRow, Revocation, User
from admit_protocol import bundle, credential, grant
from admit_protocol.errors import Busy, Conflict, LocalError, NotFound

SCHEMA = "0002"  # the newest migration
_OLDER = ("0001",)  # every migration before it

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 5

Row = TypeVar("Row", User, Device)


class Registry(Boards):
    """An open registry. Rows that it returns are copies: change them only through its methods."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # Users and their keys

    def add_user(self, name: str, publics: list[bytes], now: int) -> Key:
        """Add a user with a key: login, and perhaps signing. Raises Conflict registry-user-exists, -key-exists."""
        with self._change() as session:
            if session.get(User, name):
                raise Conflict("registry-user-exists", f"there is a user {name} already")
            if session.scalar(select(Key).where(Key.public == publics[0])):
                raise Conflict("registry-key-exists", "this key is another user's")
            session.add(User(name=name, added_at=now))
            session.flush()
            sig_public = publics[1] if len(publics) > 1 else None
            key = Key(fingerprint=fingerprint(publics[0]), user_name=name, public=publics[0], sig_public=sig_public)
            key.added_at = now
            session.add(key)
            return key

    def users(self) -> list[User]:
        """Every user, by name."""
        with self._change() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def keys(self, user_name: str) -> list[Key]:
        """The keys of a user, the newest first. Raises NotFound registry-no-user."""
        with self._change() as session:
            _must_exist(session, User, user_name, "registry-no-user", f"no user {user_name}")
            found = select(Key).where(Key.user_name == user_name).order_by(Key.added_at.desc())
            return list(session.scalars(found))

    # Grants and revocations

    def add_grant(self, data: bytes, user_name: str) -> GrantRow:
        """Keep a grant that the authority issued to a user's key."""
        given = grant.parse(data)
        row = GrantRow(id=given.id.hex(), kid=given.kid, user_name=user_name, data=data, expires=given.expires)
        row.fingerprint = fingerprint(given.key)
        row.issued_at = given.issued_at
        with self._change() as session:
            session.add(row)
        return row

    def grants(self, user_name: str | None = None) -> list[GrantRow]:
        """The grants, of one user or all, the oldest first. Raises NotFound registry-no-user."""
        with self._change() as session:
            found = select(GrantRow).order_by(GrantRow.issued_at, GrantRow.id)
            if user_name is not None:
                _must_exist(session, User, user_name, "registry-no-user", f"no user {user_name}")
                found = found.where(GrantRow.user_name == user_name)
            return list(session.scalars(found))

    def grant(self, grant_id: str) -> GrantRow:
        """A grant by its id, or by the first digits of it. Raises NotFound registry-no-grant, Conflict -ambiguous."""
        with self._change() as session:
            found = list(session.scalars(select(GrantRow).where(GrantRow.id.startswith(grant_id, autoescape=True))))
        if not found:
            raise NotFound("registry-no-grant", f"no grant {grant_id}")
        if len(found) > 1:
            raise Conflict("registry-ambiguous", f"{len(found)} grants begin with {grant_id}: give more digits")
        return found[0]

    def named_grant(self, kid: bytes) -> GrantRow | None:
        """The grant that a journal names by its `kid`, or None."""
        with self._change() as session:
            return session.scalar(select(GrantRow).where(GrantRow.kid == kid))

    def revoked(self) -> set[str]:
        """Ids of every grant that was taken back."""
        with self._change() as session:
            return set(session.scalars(select(Revocation.grant_id)))

    def revoked_grants(self, now: int) -> list[GrantRow]:
        """The grants taken back that would count otherwise; one that has ended by itself is not among them."""
        living = GrantRow.expires.is_(None) | (GrantRow.expires > now)
        with self._change() as session:
            return list(session.scalars(select(GrantRow).join(Revocation).where(living)))

    def revoke(self, grant_ids: list[str], bundles: list[bytes], now: int) -> None:
        """Take grants back, and keep the bundle of each device that must hear of it, in one transaction.

        Raises Conflict registry-changed if somebody made a bundle for one of the devices meanwhile.
        """
        with self._change() as session:
            for grant_id in grant_ids:
                session.add(Revocation(grant_id=grant_id, revoked_at=now))
            for data in bundles:
                _add_bundle(session, data)

    # Devices and bundles

    def add_device(self, credential_data: bytes, now: int, bundle_data: bytes | None = None) -> Device:
        """Add a device by its credential, and its first bundle if it needs one. Raises Conflict registry-device-exists.

        The very same device (id and key) again replaces its credential, so that a torn commissioning can be repeated.
        """
        with self._change() as session:
            return self._put_device(session, credential_data, now, bundle_data)

    @staticmethod
    def _put_device(session: Session, credential_data: bytes, now: int, bundle_data: bytes | None) -> Device:
        known = credential.parse(credential_data)
        device = session.get(Device, known.device_id)
        if device is None:
            if other := session.scalar(select(Device).where(Device.public == known.public)):
                raise Conflict("registry-device-key", f"its public key is that of {other.id}")
            device = Device(id=known.device_id, public=known.public, added_at=now, held_epoch=0)
            device.epoch = last_epoch(session, known.device_id)
        elif device.public != known.public:
            raise Conflict("registry-device-exists", f"there is another device {known.device_id} already")
        device.credential = credential_data
        session.add(device)
        session.flush()
        if bundle_data:
            _add_bundle(session, bundle_data)
        return device

    def devices(self) -> list[Device]:
        """Every device, by id."""
        with self._change() as session:
            return list(session.scalars(select(Device).order_by(Device.id)))

    def device(self, device_id: str) -> Device:
        """A device. Raises NotFound registry-no-device."""
        with self._change() as session:
            return _must_exist(session, Device, device_id, "registry-no-device", f"no device {device_id}")

    def pending_bundles(self) -> list[BundleRow]:
        """The newest bundle of each device that is not known to hold it: what is still to be delivered."""
        with self._change() as session:
            newest = (BundleRow.device_id == Device.id) & (BundleRow.epoch == Device.epoch)
            found = select(BundleRow).join(Device, newest).where(Device.held_epoch < Device.epoch)
            return list(session.scalars(found.order_by(BundleRow.device_id)))

    def bundle_held(self, device_id: str, epoch: int) -> None:
        """The device said that it holds the bundle of `epoch`. An older report than the last one changes nothing."""
        with self._change() as session:
            older = (Device.id == device_id) & (Device.held_epoch < epoch)
            session.execute(update(Device).where(older).values(held_epoch=epoch))

    # Journals; journal_store.py decides what may be stored

    def last_head(self, device_id: str) -> HeadRow | None:
        """The newest head seen of a device's journal."""
        with self._change() as session:
            found = select(HeadRow).where(HeadRow.device_id == device_id).order_by(HeadRow.count.desc()).limit(1)
            return session.scalar(found)

    def heads(self, device_id: str) -> list[HeadRow]:
        """Every head seen of a device's journal, the oldest first."""
        with self._change() as session:
            return list(session.scalars(select(HeadRow).where(HeadRow.device_id == device_id).order_by(HeadRow.count)))

    def records(self, device_id: str) -> list[RecordRow]:
        """Every record collected of a device's journal, in order."""
        with self._change() as session:
            found = select(RecordRow).where(RecordRow.device_id == device_id).order_by(RecordRow.seq)
            return list(session.scalars(found))

    def add_records(self, records: list[RecordRow], head: HeadRow) -> None:
        """Keep new records and the head after them. Raises Conflict registry-changed if somebody else was faster."""
        with self._change() as session:
            session.add_all([*records, head])

    @contextmanager
    def _change(self) -> Iterator[Session]:
        """One transaction; what the database says against it, in our words."""
        try:
            with self._sessions.begin() as session:
                yield session
        except (StaleDataError, IntegrityError):
            raise Conflict("registry-changed", "somebody else changed the registry meanwhile") from None
        except SQLAlchemyError as error:
            raise _in_our_words(error) from None


def open_registry(url: str) -> Registry:
    """Open the registry at `url`, brought up to this version.

    Raises NotFound registry-missing, LocalError registry-newer, registry-url or registry-failed, Busy registry-busy.
    """
    engine = _engine(url)
    found = _schema(engine)
    if found is None:
        raise NotFound("registry-missing", "there is no registry there")
    if found != SCHEMA and found not in _OLDER:
        raise LocalError("registry-newer", f"it has schema {found}, this admit knows {SCHEMA}")
    if found != SCHEMA:
        _migrate(engine)
    return Registry(engine)


def create_registry(url: str) -> Registry:
    """Make the tables of a new registry. Raises Conflict registry-exists if there are some."""
    engine = _engine(url)
    if _schema(engine) is not None:
        raise Conflict("registry-exists", "there is a registry already")
    _migrate(engine)
    return Registry(engine)


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(url)
    except (SQLAlchemyError, NoSuchModuleError, ImportError):
        raise LocalError("registry-url", "not the URL of a database that this installation can talk to") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection, _record) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")


def _schema(engine: Engine) -> str | None:
    """The migration that the database is at, or None for an empty one."""
    file = engine.url.database or ""
    if engine.dialect.name == "sqlite" and not file.startswith("file:") and not Path(file).is_file():
        return None  # to look into it would make it
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError as error:
        raise _in_our_words(error) from None


def _migrate(engine: Engine) -> None:
    from alembic import command  # takes as long to import as most commands take to run
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA)


def _in_our_words(error: SQLAlchemyError) -> Exception:
    """A database's error without the statement and its parameters."""
    cause = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    if isinstance(error, OperationalError) and "locked" in cause:
        return Busy("registry-busy", "somebody else is writing to the registry")
    return LocalError("registry-failed", cause)


def _must_exist(session: Session, kind: type[Row], key: str, reason: str, detail: str) -> Row:
    row = session.get(kind, key)
    if row is None:
        raise NotFound(reason, detail)
    return row


def _add_bundle(session: Session, data: bytes) -> None:
    """Keep a bundle, which must be the next one of its device."""
    made = bundle.parse(data)
    device = session.get(Device, made.device_id)
    if device is None or made.epoch != device.epoch + 1:
        raise Conflict("registry-changed", f"somebody else made a bundle for {made.device_id} meanwhile")
    device.epoch = made.epoch
    row = BundleRow(device_id=made.device_id, epoch=made.epoch, data=data, issued_at=made.issued_at)
    session.add(row)
