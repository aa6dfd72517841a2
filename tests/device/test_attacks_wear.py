"""Attacks on what a device has little of: flash, memory, places, and the attention of its visitors.

The attackers: strangers who knock, and Mallory, who holds a grant of the site that does not count here (any more).
What they can do must end with them: nothing worn out, nobody kept away, no record pushed out of the journal.
"""

import asyncio

from admit_device.journal_page import page
from admit_protocol import (
    aif,
    block,
    block_client,
    cbor,
    coap,
    coap_numbers,
    credential,
    edhoc_client,
    journal,
    journal_reader,
)
from attackers import dressed, mirrored
from memory_ports import WEDNESDAY, Dice
from rig import ALL, Phone
from visitors import SITE, Visitor, gate, grant_of, id_of, key_of, new_kiosk, reason, revocation

RULES = [("/r/*", aif.GET | aif.POST, {})]


def mallorys(**life):
    """A grant that counts on another device, or for another time."""
    return SITE.grant(key_of("mallory").public, ALL, "mallory", number=99, **life)


ELSEWHERE = mallorys(audience=("kiosk-2",))
EXPIRED = mallorys(expires=WEDNESDAY - 1)


def mallory(rig, data=ELSEWHERE, server=None, seed=b"mallory"):
    """She, with a session."""
    phone = Phone(rig, key_of("mallory"), data, server, seed=seed)
    assert phone.login().code == coap.CHANGED
    return phone


def refused(phone):
    """Why EDHOC fails for this phone."""
    response = phone.login()
    assert response.uint(coap.CONTENT_FORMAT) == coap.CONTENT_EDHOC
    return edhoc_client.parse_error(response.payload)[1]


def changes(rig):
    return rig.storage.changes + rig.keystore.changes


# Flash


def test_whatever_strangers_send_nothing_is_stored():
    rig = new_kiosk()
    before, dice = changes(rig), Dice(b"barrage")
    for number in range(150):
        server = rig.cable if number % 3 == 0 else rig.radio
        if number % 10 == 0:
            stranger = Phone(rig, server=server, seed=b"%d" % number)
        noise = dice.random(40)
        code = (coap.GET, coap.POST, coap.PUT, coap.DELETE, coap.FETCH)[noise[0] % 5]
        path = ("/.well-known/edhoc", "/id", "/identity", "/bundle", "/r/open", "/journal")[noise[1] % 6]
        options = (
            ((coap.OBSERVE, b""),),
            ((coap.OSCORE, b"\x09" + noise[2:4]), (coap.EDHOC, b"")),
            ((coap.OSCORE, b"\x09\x00" + noise[2:3]),),
            ((coap.BLOCK1, noise[4:5]),),
            (),
        )[noise[5] % 5]
        body = (noise[6 : 6 + noise[7] % 32], b"\xf5" + noise[8:20], cbor.encode({1: bytes(32)}))[noise[9] % 3]
        stranger.send(coap.request(code, path, body, None, options))
        stranger.server.listener.received(stranger.number, noise)
    assert changes(rig) == before
    assert Visitor(rig).invoke("open").code == coap.CHANGED


def test_one_grant_has_one_name_so_its_holder_can_neither_hide_in_the_journal_nor_fill_the_flash():
    rig = new_kiosk()
    good = grant_of("alice")
    before = changes(rig)
    for data in (dressed(good, b"1"), dressed(good, b"2"), mirrored(good)):
        assert data != good and refused(Phone(rig, key_of("alice"), data)) == "cose-form"
    assert changes(rig) == before
    assert Phone(rig, key_of("alice"), good).login().code == coap.CHANGED


def test_no_more_grants_are_kept_than_there_is_room_for_and_the_rest_come_by_value():
    rig = new_kiosk()
    for number in range(35):
        data = SITE.grant(key_of("alice").public, RULES, number=1000 + number)
        assert Phone(rig, key_of("alice"), data, rig.cable, seed=b"%d" % number).login().code == coap.CHANGED
    assert len([name for name in rig.storage.names() if name.startswith("grant-")]) == 32


def test_a_revoked_holder_cannot_push_the_journal_out_but_what_she_did_is_counted():
    rig = new_kiosk()
    alice = Visitor(rig)
    alice.invoke("open")
    for _ in range(3):
        attacker = mallory(rig, EXPIRED)
        for number in range(100):
            path = "/%s/%d" % (("r", "nowhere")[number % 2], number)
            assert reason(attacker.request(coap.GET, path)) == "grant-expired"
    assert rig.device.journal.count < 60
    alice.invoke("open", b"87654321")
    records = [journal_reader.parse_record(each) for each in page(rig.device.journal, 0, 100000)[2]]
    told = sum([each.extra.get(4, 0) + (each.outcome == 2) for each in records])
    assert told == 300
    assert journal.person(key_of("mallory").public) in [each.who for each in records]


def test_the_journal_can_be_read_whatever_paths_were_asked_for():
    rig = new_kiosk()
    attacker = mallory(rig)
    for number in range(25):
        long = ("r", "%02d" % number + "\u20ac" * 60)
        assert attacker.request(coap.GET, long).code == coap_numbers.FORBIDDEN
        assert attacker.request(coap.GET, ("x" * 200, "y" * 100)).code >= 0x80
    alice, records, start, count = Visitor(rig), [], 0, 1
    while start < count:
        request = coap.request(coap.GET, "/journal", options=((coap.URI_QUERY, "from=%d" % start),))
        body = cbor.decode(alice.carry(request).payload)
        count = journal_reader.parse_head(body[4]).count
        records += body[3]
        start = body[1] + len(body[3])
    device = credential.parse(rig.credential)
    assert len(journal_reader.verify(records, body[4], device.public, "kiosk-1", SITE.suite)) == count > 25


def test_watching_costs_no_flash_however_often_the_door_moves():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.watch().code == coap.CONTENT
    before = changes(rig)
    for number in range(10):
        rig.device.kiosk.set("door", "open %d" % number)
        assert len(alice.hear()) == 1
    assert changes(rig) == before


# Places


def test_mallory_takes_two_sessions_at_most_and_nobody_elses():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    for number in range(30):
        rig.clock.pass_s(1)
        attacker = mallory(rig, server=rig.cable, seed=b"%d" % number)
    assert reason(attacker.request(coap.GET, "/r")) == "grant-other-device"
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    assert rig.outputs.get("status") == "logged in"


def test_who_has_no_standing_keeps_no_radio_link_either():
    rig = new_kiosk()
    for data in (ELSEWHERE, EXPIRED):
        attacker = mallory(rig, data)
        rig.pass_s(3)
        assert attacker.number in rig.radio.closed
    alice = Visitor(rig)
    alice.ask(coap.GET, "/r")
    rig.pass_s(60)
    assert alice.number not in rig.radio.closed


def test_a_stranger_who_never_stops_talking_makes_room_after_half_a_minute():
    rig = new_kiosk()
    people = [Visitor(rig, name) for name in ("alice", "bob", "carol")]
    assert [each.ask(coap.GET, "/r").code for each in people] == [coap.CONTENT] * 3
    stranger = Phone(rig)
    for _ in range(15):
        assert rig.radio.closed == []
        assert stranger.plain(coap.GET, "/id").code == coap.CONTENT
        rig.pass_s(2)
    assert rig.radio.closed == [stranger.number]


def test_nobody_starts_more_than_the_device_can_hold():
    rig = new_kiosk()
    alice = Visitor(rig)

    async def impatient():
        answers = [alice.invoke("wait", b"%08d" % number) for number in range(12)]
        assert answers[:8] == [None] * 8
        assert [reason(each) for each in answers[8:]] == ["routine-running"] * 4
        gate.shut = False
        for _ in range(30):
            await asyncio.sleep(0)
            alice.hear()
        assert alice.invoke("wait", b"00000011") is None
        for _ in range(4):
            await asyncio.sleep(0)
        assert gate.runs == 9

    asyncio.run(impatient())


def test_uploads_of_others_do_not_keep_a_revocation_from_arriving():
    rig = new_kiosk()
    courier = Visitor(rig)
    courier.ask(coap.GET, "/r")
    first = ((coap.BLOCK1, block.encode(0, True, 0)),)
    for number in range(6):
        attacker = mallory(rig, server=rig.cable, seed=b"%d" % number)
        outer, reference = attacker.context.protect_request(coap.request(coap.POST, "/bundle", bytes(16), None, first))
        assert attacker.context.unprotect_response(attacker.send(outer), reference).code == coap.CONTINUE
    for number in range(3):
        Phone(rig, seed=b"%d" % number).send(coap.request(coap.POST, "/id", bytes(16), None, first))
    policy = revocation(1, [bytes((n,)) * 8 for n in range(60)])
    assert courier.carry(coap.request(coap.POST, "/bundle", policy)).code == coap.CHANGED


def test_a_turn_at_the_kiosk_ends_for_who_may_no_longer_be_there():
    rig = new_kiosk()
    alice, bob = Visitor(rig, server=rig.cable), Visitor(rig, "bob", RULES)
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    assert bob.ask(coap.POST, "/bundle", revocation(1, [id_of(grant_of("alice"))])).code == coap.CHANGED
    assert rig.outputs.get("status") == "ready"  # at once
    for _ in range(3):
        rig.pass_s(50)
        assert reason(alice.ask(coap.GET, "/r")) == "grant-revoked"
        alice.ask(coap.POST, "/bundle", b"")
        bob.ask(coap.GET, "/r")
    assert bob.ask(coap.POST, "/login").code == coap.CHANGED


def test_a_turn_lasts_as_long_as_its_user_does_something():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    for _ in range(4):
        rig.pass_s(100)
        assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    assert rig.outputs.get("status") == "logged in"
    assert alice.watch().code == coap.CONTENT
    for _ in range(3):
        rig.pass_s(50)
        rig.device.kiosk.set("door", "open")
        alice.hear()  # what she is told is nothing that she does
    assert rig.outputs.get("status") == "ready"


def test_a_port_that_fails_for_one_link_costs_that_link_alone():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob", RULES)
    assert alice.ask(coap.POST, "/login").code == bob.invoke("open", seconds=5).code == coap.CHANGED
    stranger = Phone(rig)
    close = rig.radio.close

    def failing(link):
        close(link)
        raise OSError("radio")

    rig.radio.close = failing
    rig.pass_s(1000)
    assert sorted(rig.radio.closed) == [alice.number, bob.number, stranger.number]
    assert rig.outputs.get("door") == "closed" and rig.outputs.get("status") == "ready"


def test_a_link_number_that_comes_again_is_another_peer():
    rig = new_kiosk()
    alice = Visitor(rig)
    rig.radio.listener.opened(alice.number, 515)
    assert not rig.device.sessions.busy()
    response = alice.ask(coap.GET, "/r")
    assert edhoc_client.parse_error(response.payload) == (1, "edhoc-unexpected")


def test_a_session_that_moves_to_another_link_keeps_it():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    rig.radio.listener.closed(alice.number)
    moved = Phone(rig)
    alice.number, alice.layer = moved.number, moved.layer
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    rig.pass_s(60)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT


def test_handshakes_on_all_links_at_once_have_ids_of_their_own():
    rig = new_kiosk()
    people = [Visitor(rig, name) for name in ("alice", "bob", "carol")]
    people.append(Visitor(rig, "alice", server=rig.cable))
    assert len({each.context.sender_id for each in people}) == 4
    assert [each.ask(coap.GET, "/r").code for each in reversed(people)] == [coap.CONTENT] * 4


def test_a_strangers_long_answers_do_not_cost_an_admin_the_rest_of_the_journal():
    rig = new_kiosk()
    alice = Visitor(rig)
    for number in range(12):
        alice.ask(coap.GET, "/nowhere/%d" % number)
    strangers = [Phone(rig, mtu=128, seed=b"%d" % number) for number in range(2)]
    transfer = block_client.Transfer(coap.request(coap.GET, "/journal"), 256)
    parts = 0
    while transfer.response is None:
        transfer.answer(alice.put(transfer.next()))
        parts += 1
        for stranger in strangers:
            assert stranger.plain(coap.GET, "/id").option(coap.BLOCK2) is not None
    assert parts > 2
    assert [each.what for each in map(journal_reader.parse_record, cbor.decode(transfer.response.payload)[3])].count(
        "GET /journal"
    ) == 1


def test_a_bundle_is_in_force_as_soon_as_it_is_stored_even_if_storage_fails_right_after():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob", RULES)
    alice.ask(coap.GET, "/r"), bob.ask(coap.GET, "/r")
    later = SITE.bundle(1, [id_of(grant_of("alice"))], WEDNESDAY + 100000)
    write = rig.storage.write

    def write_once(name, data):
        write(name, data)
        rig.storage.full = True

    rig.storage.write = write_once
    assert reason(bob.ask(coap.POST, "/bundle", later)) == "storage-full"
    rig.storage.write, rig.storage.full = write, False
    assert reason(alice.invoke("open")) == "grant-revoked"
    assert bob.ask(coap.POST, "/bundle", later).code == coap.CHANGED
    assert rig.device.clock.floor == WEDNESDAY + 100000
