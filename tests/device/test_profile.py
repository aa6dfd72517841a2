"""What of EDHOC a device that guards something accepts: method 2, its own credential, and people with a grant."""

from admit_device.access import Access
from admit_device.profile import Profile
from admit_protocol import coap, credential, edhoc
from rig import Phone
from visitors import OPEN, Visitor, grant_of, key_of, new_kiosk


def test_only_method_2_gets_an_answer():
    rig = new_kiosk()
    for method in (0, 1, 3):
        phone = Phone(rig, key_of("alice"), grant_of("alice", OPEN))
        response = phone.start(method=method)
        assert response.code == coap.BAD_REQUEST
        assert edhoc.parse_error(response.payload) == (1, "edhoc-method")
    assert Phone(rig, key_of("alice"), grant_of("alice", OPEN)).start(method=2).code == coap.CHANGED


def test_the_device_names_itself_by_the_kid_in_its_credential():
    rig = new_kiosk()
    identity = rig.device.identity
    key, id_cred, cred = Profile().own(identity)
    assert key is identity.key
    assert id_cred == cred.id_cred == {edhoc.KID: credential.kid(rig.public)}
    assert (cred.data, cred.public) == (rig.credential[1:], rig.public)


def test_nobody_has_a_session_before_a_handshake():
    rig = new_kiosk()
    assert Profile().contexts(rig.device._suite, rig.device.identity) == ()
    assert Profile.access is Access
    assert rig.device.sessions.deadline() is None


def test_a_raw_key_is_no_grant():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", OPEN)
    own = edhoc.cwt_credential(rig.credential)
    alice.initiator = None
    alice.start(by_value=False)
    message_3 = alice.message_3
    assert len(message_3) == 28  # names a grant, which this device never saw
    response = alice.ask(coap.GET, "/r")
    assert edhoc.parse_error(response.payload) == (3, True)
    assert own.public == rig.public
