"""A device has left: the old site lets go of it, and of its key."""

import pytest

from admit import fetching, ownership
from admit.keyfiles import fingerprint
from admit.suite import HostSuite
from admit_protocol import anchor, cose, credential, notice, receipt
from admit_protocol.errors import Conflict
from admit_protocol.kdf import sha256
from rotating_site import LATER
from sites import NOW

pytestmark = pytest.mark.usefixtures("later")


def another_anchor():
    return anchor.Anchor(HostSuite().generate().public, HostSuite().generate().public, "East")


def left(site, signer, rig, to):
    """The receipt of a device that was given to another site, and went there."""
    parcel = ownership.give(site, signer, "kiosk-1", to, NOW)
    said = sha256(parcel.chain[0]), to.site_id, HostSuite().generate().public, 5, bytes(32), 1, LATER
    return receipt.sign(rig.device.identity.key, site.anchor.site_id, "kiosk-1", *said)


def test_whoever_digs_the_old_key_out_of_a_device_that_left_is_believed_by_no_wallet(site, signer, rig):
    met = credential.parse(rig.credential)
    data = left(site, signer, rig, another_anchor())
    for _ in range(2):
        assert ownership.accept_receipt(site, signer, data, LATER).device_id == "kiosk-1"
    assert set(site.registry.dismissed()) == {fingerprint(met.public)}
    told = notice.parse(site.registry.notice().data)
    assert told.devices == [notice.fingerprint(met.public)]
    wallet = site.wallet("admin")
    wallet.take_notice(site.registry.notice().data)
    assert wallet.is_struck_off(met)


def test_what_was_begun_under_another_name_is_no_impostor(site, signer):
    public, seal = [HostSuite().generate().public for _ in range(2)]
    told = {1: cose.encode_key(public), 3: cose.encode_key(seal)}
    for _ in range(2):
        assert credential.parse(fetching._take_in(site, signer, "kiosk-3", told)).public == public
    with pytest.raises(Conflict) as caught:
        fetching._take_in(site, signer, "kiosk-4", told)
    assert caught.value.reason == "adopt-begun" and "kiosk-3" in caught.value.detail
