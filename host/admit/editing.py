"""An admin's act on who may do what: what is said is changed, what follows is compiled, all in one transaction.

Owns: the order of that, who it is noted under, and that local wallets get what is theirs.
Rules: acts stand in line; each is done whole or not at all, wherever it is cut short. Only what an act touched is
compiled again. The authority is unlocked before the registry is held, so that nobody waits for somebody's typing.
Must not know: which acts there are (granting.py, withdrawing.py).
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from admit.access_models import ChangeRow, PolicyRow
from admit.authority import Authority
from admit.compile_access import Changes, Scope, compile_grants
from admit.compile_policy import compile_bundles, device_names, forgotten
from admit.registry_models import Device
from admit.site import Site, wallet_folder
from admit.wallet import Wallet

_WHO = 128  # characters


@dataclass
class Edit:
    """An act under way, in its transaction; `changes` is what followed, once it is compiled."""

    session: Session
    now: int
    who: str
    changes: Changes = field(default_factory=Changes)
    warnings: list[str] = field(default_factory=list)
    _statements: set[str] = field(default_factory=set)
    _users: set[str] = field(default_factory=set)
    _audiences: set[str] = field(default_factory=set)
    _all_grants: bool = False
    _all_devices: bool = False

    def note(self, act: str, detail: str) -> None:
        """Journal what is done."""
        self.session.add(ChangeRow(at=self.now, who=self.who, act=act, detail=detail))

    def warn(self, text: str) -> None:
        """What whoever does it should know."""
        self.warnings.append(text)

    def touch_statements(self, ids: Iterable[str]) -> None:
        """The grants for these statements may change."""
        self._statements.update(ids)

    def touch_users(self, names: Iterable[str]) -> None:
        """The grants of these users may change."""
        self._users.update(names)

    def touch_devices(self, audiences: Iterable[str]) -> None:
        """The policy of the devices that these audiences (patterns, one a line) mean may change."""
        self._audiences.update(audiences)

    def touch_all_grants(self) -> None:
        """Any grant may change."""
        self._all_grants = True

    def touch_all_devices(self) -> None:
        """The policy of any device may change."""
        self._all_devices = True

    def compile(self, signer: Authority | None) -> Changes:
        """Do what follows. Without a signer it is only worked out: rows of grants have no data, no bundle is made, and
        `devices` are those that may have to hear of it.
        """
        self.session.flush()
        scope = Scope() if self._all_grants else Scope(self._statements or None, self._users or None)
        if self._all_grants or not scope.everything:
            found = compile_grants(self.session, signer, self.now, scope)
            self.changes.issued += found.issued
            self.changes.revoked += found.revoked
        names = device_names(self.session)
        concerned = names.all if self._all_devices else self._concerned(names)
        if signer:
            self.changes.devices = compile_bundles(self.session, signer, self.now, names, concerned)
            if self.changes.devices and (lost := forgotten(self.session)):
                self.warn(
                    f"devices have no room for {len(lost)} of those revoked long ago, {lost[0]} the last of them: what"
                    " was passed on to them counts again, unless grants that may be passed on end"
                )
        else:
            self.changes.devices = sorted(concerned)
        return self.changes

    def _concerned(self, names) -> Collection[str]:
        """The devices touched: by the act itself, by what it took back, by grants that may be passed on."""
        audiences = {row.audience for row in self.changes.revoked}
        audiences |= {row.audience for row in self.changes.issued if row.delegate}
        audiences |= {row.device_id for row in self.changes.invites}
        return {name for audience in audiences | self._audiences for name in names.of(audience)}


@contextmanager
def editing(
    site: Site, signer: Authority, now: int, who: str | None = None, version: int | None = None
) -> Iterator[Edit]:
    """An act, compiled and kept when the block ends without an error.

    Raises Conflict registry-changed if there is a `version` of the registry's that it builds on, and that has passed.
    """
    signer.unlock()
    with site.registry.editing(version) as session:
        edit = Edit(session, now, (who or site.setting("user") or "admin")[:_WHO])
        yield edit
        edit.compile(signer)
    hand_out(site, edit.changes)


@contextmanager
def rehearsing(site: Site, now: int) -> Iterator[Edit]:
    """An act that is worked out when the block ends, and never kept: see its `changes` then."""
    with site.registry.rehearsing() as session:
        edit = Edit(session, now, "")
        yield edit
        edit.compile(None)


def sync(site: Site, signer: Authority, now: int) -> Changes:
    """Compile everything again. Does nothing if everything is as it should be."""
    with editing(site, signer, now) as edit:
        edit.touch_all_grants()
        edit.touch_all_devices()
    return edit.changes


def first_bundle(signer: Authority, session: Session, device: Device, now: int) -> None:
    """What a device that has just come must hear of, in the transaction in which it came.

    It waits for its turn as an act does: an act under way knows nothing of the device yet, nor the device of the act.
    """
    session.get(PolicyRow, 1, with_for_update=True)
    compile_bundles(session, signer, now, device_names(session), [device.id])


def hand_out(site: Site, changes: Changes) -> None:
    """Put grants into the wallets of this machine whose keys they are for; what they replace is dropped."""
    wallets = {row.user_name: _wallet(site, row.user_name) for row in changes.issued}
    renewed = {(row.statement_id, row.fingerprint) for row in changes.issued}
    for row in changes.issued:
        if (keys := wallets[row.user_name]) and row.fingerprint == keys.fingerprint:
            keys.add_grant(row.data)
    for row in changes.revoked:
        if (keys := wallets.get(row.user_name)) and (row.statement_id, row.fingerprint) in renewed:
            keys.drop_grant(bytes.fromhex(row.id))


def _wallet(site: Site, user: str) -> Wallet | None:
    folder = wallet_folder(site.folder, user)
    return Wallet(folder) if (folder / "public.pem").is_file() else None
