"""What needs others' consent is done once, when as many as the rule says have signed exactly that."""

from admit_protocol import approval, cbor, coap, grant, issuing, journal, journal_reader, rule
from memory_ports import WEDNESDAY
from newcomers import kept, sign_key_of, told
from rig import Phone
from visitors import SITE, Visitor, id_of, key_of, new_kiosk, revocation

POST = 2
TWO = [("/r/open", 2, {rule.APPROVALS: [2, ["group:guards", "user:boss"]]})]
ONE = [("/r/open", 2, {rule.APPROVALS: [1, ["group:guards"]]})]
ANYBODY = [("/r/open", 2, {rule.APPROVALS: [1, ["everyone"]]})]
NONE = [("/r/broken", 2, {})]
GUARDS = ("group:guards",)


def paper_of(name, rules, selectors=(), number=None, key=None, **more):
    """A grant of somebody who signs, bytes."""
    about = name, repr(rules), selectors, number, key, repr(sorted(more.items()))

    def make():
        public, sig_public = key_of(key or name).public, sign_key_of(key or name).public
        identifier = number or int.from_bytes(name.encode()[-6:], "big")
        more.update({"sig_public": sig_public, "selectors": selectors})
        return SITE.grant(public, rules, name, number=identifier, **more)

    return kept(make, *about)


class Person(Visitor):
    """Somebody who can sign, with a grant of the authority, or with a delegation whose chain they hand in."""

    def __init__(self, rig, name, rules=NONE, selectors=(), data=None, chain=(), key=None, number=None):
        self.signer = key or name
        data = data or paper_of(name, rules, selectors, number, key)
        Phone.__init__(self, rig, key_of(self.signer), data, None, 515, b"%s %d" % (name.encode(), rig.next_link))
        self._references = {}
        self._unheard = []
        assert self.start().code == coap.CHANGED
        self.send_message_3()
        if chain:
            assert self.tell("/grants", list(chain))[0] == coap.CHANGED

    def tell(self, path, body=None):
        """(code, answer or the reason why not)"""
        method = coap.GET if body is None else coap.POST
        return told(self.carry(coap.request(method, path, b"" if body is None else cbor.encode(body))))

    def ask_for(self, arguments=None, path="/r/open", method=POST):
        """The id of a request for consent, or the reason why there is none."""
        body = {1: method, 2: path}
        if arguments is not None:
            body[3] = arguments
        code, answer = self.tell("/approvals", body)
        return answer[1] if code == coap.CHANGED else answer

    def why(self, name):
        """The reason why a routine is not offered, or what waits."""
        query = [(coap.URI_QUERY, ("why=" + name).encode())]
        return told(self.carry(coap.request(coap.GET, "/approvals", options=query)))[1]

    def seen(self):
        """What waits, as this person sees it."""
        return self.tell("/approvals")[1]

    def signed(self, item, device="kiosk-1", site=SITE, key=None):
        digest = approval.digest(item[9], item[3], item[4], item[5])
        return issuing.approval(key or sign_key_of(self.signer), site.anchor.site_id, device, item[1], digest)

    def approve(self, item=None, paper=None):
        """None, or the reason why not."""
        if paper is None:
            paper = self.signed(item or self.seen()[0])
        code, answer = self.tell("/approvals", {4: paper})
        return None if code == coap.CHANGED else answer

    def opens(self, identifier=b"12345678", **arguments):
        answer = told(self.invoke("open", identifier, **arguments))
        return None if answer[0] == coap.CHANGED else answer[1]


def leave(rig, person):
    rig.radio.listener.closed(person.number)


def test_two_others_consent_and_it_is_done_once():
    rig = new_kiosk()
    alice = Person(rig, "alice", TWO)
    assert alice.opens() == "rule-approvals"
    identifier = alice.ask_for()
    bob, boss = Person(rig, "bob", selectors=GUARDS), Person(rig, "boss")
    (item,) = bob.seen()
    assert item[1] == identifier and len(identifier) == 8
    assert [item[number] for number in range(2, 9)] == ["alice", POST, "/r/open", {"seconds": 5}, 2, 0, 600]
    assert item[9] == journal.person(alice.key.public)
    assert bob.approve(item) is None
    assert alice.opens() == "rule-approvals"
    assert alice.seen()[0][7] == 1
    assert boss.approve() is None
    assert alice.opens() is None
    assert alice.seen() == []
    assert alice.opens() is None  # the same invocation asked again: its outcome, no second door
    assert alice.opens(b"23456789") == "rule-approvals"


def test_it_is_for_exactly_these_arguments():
    rig = new_kiosk()
    alice, bob = Person(rig, "alice", ONE), Person(rig, "bob", selectors=GUARDS)
    alice.ask_for({"seconds": 7})
    assert bob.approve() is None
    assert alice.opens(seconds=8) == "rule-approvals"
    assert alice.opens() == "rule-approvals"
    assert alice.opens(seconds=7) is None
    alice.ask_for()  # the default, as the approver sees it
    assert bob.seen()[0][5] == {"seconds": 5}
    assert bob.approve() is None
    assert alice.opens(b"23456789", seconds=5) is None


def test_it_is_for_exactly_this_person():
    rig = new_kiosk()
    alice, carol = Person(rig, "alice", ONE), Person(rig, "carol", ONE)
    bob = Person(rig, "bob", selectors=GUARDS)
    alice.ask_for()
    assert bob.approve() is None
    assert carol.opens() == "rule-approvals"
    assert carol.seen() == []  # nobody's business
    assert alice.opens() is None


def test_asking_again_is_the_same_request_and_two_are_enough_for_one():
    rig = new_kiosk()
    alice = Person(rig, "alice", ONE)
    first = alice.ask_for({"seconds": 1})
    assert alice.ask_for({"seconds": 1}) == first
    second, third = alice.ask_for({"seconds": 2}), alice.ask_for({"seconds": 3})
    assert [item[1] for item in alice.seen()] == [second, third]


def test_eight_wait_at_most_and_each_for_ten_minutes():
    rig = new_kiosk()
    for number in range(5):
        name = "carol%d" % number
        person = Person(rig, name, ONE)
        answers = [person.ask_for({"seconds": 1}), person.ask_for({"seconds": 2})]
        assert answers == ["approval-full"] * 2 if number == 4 else len(answers[0]) == 8
        leave(rig, person)
    rig.pass_s(599)
    alice = Person(rig, "alice", ONE)
    assert alice.ask_for() == "approval-full"
    rig.pass_s(1)
    assert len(alice.ask_for()) == 8


def test_what_has_ended_can_neither_be_approved_nor_done():
    rig = new_kiosk()
    alice, bob = Person(rig, "alice", ONE), Person(rig, "bob", selectors=GUARDS)
    alice.ask_for()
    late = bob.signed(bob.seen()[0])
    rig.pass_s(300)
    alice.seen()
    bob.seen()
    rig.pass_s(300)
    assert bob.approve(paper=late) == "approval-unknown"
    alice.ask_for()
    assert bob.approve() is None
    rig.pass_s(599)
    assert alice.seen()[0][8] == 1
    rig.pass_s(1)
    assert alice.opens() == "rule-approvals"


def test_an_approval_is_for_one_request_at_one_device_of_one_site():
    rig = new_kiosk()
    alice, bob = Person(rig, "alice", ONE), Person(rig, "bob", selectors=GUARDS)
    alice.ask_for({"seconds": 1})
    first = bob.seen()[0]
    used = bob.signed(first)
    assert bob.approve(paper=used) is None
    assert alice.opens(seconds=1) is None
    assert bob.approve(paper=used) == "approval-unknown"  # replayed
    alice.ask_for({"seconds": 1})
    assert bob.approve(paper=used) == "approval-unknown"  # for the next one, which looks the same
    second = bob.seen()[0]
    other = dict(second)
    other[5] = {"seconds": 30}
    assert bob.approve(paper=bob.signed(other)) == "approval-other-request"
    assert bob.approve(paper=bob.signed(second, device="kiosk-2")) == "paper-other-device"
    assert bob.approve(paper=bob.signed(second, key=sign_key_of("eve"))) == "cose-signature"
    assert bob.approve(paper=used[:-1]) == "cbor-truncated"
    assert alice.opens(b"23456789", seconds=1) == "rule-approvals"


def test_nobody_consents_to_their_own_request_by_whatever_grant_or_key():
    rig = new_kiosk()
    alice = Person(rig, "alice", ANYBODY)
    alice.ask_for()
    (own,) = alice.seen()
    assert alice.approve(own) == "approval-own"
    leave(rig, alice)
    twin = Person(rig, "alice", NONE, GUARDS, key="alices second", number=5)  # her other phone
    assert twin.seen() == []
    assert twin.approve(own) == "approval-own"
    leave(rig, twin)
    mask = Person(rig, "alias", NONE, GUARDS, key="alice", number=6)  # her key under another name
    assert mask.approve(own) == "approval-own"
    leave(rig, mask)
    parent = paper_of("alice", NONE + ANYBODY, number=7, delegate=1)
    leaf = passed_on(parent, "alice", "puppet")
    puppet = Person(rig, "puppet", data=leaf, chain=[parent])
    assert puppet.approve(own) == "approval-own"
    leave(rig, puppet)
    again = Person(rig, "alice", ANYBODY)
    assert again.opens() == "rule-approvals"


def passed_on(parent, giver, taker, rules=NONE, name=None):
    about = grant.parse(parent), name or taker, ["kiosk-1"], rules, key_of(taker).public
    return kept(
        lambda: issuing.delegation(sign_key_of(giver), *about, WEDNESDAY, sign_key_of(taker).public),
        "passed on",
        parent,
        taker,
        name,
    )


def test_the_same_person_counts_once_with_whatever_grant():
    rig = new_kiosk()
    alice = Person(rig, "alice", TWO)
    alice.ask_for()
    bob = Person(rig, "bob", selectors=GUARDS)
    (item,) = bob.seen()
    for _ in range(2):
        assert bob.approve(item) is None
    leave(rig, bob)
    second = Person(rig, "bob", NONE, GUARDS, key="bobs second", number=8)
    assert second.approve(item) is None
    leave(rig, second)
    assert alice.seen()[0][7] == 1
    assert alice.opens() == "rule-approvals"
    assert Person(rig, "dave", selectors=GUARDS).approve(item) is None
    assert alice.opens() is None


def test_only_those_whose_word_the_rule_asks_for():
    rig = new_kiosk()
    alice, carol = Person(rig, "alice", ONE), Person(rig, "carol")
    alice.ask_for()
    assert carol.seen() == []
    assert carol.approve(alice.seen()[0]) == "approval-not-asked"
    parent = paper_of("carol", NONE, number=9, delegate=1)
    leave(rig, carol)
    boss = Person(rig, "boss", data=passed_on(parent, "carol", "eve", name="boss"), chain=[parent], key="eve")
    assert boss.approve(alice.seen()[0]) == "approval-not-asked"  # a name that a delegation gives is nobody's word
    leave(rig, boss)
    assert alice.opens() == "rule-approvals"


def test_who_has_no_key_to_sign_with_cannot_consent():
    rig = new_kiosk()
    alice = Person(rig, "alice", ANYBODY)
    alice.ask_for()
    item = alice.seen()[0]
    dumb = Visitor(rig, "dumb")
    paper = Person.signed(alice, item)
    assert told(dumb.carry(coap.request(coap.POST, "/approvals", cbor.encode({4: paper}))))[1] == "approval-no-key"


def test_whose_grant_was_taken_back_does_not_count_whether_before_or_after_they_signed():
    rig = new_kiosk()
    alice, bob = Person(rig, "alice", ONE), Person(rig, "bob", selectors=GUARDS)
    alice.ask_for()
    paper = bob.signed(bob.seen()[0])
    assert bob.approve(paper=paper) is None
    carrier = Person(rig, "carol")
    bundle = revocation(1, [id_of(bob.grant)])
    assert carrier.carry(coap.request(coap.POST, "/bundle", bundle)).code == coap.CHANGED
    assert alice.opens() == "rule-approvals"  # a new policy: all begins anew
    alice.ask_for()
    assert bob.approve(paper=paper) == "grant-revoked"
    assert alice.opens() == "rule-approvals"


def test_to_ask_for_what_cannot_be_or_needs_nobody_is_refused():
    rig = new_kiosk()
    rules = ONE + [("/r/broken", 2, {}), ("/r/wait", 2, {rule.USES: 1, rule.APPROVALS: [9, ["everyone"]]})]
    alice = Person(rig, "alice", rules)
    assert alice.ask_for(path="/r/broken") == "approval-needless"
    assert alice.ask_for(path="/health", method=1) == "rule-none"
    assert alice.ask_for(path="/r/wait") == "rule-approvals"  # more than there can be
    assert alice.seen() == []
    for body in ({}, {1: POST}, {1: "POST", 2: "/r/open"}, {1: POST, 2: "/r/open", 5: 1}, {4: 5}, [], {1: POST, 2: 5}):
        assert alice.tell("/approvals", body)[1] == "approval-body", body


def test_why_something_is_not_offered_is_told_and_nobody_is_asked():
    rig = new_kiosk()
    bounds = ("/r/broken", 2, {rule.BOUNDS: {"seconds": [1, 3]}})
    shut = ("/r/wait", 2, {rule.LIFE: [None, WEDNESDAY - 60]})
    alice, guard = Person(rig, "alice", ONE + [bounds, shut]), Person(rig, "guard", selectors=GUARDS)
    assert alice.why("wait") == "rule-expired"
    assert alice.why("light") == alice.why("") == alice.why("x" * 200) == "rule-none"
    assert alice.why("broken") == "rule-argument"
    assert alice.why("open") == []  # with others' consent
    assert guard.why("broken") == "approval-needless"
    assert alice.seen() == guard.seen() == []


def test_presence_may_be_shown_before_or_after():
    rig = new_kiosk()
    both = [("/r/open", 2, {rule.APPROVALS: [1, ["group:guards"]], rule.PRESENCE: rule.BUTTON})]
    alice, bob = Person(rig, "alice", both), Person(rig, "bob", selectors=GUARDS)
    assert len(alice.ask_for()) == 8
    assert bob.approve() is None
    assert alice.opens() == "rule-presence"
    rig.outputs.set("button", 0)
    assert alice.tell("/presence", {2: True})[0] == coap.CHANGED
    assert alice.opens() is None


def test_requests_and_approvals_are_gone_after_a_restart_and_wear_no_flash_but_for_the_record():
    rig = new_kiosk()
    alice, bob = Person(rig, "alice", ONE), Person(rig, "bob", selectors=GUARDS)
    bob.seen()
    changes = rig.storage.changes
    alice.ask_for()
    item = bob.seen()[0]
    assert rig.storage.changes == changes
    assert bob.approve(item) is None and bob.approve(item) is None
    assert rig.storage.changes == changes + 1
    (record,) = [
        each
        for each in map(journal_reader.parse_record, rig.device.journal.kept().all())
        if each.kind == journal.APPROVED
    ]
    assert (record.who, record.what) == (journal.person(bob.key.public), "/r/open")
    assert record.extra[journal.KEY] == journal.person(alice.key.public)
    rig.boot()
    assert Person(rig, "alice", ONE).opens() == "rule-approvals"


def test_a_consent_that_cannot_be_written_down_does_not_count():
    rig = new_kiosk()
    alice, bob = Person(rig, "alice", ONE), Person(rig, "bob", selectors=GUARDS)
    alice.ask_for()
    item = bob.seen()[0]
    rig.storage.full = True
    assert bob.approve(item) == "storage-full"
    rig.storage.full = False
    assert alice.opens() == "rule-approvals"
    assert bob.approve(item) is None
    assert alice.opens() is None
