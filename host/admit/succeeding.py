"""The site's authority gets other keys: all that the old one signed and that goes on is signed anew.

Owns: the order. The files with the keys change first, in one step: from then on only the new key signs. What follows of
that in wallets and registry can be done again, and is, by whoever comes next, until it was done whole.
Rules: grants keep their ids and words; each device is told everything anew, since it takes nothing more of the old key.
What is lost with the old key is counted and told before: invites, what was passed on, vouchers, releases.
Must not know: how devices are reached.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from admit import collect, following, keyfiles, overruling, withdrawing
from admit.access_models import InviteRow
from admit.authority import Authority
from admit.client import Session
from admit.compile_policy import device_names
from admit.editing import editing
from admit.key_models import RotationRow
from admit.registry_model import newest_notice
from admit.registry_models import GrantRow
from admit.site import Site
from admit.wallet import Wallet
from admit_protocol import cbor, coap, credential, grant
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Conflict, Denied, NotFound

_CREDENTIAL = 1  # in PUT /identity
_RENEWED = 2  # in POST /grants
_KID, _ID = grant.KID_LENGTH, grant.ID_LENGTH
_AT_ONCE = 3500  # bytes of grants in one request


@dataclass(frozen=True)
class Reach:
    """Whom new keys concern: how many grants are signed anew, of them such that may have been passed on; open invites;
    devices that have to follow.
    """

    grants: int
    passed_on: int
    invites: int
    devices: int


def reach(site: Site, now: int) -> Reach:
    """Whom new keys would concern."""
    with site.registry.reading() as session:
        rows = list(session.scalars(_counting(now)))
        invites = session.scalar(
            select(func.count()).where(InviteRow.revoked_at.is_(None), InviteRow.expires > now).select_from(InviteRow)
        )
        return Reach(len(rows), sum(row.delegate > 0 for row in rows), invites or 0, len(device_names(session).all))


def succeed(site: Site, signer: Authority, now: int, overlap_s: int) -> None:
    """Give the authority new keys; what the old ones signed counts for `overlap_s` more. Raises what
    Authority.succeed does.
    """
    signer.succeed(now, now + overlap_s)
    keyfiles.save_anchor(site.folder, signer.anchor)  # that others may read
    site.anchor = signer.anchor
    settle(site, signer, now)


def settle(site: Site, signer: Authority, now: int) -> bool:
    """Do what follows of the present keys, if it was not done yet; whether there was something to be done.

    Raises as `check` does.
    """
    check(site)
    anchor, number = signer.anchor, len(signer.anchor.successions)
    if not number:
        return False
    for wallet in collect.wallets(site):
        if len(wallet.anchor.successions) < number:
            wallet.follow(anchor)
    act = f"succession {number}"
    is_due = site.registry.last_done(act) is None
    if is_due:
        with editing(site, signer, now) as edit:
            for row in edit.session.scalars(_counting(now)):
                row.data = signer.sign_anew(row.data)
                row.kid = grant.kid_of(row.data)
            for coming in edit.session.scalars(select(RotationRow).where(RotationRow.done_at.is_(None))):
                said = credential.parse(coming.credential)
                words = said.device_id, said.public, said.seal_public, said.issued_at, said.test_only
                coming.credential = signer.issue_credential(*words)
            if newest_notice(edit.session):
                withdrawing.tell_wallets(edit, signer)
            for device_id in device_names(edit.session).all:
                overruling.tell_anew(edit, device_id)
            edit.note(act, f"of the authority, key {keyfiles.fingerprint(anchor.sign_public)}")
    _hand_out(site, anchor)
    return is_due


def check(site: Site) -> None:
    """Raises Conflict authority-older if a wallet of the site has met a device that follows newer keys than these: the
    site was put back from before.
    """
    for wallet in collect.wallets(site):
        if len(wallet.anchor.successions) > len(site.anchor.successions):
            what = f"its devices follow number {len(wallet.anchor.successions)}"
            raise Conflict("authority-older", f"these keys are number {len(site.anchor.successions)}, and {what}")


def _counting(now: int):
    """The grants that go on."""
    return select(GrantRow).where(
        GrantRow.revoked_at.is_(None), GrantRow.expires.is_(None) | (GrantRow.expires > now), GrantRow.data != b""
    )


def _hand_out(site: Site, anchor: Anchor) -> None:
    """Put what was signed anew into the wallets of this machine."""
    for wallet in collect.wallets(site):
        for given in wallet.grants():
            if given.chain or following.is_present(given, anchor):
                continue
            try:
                row = site.registry.grant(given.id.hex())
            except NotFound:
                continue
            if row.revoked_at is None and following.is_present(grant.parse(row.data), anchor):
                wallet.add_grant(row.data)


def behind(site: Site) -> list[str]:
    """The devices that are not known to follow the present key: theirs is not what vouches for them."""
    if not site.anchor.successions:
        return []
    rows = site.registry.devices()
    return [row.id for row in rows if not following.is_present(credential.parse(row.credential), site.anchor)]


async def renew(session: Session, site: Site, signer: Authority, wallet: Wallet, device_id: str, now: int) -> bool:
    """Have a device, which follows the present key, vouched for by it; whether it was not yet. During the overlap it
    gets what its holders need. `wallet`: whose session it is.

    Raises what the device says against it.
    """
    anchor, row, met = site.anchor, site.registry.device(device_id), wallet.device(device_id)
    if not anchor.successions or met is None or met.public != row.public:
        return False
    is_due, data = not following.is_present(credential.parse(row.credential), anchor), met.data
    if is_due and not following.is_present(met, anchor):
        issued_at = max(now, met.issued_at + 1)  # of two credentials of a device, the later one counts
        data = signer.issue_credential(device_id, met.public, met.seal_public, issued_at, met.test_only)
        await session.request(coap.PUT, "/identity", cbor.encode({_CREDENTIAL: data}), coap.CONTENT_CBOR)
        wallet.add_device(data)
    if following.previous(anchor):
        await _bring_grants(session, site)
    if is_due:
        site.registry.add_device(data, now)
    return is_due


async def _bring_grants(session: Session, site: Site) -> None:
    """What was signed anew of the grants that a device remembers, so that it has them for their holders."""
    try:
        told = await session.request(coap.GET, "/grants", query="behind=1")
    except Denied:
        return  # this wallet may not; its holders then need their invitations anew
    items = cbor.expect(cbor.decode(told.payload), list, "grants-body")
    names = [cbor.expect(each, bytes, "grants-body") for each in items]
    for some in _parcels(_wanted(site, names)):
        body = cbor.encode({_RENEWED: some})
        await session.request(coap.POST, "/grants", body, coap.CONTENT_CBOR)


def _wanted(site: Site, names: list[bytes]) -> Iterator[bytes]:
    """The grants, bytes, of which a device has only what the key before signed. A name: kid, then id."""
    kids = {name[:_KID] for name in names}
    for grant_id in dict.fromkeys(name[_KID : _KID + _ID] for name in names):
        try:
            row = site.registry.grant(grant_id.hex())
        except NotFound:
            continue
        if row.revoked_at is None and row.kid not in kids:
            yield row.data


def _parcels(items: Iterator[bytes]) -> Iterator[list[bytes]]:
    """The same in lists that fit into one request each."""
    some: list[bytes] = []
    for each in items:
        if some and sum(map(len, some)) + len(each) > _AT_ONCE:
            yield some
            some = []
        some.append(each)
    if some:
        yield some


def forget(signer: Authority) -> int:
    """Remove the keys to which devices sealed before; how many there were. What is sealed to them stays closed."""
    files = signer.older_keys()
    for file in files:
        file.unlink()
    return len(files)
