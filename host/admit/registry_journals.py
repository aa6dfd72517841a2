"""Journals that were collected, in the registry; `Journals` is mixed into admit.registry.Registry.

Owns: the tables records and heads. journal_store.py decides what may be stored.
Must not know: what a record says.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admit.registry_models import HeadRow, RecordRow


class Journals:
    """What a Registry knows of journals."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def last_head(self, device_id: str) -> HeadRow | None:
        """The newest head seen of a device's journal."""
        with self._read() as session:
            found = select(HeadRow).where(HeadRow.device_id == device_id).order_by(HeadRow.count.desc()).limit(1)
            return session.scalar(found)

    def heads(self, device_id: str) -> list[HeadRow]:
        """Every head seen of a device's journal, the oldest first."""
        with self._read() as session:
            return list(session.scalars(select(HeadRow).where(HeadRow.device_id == device_id).order_by(HeadRow.count)))

    def record_bytes(self, device_id: str, first: int = 0, end: int | None = None) -> list[tuple[int, bytes]]:
        """(number, bytes) of each record collected of a device's journal, in order: from `first` on, before `end`."""
        with self._read() as session:
            found = select(RecordRow.seq, RecordRow.data).where(
                RecordRow.device_id == device_id, RecordRow.seq >= first
            )
            if end is not None:
                found = found.where(RecordRow.seq < end)
            return [(number, data) for number, data in session.execute(found.order_by(RecordRow.seq))]

    def stored_before(self, device_id: str, number: int) -> int:
        """The number after the last record collected before `number`; 0 if there is none."""
        with self._read() as session:
            found = select(func.max(RecordRow.seq)).where(RecordRow.device_id == device_id, RecordRow.seq < number)
            last = session.scalar(found)
            return 0 if last is None else last + 1

    def add_records(self, records: list[RecordRow], head: HeadRow) -> None:
        """Keep new records and the head after them; one that is there already may now begin with an earlier record.

        Raises Conflict registry-changed if somebody else was faster.
        """
        with self._change() as session:
            session.add_all(records)
            known = session.get(HeadRow, (head.device_id, head.count))
            if known is None:
                session.add(head)
            elif head.first < known.first:
                known.first, known.base = head.first, head.base
