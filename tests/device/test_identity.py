"""A device makes its key once, joins one site once, and survives a power cut at each step of that."""

from admit_device.commissioning import commission, make_key
from admit_device.identity import COMMISSIONED, FACTORY, Identity
from admit_protocol import anchor, credential, issuing
from admit_protocol.errors import Conflict, LocalError, Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice, Memory, PowerCut
from support import raises


def make_site(name):
    suite = Suite(Dice(name.encode()).random)
    key, ecdh = suite.generate(), suite.generate()
    return key, anchor.Anchor(key.public, ecdh.public, name)


def vouch(key, site, public, seal_key=None, device_id="kiosk-1"):
    seal_public = seal_key.public if seal_key else public
    return issuing.credential(key, site.site_id, device_id, public, credential.kid(public), 1000, seal_public)


def new(keystore):
    return Identity(keystore, Suite(Dice(b"device").random))


def test_the_key_is_made_once_and_found_again():
    keystore = Memory()
    identity = new(keystore)
    assert identity.state == FACTORY and identity.key is None
    public = make_key(identity, bytes(32))
    assert make_key(identity, b"\x01" * 32) == public
    assert make_key(new(keystore), bytes(32)) == public


def test_the_hosts_contribution_changes_the_key():
    assert make_key(new(Memory()), bytes(32)) != make_key(new(Memory()), b"\x01" * 32)


def test_commissioning_happens_once_and_repeating_the_same_is_no_error():
    keystore = Memory()
    key, site = make_site("one")
    identity = new(keystore)
    data = vouch(key, site, make_key(identity, bytes(32)), identity.seal_key)
    commission(identity, data, site.encode())
    commission(identity, data, site.encode())
    assert (identity.state, identity.device_id) == (COMMISSIONED, "kiosk-1")
    assert new(keystore).device_id == "kiosk-1"
    with raises(Conflict, "identity-commissioned"):
        commission(identity, vouch(key, site, identity.key.public, identity.seal_key, "kiosk-2"), site.encode())
    with raises(Conflict, "identity-commissioned"):
        make_key(identity, bytes(32))


def test_a_credential_must_be_of_that_site_for_our_key_and_signed():
    identity = new(Memory())
    key, site = make_site("one")
    other_key, other = make_site("two")
    with raises(LocalError, "identity-no-key"):
        commission(identity, vouch(key, site, other_key.public), site.encode())
    public = make_key(identity, bytes(32))
    with raises(Untrusted, "credential-other-site"):
        commission(identity, vouch(other_key, other, public), site.encode())
    with raises(Unverified, "cose-signature"):
        commission(identity, vouch(other_key, site, public), site.encode())
    for wrong in (vouch(key, site, other_key.public, identity.seal_key), vouch(key, site, public, other_key)):
        with raises(Untrusted, "identity-other-key"):
            commission(identity, wrong, site.encode())
    assert identity.state == FACTORY


def test_a_power_cut_at_either_write_leaves_the_old_identity_or_the_new():
    key, site = make_site("one")
    for cut in range(3):
        keystore = Memory()
        keystore.cut_after = cut
        public = None
        try:
            identity = new(keystore)
            public = make_key(identity, bytes(32))
            commission(identity, vouch(key, site, public, identity.seal_key), site.encode())
        except PowerCut:
            pass
        keystore.cut_after = None
        after = new(keystore)
        if public:
            assert after.key.public == public
        else:
            assert after.key is None
        assert after.state == (COMMISSIONED if cut == 2 else FACTORY)
