"""Test identities: raw keys and preshared contexts get the rules that their file names, and nothing more."""

import json

from admit_device.strangers import StrangerProfile, load
from admit_protocol import ccs, coap, coap_numbers, edhoc, edhoc_client, oscore_client
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.suite import Suite
from folders import Folder
from memory_ports import Dice
from rig import Phone
from visitors import Visitor, new_kiosk, reason

USER_SECRET, DEVICE_SECRET = b"u" * 32, b"d" * 32
SUITE = Suite(Dice(b"strangers").random)
USER, DEVICE = SUITE.private_key(USER_SECRET), SUITE.private_key(DEVICE_SECRET)
USER_CCS, DEVICE_CCS = ccs.encode("user", USER.public, b"\x2b"), ccs.encode("device", DEVICE.public, b"\x05")
CONTEXT = {
    "secret": "00" * 16,
    "salt": "11" * 8,
    "sender": "30",
    "recipient": "31",
    "rules": [["/health", 1]],
}
FILE = {
    "methods": [3],
    "key": DEVICE_SECRET.hex(),
    "credential": DEVICE_CCS.hex(),
    "peers": [{"ccs": USER_CCS.hex(), "rules": [["/r/open", 3]]}],
    "contexts": [CONTEXT],
}


class Stranger(Phone):
    """A tool that knows raw keys and method 3, and no admit."""

    def meet(self, key=USER, raw=USER_CCS, by_value=False):
        """EDHOC up to message_3, which goes with the first request."""
        own = ccs.credential(raw)
        id_cred = edhoc.by_value(raw) if by_value else own.id_cred
        initiator = Initiator(self.suite, 3, [2], key, id_cred, own, b"\x17")
        body = edhoc_client.encode_prefixed(None, initiator.message_1())
        response = self.plain(coap.POST, "/.well-known/edhoc", body)
        assert response.code == coap.CHANGED
        c_r, id_cred_r, _ = initiator.parse_message_2(response.payload)
        assert id_cred_r == {edhoc.KID: b"\x05"}
        initiator.verify_message_2(ccs.credential(DEVICE_CCS))
        self.message_3 = initiator.message_3()
        self.context = oscore_client.ClientContext(self.suite, *initiator.oscore(), c_r, b"\x17")
        return self


def strange_kiosk(described=FILE):
    return new_kiosk(profile=StrangerProfile(described))


def test_a_raw_key_that_the_file_names_has_the_rules_that_stand_beside_it():
    rig = strange_kiosk()
    for by_value in (False, True):
        stranger = Stranger(rig).meet(by_value=by_value)
        assert stranger.request(coap.GET, "/r/open").code == coap.CONTENT
        denied = stranger.request(coap.GET, "/health")
        assert (denied.code, reason(denied)) == (coap_numbers.FORBIDDEN, "rule-none")


def test_a_key_that_the_file_does_not_name_is_unknown():
    other = SUITE.private_key(b"o" * 32)
    raw = ccs.encode("other", other.public, b"\x2c")
    rig = strange_kiosk()
    for by_value in (False, True):
        stranger = Stranger(rig).meet(other, raw, by_value)
        assert edhoc_client.parse_error(stranger.request(coap.GET, "/r/open").payload) == (3, True)


def test_the_name_of_a_known_key_is_not_the_key():
    rig = strange_kiosk()
    impostor = Stranger(rig).meet(SUITE.private_key(b"o" * 32))
    assert edhoc_client.parse_error(impostor.request(coap.GET, "/r/open").payload) == (1, "edhoc-mac-3")


def test_strangers_leave_no_grant_behind():
    rig = strange_kiosk()
    Stranger(rig).meet(by_value=True).request(coap.GET, "/r/open")
    assert [name for name in rig.storage.names() if name.startswith("grant-")] == []


def preshared(rig):
    phone = Phone(rig)
    phone.context = oscore_client.ClientContext(SUITE, bytes(16), b"\x11" * 8, b"\x31", b"\x30")
    return phone


def test_a_preshared_context_needs_no_handshake_and_does_not_run_out():
    rig = strange_kiosk()
    assert preshared(rig).request(coap.GET, "/health").code == coap.CONTENT
    rig.pass_s(3600)
    again = preshared(rig)
    again.context.sequence = 1
    assert again.request(coap.GET, "/health").code == coap.CONTENT
    assert again.request(coap.GET, "/r/open").code == coap_numbers.FORBIDDEN
    wrong = preshared(rig)
    wrong.context = oscore_client.ClientContext(SUITE, b"\x01" * 16, b"\x11" * 8, b"\x31", b"\x30")
    wrong.context.sequence = 10
    assert wrong.request(coap.GET, "/health").code == coap.BAD_REQUEST


def test_people_with_grants_come_in_beside_them():
    described = {"methods": [2, 3], "peers": FILE["peers"]}
    alice = Visitor(strange_kiosk(described))
    assert alice.ask(coap.GET, "/health").code == coap.CONTENT


def test_a_file_without_methods_changes_none():
    profile = StrangerProfile({})
    assert profile.methods == (2,)
    assert list(profile.contexts(SUITE, None)) == []


def test_the_profile_comes_from_a_json_file():
    with Folder() as folder:
        profile = load(folder.write("strangers.json", json.dumps(FILE).encode()))
    assert profile.methods == (3,)
    ((context, subject),) = profile.contexts(SUITE, None)
    assert (context.recipient_id, subject.rules) == (b"\x31", (("/health", 1, {}),))
