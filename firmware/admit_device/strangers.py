"""Test identities: how tools that do not know admit (lakers, aiocoap) meet this device in tests.

A device with such a profile answers EDHOC with a raw key of its own by any method, takes peers that have no grant, and
has preshared OSCORE contexts. It guards nothing; main.py loads this file only when the board names a file of them:

    {"methods": [3], "key": hex, "credential": hex of a CCS,
     "peers": [{"ccs": hex, "rules": [[path, methods], ...]}],
     "contexts": [{"secret": hex, "salt": hex, "sender": hex, "recipient": hex, "rules": ...}]}
"""

import json

from admit_device.access import Access
from admit_device.grants import Grants
from admit_device.profile import Profile
from admit_protocol import ccs, edhoc, oscore, rule
from admit_protocol.errors import UnknownCredential


def load(path):
    """The profile in the JSON file `path`."""
    with open(path) as file:
        return StrangerProfile(json.load(file))


class Stranger:
    """A subject without a grant: the rules come from the file, and always count."""

    def __init__(self, name, data, key, rules):
        self.subject = name
        self.id = self.kid = (name + "\0\0\0\0\0\0\0\0").encode()[:8]
        self.data = data
        self.key = key
        self.rules = tuple((pattern, methods, {}) for pattern, methods in rules)
        self.selectors = self.chain = ()
        self.audience, self.enrol = ("*",), 0
        self.parent = self.not_before = self.expires = None


class StrangerProfile(Profile):
    """The profile that a file of test identities describes."""

    def __init__(self, described):
        self._described = described
        self.methods = tuple(described.get("methods", ())) or Profile.methods
        peers = {}
        for number, peer in enumerate(described.get("peers", ())):
            credential = ccs.credential(bytes.fromhex(peer["ccs"]))
            subject = Stranger("peer%d" % number, credential.data, credential.public, peer["rules"])
            peers[credential.data] = peers[credential.id_cred.get(edhoc.KID)] = subject
        self._peers = peers

    def access(self, *arguments):
        """Access in which strangers count."""
        return StrangerAccess(*arguments)

    def grants(self, *arguments):
        """Grants, and beside them the strangers."""
        return StrangerGrants(self._peers, *arguments)

    def own(self, identity):
        """The device's own test credential, if the file has one."""
        if "key" not in self._described:
            return Profile.own(self, identity)
        credential = ccs.credential(bytes.fromhex(self._described["credential"]))
        return identity.suite.private_key(bytes.fromhex(self._described["key"])), credential.id_cred, credential

    def credential(self, subject):
        """CRED_I of a peer: its raw key, if it is a stranger."""
        return ccs.credential(subject.data) if isinstance(subject, Stranger) else Profile.credential(self, subject)

    def contexts(self, suite, identity):
        """The preshared contexts of the file. Their sequence numbers start anew: each test has fresh secrets."""
        for number, each in enumerate(self._described.get("contexts", ())):
            secret, salt, sender, recipient = [
                bytes.fromhex(each[name]) for name in ("secret", "salt", "sender", "recipient")
            ]
            context = oscore.Context(suite, secret, salt, sender, recipient)
            yield context, Stranger("psk%d" % number, b"", bytes([number]) * 64, each["rules"])


class StrangerAccess(Access):
    """Access in which a stranger always counts."""

    def decide_standing(self, subject, diagnosing=False):
        if isinstance(subject, Stranger):
            return rule.answer(True, "grant-counts")
        return super().decide_standing(subject, diagnosing)


class StrangerGrants(Grants):
    """Grants, and some peers who are known without one."""

    def __init__(self, peers, *arguments):
        super().__init__(*arguments)
        self._peers = peers

    def find(self, kid):
        return self._peers.get(bytes(kid)) or super().find(kid)

    def verify(self, data):
        if data[0] == 0xD2:  # a CWT
            return super().verify(data)
        if bytes(data) not in self._peers:
            raise UnknownCredential("edhoc-unknown-credential")
        return self._peers[bytes(data)]

    def remember(self, verified):
        if not isinstance(verified, Stranger):
            super().remember(verified)
