"""Handshakes under way: one a link, ten seconds at most, and what finishes none of them."""

from admit_device.handshakes import CIPHER_SUITES, failure
from admit_protocol import coap, coap_numbers, edhoc_client
from admit_protocol.errors import UnknownCredential, WrongSuite
from rig import Phone
from visitors import new_kiosk


def test_an_error_of_ours_is_an_edhoc_error_message():
    for error, code in ((UnknownCredential("edhoc-unknown-credential"), 3), (WrongSuite("edhoc-suite"), 2)):
        response = failure(error)
        assert (response.code, response.uint(coap.CONTENT_FORMAT)) == (coap.BAD_REQUEST, coap.CONTENT_EDHOC)
        told = edhoc_client.parse_error(response.payload)
        assert told[0] == code
    assert list(told[1]) == list(CIPHER_SUITES)


def test_a_message_3_that_nobody_waits_for_is_refused_by_name():
    rig = new_kiosk()
    body = edhoc_client.encode_prefixed(b"\x05", b"\x58\x20" + bytes(32))
    response = Phone(rig).plain(coap.POST, "/.well-known/edhoc", body, coap_numbers.CONTENT_CID_EDHOC)
    assert edhoc_client.parse_error(response.payload)[1] == "edhoc-unexpected"
