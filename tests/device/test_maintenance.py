"""What runs on a board, and starting it again: for whoever may, and for whoever holds a factory board's cable."""

import sys

from admit_device.journal_page import page
from admit_protocol import cbor, coap, cose, credential, issuing
from admit_protocol.coap_numbers import FORBIDDEN, UNAUTHORIZED
from admit_protocol.journal_reader import parse_record
from memory_ports import WEDNESDAY
from rig import Phone, Rig, Site
from visitors import Visitor, new_kiosk, reason

REBOOT, REPL = cbor.encode({1: 0}), cbor.encode({1: 1})
MAY_RESET = [("/reset", 127, {})]
SET_HASH = bytes(range(32))


def factory(test_only=False):
    """(rig, its cable) of a board that belongs to nobody."""
    rig = Rig()
    rig.test_only, rig.set_hash = test_only, SET_HASH
    return rig, Phone(rig, server=rig.cable)


def described(phone):
    """GET /id, decoded."""
    return cbor.decode(phone.plain(coap.GET, "/id").payload)


def made_key(cable):
    """The answer to POST /identity, decoded."""
    return cbor.decode(cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)})).payload)


def test_a_factory_board_tells_over_its_cable_what_runs_on_it():
    rig, cable = factory()
    answer = cable.plain(coap.GET, "/release")
    assert answer.code == coap.CONTENT
    release = cbor.decode(answer.payload)
    assert sorted(release) == [1, 2, 3, 4, 5, 6]
    assert (release[2], release[3], release[6]) == (SET_HASH, "rig", rig.board_id)
    assert release[1] == described(cable)[3]["admit"]
    assert release[4].split(".")[0] == str(sys.implementation.version[0])
    assert release[5] == (getattr(sys.implementation, "_mpy", 0) & 0xFF)


def test_the_flash_is_read_once_in_ten_seconds():
    rig, cable = factory()
    hashes, rig.set_hash = (SET_HASH, bytes(32)), SET_HASH
    cable.plain(coap.GET, "/release")
    rig.set_hash = hashes[1]
    for after_ms, told in ((9_900, 0), (200, 1)):
        rig.clock.ms += after_ms
        assert cbor.decode(cable.plain(coap.GET, "/release").payload)[2] == hashes[told]


def test_a_board_without_slots_has_no_set():
    rig, cable = factory()
    rig.set_hash = None
    assert cbor.decode(cable.plain(coap.GET, "/release").payload)[2] is None


def test_nobody_asks_a_factory_board_over_the_air():
    rig, _ = factory()
    passer_by = Phone(rig)
    for method, path, body in ((coap.GET, "/release", b""), (coap.POST, "/reset", REPL)):
        answer = passer_by.plain(method, path, body)
        assert (answer.code, reason(answer)) == (UNAUTHORIZED, "session-needed"), path
    rig.pass_s(5)
    assert rig.restarted is None


def test_a_factory_board_is_reset_over_its_cable_after_it_has_answered():
    for body, repl in ((REBOOT, False), (REPL, True)):
        rig, cable = factory()
        assert cable.plain(coap.POST, "/reset", body).code == coap.CHANGED
        assert rig.restarted is None
        rig.pass_s(1)
        assert rig.restarted is repl


def test_a_reset_that_says_something_else_is_refused():
    rig, cable = factory()
    for body in (b"", cbor.encode([1]), cbor.encode({}), cbor.encode({1: 2}), cbor.encode({1: True})):
        assert cable.plain(coap.POST, "/reset", body).code == coap.BAD_REQUEST, body
    for body in ({1: -1}, {1: 0, 2: 0}, {1: "repl"}):
        answer = cable.plain(coap.POST, "/reset", cbor.encode(body))
        assert (answer.code, reason(answer)) == (coap.BAD_REQUEST, "reset-body"), body
    rig.pass_s(5)
    assert rig.restarted is None


def test_the_cable_opens_nothing_once_the_device_belongs_to_a_site():
    rig = new_kiosk()
    cable = Phone(rig, server=rig.cable)
    for method, path, body in ((coap.GET, "/release", b""), (coap.POST, "/reset", REPL)):
        answer = cable.plain(method, path, body)
        assert (answer.code, reason(answer)) == (UNAUTHORIZED, "session-needed"), path
    rig.pass_s(5)
    assert rig.restarted is None


def test_who_may_resets_the_device_and_the_journal_says_so():
    rig = new_kiosk()
    admin = Visitor(rig, "admin", MAY_RESET)
    assert admin.ask(coap.POST, "/reset", REPL).code == coap.CHANGED
    rig.pass_s(1)
    assert rig.restarted is True
    last = parse_record(page(rig.device.journal, 0, 4000)[2][-1])
    assert "POST /reset" in last


def test_a_rule_for_the_reset_is_none_for_the_release():
    rig = new_kiosk()
    admin = Visitor(rig, "admin", MAY_RESET)
    answer = admin.ask(coap.GET, "/release")
    assert (answer.code, reason(answer)) == (FORBIDDEN, "rule-none")
    answer = Visitor(rig, "bob", [("/release", 1, {})]).ask(coap.POST, "/reset", REPL)
    assert answer.code == FORBIDDEN
    rig.pass_s(5)
    assert rig.restarted is None


def test_the_board_tells_its_id_in_factory_state_and_over_the_cable():
    rig, cable = factory()
    assert described(cable)[5] == described(Phone(rig))[5] == rig.board_id
    kiosk = new_kiosk()
    assert described(Phone(kiosk, server=kiosk.cable))[5] == kiosk.board_id
    assert 5 not in described(Phone(kiosk))


def test_health_tells_faults_and_why_the_board_started():
    rig = new_kiosk()
    rig.faults = ["routines: SyntaxError: invalid syntax"]
    health = cbor.decode(Visitor(rig).ask(coap.GET, "/health").payload)
    assert (health["faults"], health["reset_cause"], health["board"]) == (rig.faults, "power", "rig")


def test_a_device_with_a_fault_shows_it_while_nobody_is_logged_in():
    rig = new_kiosk()
    assert rig.outputs.get("status") == "ready"
    rig.faults = ["routines: SyntaxError"]
    visitor = Visitor(rig)
    visitor.ask(coap.POST, "/login")
    assert rig.outputs.get("status") == "logged in"
    visitor.ask(coap.DELETE, "/login")
    assert rig.outputs.get("status") == "fault"


def test_a_key_without_a_hardware_source_says_so_for_good():
    rig, cable = factory(test_only=True)
    assert described(cable)[6] is True
    assert made_key(cable)[2] is True
    rig.test_only = False  # another firmware, that believes in its source: the key is the same
    rig.boot()
    cable = Phone(rig, server=rig.cable)
    assert described(cable)[6] is True and made_key(cable)[2] is True


def test_a_key_with_a_hardware_source_has_no_such_mark():
    _, cable = factory()
    assert 6 not in described(cable)
    assert 2 not in made_key(cable)


def test_the_credential_of_a_test_key_must_say_that_it_is_one():
    site = Site()
    rig, cable = factory(test_only=True)
    made = made_key(cable)
    public, seal_public = [cose.decode_key(made[number])[0] for number in (1, 3)]

    def join(test_only):
        kid = credential.kid(public)
        site_id = site.anchor.site_id
        data = issuing.credential(site.key, site_id, "kiosk-1", public, kid, WEDNESDAY, seal_public, test_only)
        body = cbor.encode({1: data, 2: site.anchor.encode(), 3: WEDNESDAY})
        return cable.plain(coap.PUT, "/identity", body)

    refused = join(False)
    assert (refused.code, reason(refused)) == (UNAUTHORIZED, "identity-test-only")
    assert rig.device.identity.credential is None
    assert join(True).code == coap.CHANGED
    assert rig.device.identity.credential.test_only
