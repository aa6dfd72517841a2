"""A registry as one SQLite file, whatever database it is in, and back; `Saving` is mixed into admit.registry.Registry.

Owns: the copy of every table there is, in an order that foreign keys allow.
Rules: what is saved is one state of all of it, and nobody changes who may do what until its holder lets go. What is put
back is put back in one transaction, into a registry that nobody uses.
Must not know: what the tables hold, and where the file goes.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Row, Table, func, select
from sqlalchemy.orm import Session

from admit.access_models import PolicyRow
from admit.registry_models import User
from admit_protocol.errors import Conflict

_ROWS = 1000  # at a time
_VERSION = "alembic_version"  # a registry's own: whoever made its tables has written it


class Saving:
    """How a Registry is saved, and put back."""

    _change: Callable[[], AbstractContextManager[Session]]
    reading: Callable[[], AbstractContextManager[Session]]
    rehearsing: Callable[[], AbstractContextManager[Session]]

    @contextmanager
    def held(self) -> Iterator[Connection]:
        """A connection that sees one state of all of it; nobody changes who may do what until the block ends."""
        with self.rehearsing() as turn:
            turn.get(PolicyRow, 1, with_for_update=True)
            with self.reading() as session:
                yield session.connection()

    def fill(self, source: Connection) -> None:
        """Take over all that another registry of the same schema holds.

        Raises Conflict registry-exists if this one is in use, unless it holds just that: then an earlier attempt was
        cut short after this step.
        """
        with self._change() as session:
            session.get(PolicyRow, 1, with_for_update=True)
            in_use = session.scalar(select(func.count()).select_from(User))
            if not in_use:
                copy(source, session.connection())
            elif not _is_same(source, session.connection()):
                raise Conflict("registry-exists", "there is a registry already, and it holds something else")


def save(source: Connection, file: Path, make: Callable[[str], Any]) -> None:
    """Write all that `source` holds into a new SQLite file; `make` makes an empty registry at a URL."""
    if source.dialect.name == "sqlite":
        with closing(sqlite3.connect(file)) as target:
            source.connection.driver_connection.backup(target)  # type: ignore[union-attr]
        return
    target = make(f"sqlite:///{file}")
    try:
        target.fill(source)
    finally:
        target.close()


def copy(source: Connection, target: Connection) -> None:
    """Put every row of `source` in the place of all that `target` holds."""
    tables, theirs = _tables(source), {table.name: table for table in _tables(target)}
    for table in reversed(tables):
        target.execute(theirs[table.name].delete())
    for table in tables:
        for some in source.execute(select(table)).mappings().partitions(_ROWS):
            target.execute(theirs[table.name].insert(), [dict(row) for row in some])
    if target.dialect.name == "postgresql":
        for table in tables:
            _set_sequence(target, theirs[table.name])


def _set_sequence(target: Connection, table: Table) -> None:
    """The next number that the database gives out by itself follows those that were put there."""
    if len(table.primary_key) != 1:
        return
    (key,) = table.primary_key
    if key.server_default is not None:
        last = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
        target.execute(select(func.setval(func.pg_get_serial_sequence(table.name, key.name), last, False)))


def _is_same(one: Connection, other: Connection) -> bool:
    """Whether both hold the same rows."""
    tables, theirs = _tables(one), {table.name: table for table in _tables(other)}
    return {table.name for table in tables} == theirs.keys() and all(
        mine == yours
        for table in tables
        for mine, yours in zip_longest(_rows(one, table), _rows(other, theirs[table.name]))
    )


def _rows(connection: Connection, table: Table) -> Iterator[tuple]:
    """The rows of a table, in an order that does not depend on the database."""
    names = sorted(column.name for column in table.columns)
    rows: list[Row] = list(connection.execute(select(*(table.c[name] for name in names))))
    return iter(sorted(map(tuple, rows), key=repr))


def _tables(connection: Connection) -> list[Table]:
    """The tables that there are, each after those that it refers to."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != _VERSION]
