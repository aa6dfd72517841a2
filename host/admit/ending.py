"""The end of a device: it is wiped, and proves it; and the file by which anybody may check that later.

Owns: the order, and the file's bytes: the certificate, the credential of the key that signed it, the site's anchor.
Rules: nothing is believed but the device's own signature, under a key that the authority vouched for. What the device
had told is kept; its key is struck off, since a copy may have been made of it while it lived.
Must not know: how the device is reached.
"""

from collections.abc import Callable
from dataclasses import dataclass

from admit import collect, following, journal_store, syncing, withdrawing
from admit.authority import Authority
from admit.client import Session, describe
from admit.connection import Connection
from admit.editing import editing
from admit.keyfiles import cbor_file, fingerprint
from admit.registry_devices import device_of
from admit.registry_keys import end_device
from admit.site import Site
from admit.suite import HostSuite
from admit.transport import Transport
from admit.visit import visit
from admit.wallet import Wallet
from admit_protocol import anchor, cbor, coap, credential, wipe
from admit_protocol.errors import Malformed, Refused, Untrusted
from admit_protocol.kdf import sha256

# Bodies of /identity: docs/SPEC.md.
_OPERATION, _REASON = 4, 6
_DECOMMISSION = 3
_CERTIFICATE = 4

Step = Callable[[str], None]


@dataclass(frozen=True)
class Proven:
    """A certificate that holds, and the credential of the key that signed it."""

    said: wipe.WipeCertificate
    device: credential.Credential
    site_name: str


async def end(
    reach: Callable[[], Transport], site: Site, wallet: Wallet, device_id: str, reason: str, now: int, step: Step
) -> bytes:
    """Have the device wipe itself, once its journal is collected: its certificate, not yet proven. `reach()` is a way
    to it; `step(words)` is told of each stage.

    A device that was wiped before, and of which nobody heard that, still shows its certificate. Raises what a visit and
    journal_store.collect do; Untrusted device-unproven if it belongs to nobody and shows none, rotation-unknown-key.
    """
    try:
        async with visit(reach(), wallet, device_id, step) as session:
            syncing.check_key(site.registry, device_id, wallet)
            step(f"collecting {device_id}'s journal")
            page = await collect.fetch_journal(session, journal_store.position(site.registry, device_id)[0])
            journal_store.collect(site.registry, device_id, page, now, collect.witnesses(site))
            step(f"wiping {device_id}")
            return await ask(session, reason)
    except (Untrusted, Refused) as error:
        if error.reason not in ("device-unproven", "session-needed"):  # it is over, or all but over
            raise
        async with Connection(reach()) as connection:
            if (wiped := (await describe(connection)).wiped) is None:
                raise
            return wiped


async def ask(session: Session, reason: str) -> bytes:
    """Have the device wipe itself: its certificate, not yet proven. Raises what the device says against it."""
    body = cbor.encode({_OPERATION: _DECOMMISSION, _REASON: reason})
    answer = await session.request(coap.POST, "/identity", body, coap.CONTENT_CBOR)
    told = cbor.expect(cbor.decode(answer.payload), dict, "wipe-answer")
    return cbor.expect(told.get(_CERTIFICATE), bytes, "wipe-answer")


def keep(site: Site, signer: Authority, device_id: str, certificate: bytes, now: int) -> bytes:
    """The device is no more: prove its certificate, keep it, and strike its key off; the file for it, bytes.

    A name that is free again may be given to another board. Raises what `prove` does, NotFound registry-no-device.
    """
    keys = site.registry.device_keys(device_id)
    said = wipe.parse(certificate)
    coming = site.registry.rotation(device_id)
    own = [site.registry.device(device_id).credential] + ([coming.credential] if coming else [])
    data = next((each for each in own if sha256(credential.parse(each).public) == said.fingerprint), own[0])
    prove(encode(certificate, data, site.anchor), site.anchor.site_id)
    with editing(site, signer, now) as edit:
        device = device_of(edit.session, device_id)
        if data != device.credential:  # it was met with its new key first when it died
            device.public, device.credential = credential.parse(data).public, data
        for each in keys:
            withdrawing.strike_off(edit, signer, device_id, fingerprint(each))
        end_device(edit.session, device, certificate, now)
        edit.note("decommission", f"device {device_id}: {said.reason}")
    return encode(certificate, data, site.anchor)


def known(site: Site, device_id: str) -> bytes | None:
    """The file, bytes, of a device that was wiped and is none of the site's any more; of several the latest one's."""
    if any(each.id == device_id for each in site.registry.devices()):
        return None
    rows = [row for row in site.registry.wipes() if row.device_id == device_id]
    return encode(rows[-1].certificate, rows[-1].credential, site.anchor) if rows else None


def encode(certificate: bytes, credential_data: bytes, site_anchor: anchor.Anchor) -> bytes:
    """The file that says all that it takes to check a certificate, but for which site's id is the right one."""
    return cbor.encode([certificate, credential_data, site_anchor.encode()])


def prove(data: bytes, site_id: bytes | None) -> Proven:
    """What such a file proves, of the site with this id (16 bytes), or of any.

    Raises Malformed wipe-file, and what the parts of it raise; Untrusted paper-other-site, wipe-other-key,
    paper-other-device; Unverified cose-signature.
    """
    items = cbor_file(data, "wipe-file")
    if len(items) != 3 or not all(isinstance(each, bytes) for each in items):
        raise Malformed("wipe-file", "that is no wipe certificate")
    said, device, site_anchor = wipe.parse(items[0]), credential.parse(items[1]), following.verified(items[2])
    if site_id not in (None, site_anchor.site_id):
        raise Untrusted("paper-other-site", f"it is of the site {site_anchor.name}, {site_anchor.site_id.hex()}")
    following.verify_ever(device, site_anchor)
    wipe.verify(said, device.public, site_anchor.site_id, device.device_id, HostSuite())
    return Proven(said, device, site_anchor.name)
