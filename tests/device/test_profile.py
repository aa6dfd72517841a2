"""What of EDHOC a device that guards something accepts: method 2, its own credential, and people with a grant."""

from admit_device.access import Access
from admit_device.profile import Profile
from admit_protocol import ccs, coap, credential, edhoc, edhoc_client
from admit_protocol.edhoc_initiator import Initiator
from rig import Phone
from visitors import OPEN, grant_of, key_of, new_kiosk


def test_only_method_2_gets_an_answer():
    rig = new_kiosk()
    for method in (0, 1, 3):
        phone = Phone(rig, key_of("alice"), grant_of("alice", OPEN))
        response = phone.start(method=method)
        assert response.code == coap.BAD_REQUEST
        assert edhoc_client.parse_error(response.payload) == (1, "edhoc-method")
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
    assert Profile().contexts(rig.device.suite, rig.device.identity) == ()
    assert Profile.access is Access
    assert rig.device.sessions.deadline() is None


def test_a_raw_key_is_taken_by_value_and_is_known_by_no_name():
    rig = new_kiosk()
    alice = Phone(rig, key_of("alice"), grant_of("alice", OPEN))
    raw = ccs.credential(ccs.encode("alice", alice.key.public, b"\x2b"))
    for id_cred, told in ((edhoc.by_value(raw.data), None), (raw.id_cred, (3, True))):
        initiator = Initiator(alice.suite, 2, [2], alice.key, id_cred, raw, b"\x17")
        first = alice.plain(coap.POST, "/.well-known/edhoc", edhoc_client.encode_prefixed(None, initiator.message_1()))
        initiator.parse_message_2(first.payload)
        initiator.verify_message_2(edhoc.cwt_credential(rig.credential))
        body = edhoc_client.encode_prefixed(initiator.c_r, initiator.message_3())
        assert edhoc_client.parse_error(alice.plain(coap.POST, "/.well-known/edhoc", body).payload) == told
