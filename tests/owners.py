"""Sites between which a device goes by vouchers, and whoever comes to fetch it. For tests on both runtimes."""

from admit_protocol import cbor, coap, cose, issuing
from admit_protocol.kdf import sha256
from memory_ports import WEDNESDAY
from newcomers import Newcomer, kept
from rig import ALL, Phone, Site
from visitors import SITE, Visitor, key_of

EAST, SOUTH = Site("east", b"east"), Site("south", b"south")
SITES = {"site": SITE, "east": EAST, "south": SOUTH}


def voucher(public, giver=SITE, to=EAST, previous=None, number=1, **changed):
    """A voucher, bytes, by which `giver` hands kiosk-1 with the key `public` to `to`."""
    said = {"device_id": "kiosk-1", "from_site": giver.anchor.site_id, "issued_at": WEDNESDAY - 100}
    said.update(changed)
    hash_before = sha256(previous) if previous else None

    def make():
        return issuing.voucher(
            giver.key, number, device_public=public, to=to.anchor.encode(), previous=hash_before, **said
        )

    about = (giver.anchor.site_id, to.anchor.site_id, public, hash_before, number, repr(sorted(changed.items())))
    return kept(make, "voucher", *about)


def owners_grant(site=EAST, name="erin", rules=ALL, **more):
    """The grant at their own site of somebody who fetches a device."""
    more = dict({"audience": ("*",), "number": 55}, **more)

    def make():
        return site.grant(key_of(name).public, rules, name, **more)

    return kept(make, "owner", site.anchor.site_id, name, repr(rules), repr(sorted(more.items())))


class Heir(Newcomer):
    """Somebody of another site who comes to fetch kiosk-1, over its radio or its cable."""

    def __init__(self, rig, chain, site=EAST, name="erin", server=None):
        super().__init__(rig, name, server)
        self.chain, self.site = chain, site
        self.own = owners_grant(site, name)

    def ask(self, method, **changed):
        """(code, body or the reason why not) of a POST or PUT."""
        body = {1: bytes(32), 2: self.chain, 3: self.own}
        if method == coap.PUT:
            body.update({1: getattr(self, "paper", b""), 4: WEDNESDAY})
        for name, value in changed.items():
            body[int(name[1:])] = value
        return self.tell(method, "/ownership", {key: value for key, value in body.items() if value is not None})

    def make_key(self):
        """POST; the two keys that the device will have, for which `paper` is the credential then."""
        code, body = self.ask(coap.POST)
        assert code == coap.CHANGED, body
        self.publics = [cose.decode_key(body[number])[0] for number in (1, 3)]
        self.paper = kept(
            lambda: self.site.vouch("kiosk-1", *self.publics), "paper", self.site.anchor.site_id, *self.publics
        )
        return self.publics

    def take(self):
        """POST and PUT; None, or the reason why not."""
        self.make_key()
        code, body = self.ask(coap.PUT)
        if code != coap.CHANGED:
            return body
        self.rig.credential, self.rig.public = self.paper, self.publics[0]
        return None


class Owner(Visitor):
    """A holder of a grant of the device's new site."""

    def __init__(self, rig, site=EAST, name="erin", by_value=True):
        Phone.__init__(
            self, rig, key_of(name), owners_grant(site, name), None, 515, b"%s %d" % (name.encode(), rig.next_link)
        )
        self._references = {}
        self._unheard = []
        assert self.start(by_value).code == coap.CHANGED

    tell = Newcomer.tell


def described(rig):
    """What the device tells anybody."""
    return cbor.decode(Phone(rig, server=rig.cable).plain(coap.GET, "/id").payload)
