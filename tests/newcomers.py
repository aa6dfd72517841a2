"""People at a kiosk who have a key and no grant yet, what an admin gives them to come in by, and admins beside them.
For tests on both runtimes.
"""

from admit_protocol import (
    cbor,
    ccs,
    coap,
    cose,
    delegation,
    edhoc,
    edhoc_client,
    enrolment,
    grant,
    invite,
    issuing,
    oscore_client,
)
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.suite import Suite
from memory_ports import WEDNESDAY, Dice
from rig import ALL, Phone
from visitors import SITE, Visitor, key_of, reason

SECRET = bytes(range(16))
OPEN = [("/r/open", 3, {})]
SUITE = Suite(Dice(b"newcomers").random)

_kept = {}


def kept(make, *about):
    """What `make()` makes, made once: signatures take their time."""
    if about not in _kept:
        _kept[about] = make()
    return _kept[about]


def sign_key_of(name):
    """The key with which somebody signs."""
    return kept(lambda: Suite(Dice(b"sign " + name.encode()).random).generate(), "key", name)


def invite_key(secret=SECRET):
    return kept(lambda: invite.key(secret, SUITE), "invite", secret)


def new_invite(enrol=1, rules=OPEN, secret=SECRET, number=77, site=SITE, audience=("kiosk-1",), **more):
    """An invite, bytes."""
    more = _with(more, expires=WEDNESDAY + 86400, delegate=1)

    def make():
        public = invite_key(secret).public
        return site.grant(public, rules, "guest", audience, number, enrol=enrol, **more)

    return kept(
        make, "invite", enrol, repr(rules), secret, number, site.anchor.name, audience, repr(sorted(more.items()))
    )


def redeemed(invited, key, secret=SECRET, rules=OPEN, name="guest", number=1, **more):
    """A delegation of that invite to a login key, bytes."""
    parent = grant.parse(invited)
    more = _with(more, expires=parent.expires, not_before=parent.not_before)

    def make():
        audience, sign = list(parent.audience), invite_key(secret)
        return issuing.delegation(sign, parent, name, audience, rules, key.public, WEDNESDAY + number, **more)

    return kept(make, "redeemed", parent.kid, key.public, secret, name, number, repr(sorted(more.items())))


class Newcomer(Visitor):
    """Somebody whose message_3 brings a bare key."""

    def __init__(self, rig, name="zoe", server=None, seed=None):
        Phone.__init__(self, rig, key_of(name), None, server, 515, seed or b"%s %d" % (name.encode(), rig.next_link))
        self.name = name
        self._references = {}
        self._unheard = []
        assert self.start().code == coap.CHANGED

    def start(self, by_value=True, method=2, c_i=b"\x17"):
        own = ccs.credential(ccs.encode(None, self.key.public))
        self.initiator = Initiator(self.suite, method, [2], self.key, own.id_cred, own, c_i)
        body = edhoc_client.encode_prefixed(None, self.initiator.message_1())
        response = self.plain(coap.POST, "/.well-known/edhoc", body)
        self.initiator.parse_message_2(response.payload)
        self.initiator.verify_message_2(edhoc.cwt_credential(self.rig.credential))
        self.message_3 = self.initiator.message_3()
        self.binding = self.initiator.exporter(32768, b"", 32)
        secret, salt = self.initiator.oscore()
        self.context = oscore_client.ClientContext(self.suite, secret, salt, self.initiator.c_r, self.initiator.c_i)
        return response

    def tell(self, method, path, body=None):
        """(CoAP code, decoded body or the reason why not) of one exchange in as many blocks as it needs."""
        payload = b"" if body is None else cbor.encode(body)
        return told(self.carry(coap.request(method, path, payload)))

    def redeem(self, invited, leaf=None, proof=None, secret=SECRET):
        """Redeem an invite; None, or the reason why not."""
        leaf = leaf or redeemed(invited, self.key, secret)
        proof = proof or issuing.enrolment(invite_key(secret), self.binding, grant.kid_of(leaf))
        code, body = self.tell(coap.POST, "/enrol", {1: invited, 2: leaf, 3: proof})
        return None if code == coap.CHANGED else body

    def ask_pairing(self, name=None):
        """The request's id; the code is then `self.code`."""
        keys = cose.encode_key(sign_key_of(self.name).public)
        code, body = self.tell(coap.POST, "/enrol", {4: name or self.name, 5: keys})
        assert code == coap.CHANGED, body
        self.asked = body[1]
        return self.asked

    @property
    def code(self):
        return enrolment.code(self.binding, self.asked)


class Admin(Visitor):
    """Somebody whose grant may be passed on."""

    def __init__(self, rig, rules=ALL, delegate=2, name="admin", number=99, **more):
        def make():
            sig_public = sign_key_of(name).public
            return SITE.grant(
                key_of(name).public, rules, name, ("*",), number, sig_public=sig_public, delegate=delegate, **more
            )

        self.own = kept(make, "admin", repr(rules), delegate, name, number, repr(sorted(more.items())))
        self.name = name
        seed = b"%s %d" % (name.encode(), rig.next_link)
        Phone.__init__(self, rig, key_of(name), self.own, None, 515, seed)
        self._references = {}
        self._unheard = []
        assert self.start().code == coap.CHANGED

    tell = Newcomer.tell

    def waiting(self):
        """Who asks to be paired."""
        code, body = self.tell(coap.GET, "/enrol")
        assert code == coap.CONTENT, body
        return body

    def passed_on(self, key, sig_public, rules=OPEN, name="zoe", number=5, sign=None, **more):
        """A delegation of the admin's own grant."""
        parent = grant.parse(self.own)
        sign = sign or sign_key_of(self.name)
        made = WEDNESDAY + number
        return issuing.delegation(sign, parent, name, ["kiosk-1"], rules, key, made, sig_public, **more)

    def pair(self, newcomer, identifier, code=None, leaf=None):
        """None, or the reason why not."""
        leaf = leaf or self.passed_on(newcomer.key.public, sign_key_of(newcomer.name).public)
        code, body = self.tell(coap.POST, "/enrol", {7: identifier, 8: code or newcomer.code, 9: leaf})
        return None if code == coap.CHANGED else body


class Returning(Visitor):
    """Somebody who comes with a grant that they were given here; by its kid, or by value."""

    def __init__(self, rig, name, leaf, by_value=False):
        Phone.__init__(self, rig, key_of(name), leaf, None, 515, b"%s %d" % (name.encode(), rig.next_link))
        self._references = {}
        self._unheard = []
        assert self.start(by_value).code == coap.CHANGED

    tell = Newcomer.tell


def _with(more, **defaults):
    defaults.update(more)
    return defaults


def told(response):
    if response.code >= 0x80:
        if response.uint(coap.CONTENT_FORMAT) == coap.CONTENT_EDHOC:
            return response.code, edhoc_client.parse_error(response.payload)
        return response.code, reason(response)
    return response.code, cbor.decode(response.payload) if response.payload else None


def linked(leaf, parent):
    """A delegation with its chain, as a device holds it."""
    return delegation.prepare(grant.parse(leaf), parent)[0]
