"""The end of a device's life at its site: nothing of it is left but a signed word, wherever the power was cut."""

from admit_device.wiping import change_site, forget_site
from admit_protocol import anchor, cbor, coap, coap_numbers, wipe
from admit_protocol.errors import StorageError
from memory_ports import Memory, PowerCut
from power_supply import Powered, Supply
from remembered import remembering
from rig import Phone, Site
from visitors import SITE, Visitor, new_kiosk, reason

LIMIT_S = 120
STATE, CREDENTIAL, WIPED = 1, 2, 9  # in /id
CERTIFICATE = 4  # in the answer
SOLD = cbor.encode({4: 3, 6: "sold"})
OF_THE_BOARD = ["boots", "release", "time-floor"]


def described(rig):
    return cbor.decode(Phone(rig, server=rig.cable).plain(coap.GET, "/id").payload)


def decommission(visitor, body=SOLD):
    """The certificate that the device answers, bytes."""
    response = visitor.ask(coap.POST, "/identity", body)
    assert response.code == coap.CHANGED, reason(response)
    return cbor.decode(response.payload)[CERTIFICATE]


def lived_in():
    """A kiosk in whose storage everything is that a site leaves there."""
    rig = new_kiosk()
    alice = Visitor(rig)
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    assert alice.invoke("open").code == coap.CHANGED
    assert alice.ask(coap.POST, "/bundle", SITE.bundle(1, to=rig.seal_public)).code == coap.CHANGED
    rig.storage.write("release", b"floor")
    return rig


def proven(data, rig):
    """The certificate, if the device that was the rig's signed it."""
    certificate = wipe.parse(data)
    wipe.verify(certificate, rig.public, SITE.anchor.site_id, "kiosk-1", SITE.suite)
    return certificate


def check_gone(rig, data):
    """Nothing is left of the site but its device's word."""
    assert rig.keystore.files == {}
    assert [each for each in rig.storage.names() if each not in OF_THE_BOARD] == ["wiped"]
    rig.boot()
    told = described(rig)
    assert (told[STATE], told[WIPED], CREDENTIAL in told) == ("factory", data, False)


def test_a_device_that_is_decommissioned_leaves_its_word_and_nothing_else():
    rig = lived_in()
    admin = Visitor(rig, "admin")
    data = decommission(admin)
    certificate = proven(data, rig)
    journal = rig.device.journal
    assert (certificate.count, certificate.head) == (journal.count, journal.head) != (0, None)
    assert (certificate.boots, certificate.reason, certificate.at) == (1, "sold", rig.clock.now())
    assert rig.restarted is None
    rig.pass_s(1)
    assert (rig.scrubbed, rig.restarted) == (True, False)
    check_gone(rig, data)


def test_nothing_is_written_after_the_last_word():
    rig = lived_in()
    rig.device.journal.count_failure("ccm-tag")  # due to be told at once
    certificate = proven(decommission(Visitor(rig, "admin")), rig)
    rig.device.expire()
    assert rig.device.journal.count == certificate.count and "journal-a" not in rig.storage.names()


def test_until_the_key_is_erased_it_answers_the_same_again_and_serves_nobody():
    rig = lived_in()
    admin = Visitor(rig, "admin")
    data = decommission(admin)
    assert decommission(admin) == data
    assert decommission(Visitor(rig, "bob")) == data
    assert described(rig)[STATE] == "dying" and described(rig)[WIPED] == data
    for path in ("/r", "/journal", "/health", "/login"):
        assert reason(admin.ask(coap.GET, path)) == "session-needed", path
    assert reason(admin.ask(coap.POST, "/identity", cbor.encode({4: 1, 1: bytes(32)}))) == "identity-dying"
    cable = Phone(rig, server=rig.cable)
    assert reason(cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)}))) == "identity-commissioned"
    assert reason(cable.plain(coap.POST, "/reset", cbor.encode({1: 1}))) == "session-needed"
    rig.pass_s(1)
    check_gone(rig, data)


def test_only_whom_a_rule_allows_ends_it():
    rig = lived_in()
    refused = Visitor(rig, "bob", [("/r/*", 127, {})]).ask(coap.POST, "/identity", SOLD)
    assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "rule-none")
    refused = Visitor(rig, "carol", [("/identity", 1 << 2, {})]).ask(coap.POST, "/identity", SOLD)  # PUT alone
    assert refused.code == coap_numbers.FORBIDDEN
    refused = Phone(rig).plain(coap.POST, "/identity", SOLD)
    assert reason(refused) == "commissioning-cable-only"
    assert described(rig)[STATE] == "commissioned"


def test_what_says_something_else_ends_nothing():
    rig = lived_in()
    admin = Visitor(rig, "admin")
    for body in (
        {4: 3},
        {4: 3, 6: b"sold"},
        {4: 3, 6: "s" * 65},
        {4: 3, 6: "sold", 7: 1},
        {4: 9, 6: ""},
        {4: True, 6: ""},
        [4],
    ):
        assert reason(admin.ask(coap.POST, "/identity", cbor.encode(body))) == "identity-body", body
    assert reason(admin.ask(coap.POST, "/identity", SOLD[:-1])) == "cbor-truncated"
    assert described(rig)[STATE] == "commissioned"


def test_the_word_of_a_former_life_goes_when_another_begins():
    rig = lived_in()
    decommission(Visitor(rig, "admin"))
    rig.pass_s(1)
    rig.boot()
    rig.commission(Site("other", b"other"), "door-2")
    assert WIPED not in described(rig)
    assert "wiped" not in rig.storage.names()
    assert rig.storage.read("release") == b"floor"


def told_by(rig):
    """What the admin is told before the power goes, if it goes; and is the device off then?"""
    data = None
    try:
        data = decommission(Visitor(rig, "admin"))
        rig.pass_s(1)
    except PowerCut:
        return data, True
    return data, False


@remembering
def test_a_power_cut_anywhere_ends_in_the_old_life_or_in_none():
    lived = lived_in()
    files = lived.storage.files, lived.keystore.files
    lives = set()
    cut, was_cut = 0, True
    while was_cut:
        rig = Powered(files)
        rig.public, rig.credential = lived.public, lived.credential
        rig.power(Supply(cut))
        data, was_cut = told_by(rig)
        again = 0
        while was_cut:  # and the power is cut again, at each change of the start that goes on
            rig.power(Supply(again))
            again += 1
            try:
                rig.boot()
                break
            except PowerCut:
                pass
        rig.power(Supply())
        rig.boot()
        told = described(rig)
        lives.add(told[STATE])
        if told[STATE] == "commissioned":
            assert data is None and told[CREDENTIAL] == rig.credential
            assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
            data = decommission(Visitor(rig, "admin"))
            rig.pass_s(1)
        elif data is not None:
            assert told[WIPED] == data
        proven(data or told[WIPED], rig)
        check_gone(rig, data or told[WIPED])
        cut += 1
    assert lives == {"commissioned", "factory"} and cut > 10


@remembering
def test_storage_may_refuse_any_of_it_and_whoever_asks_again_goes_on():
    lived = lived_in()
    refused = 0
    while True:
        rig = Powered((lived.storage.files, lived.keystore.files))
        rig.public, rig.credential = lived.public, lived.credential
        admin = Visitor(rig, "admin")
        assert admin.ask(coap.GET, "/r").code == coap.CONTENT
        rig.power(Supply(refused=refused))
        response = admin.ask(coap.POST, "/identity", SOLD)
        if response.code != coap.CHANGED:
            assert reason(response) == "storage-full"
            response = admin.ask(coap.POST, "/identity", SOLD)
        data = cbor.decode(response.payload)[CERTIFICATE]
        is_over = rig.supply.changes <= refused
        rig.power(Supply())
        rig.pass_s(1)
        check_gone(rig, data)
        proven(data, rig)
        if is_over:
            return
        refused += 1


def test_a_dying_device_whose_storage_refuses_serves_nobody_and_is_told_at_each_start():
    lived = lived_in()
    rig = Powered((lived.storage.files, lived.keystore.files))
    rig.device.identity.keep({6: [1, bytes(32), 1, None, "sold"]})
    rig.storage._change = refuse
    rig.boot()
    assert described(rig)[STATE] == "dying" and WIPED not in described(rig)
    assert reason(Phone(rig).plain(coap.GET, "/r")) == "session-needed"
    del rig.storage._change
    rig.boot()
    assert described(rig)[STATE] == "factory" and rig.keystore.files == {}


def refuse():
    raise StorageError("storage-read-only")


def test_half_an_erased_key_store_is_erased_again():
    rig = lived_in()
    data = decommission(Visitor(rig, "admin"))
    rig.keystore.damaged.append("identity")  # zeros stand where the key was
    rig.boot()
    check_gone(rig, data)


# forget_site, change_site


def test_a_site_is_forgotten_but_for_what_is_the_boards():
    storage = Memory()
    for name in OF_THE_BOARD + ["policy", "grant-00", "uses-1", "wiped"]:
        storage.write(name, b"x")
    storage.append("journal-a", b"x")
    forget_site(storage, ("wiped",))
    assert storage.names() == OF_THE_BOARD + ["wiped"]
    forget_site(storage)
    assert storage.names() == OF_THE_BOARD


@remembering
def test_a_device_changes_its_site_in_one_write():
    lived, other = lived_in(), Site("other", b"other")
    secret = bytes(31) + b"\x07"
    ends, cut, was_cut = set(), 0, True
    while was_cut:
        rig = Powered((lived.storage.files, lived.keystore.files))
        identity = rig.device.identity
        key = identity.suite.private_key(secret)
        seal = identity.seal_key_of(secret).public
        fields = {1: secret, 2: other.vouch("door-2", key.public, seal), 3: other.anchor.encode()}
        rig.power(Supply(cut))
        try:
            change_site(identity, rig.storage, fields)
            was_cut = False
        except PowerCut:
            pass
        rig.power(Supply())
        rig.boot()
        site = anchor.decode(rig.device.identity.kept(3))
        ends.add(site.name)
        assert rig.device.identity.ending is None and described(rig)[STATE] == "commissioned"
        assert ("policy" in rig.storage.names()) == (site.name == "site")
        if site.name == "other":
            assert not [each for each in rig.storage.names() if each.startswith("grant-")]
            assert rig.device.journal.count == 2  # it has joined, it has started
        cut += 1
    assert ends == {"site", "other"} and cut > 5
