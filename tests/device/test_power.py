"""Power is cut, or storage refuses, at every single change of everything a device does.

After a power cut each thing is as it was before or as it was to be, whatever was confirmed to a peer has happened, the
journal goes on without a gap or a number twice, no routine runs twice for one id, and the device serves. A change that
storage refuses is told by name, and the peer who asks again gets what it wanted: nothing is left half done in RAM.
"""

from admit_device.device import guarded
from admit_device.invocations import DONE, INTERRUPTED, Invocations
from admit_device.journal import Journal
from admit_device.journal_page import page, signed_head
from admit_device.routines import routine
from admit_protocol import cbor, coap, coap_numbers, cose, credential, edhoc_client, issuing, journal, journal_reader
from admit_protocol.errors import StorageError
from limits import TAIL
from memory_ports import WEDNESDAY, Dice, HandClock, PowerCut, copied
from power_supply import Supplied, Supply
from remembered import remembering
from rig import Phone, Rig, sealed
from visitors import SITE, Visitor, grant_of, id_of, reason

LIMIT_S = 120
runs = []


@routine("Runs in the first chapter.")
def first(kiosk):
    runs.append("first")
    return "first done"


@routine("Runs in the second chapter.")
def second(kiosk):
    runs.append("second")
    return "second done"


ROUTINES = {"first": first, "second": second}
BUNDLE = issuing.bundle(SITE.key, SITE.anchor.site_id, "kiosk-1", 1, [id_of(grant_of("bob"))], WEDNESDAY)


class Life(Rig):
    """A device on such a supply; what was confirmed to its peers; `files`: what storage and key store hold."""

    def __init__(self, supply, files=({}, {})):
        self.storage, self.keystore = Supplied(), Supplied()
        self.storage.files, self.keystore.files = copied(files[0]), copied(files[1])
        self.clock, self.dice, self.site = HandClock(), Dice(b"device"), SITE
        self.namespace, self.profile = ROUTINES, None
        self.told = {}
        self.power(supply)

    def power(self, supply):
        self.supply = self.storage.supply = self.keystore.supply = supply

    def confirm(self, what, value=True):
        """A peer has been told that `what` is so; so much of the journal stands."""
        self.told[what] = value
        if self.device.journal:
            self.told["journal"] = (self.device.journal.count, self.device.journal.head)

    @property
    def bundle(self):
        return sealed(BUNDLE, self.device.identity.credential.seal_public)

    @property
    def credential(self):
        return self.device.identity.credential.data

    def carry_on(self):
        """Join the site, from wherever that had come to."""
        cable = Phone(self, server=self.cable)
        body = {1: self.told.get("credential")}
        if not self.device.identity.credential:
            response = insist(lambda: cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)})))
            answer = cbor.decode(response.payload)
            public, seal_public = [cose.decode_key(answer[number])[0] for number in (1, 3)]
            assert self.told.get("public", public) == public
            self.confirm("public", public)
            body[1] = SITE.vouch("kiosk-1", public, seal_public)
        else:
            body[1] = self.credential
        body.update({2: SITE.anchor.encode(), 3: WEDNESDAY})
        insist(lambda: cable.plain(coap.PUT, "/identity", cbor.encode(body)))
        self.confirm("commissioned")

    def boot(self):
        super().boot()
        self.inside = {}  # visitors who have a session

    def ask(self, name, method, path, payload=b""):
        """One request of somebody, who names their grant if that is known, else brings it."""
        return insist(lambda: self._visit(name, method, path, payload))

    def _visit(self, name, method, path, payload):
        if name in self.inside:
            return self.inside[name].ask(method, path, payload)
        for by_value in (False, True):
            visitor = Visitor(self, name, by_value=by_value)
            response = visitor.ask(method, path, payload)
            if response.uint(coap.CONTENT_FORMAT) != coap.CONTENT_EDHOC:
                self.inside[name] = visitor
                return response
            if edhoc_client.parse_error(response.payload) != (3, True):
                return response
        raise AssertionError("brought, and yet unknown")

    def invoke(self, name):
        response = self.ask("alice", coap.POST, "/r/" + name, cbor.encode({1: (name + "id12345")[:8].encode()}))
        return cbor.decode(response.payload)


def insist(ask):
    """The response to what is asked again for as long as storage refuses: that is told by name each time."""
    for _ in range(3):
        response = ask()
        if response.code == coap_numbers.INTERNAL_SERVER_ERROR:
            assert reason(response) == "storage-full"
        elif response.uint(coap.CONTENT_FORMAT) == coap.CONTENT_EDHOC:
            assert edhoc_client.parse_error(response.payload) == (1, "storage-full")
        else:
            return response
    raise AssertionError("refused three times")


def chapter_one(life):
    """From the factory to the first visitor."""
    life.boot()
    life.carry_on()
    outcome = life.invoke("first")
    life.confirm("first", outcome)


def chapter_two(life):
    """A device with a long past, whose lists are full: they rotate here."""
    life.boot()
    life.confirm("commissioned")
    life.confirm("first", {1: DONE, 2: "first done"})
    life.confirm("boots", life.device.boots)
    life.confirm("second", life.invoke("second"))
    assert life.ask("alice", coap.POST, "/login").code == coap.CHANGED
    assert life.ask("bob", coap.GET, "/r").code == coap.CONTENT
    assert life.ask("alice", coap.POST, "/bundle", life.bundle).code == coap.CHANGED
    life.confirm("revoked")
    assert reason(life.ask("bob", coap.GET, "/r")) == "grant-revoked"
    life.device.journal.count_failure("ccm-tag")
    life.clock.pass_s(3601)
    guarded(life.device.expire)
    life.confirm("end")


def long_past():
    """Files of a device whose journal and invocations are one short of a rotation."""
    life = Life(Supply())
    chapter_one(life)
    past = Journal(life.storage, life.device.clock, journal.first_head(life.device.identity.key.public))
    while not is_due(past.kept()):
        past.record(journal.LOGIN, bytes(8), "", journal.DONE)
    invocations, number = Invocations(life.storage), 0
    while not is_due(invocations._kept()):
        invocations.start(b"somebody", b"%08d" % number)
        invocations.finish(b"somebody", b"%08d" % number, DONE, None)
        number += 1
    return life.storage.files, life.keystore.files


def is_due(segments):
    """Does its tail go into a segment that is full then, with the next record?"""
    return segments.count % TAIL == 0 and segments.count - segments._first >= segments._size


def check_journal(life):
    """What a peer could have seen of it is still its beginning."""
    count, head = life.told.get("journal", (0, None))
    at, so_far, records = page(life.device.journal, 0, 1 << 20)
    assert count <= at + len(records)
    for record in records:
        assert at != count or head in (None, so_far)
        so_far, at = journal.chain(so_far, record), at + 1
    assert (at, so_far) == (life.device.journal.count, life.device.journal.head)
    assert at != count or head in (None, so_far)


def prove_journal(life):
    """It is whole under the device's signature, and begins with how the device joined."""
    first, head, records = page(life.device.journal, 0, 1 << 20)
    device = credential.parse(life.credential)
    signed = signed_head(life.device.journal, life.device.identity)
    parsed = journal_reader.verify(records, signed, device.public, "kiosk-1", SITE.suite, (first, head))
    joined = [each.seq for each in parsed if each.kind == journal.COMMISSIONED]
    assert joined == ([] if first else [0])


def check_afterwards(life):
    """All that must hold in the next life."""
    life.dice = Dice(b"next life")
    life.boot()
    assert life.device.boots > life.told.get("boots", 0)
    if "commissioned" in life.told:
        assert life.device.identity.state == "commissioned"
        check_journal(life)
    life.carry_on()
    if "revoked" in life.told:
        assert reason(life.ask("bob", coap.GET, "/r")) == "grant-revoked"
    for name in ("first", "second"):
        outcome = life.invoke(name)
        assert outcome == life.told.get(name, outcome)
        assert outcome in ({1: DONE, 2: name + " done"}, {1: INTERRUPTED})
        assert life.invoke(name) == outcome
        assert runs.count(name) <= 1
    assert life.ask("alice", coap.POST, "/bundle", life.bundle).code == coap.CHANGED
    assert reason(life.ask("bob", coap.GET, "/r")) == "grant-revoked"
    check_journal(life)
    prove_journal(life)


def cut_everywhere(chapter, files=({}, {})):
    """Tell the chapter with a power cut before its first change, before its second, and so on.

    Returns how many changes there are, and the names in storage at the end of an undisturbed life.
    """
    supply = Supply()
    runs.clear()
    undisturbed = Life(supply, files)
    chapter(undisturbed)
    for cut in range(supply.changes):
        runs.clear()
        life = Life(Supply(cut), files)
        try:
            chapter(life)
        except PowerCut:
            pass
        assert life.supply.dead
        life.power(Supply())
        check_afterwards(life)
    return supply.changes, undisturbed.storage.names()


def refuse_everywhere(chapter, files=({}, {})):
    """Tell the chapter with one change refused: its first, its second, and so on."""
    supply = Supply()
    runs.clear()
    chapter(Life(supply, files))
    for refused in range(supply.changes):
        runs.clear()
        life = Life(Supply(refused=refused), files)
        chapter(life)
        check_journal(life)
        assert [runs.count(name) for name in ("first", "second")] in ([1, 0], [0, 1])
        check_afterwards(life)


@remembering
def test_a_power_cut_anywhere_between_factory_and_first_visitor():
    changes, _ = cut_everywhere(chapter_one)
    assert changes >= 10


@remembering
def test_a_power_cut_anywhere_in_a_long_life():
    changes, names = cut_everywhere(chapter_two, long_past())
    assert changes >= 15
    assert "journal-b" in names and "invocations-b" in names  # both lists have rotated


@remembering
def test_storage_may_refuse_anything_between_factory_and_first_visitor():
    refuse_everywhere(chapter_one)


@remembering
def test_storage_may_refuse_anything_in_a_long_life():
    refuse_everywhere(chapter_two, long_past())


def test_a_device_whose_storage_refuses_everything_starts_and_says_so():
    life = Life(Supply())
    chapter_one(life)
    for store in (life.storage, life.keystore):
        store._change = refuse
    life.boot()
    assert Phone(life).plain(coap.GET, "/id").code == coap.CONTENT
    alice = Visitor(life, "alice", by_value=False)
    assert reason(alice.invoke("second")) == "storage-read-only"
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    response = Visitor(life, "bob").ask(coap.GET, "/r")
    assert edhoc_client.parse_error(response.payload) == (1, "storage-read-only")


def refuse():
    raise StorageError("storage-read-only")
