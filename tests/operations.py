"""What owners do to a kiosk: its key is exchanged, or their own; a promise of it is taken back; another site fetches
it; it is wiped.

Each is told to a rig so that power may go anywhere in it. `past(rig)`: what came before. `tell(rig, note)`: the whole
operation, or what is left of it; `note(name, value)` is called with what a peer has been told or holds by then. After
a power cut `check(rig, known)` raises Third unless the kiosk is as it was before or as it was to be, and what peers
were told is so; `known` is what was noted. Then `tell` ends it, and `over(rig, known)` says whether that is right.
For tests on both runtimes.
"""

from admit_device.identity import NEXT, OLD
from admit_device.journal_page import page
from admit_protocol import anchor, cbor, coap, credential, issuing, journal, receipt, rotation, succession, wipe
from admit_protocol.errors import AdmitError
from admit_protocol.kdf import sha256
from memory_ports import WEDNESDAY
from newcomers import Returning, kept
from owners import EAST, Heir, Owner, described, voucher
from rig import ALL, Site
from visitors import SITE, Visitor, grant_of, id_of, key_of, reason

STATE, CREDENTIAL, WIPED = 1, 2, 9  # in /id
SITE_ID = SITE.anchor.site_id
SOLD = cbor.encode({4: 3, 6: "sold"})
CERTIFICATE = 4
ID = b"23456789"  # of an invocation


class Third(Exception):
    """A state that is neither the one before nor the one after."""


def hold(what, why):
    """Raise Third unless `what` holds."""
    if not what:
        raise Third(why)


def opens(rig, visitor=Visitor, **how):
    """Does the kiosk let somebody in who comes with its credential `rig.credential`, and do what they may?"""
    try:
        return visitor(rig, **how).ask(coap.GET, "/r").code == coap.CONTENT
    except (AdmitError, AssertionError):
        return False


def holds(of_device, count, head):
    """Are the first `count` records of a journal those whose head this is?"""
    at, so_far, records = page(of_device, 0, 1 << 20)
    is_there = at == count and so_far == head
    for record in records:
        so_far, at = journal.chain(so_far, record), at + 1
        is_there = is_there or (at == count and so_far == head)
    return is_there and (at, so_far) == (of_device.count, of_device.head)


class Rotation:
    """A new key: asked for, vouched for, met, confirmed."""

    name = "rotation"

    def past(self, rig):
        assert Visitor(rig).ask(coap.POST, "/login").code == coap.CHANGED
        self.old = rig.credential

    def tell(self, rig, note, known=None):
        data = (known or {}).get("data")
        admin = Visitor(rig, "admin")
        if data is None or described(rig)[CREDENTIAL] != data:
            data = self._vouched(admin, rig)
            note("data", data)
            assert admin.ask(coap.PUT, "/identity", cbor.encode({1: data})).code == coap.CHANGED
            note("taken", True)
            rig.credential, rig.public = data, credential.parse(data).public
            admin = Visitor(rig, "admin")
        body = cbor.encode({4: 2, 5: sha256(credential.parse(data).public)})
        assert admin.ask(coap.POST, "/identity", body).code == coap.CHANGED
        note("confirmed", True)

    def _vouched(self, admin, rig):
        """The authority's credential for the next key, which both keys have proven."""
        answer = admin.carry(coap.request(coap.POST, "/identity", cbor.encode({4: 1, 1: bytes(32)})))
        told = cbor.decode(answer.payload)
        new, by_new = rotation.parse(told[1]), rotation.parse(told[2])
        rotation.verify(new, by_new, rig.public, SITE_ID, "kiosk-1", SITE.suite)
        words = "kiosk-1", new.new, credential.kid(new.new), WEDNESDAY, new.seal
        return kept(lambda: issuing.credential(SITE.key, SITE_ID, *words), "vouched", new.new)

    def check(self, rig, known):
        now, data = described(rig)[CREDENTIAL], known.get("data")
        hold(now in (self.old, data), "another credential")
        hold(not (known.get("taken") and now == self.old), "what was taken is forgotten")
        for each in (self.old, data):
            rig.credential = each
            hold(each is None or opens(rig, name="bob") == (each == now), "not the one key that it shows")
        rig.credential, rig.public = now, credential.parse(now).public

    def over(self, rig, known):
        now = described(rig)[CREDENTIAL]
        hold(now == known["data"] != self.old and opens(rig), "not the new key")
        hold(rig.device.identity.kept(NEXT) is rig.device.identity.kept(OLD) is None, "a secret too many")


class Succession:
    """The authority has new keys, which the device follows; what the old ones signed counts for another month."""

    name = "authority rotation"

    def past(self, rig):
        assert Visitor(rig).ask(coap.POST, "/login").code == coap.CHANGED
        after, known = Site("site", b"next"), SITE.anchor
        words = known.site_id, 1, after.ecdh.public, WEDNESDAY, WEDNESDAY + 30 * 86400
        self.step = kept(lambda: succession.sign(SITE.key, after.key, *words), "succession")
        after.anchor = anchor.Anchor(known.first_public, known.first_ecdh_public, known.name, (self.step,))
        self.grant = kept(lambda: after.grant(key_of("zoe").public, ALL, "zoe", number=66), "grant of the next")

    def tell(self, rig, note, known=None):
        assert Visitor(rig).ask(coap.POST, "/bundle", self.step).code == coap.CHANGED
        note("followed", True)

    def check(self, rig, known):
        number = rig.device.identity.anchor.number
        hold(number == 1 or not known.get("followed"), "it goes back to the keys of before")
        self._check_grants(rig, number)

    def over(self, rig, known):
        self._check_grants(rig, 1)

    def _check_grants(self, rig, number):
        hold(rig.device.identity.anchor.number == number and opens(rig, name="bob"), "what the old keys signed is gone")
        by_next = opens(rig, Returning, name="zoe", leaf=self.grant, by_value=True)
        hold(by_next == (number == 1), "not the keys that it follows")


class Transfer:
    """Promised to another site, and kept: the voucher is taken back, and the device hears of that."""

    name = "transfer"

    def past(self, rig):
        assert Visitor(rig).invoke("open").code == coap.CHANGED
        self.chain = [voucher(rig.public)]
        ids = [sha256(self.chain[0])[:8]]
        self.bundle = kept(lambda: SITE.bundle(1, ids), "taken back", rig.public)

    def tell(self, rig, note, known=None):
        assert Visitor(rig).ask(coap.POST, "/bundle", self.bundle).code == coap.CHANGED
        note("taken back", True)

    def check(self, rig, known):
        hold(described(rig)[CREDENTIAL] == rig.credential and opens(rig, name="bob"), "it is no longer the old site's")
        epoch = rig.device.access.epoch
        hold(epoch == 1 or not known.get("taken back"), "what was taken back is not")
        heir = Heir(rig, self.chain)
        hold(heir.ask(coap.POST)[1] == "voucher-revoked" if epoch else heir.make_key(), "neither promised nor kept")

    def over(self, rig, known):
        hold(Heir(rig, self.chain).ask(coap.POST)[1] == "voucher-revoked", "the promise holds")


class Adoption:
    """Fetched by another site with a voucher."""

    name = "adoption"

    def past(self, rig):
        assert Visitor(rig).invoke("open").code == coap.CHANGED
        ids = [id_of(grant_of("bob"))]
        bundle = kept(lambda: SITE.bundle(1, ids), "revokes bob")
        assert Visitor(rig).ask(coap.POST, "/bundle", bundle).code == coap.CHANGED
        self.old, self.public, self.chain = rig.credential, rig.public, [voucher(rig.public)]

    def tell(self, rig, note, known=None):
        if described(rig)[CREDENTIAL] == self.old:
            heir = Heir(rig, self.chain)
            heir.make_key()
            note("paper", heir.paper)
            code, why = heir.ask(coap.PUT)
            assert code == coap.CHANGED, why
            note("taken", True)
            rig.credential, rig.public = heir.paper, heir.publics[0]
        assert Owner(rig).invoke("open").code == coap.CHANGED

    def check(self, rig, known):
        now = described(rig)[CREDENTIAL]
        hold(now in (self.old, known.get("paper")), "a third owner")
        if now == self.old:
            hold(not known.get("taken"), "it went back to whoever gave it away")
            self._check_old(rig)
        else:
            rig.credential, rig.public = now, credential.parse(now).public

    def _check_old(self, rig):
        hold(
            Visitor(rig, by_value=False).invoke("open", ID).code == coap.CHANGED, "the old site's people are forgotten"
        )
        hold(reason(Visitor(rig, "bob").ask(coap.GET, "/r")) == "grant-revoked", "what it revoked counts")
        hold(rig.device.access.epoch == 1, "its policy is gone")

    def over(self, rig, known):
        hold(not opens(rig, by_value=False) and rig.device.access.epoch == 0, "something of the old site is left")
        left = [each for each in rig.storage.names() if each.startswith("grant-")]
        hold(len(left) <= 1, "grants of the old site are left")
        told = receipt.parse(Owner(rig).tell(coap.GET, "/ownership")[1][1])
        receipt.verify(told, self.public, SITE_ID, "kiosk-1", SITE.suite)
        hold(told.to_site == EAST.anchor.site_id, "a receipt for somebody else")
        self.ended = told.count


class Decommission:
    """Wiped; its certificate is the dying key's last act."""

    name = "decommission"

    def past(self, rig):
        alice = Visitor(rig)
        assert alice.invoke("open").code == coap.CHANGED
        bundle = kept(lambda: SITE.bundle(1), "nothing new")
        assert alice.ask(coap.POST, "/bundle", bundle).code == coap.CHANGED
        self.public = rig.public

    def tell(self, rig, note, known=None):
        if described(rig)[STATE] == "commissioned":
            answer = Visitor(rig, "admin").ask(coap.POST, "/identity", SOLD)
            assert answer.code == coap.CHANGED
            note("certificate", cbor.decode(answer.payload)[CERTIFICATE])
            rig.pass_s(1)

    def check(self, rig, known):
        told = described(rig)
        if told[STATE] == "commissioned":
            hold("certificate" not in known, "it lives after its last word")
            hold(told[CREDENTIAL] == rig.credential and opens(rig), "half alive")
        else:
            hold(told[STATE] == "factory" and CREDENTIAL not in told, "half dead")
            hold(told[WIPED] == known.get("certificate", told[WIPED]), "another last word")

    def over(self, rig, known):
        told = described(rig)
        hold(told[STATE] == "factory" and rig.keystore.read("identity") is None, "its key is there")
        left = [each for each in rig.storage.names() if each not in ("boots", "release", "time-floor")]
        hold(left == ["wiped"], "something is left")
        certificate = wipe.parse(told[WIPED])
        wipe.verify(certificate, self.public, SITE_ID, "kiosk-1", SITE.suite)
        self.ended = certificate.count


OPERATIONS = (Rotation, Succession, Transfer, Adoption, Decommission)
