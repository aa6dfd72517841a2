"""The answers that are asked for seldom."""

from admit_device.seldom import _ANSWERS
from admit_protocol import cbor, coap, coap_numbers
from rig import ALL, Phone, Rig
from visitors import Visitor, new_kiosk


def told(phone, path):
    return cbor.decode(phone.plain(coap.GET, path).payload)


def test_a_factory_device_says_which_board_it_is_and_a_kiosk_over_its_cable_alone():
    factory = Rig({})
    assert told(Phone(factory), "/id")[5] == factory.board_id
    kiosk = new_kiosk()
    assert 5 not in told(Phone(kiosk), "/id")
    assert told(Phone(kiosk, server=kiosk.cable), "/id")[5] == kiosk.board_id


def test_who_has_proven_nothing_gets_nothing_of_a_kiosk_but_who_it_is():
    kiosk = new_kiosk()
    for server in (kiosk.radio, kiosk.cable):
        phone = Phone(kiosk, server=server)
        for path in ("/release", "/reset", "/journal", "/health", "/bundle"):
            method = coap.POST if path in ("/reset", "/bundle") else coap.GET
            assert phone.plain(method, path, cbor.encode({1: 1})).code == coap_numbers.UNAUTHORIZED, path
    assert kiosk.restarted is None


def test_its_health_names_its_faults():
    kiosk = new_kiosk()
    body = cbor.decode(Visitor(kiosk, "admin", ALL).ask(coap.GET, "/health").payload)
    assert body["faults"] == [] and body["board"] == kiosk.name


def test_each_of_them_is_a_resource_of_its_name():
    answers = ["approvals", "bundle", "core", "enrol", "grants", "health", "id", "identity", "journal", "presence"]
    assert sorted(_ANSWERS) == sorted(answers + ["ownership", "release", "reset", "takeover", "time"])
