"""A device exchanges its key: both keys say so, and at each moment exactly one of them works."""

from admit_device.identity import ANCHOR, CREDENTIAL, NEXT, OLD, SECRET
from admit_protocol import cbor, coap, coap_numbers, credential, issuing, journal_reader, rotation
from admit_protocol.errors import Untrusted, Unverified
from admit_protocol.kdf import sha256
from memory_ports import WEDNESDAY, Dice, PowerCut
from power_supply import Powered, Supply
from remembered import remembering
from rig import Phone, Rig, Site
from visitors import ROUTINES, SITE, Visitor, new_kiosk, reason

LIMIT_S = 120
ROTATE = cbor.encode({4: 1, 1: bytes(32)})
SITE_ID = SITE.anchor.site_id
MAX_VALUE = 2048  # of an ESP32's key store
LONGEST = "k" * 64


def post(visitor, body):
    """The response to POST /identity: of several blocks, with both halves of a proof."""
    return visitor.carry(coap.request(coap.POST, "/identity", body if isinstance(body, bytes) else cbor.encode(body)))


def put(visitor, data):
    return visitor.ask(coap.PUT, "/identity", cbor.encode({1: data}))


def confirm(visitor, public):
    return post(visitor, {4: 2, 5: sha256(public)})


def next_key(visitor, public, device_id="kiosk-1"):
    """The Rotation that the device proves."""
    response = post(visitor, ROTATE)
    assert response.code == coap.CHANGED, reason(response)
    told = cbor.decode(response.payload)
    by_old, by_new = rotation.parse(told[1]), rotation.parse(told[2])
    rotation.verify(by_old, by_new, public, SITE_ID, device_id, SITE.suite)
    return by_old


def vouch(new, device_id="kiosk-1", issued_at=WEDNESDAY, site=SITE, seal=None, kid=None, key=None):
    kid = kid or credential.kid(new.new)
    public = key or new.new
    return issuing.credential(site.key, site.anchor.site_id, device_id, public, kid, issued_at, seal or new.seal)


def rotated(rig, admin):
    """The new key's Rotation and credential, once the device has taken it."""
    new = next_key(admin, rig.public)
    data = vouch(new)
    assert put(admin, data).code == coap.CHANGED
    return new, data


def works(rig, data):
    """Does the key of this credential prove itself in a handshake?"""
    rig.credential = data
    try:
        visitor = Visitor(rig, "bob")
    except (Untrusted, Unverified, AssertionError):
        return False
    return visitor.ask(coap.GET, "/r").code == coap.CONTENT


def told(rig):
    return cbor.decode(Phone(rig).plain(coap.GET, "/id").payload)[2]


def test_the_new_key_works_from_the_moment_that_the_authority_has_signed_for_it():
    rig = new_kiosk()
    old, admin = rig.credential, Visitor(rig, "admin")
    new = next_key(admin, rig.public)
    assert new.old == rig.public != new.new and new.seal != rig.seal_public
    assert works(rig, old) and told(rig) == old
    data = vouch(new)
    assert put(admin, data).code == coap.CHANGED
    assert told(rig) == data
    assert works(rig, data) and not works(rig, old)
    rig.boot()
    assert works(rig, data) and not works(rig, old)
    rig.credential = data
    assert confirm(Visitor(rig, "admin"), new.new).code == coap.CHANGED
    assert rig.device.identity.kept(OLD) is None
    assert works(rig, data) and not works(rig, old)


def test_who_was_let_in_by_the_old_key_stays_and_the_journal_goes_on():
    rig = new_kiosk()
    alice, admin = Visitor(rig), Visitor(rig, "admin")
    assert alice.ask(coap.POST, "/login").code == coap.CHANGED
    count = rig.device.journal.count
    new, data = rotated(rig, admin)
    assert alice.invoke("open").code == coap.CHANGED
    assert rig.device.journal.count > count
    page = cbor.decode(admin.ask(coap.GET, "/journal").payload)
    start = page[1], page[2]
    assert journal_reader.verify(page[3], page[4], new.new, "kiosk-1", SITE.suite, start)


def test_asked_again_it_makes_no_other_key():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    first = next_key(admin, rig.public)
    rig.boot()
    again = next_key(Visitor(rig, "admin"), rig.public)
    assert (first.new, first.seal) == (again.new, again.seal)
    assert next_key(Visitor(rig, "admin", seed_of(2)), rig.public).new == first.new


def seed_of(number):
    return [("/identity", 127, {}), ("/r", number, {})]


def test_the_credential_may_come_twice():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    new, data = rotated(rig, admin)
    kept = dict(rig.keystore.files)
    assert put(admin, data).code == coap.CHANGED
    assert rig.keystore.files == kept
    assert confirm(admin, new.new).code == confirm(admin, new.new).code == coap.CHANGED


def test_a_new_key_has_another_kid_than_the_old_one():
    """One byte names a key in a handshake: a phone that knows the old one would take the new one for a liar."""
    rig = new_kiosk()
    kids = set()
    for at in range(12):
        rig.keystore.files = dict(rig.keystore.files)
        rig.device.identity.keep({NEXT: None})
        rig.dice.seed = b"%d" % at
        kids.add(credential.kid(next_key(Visitor(rig, "admin"), rig.public).new))
    assert credential.kid(rig.public) not in kids and len(kids) > 5


def test_bundles_to_the_old_key_are_read_until_the_new_one_is_confirmed():
    rig = new_kiosk()
    admin, first = Visitor(rig, "admin"), rig.seal_public
    new, _ = rotated(rig, admin)
    assert admin.ask(coap.POST, "/bundle", SITE.bundle(1, to=first)).code == coap.CHANGED
    assert admin.ask(coap.POST, "/bundle", SITE.bundle(2, to=new.seal)).code == coap.CHANGED
    assert confirm(admin, new.new).code == coap.CHANGED
    assert reason(admin.ask(coap.POST, "/bundle", SITE.bundle(3, to=first))) == "cose-unsealed"
    assert admin.ask(coap.POST, "/bundle", SITE.bundle(3, to=new.seal)).code == coap.CHANGED


def test_the_next_rotation_ends_the_one_before():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    first, data = rotated(rig, admin)
    second = next_key(admin, first.new)
    assert rig.device.identity.kept(OLD) is None
    assert put(admin, vouch(second, issued_at=WEDNESDAY + 1)).code == coap.CHANGED
    assert rig.device.identity.credential.public == second.new
    assert reason(put(admin, data)) == "identity-no-rotation"  # the first one's, replayed


def test_a_credential_that_is_not_for_the_next_key_is_refused():
    rig = new_kiosk()
    admin, other = Visitor(rig, "admin"), Site("other", b"other")
    assert reason(put(admin, rig.site.vouch("kiosk-1", other.key.public))) == "identity-no-rotation"
    new = next_key(admin, rig.public)
    for data, why in (
        (vouch(new, "kiosk-2"), "identity-other-device"),
        (vouch(new, site=other), "credential-other-site"),
        (vouch(new, key=other.key.public, kid=credential.kid(other.key.public)), "identity-other-key"),
        (vouch(new, kid=credential.kid(rig.public)), "identity-other-key"),
        (vouch(new, seal=rig.seal_public), "identity-other-key"),
        (vouch(new, issued_at=WEDNESDAY - 1000), "identity-older"),
        (vouch(new)[:-1] + b"\x00", "cose-signature"),
        (vouch(new)[:-1], "cbor-truncated"),
        (SITE.grant(new.new, [("*", 127, {})]), "credential-claims"),
    ):
        assert reason(put(admin, data)) == why
    assert works(rig, rig.credential)


def test_only_the_key_that_was_met_is_confirmed():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    new = next_key(admin, rig.public)
    assert reason(confirm(admin, new.new)) == "identity-not-met"  # it is not the device's yet
    assert put(admin, vouch(new)).code == coap.CHANGED
    assert reason(confirm(admin, rig.public)) == "identity-not-met"
    assert rig.device.identity.kept(OLD) is not None


def test_what_says_something_else_is_refused():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    for body, why in (
        ({4: 1}, "identity-body"),
        ({4: 1, 1: bytes(31)}, "commissioning-contribution"),
        ({4: 1, 1: "x" * 32}, "commissioning-contribution"),
        ({4: 1, 1: bytes(32), 2: bytes(16)}, "identity-body"),
        ({4: 2}, "identity-body"),
        ({4: 2, 5: 7}, "identity-not-met"),
        ({4: 0, 1: b""}, "identity-body"),
        ({1: bytes(32)}, "identity-body"),
    ):
        assert reason(post(admin, body)) == why, body
    assert reason(admin.ask(coap.PUT, "/identity", cbor.encode({1: b"", 4: 1}))) == "identity-body"
    assert reason(admin.ask(coap.PUT, "/identity", cbor.encode({1: "text"}))) == "identity-body"
    assert rig.device.identity.kept(NEXT) is None


def test_only_whom_a_rule_allows_exchanges_the_key():
    rig = new_kiosk()
    for method, body in ((coap.POST, ROTATE), (coap.PUT, cbor.encode({1: rig.credential}))):
        refused = Visitor(rig, "bob", [("/r/*", 127, {})]).ask(method, "/identity", body)
        assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "rule-none")
        assert reason(Phone(rig).plain(method, "/identity", body)) == "commissioning-cable-only"


def test_a_key_from_a_board_without_a_source_needs_a_credential_that_says_so():
    rig = new_kiosk()
    rig.test_only = True
    admin = Visitor(rig, "admin")
    response = cbor.decode(post(admin, ROTATE).payload)
    assert response[3] is True
    new = rotation.parse(response[1])
    assert reason(put(admin, vouch(new))) == "identity-test-only"
    kid = credential.kid(new.new)
    data = issuing.credential(SITE.key, SITE_ID, "kiosk-1", new.new, kid, WEDNESDAY, new.seal, True)
    assert put(admin, data).code == coap.CHANGED


def test_the_largest_identity_fits_an_esp32s_key_store():
    site = Site("n" * 64, b"site")
    rig = Rig(ROUTINES)
    rig.test_only = True
    identity, secret = rig.device.identity, b"\xff" * 4 + bytes(27) + b"\x01"
    public, site_id = site.key.public, site.anchor.site_id
    data = issuing.credential(site.key, site_id, LONGEST, public, credential.kid(public), 1 << 33, public, True)
    fields = {SECRET: secret, CREDENTIAL: data, ANCHOR: site.anchor.encode(), NEXT: secret, OLD: secret}
    fields.update({5: True, 6: [1 << 31, bytes(32), 1 << 31, 1 << 33, "r" * 64]})
    identity.keep(fields)
    assert len(rig.keystore.files["identity"]) < 1024 < MAX_VALUE


def rotate_fully(rig, done):
    """All of a rotation, noted in `done` as far as the admin was told of it."""
    admin = Visitor(rig, "admin")
    if done.get("data") is None or told(rig) != done["data"]:
        done["new"] = next_key(admin, rig.public)
        done["data"] = vouch(done["new"])
        assert put(admin, done["data"]).code == coap.CHANGED
        done["taken"] = True
        rig.credential = done["data"]
        admin = Visitor(rig, "admin")
    assert confirm(admin, done["new"].new).code == coap.CHANGED
    done["confirmed"] = True


@remembering
def test_a_power_cut_anywhere_leaves_exactly_one_key_that_works():
    lived = new_kiosk()
    assert Visitor(lived).ask(coap.POST, "/login").code == coap.CHANGED
    old, ends = lived.credential, set()
    cut, was_cut = 0, True
    while was_cut:
        rig = Powered((lived.storage.files, lived.keystore.files))
        rig.public, rig.credential = lived.public, old
        rig.power(Supply(cut))
        done, was_cut = {}, False
        try:
            rotate_fully(rig, done)
        except PowerCut:
            was_cut = True
        rig.power(Supply())
        rig.dice = Dice(b"next life")
        rig.boot()
        now = told(rig)
        ends.add((now == old, rig.device.identity.kept(NEXT) is None, rig.device.identity.kept(OLD) is None))
        assert now == old or now == done["data"]
        assert not (done.get("taken") and now == old)
        if done.get("data"):
            assert [works(rig, each) for each in (old, done["data"])] == [now == old, now != old]
        rig.credential = now
        rotate_fully(rig, done)
        rig.boot()
        assert works(rig, done["data"]) and not works(rig, old)
        assert [rig.device.identity.kept(field) for field in (NEXT, OLD)] == [None, None]
        cut += 1
    # before anything; with a second key; with the new one, the old one still there; with the new one alone
    assert ends == {(True, True, True), (True, False, True), (False, True, False), (False, True, True)}
