"""How devices were, over time, in the registry; `Health` is mixed into admit.registry.Registry.

Owns: the table health, and how long what is in it stays. Rules: bounded. Of each device every sample of the last week
is kept, then one an hour, and nothing older than 400 days.
Must not know: what a sample says.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from admit.health_models import HealthRow

_EVERY_S = 7 * 86400
_HOUR_S = 3600
_KEPT_S = 400 * 86400


class Health:
    """What a Registry knows of how devices were."""

    _read: Callable[[], AbstractContextManager[Session]]
    _change: Callable[[], AbstractContextManager[Session]]

    def add_health(self, samples: Iterable[tuple[str, int, bytes | None, str | None]]) -> None:
        """Keep samples, all or none: (device, unix seconds, what it told, or None and the reason of that)."""
        rows = [dict(zip(("device_id", "at", "data", "reason"), each, strict=True)) for each in samples]
        if rows:
            with self._change() as session:
                session.connection().execute(insert(HealthRow), rows)

    def health(self, device_id: str, since: int = 0, limit: int | None = None) -> list[HealthRow]:
        """The samples of a device from `since` (unix seconds) on, the oldest first; the latest `limit` of them."""
        wanted = select(HealthRow).where(HealthRow.device_id == device_id, HealthRow.at >= since)
        with self._read() as session:
            found = session.scalars(wanted.order_by(HealthRow.at.desc(), HealthRow.id.desc()).limit(limit))
            return list(found)[::-1]

    def thin_health(self, now: int) -> int:
        """Drop what is no longer kept as of `now`; how many samples that were."""
        hour = HealthRow.at - HealthRow.at % _HOUR_S
        first = select(func.min(HealthRow.id)).where(HealthRow.at < now - _EVERY_S).group_by(HealthRow.device_id, hour)
        with self._change() as session:
            gone = delete(HealthRow).where(HealthRow.at < now - _KEPT_S)
            spare = delete(HealthRow).where(HealthRow.at < now - _EVERY_S, HealthRow.id.not_in(first.scalar_subquery()))
            return sum(session.connection().execute(each).rowcount for each in (gone, spare))


def latest(rows: Sequence[HealthRow]) -> HealthRow | None:
    """The newest sample that has something to say."""
    return next((row for row in reversed(rows) if row.data is not None), None)
