"""What a device's journal says of releases: so rollouts learn of what a courier brought, or another desk.

Owns: what a record of a trial means for rollouts under way. The record is proof: the device signed the journal's head.
Rules: only the newest word of a device counts, so a page that a courier brings late changes nothing; who failed counts
as failed in the rollout, and may pause it, as if it had been brought the release from here.
Must not know: how the records came here (journal_store.py).
"""

from collections.abc import Sequence

from admit.registry import Registry
from admit.registry_rollouts import COMPLETE, OPEN, PAUSED, WAITING
from admit.rollout_models import ReleaseRow, RolloutRow
from admit.rollouts import FAILED, MISSED, SENDING, UPDATED
from admit_protocol import journal
from admit_protocol.journal_reader import Record, parse_record

_OPEN_STILL = (WAITING, SENDING, MISSED)
_WHY = "update-went-back"


def learn(registry: Registry, device_id: str, records: Sequence[Record], now: int) -> None:
    """Take in what is new of a device's journal, oldest record first."""
    told = [each for each in records if each.kind == journal.RELEASE and type(each.extra.get(journal.COUNT)) is int]
    if not told or _was_told_later(registry, device_id, told[-1].seq):
        return
    newest = {each.extra[journal.COUNT]: each for each in told}
    for record in sorted(newest.values(), key=lambda each: each.seq):
        for rollout, release in registry.rollouts():
            _take(registry, device_id, record, rollout, release, now)
        if record.outcome == journal.DONE:
            _note_set(registry, device_id, record, now)


def _was_told_later(registry: Registry, device_id: str, number: int) -> bool:
    """Is a later record of a release known already?"""
    later = [parse_record(data) for _, data in registry.record_bytes(device_id, number + 1)]
    return any(each.kind == journal.RELEASE for each in later)


def _take(
    registry: Registry, device_id: str, record: Record, rollout: RolloutRow, release: ReleaseRow, now: int
) -> None:
    """What a record says for one rollout."""
    rows = {each.device_id: each for each in registry.arrivals(rollout.id)}
    is_living = rollout.state in (OPEN, PAUSED)
    if device_id not in rows or not is_living or release.sequence != record.extra[journal.COUNT]:
        return
    row, others = rows[device_id], [each.state for each in rows.values() if each.device_id != device_id]
    if record.outcome == journal.DONE and row.state != UPDATED:
        registry.arrival_is(rollout.id, device_id, UPDATED, now)
        if set(others) <= {UPDATED}:
            registry.rollout_is(rollout.id, COMPLETE)
    elif record.outcome == journal.FAILED and row.state in _OPEN_STILL and not _is_older(record, row.at):
        if others.count(FAILED) + 1 >= rollout.pause_on:
            registry.rollout_is(rollout.id, PAUSED)  # first: this program may die
        why = (_WHY, f"{record.extra.get(journal.REASON, '')}; it runs what it ran before")
        registry.arrival_is(rollout.id, device_id, FAILED, now, why=why)


def _is_older(record: Record, at: int) -> bool:
    """Is it of the time before what the rollout knows, such as another try? A device may not know the time."""
    return record.time is not None and record.time < at


def _note_set(registry: Registry, device_id: str, record: Record, now: int) -> None:
    """What it runs then; that it went back, if that is less than what it was brought last."""
    number = record.extra[journal.COUNT]
    set_hash = next((row.set_hash for row in registry.releases() if row.sequence == number), None)
    if set_hash is None:  # another desk's, or what came over the cable
        return
    last = next((each for each in registry.rollouts() if _is_updated(registry, each[0], device_id)), None)
    if last and last[1].sequence > number:
        registry.device_went_back(device_id, set_hash, now)
    else:
        registry.device_runs(device_id, set_hash)


def _is_updated(registry: Registry, rollout: RolloutRow, device_id: str) -> bool:
    return any(each.device_id == device_id and each.state == UPDATED for each in registry.arrivals(rollout.id))
