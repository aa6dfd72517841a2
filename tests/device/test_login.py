"""Whose turn it is at the kiosk: one person's at a time, and it ends when they leave or say nothing for a while."""

from admit_device.journal_page import page
from admit_device.login import Login
from admit_protocol import cbor, coap, coap_numbers, journal_reader
from admit_protocol.errors import Conflict, StorageError
from memory_ports import HandClock
from support import raises
from visitors import Visitor, grant_of, id_of, new_kiosk, reason, revocation

IDLE_S = 120
IDLE_MS = 1000 * IDLE_S


class Somebody:
    """A session of one grant."""

    link = None

    def __init__(self, kid):
        self.subject = self
        self.kid = kid


ALICE, ALICE_AGAIN, BOB = Somebody(b"alice"), Somebody(b"alice"), Somebody(b"bob")


class Scene:
    """A login that notes what goes into the journal, and how often the screen is told."""

    def __init__(self):
        self.clock, self.written, self.shown, self.full = HandClock(), [], 0, False
        self.login = Login(self.clock, self._record, self._show)

    def _record(self, session, logged_in):
        if self.full:
            raise StorageError("storage-full")
        self.written.append((session.kid, logged_in))

    def _show(self):
        self.shown += 1


def test_one_persons_turn_keeps_others_waiting_until_it_is_over():
    scene = Scene()
    scene.login.open(ALICE)
    with raises(Conflict, "login-taken"):
        scene.login.open(BOB)
    assert scene.login.session is ALICE
    scene.login.close(BOB)
    assert scene.login.session is ALICE
    scene.login.close(ALICE)
    scene.login.close(ALICE)
    scene.login.open(BOB)
    assert scene.written == [(b"alice", True), (b"alice", False), (b"bob", True)]
    assert scene.shown == 3


def test_the_same_person_goes_on_in_another_session():
    scene = Scene()
    scene.login.open(ALICE)
    scene.login.open(ALICE_AGAIN)
    scene.login.close(ALICE)  # the old session ends later, and takes nothing along
    assert scene.login.session is ALICE_AGAIN
    assert scene.written == [(b"alice", True)]


def test_it_ends_by_itself_unless_they_do_something():
    scene = Scene()
    assert scene.login.deadline() is None
    scene.login.open(ALICE)
    scene.clock.ms += IDLE_MS - 1
    scene.login.expire()
    scene.login.touch(BOB)
    assert scene.login.deadline() == scene.clock.ms + 1
    scene.login.touch(ALICE)
    assert scene.login.deadline() == scene.clock.ms + IDLE_MS
    scene.clock.ms += IDLE_MS
    scene.login.expire()
    assert (scene.login.session, scene.login.deadline()) == (None, None)
    assert scene.written == [(b"alice", True), (b"alice", False)]


def test_whoever_comes_after_a_turn_that_is_over_need_not_wait():
    scene = Scene()
    scene.login.open(ALICE)
    scene.clock.ms += IDLE_MS
    scene.login.open(BOB)
    assert scene.login.session is BOB


def test_a_login_that_cannot_be_written_down_is_none_but_a_logout_always_is_one():
    scene = Scene()
    scene.full = True
    with raises(StorageError, "storage-full"):
        scene.login.open(ALICE)
    assert scene.login.session is None
    scene.full = False
    scene.login.open(ALICE)
    scene.full = True
    scene.login.close(ALICE)
    assert (scene.login.session, scene.shown) == (None, 2)


def test_who_leaves_with_their_link_leaves_the_turn():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob")
    told = alice.ask(coap.POST, "/login")
    assert (told.code, cbor.decode(told.payload)) == (coap.CHANGED, {1: IDLE_S, 2: "alice"})
    assert reason(bob.ask(coap.POST, "/login")) == "login-taken"
    rig.radio.listener.closed(bob.number)
    assert rig.outputs.get("status") == "logged in"
    rig.radio.listener.closed(alice.number)
    assert rig.outputs.get("status") == "ready"


def test_any_request_keeps_the_turn_and_silence_ends_it():
    rig = new_kiosk()
    alice = Visitor(rig)
    alice.ask(coap.POST, "/login")
    for _ in range(3):
        rig.pass_s(IDLE_S - 1)
        assert alice.ask(coap.GET, "/r").code == coap.CONTENT
        assert (rig.outputs.get("status"), rig.outputs.get("visitor")) == ("logged in", "alice")
    rig.pass_s(IDLE_S)
    assert (rig.outputs.get("status"), rig.outputs.get("visitor")) == ("ready", "")
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT  # the turn is over, the session is not
    kinds = [journal_reader.KINDS[each.kind] for each in records_of(rig)]
    assert kinds == ["commissioned", "login", "logout"]


def test_a_session_that_ends_takes_the_turn_along():
    rig = new_kiosk()
    alice, bob = Visitor(rig), Visitor(rig, "bob")
    alice.ask(coap.POST, "/login")
    assert alice.ask(coap.DELETE, "/login").code == coap.DELETED
    assert rig.outputs.get("status") == "ready"
    assert alice.ask(coap.GET, "/r").code == coap_numbers.UNAUTHORIZED
    assert bob.ask(coap.POST, "/login").code == coap.CHANGED


def test_who_was_revoked_gets_no_turn():
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.POST, "/bundle", revocation(1, [id_of(grant_of("alice"))])).code == coap.CHANGED
    refused = alice.ask(coap.POST, "/login")
    assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "grant-revoked")
    assert rig.outputs.get("status") == "ready"


def records_of(rig):
    return [journal_reader.parse_record(each) for each in page(rig.device.journal, 0, 4000)[2]]
