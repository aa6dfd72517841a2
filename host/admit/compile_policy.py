"""From what was taken back, denied and locked down to the bundles that devices must hear of it by.

Owns: what each device should hold (ids of grants that no longer count there, people who do not, rules, the notice to
wallets), and the sealed bundles that bring it there from what it holds.
Rules: a device gets a bundle only if it should hold something else than it was last told. A grant that has ended by
itself is dropped when there is a bundle anyway. What does not fit into one bundle goes into several, one on another.
Must not know: what was asked for; statements.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping

import cbor2
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admit.access_models import DismissedRow, InviteRow, NoticeRow, PolicyRuleRow
from admit.authority import Authority
from admit.compile_access import chunks
from admit.keyfiles import fingerprint
from admit.ownership_models import VoucherRow
from admit.registry_devices import add_bundle
from admit.registry_model import newest_notice, revoked_selectors
from admit.registry_models import BundleRow, Device, GrantRow
from admit.suite import HostSuite
from admit_protocol import bundle, cose_encrypt, credential, issuing, voucher
from admit_protocol.errors import LocalError

State = tuple  # as bundle.NOTHING: epoch, issued_at, revoked ids, selectors, rules, notice

_ROOM = 3500  # bytes of what changes in one bundle; the rest is its frame, its signature and its seal
_DROPPED = 100  # ids that one bundle drops at most
_PEOPLE = 2400  # bytes of the names of people who no longer count: those revoked last, about 70
_KEPT = 11 * 1024  # bytes that a device keeps of all this, and of them for rules:
_KEPT_RULES = 3400


class Names:
    """Which devices an audience means: found in their ordered names, each audience once."""

    def __init__(self, devices: Iterable[str]):
        self._names = sorted(devices)
        self._known: dict[str, list[str]] = {}

    @property
    def all(self) -> list[str]:
        return self._names

    def of(self, audience: str) -> list[str]:
        """The devices that one of the patterns (one a line) matches."""
        if audience not in self._known:
            found = {name for pattern in audience.split("\n") for name in self._one(pattern)}
            self._known[audience] = sorted(found)
        return self._known[audience]

    def _one(self, pattern: str) -> list[str]:
        if not pattern.endswith("*"):
            at = bisect_left(self._names, pattern)
            return self._names[at : at + 1] if self._names[at : at + 1] == [pattern] else []
        prefix = pattern[:-1]
        end = bisect_left(self._names, prefix + "\U0010ffff") if prefix else len(self._names)
        return self._names[bisect_left(self._names, prefix) : end]


def device_names(session: Session) -> Names:
    """The devices of the site that count."""
    gone = set(session.scalars(select(DismissedRow.fingerprint)))
    rows = session.execute(select(Device.id, Device.public)).all()
    return Names(name for name, public in rows if not gone or fingerprint(public) not in gone)


def compile_bundles(
    session: Session, signer: Authority, now: int, names: Names, concerned: Collection[str]
) -> list[str]:
    """Make what the `concerned` devices must hear of. Returns those for which there was something.

    Raises LocalError bundle-too-long, and changes nothing, if a device's rules or people do not fit into one.
    """
    if not concerned:
        return []
    wanted = _wanted(session, now, names, set(concerned))
    told = _told(session, concerned)
    notices = {number: data for number, data in session.execute(select(NoticeRow.number, NoticeRow.data))}
    made = []
    for device in _devices(session, concerned):
        rows = told.get(device.id, [])
        last = state_of(rows[-1], notices) if rows else bundle.NOTHING
        if _same(last, wanted[device.id], fresh=not rows and device.epoch > 0):
            continue
        _check_size(device.id, wanted[device.id])
        for row in _bundles(signer, device, rows, wanted[device.id], notices, now):
            add_bundle(session, row)
        made.append(device.id)
    return made


def state_of(row: BundleRow, notices: Mapping[int, bytes]) -> State:
    """What a device holds that took the bundle of `row`."""
    selectors, rules = cbor2.loads(row.selectors), cbor2.loads(row.rules)
    return row.epoch, row.issued_at, row.revoked, selectors, rules, notices.get(row.notice)


def _wanted(session: Session, now: int, names: Names, concerned: set[str]) -> dict[str, list]:
    """What each device should hold: [ids, selectors, rules, (number of the notice, notice)]."""
    ids = _revoked_ids(session, now, names, concerned)
    passable = _passable(session, now, names)
    people = sorted(_that_fit(revoked_selectors(session))) if passable & concerned else []
    rules: dict[str, list] = {}
    for row in session.scalars(select(PolicyRuleRow).order_by(PolicyRuleRow.id)):
        for name in names.of(row.devices):
            rules.setdefault(name, []).append(cbor2.loads(row.data))
    newest = newest_notice(session)
    notice = (newest.number, newest.data) if newest else (0, None)
    return {
        name: [
            b"".join(sorted(ids.get(name, ()))),
            people if name in passable else [],
            rules.get(name, []),
            notice,
        ]
        for name in concerned
    }


def _that_fit(selectors: list[str]) -> list[str]:
    """The first of them that a device has room for."""
    room, found = _PEOPLE, []
    for selector in selectors:
        room -= len(cbor2.dumps(selector))
        if room < 0:
            break
        found.append(selector)
    return found


def forgotten(session: Session) -> list[str]:
    """The people (selectors) revoked so long ago that devices have no room for them any more.

    Their own grants are named by their ids, and do not count; what others passed on to them may.
    """
    selectors = revoked_selectors(session)
    return selectors[len(_that_fit(selectors)) :]


def _revoked_ids(session: Session, now: int, names: Names, concerned: set[str]) -> dict[str, list[bytes]]:
    """The ids of what was taken back at each device and would count otherwise: grants, invites, vouchers."""
    grants = select(GrantRow.id, GrantRow.audience).where(
        GrantRow.revoked_at.is_not(None), GrantRow.expires.is_(None) | (GrantRow.expires > now)
    )
    invites = select(InviteRow.id, InviteRow.device_id).where(
        InviteRow.revoked_at.is_not(None), InviteRow.expires > now
    )
    same = (Device.id == VoucherRow.device_id) & (Device.public == VoucherRow.public)
    lives = VoucherRow.expires.is_(None) | (VoucherRow.expires > now)
    vouchers = (
        select(func.substr(VoucherRow.id, 1, 2 * voucher.ID_LENGTH), VoucherRow.device_id)
        .join(Device, same)
        .where(VoucherRow.cancelled_at.is_not(None), lives)
    )
    by_audience: dict[str, list[bytes]] = {}
    for query in (grants, invites, vouchers):
        for grant_id, audience in session.execute(query):
            by_audience.setdefault(audience, []).append(bytes.fromhex(grant_id))
    found: dict[str, list[bytes]] = {}
    for audience, ids in by_audience.items():
        for name in names.of(audience):
            if name in concerned:
                found.setdefault(name, []).extend(ids)
    return found


def _passable(session: Session, now: int, names: Names) -> set[str]:
    """The devices where a grant may have been passed on: only there may somebody count whom no grant names."""
    grants = (
        select(GrantRow.audience)
        .distinct()
        .where(GrantRow.delegate > 0, GrantRow.expires.is_(None) | (GrantRow.expires > now))
    )
    invites = select(InviteRow.device_id).distinct().where(InviteRow.expires > now)
    audiences = [*session.scalars(grants), *session.scalars(invites)]
    return {name for audience in audiences for name in names.of(audience)}


def _told(session: Session, concerned: Collection[str]) -> dict[str, list[BundleRow]]:
    """The bundles kept of each device, in order."""
    found: dict[str, list[BundleRow]] = {}
    for some in chunks(concerned):
        for row in session.scalars(select(BundleRow).where(BundleRow.device_id.in_(some)).order_by(BundleRow.epoch)):
            found.setdefault(row.device_id, []).append(row)
    return found


def _devices(session: Session, concerned: Collection[str]) -> Iterable[Device]:
    for some in chunks(sorted(concerned)):
        yield from session.scalars(select(Device).where(Device.id.in_(some)).order_by(Device.id))


def _same(last: State, wanted: list, fresh: bool) -> bool:
    """Whether a device that was told `last` needs to hear nothing; ids that need not be named any more do not count.

    A `fresh` one, whose name had another key before, may meet that one's bundles: it hears of a newer epoch at once.
    """
    ids, selectors, rules, (_, notice) = wanted
    kept = set(bundle.split(last[2]))
    return (
        not fresh
        and all(each in kept for each in bundle.split(ids))
        and (list(last[3]), _encoded(list(last[4])), last[5]) == (selectors, _encoded(rules), notice)
    )


def _check_size(device_id: str, wanted: list) -> None:
    """Raises LocalError policy-too-large for more than a device keeps."""
    ids, selectors, rules, (_, notice) = wanted
    length = len(_encoded(rules))
    if length > _KEPT_RULES or len(ids) + len(_encoded(selectors)) + length + len(notice or b"") > _KEPT:
        raise LocalError("policy-too-large", f"{device_id} could not keep all revocations and rules")


def _encoded(rules) -> bytes:
    return cbor2.dumps(rules, canonical=True)


def _bundles(
    signer: Authority, device: Device, rows: list[BundleRow], wanted: list, notices: Mapping[int, bytes], now: int
) -> Iterator[BundleRow]:
    """The rows of the bundles, mostly one, that bring a device from what it is known to hold to what it should."""
    seal_key = credential.parse(device.credential).seal_public
    states = [state_of(row, notices) for row in rows if row.epoch >= device.held_epoch]
    last = states[-1] if states else bundle.NOTHING
    if not states or states[0][0] != device.held_epoch:
        states = [bundle.NOTHING]
    numbers = {data: number for number, data in notices.items()}
    for way in _ways(states, last, device.epoch, wanted, now):
        epoch, _, ids, selectors, rules, notice = way[-1]
        data = cose_encrypt.seal(HostSuite(), seal_key, signer.issue_bundle(device.id, way))
        row = BundleRow(device_id=device.id, epoch=epoch, data=data, issued_at=now, base=way[0][0])
        row.revoked, row.selectors, row.rules = ids, cbor2.dumps(list(selectors)), _encoded(list(rules))
        row.notice = numbers.get(notice, 0)
        yield row


def _ways(states: list[State], last: State, epoch: int, wanted: list, now: int) -> Iterator[list[State]]:
    """The states that each bundle has to lead from and to: from all at once, or step by step from the last one on."""
    ids, selectors, rules, (_, notice) = wanted
    target = set(bundle.split(ids))
    ended = {each for state in [*states, last] for each in bundle.split(state[2])} - target
    target.update(sorted(ended)[_DROPPED:])
    goal = (epoch + 1, now, _joined(target), selectors, rules, notice)
    if _length(issuing.changes([*states, goal])) <= _ROOM:
        yield [*states, goal]
        return
    while True:
        epoch += 1
        after = _step(last, (epoch, now, *goal[2:]))
        if _is_like(after, last):
            raise LocalError("bundle-too-long", "neither rules nor people may take more than one bundle")
        yield [last, after]
        if _is_like(after, goal):
            return
        last = after


def _step(last: State, goal: State) -> State:
    """As much of the way from `last` to `goal` as one bundle can lead: rules first, then people, the notice, ids."""
    target = set(bundle.split(goal[2]))
    held = set(bundle.split(last[2])) & target
    state = (*goal[:2], _joined(held), *last[3:])
    for field in (4, 3, 5):
        nearer = (*state[:field], goal[field], *state[field + 1 :])
        if _length(issuing.changes([last, nearer])) <= _ROOM:
            state = nearer
    room = max(_ROOM - _length(issuing.changes([last, state])), 0) // bundle.ID_LENGTH
    return (*state[:2], _joined(held | set(sorted(target - held)[:room])), *state[3:])


def _is_like(one: State, other: State) -> bool:
    return one[2] == other[2] and _encoded([*map(list, one[3:5]), one[5]]) == _encoded(
        [*map(list, other[3:5]), other[5]]
    )


def _joined(ids: Iterable[bytes]) -> bytes:
    return b"".join(sorted(ids))


def _length(said: dict) -> int:
    """About how many bytes a bundle takes that says this."""
    ids = len(said["revoked"]) + len(said["dropped"])
    return ids * bundle.ID_LENGTH + len(_encoded([said["selectors"], said["rules"], said["notice"]]))
