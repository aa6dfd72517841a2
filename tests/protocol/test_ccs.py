"""CCS: a raw public key as a claims set, and as the credential of an EDHOC peer."""

from admit_protocol import cbor, ccs, cwt
from admit_protocol.errors import Malformed
from edhoc_peers import USER, rfc9529
from support import raises


def test_a_ccs_is_its_own_cred_x():
    data = rfc9529("message_2", "CRED_R")
    cred = ccs.credential(data)
    assert cred.data == data
    assert cred.id_cred == {4: b"\x32"}
    assert cred.public[:32] == rfc9529("message_2", "Responder's public authentication key, 'x'")
    assert cbor.encode(cred.id_cred) == rfc9529("message_2", "ID_CRED_R")
    nameless = ccs.encode(None, cred.public)
    assert nameless[:4] == bytes.fromhex("a108a101")  # a naked COSE_Key dressed as CCS, section 3.5.2
    assert ccs.credential(nameless).id_cred == {14: cbor.decode(nameless)}
    with raises(Malformed, "cwt-cnf"):
        ccs.credential(bytes.fromhex("a1026161"))


def test_a_ccs_carries_a_subject_and_a_key():
    # CRED_R of RFC 9529 section 3: "example.edu", kid h'32'.
    x = bytes.fromhex("bbc34960526ea4d32e940cad2a234148ddc21791a12afbcbac93622046dd44f0")
    y = bytes.fromhex("4519e257236b2a0ce2023f0931f1f386ca7afda64fcde0108c224c51eabf6072")
    data = bytes.fromhex("a2026b6578616d706c652e65647508a101a501020241322001215820") + x + bytes.fromhex("225820") + y
    public, kid, claims = ccs.parse(data)
    assert (public, kid, claims[cwt.SUB]) == (x + y, b"\x32", "example.edu")
    assert ccs.encode("example.edu", public, kid) == data
    bare = ccs.encode(None, public)
    public, kid, claims = ccs.parse(bare)
    assert kid is None and list(claims) == [cwt.CNF]


def test_a_ccs_out_of_form_is_refused():
    key = cwt.cnf(USER.public)
    for claims, reason in (
        ({cwt.SUB: "example.edu"}, "cwt-cnf"),
        ({cwt.SUB: 1, cwt.CNF: key}, "cwt-claims"),
        ([key], "cwt-claims"),
        ({cwt.CNF: {1: {1: 1}}}, "cose-key"),
    ):
        with raises(Malformed, reason):
            ccs.parse(cbor.encode(claims))
