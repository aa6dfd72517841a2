"""The registry: the site's memory of users, keys, grants, devices, who may do what, and journals.

Owns: the database, its version, its transactions, and what a conflict is. What it knows of each topic is in boards.py
and the modules registry_….py, which are mixed in.
Rules: each method is one transaction, whole or not at all. A second writer who builds on an older state is refused,
never merged in silence. A registry that a newer admit made is refused before anything is read.
Must not know: the authority's private keys. It stores what was issued; admin.py issues.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from admit.boards import Boards
from admit.registry_asking import Asking
from admit.registry_devices import Devices
from admit.registry_health import Health
from admit.registry_journals import Journals
from admit.registry_keys import Keys
from admit.registry_model import Model
from admit.registry_ownership import Ownership
from admit.registry_people import People
from admit.registry_rollouts import Rollouts
from admit.registry_saving import Saving
from admit.registry_takeovers import Takeovers
from admit_protocol.errors import Busy, Conflict, LocalError, NotFound

SCHEMA = "0008"  # the newest migration
_OLDER = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")  # every migration before it

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 5

_CONTENTION = ("40001", "40P01", "55P03")  # PostgreSQL: serialization failure, deadlock, lock not available


class Registry(People, Devices, Journals, Model, Asking, Boards, Health, Rollouts, Saving, Keys, Ownership, Takeovers):
    """An open registry. Rows that it returns are copies: change them only through its methods."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._readers = sessionmaker(engine, expire_on_commit=False)
        self._writers = sessionmaker(engine.execution_options(admit_writes=True), expire_on_commit=False)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        """One transaction that changes nothing."""
        with self._transaction(self._readers) as session:
            yield session

    @contextmanager
    def _change(self) -> Iterator[Session]:
        """One transaction that changes something."""
        with self._transaction(self._writers) as session:
            yield session

    @contextmanager
    def _transaction(self, sessions: sessionmaker[Session]) -> Iterator[Session]:
        """What the database says against a transaction, in our words."""
        try:
            with sessions.begin() as session:
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
    if is_newer(found):
        raise LocalError("registry-newer", f"it has schema {found}, this admit knows {SCHEMA}")
    if found != SCHEMA:
        _migrate(engine)
    return Registry(engine)


def is_newer(schema: str) -> bool:
    """Whether a newer admit made a registry of this schema."""
    return schema != SCHEMA and schema not in _OLDER


def create_registry(url: str) -> Registry:
    """Make the tables of a new registry. Raises Conflict registry-exists if there is one.

    Tables without a single user are what an attempt left that was cut short; they are taken as they are.
    """
    engine = _engine(url)
    if _schema(engine) is not None and not _is_empty(engine):
        raise Conflict("registry-exists", "there is a registry already")
    _migrate(engine)
    return Registry(engine)


def _engine(url: str) -> Engine:
    try:
        target = make_url(url)
        if target.drivername == "postgresql":
            target = target.set(drivername="postgresql+psycopg")
        engine = create_engine(target)
    except (SQLAlchemyError, NoSuchModuleError, ImportError, ValueError):
        raise LocalError("registry-url", "not the URL of a database that this installation can talk to") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_sqlite(connection, _record) -> None:
    connection.isolation_level = None  # or Python would begin transactions, late, and none for what makes tables
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")


def _begin_sqlite(connection) -> None:
    """Whoever will write waits for its turn first: what it then reads stays true until it has written."""
    writes = connection.get_execution_options().get("admit_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(connection, _record) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{_BUSY_TIMEOUT_S}s'")
    connection.commit()


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


def _is_empty(engine: Engine) -> bool:
    with engine.connect() as connection:
        return not connection.scalar(text("SELECT count(*) FROM users"))


def _migrate(engine: Engine) -> None:
    from alembic import command  # takes as long to import as most commands take to run
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.execution_options(admit_writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, SCHEMA)
    except SQLAlchemyError as error:
        raise _in_our_words(error) from None


def _in_our_words(error: SQLAlchemyError) -> Exception:
    """A database's error without the statement and its parameters."""
    if not isinstance(error, DBAPIError):
        return LocalError("registry-failed", type(error).__name__)
    told = getattr(error.orig, "diag", None)  # PostgreSQL's own words; its text would hold the statement
    cause = (told and told.message_primary) or str(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, OperationalError) and ("locked" in cause or state in _CONTENTION):
        return Busy("registry-busy", "somebody else is writing to the registry")
    return LocalError("registry-failed", cause)
