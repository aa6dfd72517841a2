"""Fetching a device that another site has given away: over its cable, or by radio.

Owns: the order of the steps, and what is kept of them, so that the same call finishes what broke off. The site's
registry takes the device in before the device is told; the device answers with the same key until then, and afterwards
shows the credential that this site gave it.
Rules: the device is proven, by the key that the voucher names, before it learns who comes; that it is ours it proves by
its new key.
Must not know: how a device is reached, how people are asked.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from admit import following
from admit.authority import Authority
from admit.client import Description, Holder, Session, check_credential, describe
from admit.connection import Connection
from admit.editing import first_bundle
from admit.ownership import Parcel, check_ours
from admit.site import Site
from admit.suite import HostSuite
from admit.wallet import Wallet
from admit_protocol import cbor, coap, cose, credential, receipt, rule
from admit_protocol.errors import Conflict, NotFound, Untrusted
from admit_protocol.grant import Grant

_PATH, _POST = "/ownership", 2
_CONTRIBUTION, _CREDENTIAL, _CHAIN, _GRANT, _NOW = 1, 1, 2, 3, 4  # POST and PUT
_PUBLIC_KEY, _TEST_ONLY, _SEAL_KEY = 1, 2, 3
_RECEIPT = 1


@dataclass(frozen=True)
class Fetched:
    """A device that is ours since: its credential, and the receipt for whose it was."""

    credential: credential.Credential
    receipt: bytes


async def fetch(
    connection: Connection,
    site: Site,
    signer: Authority,
    wallet: Wallet,
    parcel: Parcel,
    device_id: str,
    step: Callable[[str], None],
) -> Fetched:
    """Make the device of `parcel` one of this site, called `device_id` here. `step(words)` is told before each step.

    Raises Conflict adopt-reset, adopt-begun or device-commissioned, Untrusted voucher-other-owner or voucher-other-key,
    NotFound wallet-no-grant, what the registry says of the name, and what the device refuses.
    """
    check_ours(site, parcel)
    given = _grant_for_it(wallet)
    step("asking the device who it is")
    data = _present(await describe(connection))
    if credential.parse(data).site_id != site.anchor.site_id:
        _check_meant(data, parcel)
        data = await _take(connection, site, signer, wallet, parcel, data, given, device_id, step)
    check_credential(data, site.anchor, device_id)
    step("proving the device with its new credential")
    session = Session(connection, Holder(wallet.login_key, given.data, site.anchor), data)
    await session.start()
    told = cbor.expect(cbor.decode((await session.request(coap.GET, _PATH)).payload), dict, "ownership-body")
    proof = cbor.expect(told.get(_RECEIPT), bytes, "ownership-body")
    _check_receipt(proof, parcel, site.anchor.site_id)
    return Fetched(wallet.add_device(data), proof)


async def _take(connection, site, signer, wallet, parcel, data, given, device_id, step) -> bytes:
    """The credential with which the device is ours; `data` is the one that it has."""
    session = Session(connection, Holder(wallet.login_key, None, parcel.origin), data)
    await session.start()
    step("showing the voucher")
    shown = {_CHAIN: list(parcel.chain), _GRANT: given.data}
    response = await session.request(coap.POST, _PATH, cbor.encode({_CONTRIBUTION: os.urandom(32)} | shown))
    paper = _take_in(site, signer, device_id, cbor.expect(cbor.decode(response.payload), dict, "identity-body"))
    step("taking it over")
    now = {_NOW: int(time.time())}
    await session.request(coap.PUT, _PATH, cbor.encode({_CREDENTIAL: paper} | shown | now))
    return paper


def _take_in(site: Site, signer: Authority, device_id: str, told: dict) -> bytes:
    """The device's credential, for the keys that it made; the registry knows it from now on."""
    public, seal_public = [
        cose.decode_key(cbor.expect(told.get(key), dict, "identity-body"))[0] for key in (_PUBLIC_KEY, _SEAL_KEY)
    ]
    for known in site.registry.devices():
        if known.public == public and known.id != device_id:
            raise Conflict("adopt-begun", f"it was begun as {known.id}")
    now = int(time.time())
    data = signer.issue_credential(device_id, public, seal_public, now, told.get(_TEST_ONLY) is True)
    site.registry.add_device(data, now, lambda session, device: first_bundle(signer, session, device, now))
    return data


def _present(said: Description) -> bytes:
    """The credential that a device shows. Raises Conflict adopt-reset if it has none."""
    if said.credential is None:
        raise Conflict("adopt-reset", "it belongs to nobody: it was reset, and no voucher is needed for it")
    return said.credential


def _check_meant(data: bytes, parcel: Parcel) -> None:
    """Is it the device of the voucher, with the key that it had then?"""
    shown = credential.parse(data)
    if shown.site_id != parcel.origin.site_id:
        raise Conflict("device-commissioned", "it belongs to a third site")
    following.verify_credential(shown, parcel.origin)
    if shown.public != parcel.credential.public:
        what = "it is another device" if shown.device_id != parcel.device_id else "it has changed its key since"
        raise Untrusted("voucher-other-key", f"the voucher is for {parcel.device_id}: {what}")


def _grant_for_it(wallet: Wallet) -> Grant:
    """The grant by which a device knows its new owner's admin. Raises NotFound wallet-no-grant."""
    for each in wallet.grants():
        allows = any(rule.matches(one[0], _PATH) and one[1] & _POST and not one[2] for one in each.rules)
        if allows and not each.parent and not each.enrol:
            return each
    raise NotFound("wallet-no-grant", "it takes an admin's own grant, which allows everything")


def _check_receipt(data: bytes, parcel: Parcel, site_id: bytes) -> None:
    """Is it what the old owner waits for?"""
    told = receipt.parse(data)
    was = parcel.credential
    receipt.verify(told, was.public, parcel.origin.site_id, was.device_id, HostSuite())
    if (told.voucher, told.to_site) != (parcel.vouchers[0].hash, site_id):
        raise Untrusted("receipt-other-voucher", "the device came here by another voucher")
