"""The device from end to end: commissioned over its cable, visited over its radio, asked what its rules allow."""

from admit_device.routines import Integer, output, routine
from admit_protocol import (
    aif,
    cbor,
    coap,
    coap_numbers,
    credential,
    edhoc_client,
    issuing,
    journal,
    journal_reader,
    problem,
)
from admit_protocol.suite import Suite
from memory_ports import WEDNESDAY, Dice
from rig import Phone, Rig, Site, sealed

door = output("door", at_power_loss="locks", safe="closed")


@routine("Open the door.", outputs=(door,), seconds=Integer(1, 30, default=5))
def open_door(kiosk, seconds):
    kiosk.set("door", "open")
    kiosk.after(seconds, lambda: kiosk.set("door", "closed"))
    return seconds


@routine("Calibrate.")
def calibrate(kiosk):
    raise RuntimeError("must not run")


NAMES = {"open": open_door, "calibrate": calibrate, "door": door}
WEEKDAYS = {1: [[31, 0, 0]]}
SITE = Site()
ALICE = Suite(Dice(b"alice").random).generate()
OPEN = [("/r/open", aif.GET | aif.POST, WEEKDAYS)]


ALICES = SITE.grant(ALICE.public, OPEN)


def visit(rig, data=ALICES, by_value=True):
    phone = Phone(rig, ALICE, data)
    phone.start(by_value)
    return phone


def invoke(phone, name, identifier=b"12345678", **arguments):
    return phone.request(coap.POST, "/r/" + name, cbor.encode({1: identifier, 2: arguments}))


def test_alice_opens_the_door_and_it_closes_by_itself():
    rig = Rig(NAMES, SITE)
    phone = visit(rig)
    response = invoke(phone, "open", seconds=3)
    assert response.code == coap.CHANGED
    assert cbor.decode(response.payload) == {1: 1, 2: 3}
    assert rig.outputs.get("door") == "open"
    rig.pass_s(3)
    assert rig.outputs.get("door") == "closed"


def test_the_list_names_what_she_may_and_nothing_else():
    phone = visit(Rig(NAMES, SITE))
    assert list(cbor.decode(phone.request(coap.GET, "/r").payload)) == ["open"]


def test_calibrate_is_denied_with_its_reason():
    rig = Rig(NAMES, SITE)
    response = invoke(visit(rig), "calibrate")
    assert response.code == coap_numbers.FORBIDDEN
    assert problem.decode(response.payload)[problem.TITLE] == "rule-none"


def test_on_a_sunday_she_is_told_the_rule_that_keeps_her_out():
    rig = Rig(NAMES, SITE)
    rig.pass_s(4 * 86400)
    response = invoke(visit(rig), "open")
    details = problem.decode(response.payload)
    assert details[problem.TITLE] == "rule-outside-window"
    assert details[problem.RULE] == 0
    assert rig.outputs.get("door") == "closed"


def test_without_a_session_there_is_nothing_to_see():
    rig = Rig(NAMES, SITE)
    phone = Phone(rig)
    for path in ("/r", "/r/open", "/login", "/journal", "/bundle", "/nowhere"):
        assert phone.plain(coap.GET, path).code == coap_numbers.UNAUTHORIZED, path
    assert phone.plain(coap.GET, "/id").code == coap.CONTENT
    assert phone.plain(coap.GET, "/.well-known/core").code == coap.CONTENT


def test_a_repeat_visit_takes_four_flights_and_names_the_grant_by_eight_bytes():
    rig = Rig(NAMES, SITE)
    invoke(visit(rig), "open", b"11111111")
    phone = visit(rig, by_value=False)
    assert len(phone.message_3) == 28
    assert invoke(phone, "open", b"22222222").code == coap.CHANGED


def test_a_grant_that_the_device_does_not_know_is_asked_for_by_value():
    rig = Rig(NAMES, SITE)
    response = invoke(visit(rig, by_value=False), "open")
    assert (response.code, response.uint(coap.CONTENT_FORMAT)) == (coap.BAD_REQUEST, coap.CONTENT_EDHOC)
    assert edhoc_client.parse_error(response.payload) == (3, True)
    assert rig.outputs.get("door") == "closed"


def test_the_same_invocation_asked_again_is_not_done_again():
    rig = Rig(NAMES, SITE)
    phone = visit(rig)
    first = invoke(phone, "open", seconds=3)
    rig.pass_s(10)
    assert invoke(phone, "open", seconds=3).payload == first.payload
    rig.boot()
    renewed = SITE.grant(ALICE.public, OPEN, number=2)
    assert invoke(visit(rig, renewed), "open", seconds=3).payload == first.payload
    assert ("door", "open") not in rig.outputs.lines


def test_a_replayed_request_is_refused():
    rig = Rig(NAMES, SITE)
    phone = visit(rig)
    phone.request(coap.GET, "/r")
    outer, _ = phone.context.protect_request(coap.request(coap.POST, "/r/open", cbor.encode({1: b"12345678"})))
    twin = outer.copy()
    assert phone.send(outer).option(coap.OSCORE) is not None
    rig.pass_s(10)
    response = phone.send(twin)
    assert (response.code, response.payload) == (coap_numbers.UNAUTHORIZED, b"")
    assert rig.outputs.get("door") == "closed"


def test_grants_that_do_not_count_here_say_why_to_their_holder_alone():
    other_device = SITE.grant(ALICE.public, OPEN, audience=("kiosk-2",))
    expired = SITE.grant(ALICE.public, OPEN, expires=WEDNESDAY - 1)
    early = SITE.grant(ALICE.public, OPEN, not_before=WEDNESDAY + 60)
    for data, reason in (
        (other_device, "grant-other-device"),
        (expired, "grant-expired"),
        (early, "grant-not-yet-valid"),
    ):
        rig = Rig(NAMES, SITE)
        phone = Phone(rig, ALICE, data)
        phone.start()
        response = invoke(phone, "open")
        assert response.code == coap_numbers.FORBIDDEN
        assert problem.decode(response.payload)[problem.TITLE] == reason


def test_a_grant_of_another_authority_opens_no_session():
    rig = Rig(NAMES, SITE)
    for stranger in (Site("other", b"other"), Site("site", b"forger")):
        data = stranger.grant(ALICE.public, OPEN)
        phone = Phone(rig, ALICE, data)
        phone.start()
        response = invoke(phone, "open")
        assert response.code >= 0x80 and response.option(coap.OSCORE) is None
        assert edhoc_client.parse_error(response.payload) == (1, "grant-other-site")


def test_somebody_elses_grant_is_of_no_use_without_the_key():
    rig = Rig(NAMES, SITE)
    mallory = Suite(Dice(b"mallory").random).generate()
    phone = Phone(rig, mallory, SITE.grant(ALICE.public, OPEN))
    phone.start()
    response = invoke(phone, "open")
    assert edhoc_client.parse_error(response.payload) == (1, "edhoc-mac-3")
    assert invoke(visit(rig), "open").code == coap.CHANGED


def test_revoked_means_now_even_inside_a_session():
    rig = Rig(NAMES, SITE)
    phone = visit(rig)
    assert invoke(phone, "open", b"11111111").code == coap.CHANGED
    policy = SITE.bundle(1, [(1).to_bytes(8, "big")])
    assert phone.request(coap.POST, "/bundle", policy).code == coap.CHANGED
    for again in (phone, visit(rig)):
        response = invoke(again, "open", b"22222222")
        assert problem.decode(response.payload)[problem.TITLE] == "grant-revoked"
    rig.boot()
    assert problem.decode(invoke(visit(rig), "open").payload)[problem.TITLE] == "grant-revoked"


def test_an_old_bundle_or_one_for_another_device_changes_nothing():
    rig = Rig(NAMES, SITE)
    phone = visit(rig)
    site, ids = SITE.anchor.site_id, [(1).to_bytes(8, "big")]
    assert phone.request(coap.POST, "/bundle", SITE.bundle(5)).code == 0x44
    stranger = Site("other", b"other")
    for data, reason in (
        (SITE.bundle(4, ids), "bundle-stale"),
        (SITE.bundle(6, ids, device_id="kiosk-2"), "bundle-other-device"),
        (stranger.bundle(6, ids), "bundle-other-site"),
        (sealed(issuing.bundle(stranger.key, site, "kiosk-1", 6, ids, WEDNESDAY)), "cose-signature"),
        (SITE.bundle(6, ids, to=SITE.key.public), "cose-unsealed"),
        (issuing.bundle(SITE.key, site, "kiosk-1", 6, ids, WEDNESDAY), "succession-structure"),
        (b"\xd8\x60\x84", "cbor-truncated"),
    ):
        response = phone.request(coap.POST, "/bundle", data)
        assert problem.decode(response.payload)[problem.TITLE] == reason
    assert invoke(phone, "open").code == coap.CHANGED


def test_login_is_one_persons_turn_and_ends_by_itself():
    rig = Rig(NAMES, SITE)
    bob = Suite(Dice(b"bob").random).generate()
    alice = visit(rig)
    other = Phone(rig, bob, SITE.grant(bob.public, OPEN, subject="bob", number=2), seed=b"bobs")
    other.start()
    assert alice.request(coap.POST, "/login").code == coap.CHANGED
    assert rig.outputs.get("status") == "logged in"
    response = other.request(coap.POST, "/login")
    assert problem.decode(response.payload)[problem.TITLE] == "login-taken"
    rig.pass_s(121)
    assert rig.outputs.get("status") == "ready"
    assert other.request(coap.POST, "/login").code == coap.CHANGED
    assert other.request(coap.DELETE, "/login").code == coap.DELETED
    assert other.request(coap.GET, "/r").code == coap_numbers.UNAUTHORIZED
    assert rig.outputs.get("status") == "ready"


def test_the_journal_tells_all_of_it_and_holds():
    rig = Rig(NAMES, SITE)
    phone = visit(rig, SITE.grant(ALICE.public, [("/r/open", 3, WEEKDAYS), ("/journal", 1, {})]))
    invoke(phone, "open")
    invoke(phone, "calibrate", b"22222222")
    body = cbor.decode(phone.request(coap.GET, "/journal").payload)
    device = credential.parse(rig.credential)
    records = journal_reader.verify(body[3], body[4], device.public, "kiosk-1", SITE.suite)
    told = [(journal_reader.KINDS[each.kind], each.what, journal_reader.OUTCOMES[each.outcome]) for each in records]
    assert told == [
        ("commissioned", "kiosk-1", "done"),
        ("decision", "POST /r/open", "allowed"),
        ("invocation", "/r/open", "done"),
        ("decision", "POST /r/calibrate", "denied"),
        ("decision", "GET /journal", "allowed"),
    ]
    assert records[3].extra[journal.REASON] == "rule-none"


def test_a_factory_device_serves_its_cable_and_nothing_else():
    rig = Rig(NAMES)
    phone = Phone(rig)
    assert phone.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)})).code == coap_numbers.FORBIDDEN
    assert phone.plain(coap.POST, "/.well-known/edhoc", b"\xf5").code == coap_numbers.NOT_FOUND
    assert cbor.decode(phone.plain(coap.GET, "/id").payload)[1] == "factory"
    rig.commission(SITE, "kiosk-1")
    assert cbor.decode(phone.plain(coap.GET, "/id").payload)[1] == "commissioned"
    assert rig.radio.name == "kiosk-1"


def test_full_storage_lets_nobody_in_and_breaks_nothing():
    rig = Rig(NAMES, SITE)
    phone = visit(rig)
    invoke(phone, "open", b"11111111")
    rig.pass_s(10)
    rig.storage.full = True
    response = invoke(phone, "open", b"22222222")
    assert problem.decode(response.payload)[problem.TITLE] == "storage-full"
    assert rig.outputs.get("door") == "closed"
    rig.storage.full = False
    assert invoke(phone, "open", b"22222222").code == coap.CHANGED


def test_her_turn_ends_when_she_walks_away_and_she_may_come_back():
    rig = Rig(NAMES, SITE)
    alice = visit(rig)
    alice.request(coap.POST, "/login")
    assert rig.outputs.get("status") == "logged in"
    rig.radio.listener.closed(alice.number)
    assert rig.outputs.get("status") == "ready"
    again = Phone(rig, ALICE, ALICES)
    again.context = alice.context
    assert again.request(coap.POST, "/login").code == coap.CHANGED


def test_whoever_goes_on_using_the_kiosk_stays_logged_in():
    rig = Rig(NAMES, SITE)
    alice = visit(rig)
    alice.request(coap.POST, "/login")
    for _ in range(5):
        rig.pass_s(100)
        alice.request(coap.GET, "/r")
    assert rig.outputs.get("status") == "logged in"
    rig.pass_s(121)
    assert rig.outputs.get("status") == "ready"


def test_bounds_of_a_rule_hold_for_defaults_too():
    for most, allowed in ((5, True), (4, False)):
        rig = Rig(NAMES, SITE)
        phone = visit(rig, SITE.grant(ALICE.public, [("/r/open", 2, {3: {"seconds": [None, most]}})]))
        assert (invoke(phone, "open").code == coap.CHANGED) == allowed
        assert invoke(phone, "open", b"22222222", seconds=6).code == coap_numbers.FORBIDDEN
