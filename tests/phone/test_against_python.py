"""phone/protocol, the identity half, against admit_protocol: what one signs the other believes, they meet in EDHOC, and
of hostile bytes both say the same, reason by reason. identity.mjs is JavaScript's side, one process for all of it.

JavaScript takes no integer beyond 2^53 where it asks for one, so inputs keep below.
"""

import itertools
import json
import random
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, assume, given, settings

from admit import invites, sharing
from admit.suite import HostSuite
from admit_protocol import (
    anchor,
    approval,
    cbor,
    ccs,
    cose,
    credential,
    cwt,
    delegation,
    edhoc,
    edhoc_client,
    edhoc_initiator,
    edhoc_responder,
    enrolment,
    grant,
    invite,
    issuing,
    journal,
    journal_reader,
    kdf,
    notice,
    papers,
    rule,
    rule_reader,
)
from admit_protocol.cbor import Tag
from admit_protocol.errors import AdmitError
from edhoc_peers import DEVICE_KID, USER_KID, identity
from fuzz.test_delegation import chains, narrowed, tampered, wide_rules
from imports import ROOT

SUITE = HostSuite()
NOW = 1_800_000_000
SITE_NAME = "Example Works"
SEED = 9528


class Peer:
    """identity.mjs, running."""

    def __init__(self):
        node = shutil.which("node")
        assert node, "node is not installed: tools/debian-needs nodejs"
        command = [node, str(ROOT / "tests/phone/identity.mjs")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, do, **fields):
        """What became of one command: its answer, or its error as text."""
        return self.all([{"do": do, **fields}])[0]

    def all(self, commands):
        self._process.stdin.write(json.dumps(commands) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "identity.mjs has died"
        return [answer["ok"] if "ok" in answer else "!" + " ".join(answer["error"]) for answer in json.loads(line)]

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)


@pytest.fixture(scope="module")
def peer():
    running = Peer()
    yield running
    running.close()


def verdict(action, *arguments):
    """What Python says, as `Peer` tells it."""
    try:
        return action(*arguments)
    except AdmitError as error:
        return f"!{type(error).__name__} {error.reason}"


def secret(name):
    return kdf.sha256(b"against python: " + name.encode())


def key(name):
    return SUITE.private_key(secret(name))


AUTHORITY, ECDH, DEVICE, SEAL = [key(name) for name in ("authority", "ecdh", "device", "seal")]
ANCHOR = anchor.Anchor(AUTHORITY.public, ECDH.public, SITE_NAME)
SITE = ANCHOR.site_id
OPEN, LIGHT = ("/r/open", 3, {rule.BOUNDS: {"seconds": [1, 10]}, rule.USES: 9}), ("/r/light", 3, {})


def root(**changes):
    fields = {"audience": ["kiosk-*"], "rules": [OPEN, LIGHT], "public": key("alice").public, "issued_at": NOW}
    fields |= {"sig_public": key("alice signs").public, "delegate": 4, "selectors": ["group:day"]} | changes
    return grant.parse(issuing.grant(AUTHORITY, SITE, bytes(8), "alice", **fields))


def rule_hex(one):
    return cbor.encode(list(one)).hex()


# What one signs the other believes


def test_a_delegation_made_in_javascript_is_believed_by_python_link_by_link(peer):
    chain = [root()]
    for depth, giver in enumerate(["alice signs", "p0", "p1", "p2"]):
        wish = {
            "name": f"person {depth} äöü",
            "login": key(f"login {depth}").public.hex(),
            "sign": key(f"p{depth}").public.hex(),
            "rules": [rule_hex(OPEN)] if depth else None,
            "audience": ["kiosk-1"] if depth > 1 else None,
            "expires": NOW + 100 if depth else None,
            "delegate": 3 - depth,
        }
        own = [[each.data.hex() for each in chain]]
        data = peer("share", own=own, wish=wish, secret=secret(giver).hex(), now=NOW + depth)
        chain.insert(0, grant.parse(bytes.fromhex(data)))
        leaf = delegation.verify_chain(chain, AUTHORITY.public, SITE, SUITE)
        assert (leaf.subject, leaf.issued_at, len(leaf.chain)) == (f"person {depth} äöü", NOW + depth, depth + 1)
        assert leaf.sig_key == key(f"p{depth}").public
    assert chain[0].audience == ("kiosk-1",) and [one[0] for one in chain[0].rules] == ["/r/open"]


def test_a_delegation_made_in_python_is_believed_by_javascript(peer):
    parent = root()
    signs = key("alice signs")
    data = issuing.delegation(signs, parent, "bob", ["kiosk-1"], [OPEN], key("bob").public, NOW, expires=NOW + 5)
    good = {"chain": [data.hex(), parent.data.hex()], "public": AUTHORITY.public.hex(), "site": SITE.hex()}
    assert peer("verifyChain", **good) == [parent.kid.hex()]
    changed = bytearray(data)
    changed[-40] ^= 1  # in r
    for wrong, said in (
        ({"public": key("mallory").public.hex()}, "!Unverified cose-signature"),
        ({"site": bytes(16).hex()}, "!Untrusted grant-other-site"),
        ({"chain": [bytes(changed).hex(), parent.data.hex()]}, "!Unverified cose-signature"),
        ({"chain": [data.hex()]}, "!Untrusted grant-parent-missing"),
    ):
        assert peer("verifyChain", **(good | wrong)) == said


def test_an_approval_made_in_javascript_is_good_for_one_request(peer):
    signs, requester, request = key("alice signs"), b"whoasks!", b"request!"
    for arguments in (None, {}, {"seconds": 5, "way": "out", "slow": True}):
        args = cbor.encode(arguments).hex()
        fields = {"secret": secret("alice signs").hex(), "site": SITE.hex(), "device": "kiosk-1", "args": args}
        fields |= {"request": request.hex(), "requester": requester.hex(), "method": 2, "path": "/r/open"}
        found = approval.parse(bytes.fromhex(peer("approve", **fields)))
        digest = approval.digest(requester, 2, "/r/open", arguments)
        approval.verify(found, signs.public, SITE, "kiosk-1", request, digest, SUITE)


def invite_link(**changes):
    bare = invite.key(bytes(range(16)), SUITE)
    fields = {"public": bare.public, "sig_public": None, "audience": ["kiosk-1"], "delegate": 1, "enrol": 2} | changes
    return invites.Link(bytes(range(16)), SITE, root(**fields).data), bare


def test_an_invite_redeemed_in_javascript_is_what_a_device_asks_for(peer):
    link, bare = invite_link(expires=NOW + 900)
    fields = {"login": key("ann").public.hex(), "sign": key("ann signs").public.hex(), "binding": bytes(32).hex()}
    data = (link.secret + link.site_id + link.grant).hex()
    body = peer("redeem", link=data, anchor=ANCHOR.encode().hex(), now=NOW, name="Ann", **fields)
    told = cbor.decode(bytes.fromhex(body))
    assert told[1] == link.grant
    leaf = delegation.verify_chain([grant.parse(told[2]), grant.parse(told[1])], AUTHORITY.public, SITE, SUITE)
    assert (leaf.subject, leaf.key, leaf.sig_key) == ("Ann", key("ann").public, key("ann signs").public)
    assert (leaf.selectors, leaf.expires, leaf.rules) == (("group:day",), NOW + 900, grant.parse(link.grant).rules)
    enrolment.verify(enrolment.parse(told[3]), bare.public, bytes(32), leaf.kid, SUITE)
    late = peer("redeem", link=data, anchor=ANCHOR.encode().hex(), now=NOW + 900, **fields)
    assert late == "!Untrusted grant-expired"


def test_both_show_the_same_code(peer):
    cases = [(bytes([number]) * 32, bytes([number]) * 8) for number in range(40)]
    told = peer.all([{"do": "code", "binding": one.hex(), "request": two.hex()} for one, two in cases])
    assert told == [enrolment.code(*case) for case in cases]


def test_what_authority_and_device_sign_is_believed_by_javascript(peer):
    device_credential = issuing.credential(
        AUTHORITY, SITE, "kiosk-1", DEVICE.public, credential.kid(DEVICE.public), NOW, SEAL.public
    )
    devices = [notice.fingerprint(key(str(number)).public) for number in range(9)]
    paper = issuing.notice(AUTHORITY, SITE, 3, NOW, devices)
    other = anchor.Anchor(key("mallory").public, ECDH.public, SITE_NAME).encode().hex()
    for do, data in (("verifyCredential", device_credential), ("verifyNotice", paper)):
        assert peer(do, data=data.hex(), anchor=ANCHOR.encode().hex()) == ""
        assert peer(do, data=data.hex(), anchor=other) in (
            "!Untrusted credential-other-site",
            "!Untrusted paper-other-site",
        )
    heads = [journal.sign_head(DEVICE, "kiosk-1", count, bytes([count]) * 32, None).hex() for count in (4, 5)]
    known = {"public": DEVICE.public.hex(), "device": "kiosk-1"}
    assert peer("witness", kept=None, shown=heads[0], **known) == heads[0]
    assert peer("witness", kept=heads[0], shown=heads[1], **known) == heads[1]
    assert peer("witness", kept=heads[1], shown=heads[0], **known) == "!Unverified journal-rolled-back"


# Which rule is narrower


def is_small(value):
    """Whether JavaScript reads every integer in it."""
    if isinstance(value, dict):
        return all(map(is_small, [*value, *value.values()]))
    if isinstance(value, (list, tuple)):
        return all(map(is_small, value))
    return not isinstance(value, int) or abs(value) < 2**53


MANY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
pairs = wide_rules.flatmap(lambda wide: narrowed(wide).map(lambda one: (wide, one)))
others = wide_rules.flatmap(lambda wide: (tampered(wide) | wide_rules).map(lambda one: (wide, one)))


def test_both_see_the_same_rules_as_narrower(peer):
    seen = []

    @MANY
    @given(pairs | others)
    def ask(pair):
        assume(is_small(pair))
        wide, narrow = [rule_reader.parse(list(each)) for each in pair]
        ours = [delegation.covers(wide, narrow), delegation.covers(narrow, wide)]
        one, other = [rule_hex(each) for each in pair]
        orders = ((one, other), (other, one))
        assert ours == peer.all([{"do": "covers", "wide": first, "narrow": second} for first, second in orders])
        seen.extend(ours)

    ask()
    assert len(seen) >= 500 and 100 < sum(seen) < len(seen) - 100


def test_both_see_the_same_links_of_chains_as_narrower(peer):
    seen = set()
    few = settings(MANY, max_examples=100)

    @few
    @given(chains())
    def ask(links):
        parents = [delegation_linked(links[place + 1 :]) for place in range(len(links) - 1)]
        ours, commands = [], []
        for child, parent, behind in zip(links, parents, range(1, len(links)), strict=False):
            if parent is None:
                continue  # what is behind it is no chain: JavaScript would not get that far
            ours.append(verdict(prepared, child, parent))
            data = [each.data.hex() for each in links[behind:]]
            commands.append({"do": "prepare", "child": child.data.hex(), "parent": data})
        assert ours == peer.all(commands)
        seen.update(each if isinstance(each, str) else "linked" for each in ours)

    ask()
    assert seen == {"linked", "!Untrusted grant-wider", "!Untrusted delegation-depth"}


def delegation_linked(grants):
    """The first of these, with its chain; None if they are none. Nobody looks at the signatures."""
    found = grants[-1]
    for child in reversed(grants[:-1]):
        try:
            found = delegation.prepare(child, found)[0]
        except AdmitError:
            return None
    return found


def prepared(child, parent):
    found, public = delegation.prepare(child, parent)
    return [public.hex(), len(found.chain)]


def test_both_narrow_a_wish_alike(peer):
    chance = random.Random(SEED)
    bounds = [{}, {"a": [1, 10]}, {"a": [None, 9], "b": [2, None]}, {"a": [3, None], "c": [0, 0]}]
    rules = [
        (pattern, methods, ({rule.BOUNDS: dict(some)} if some else {}) | more)
        for pattern in ("*", "/r/*", "/r/open")
        for methods in (1, 3, 127)
        for some in bounds
        for more in ({}, {rule.USES: 3}, {rule.WINDOWS: [[31, 480, 1080]], rule.ZONE: [[0, 60]]})
    ]
    ours, commands = [], []
    for _ in range(150):
        own, wanted = chance.sample(rules, chance.randint(0, 3)), chance.choice(rules)
        found = verdict(sharing.narrowed, tuple(rule.Rule(*each) for each in own), wanted)
        ours.append(found if isinstance(found, str) else cbor.encode([list(each) for each in found]).hex())
        own_rules = [rule_hex(each) for each in own]
        commands.append({"do": "narrowed", "own": own_rules, "wanted": rule_hex(wanted)})
    assert ours == peer.all(commands)
    assert 30 < sum(each.startswith("!") for each in ours) < 120


# Hostile bytes


ODD = [
    None, True, False, 0, 1, -1, 5, 128, 2**32, "", "a", "a*b", "x" * 65, "ü" * 33, b"", bytes(7), bytes(8),
    bytes(16), bytes(32), [], ["a"], ["a", "b"], ["group:a"], ["role:b", "group:a"],
    ["group:\U0001f600", "group:\uffff"],
    {}, {1: 2}, {"a": [1, 2]}, [[1, 0, 60]], [[0, 60]], [1, ["group:a"]], [1, 60], [None, 5], [None, None], [5, None],
    {"a": [None, None]}, ["/a", 1], [1, [["/a", 1, {}]]], Tag(18, []), SITE.hex(), SITE.hex().upper(),
]  # fmt: skip
KEYS = [
    {1: AUTHORITY.public},
    cose.encode_key(AUTHORITY.public),
    cose.encode_key(AUTHORITY.public, b"\x05"),
    {1: 2, -1: 1},
]
SCOPES = [
    cbor.encode(each)
    for each in (
        [], [["/a", 1]], [["/a", 1], ["/a", 2]], [["/a*", 1]], [["a", 1]], [["/a", 128]], [["/a", 2**38]],
        [["/a", 2**45]], [["/a"]], [1, []], [1, [["/a", 1, {}]]], [1, [["/r/*", 1, {}]]], [2, []], 5,
        [1, [["/a", 1, {3: {"a": [2, 1]}}]]],
        [1, [["/a", 127, {99: None}]]], [1, [["*", 1, {}], ["/b", 2, {4: 1}]]], [["/a", 0]], [["/b", 3], ["/a", 1]],
    )
]  # fmt: skip
CONDITIONS = [
    {}, {1: [[31, 480, 1080]]}, {1: [[31, 480, 1080]], 2: [[0, 60], [5, -1439]]}, {2: [[0, 60], [0, 60]]},
    {3: {"a": [1, 1]}}, {3: {"a": [2, 1]}}, {4: 1}, {4: 0}, {5: [1, 60]}, {5: [33, 60]}, {6: 2}, {6: 3}, {7: [1, []]},
    {7: [1, ["everyone"]]}, {7: [1, ["x"]]}, {7: [0, ["everyone"]]}, {8: True}, {8: 1}, {9: 5}, {10: [4, 5]},
    {10: [5, 5]}, {10: [None, None]}, {0: 1},
    {11: []}, {-1: 1}, {"1": 1}, {1: [[0, 0, 0]]}, {1: [[1, 0, 1440]]}, {1: [[1, 0]]}, {99: b"x", 4: 2},
]  # fmt: skip


def signed(payload, chance):
    """A COSE_Sign1 whose signature says nothing, mostly in form."""
    signature = bytes(63) + b"\x01" if chance.randrange(12) else b"\x01" * 32 + b"\xff" * 32
    protected = chance.choice(
        [b"\xa1\x01\x26"] * 12 + [b"\xa1\x01\x27", b"\xa0", b"\xa2\x01\x26\x04\x41\x05", b"", b"\x80"]
    )
    unprotected = chance.choice([{}] * 12 + [{4: b"kid"}, {1: -7}, {2: []}, {b"a": 1}, []])
    items = [protected, unprotected, payload if isinstance(payload, bytes) else cbor.encode(payload), signature]
    if not chance.randrange(25):
        items[chance.randrange(4)] = chance.choice(ODD)
    return cbor.encode(Tag(18 if chance.randrange(25) else 17, items))


def varied(fields, chance, pools=()):
    """A map with some of its values changed, taken out or put in; `pools`: likelier values for a key."""
    changed = dict(fields)
    for _ in range(chance.choice([0, 1, 1, 1, 2])):
        name = chance.choice([*fields, *fields, -65542, 99, "x", b"y"])
        pool = dict(pools).get(name, ODD) if chance.randrange(3) else ODD
        changed[name] = chance.choice(pool)
        if not chance.randrange(4):
            del changed[name]
    return changed


GRANT_CLAIMS = cwt.parse(root().data).claims
GRANT_POOLS = {
    cwt.SCOPE: SCOPES,
    cwt.CNF: [{1: each} for each in KEYS],
    cwt.SIG_KEY: KEYS,
    cwt.AUD: ["*", "kiosk-1", ["kiosk-1", "b*"], ["kiosk-1"]],
    cwt.ENROL: [1, 255, 256],
}


def made_grant(chance):
    claims = dict(GRANT_CLAIMS)
    kind = chance.randrange(3)
    if kind == 1:
        del claims[cwt.CTI]
        claims[cwt.PARENT] = bytes(8)
    elif kind == 2:
        del claims[cwt.SIG_KEY]
        claims |= {cwt.ENROL: 2, cwt.AUD: "kiosk-1"}
    return signed(varied(claims, chance, GRANT_POOLS), chance)


CREDENTIAL_CLAIMS = {
    cwt.ISS: SITE.hex(),
    cwt.SUB: "kiosk-1",
    cwt.IAT: NOW,
    cwt.CNF: cwt.cnf(DEVICE.public, b"\x05"),
    cwt.SEAL_KEY: cose.encode_key(SEAL.public),
}


def made_credential(chance):
    claims = CREDENTIAL_CLAIMS | ({cwt.TEST_ONLY: True} if chance.randrange(2) else {})
    kids = [cwt.cnf(DEVICE.public, bytes([number])) for number in (0, 0x17, 0x18, 0x37, 0x38)]
    return signed(varied(claims, chance, {cwt.CNF: kids, cwt.SEAL_KEY: KEYS}), chance)


def made_anchor(chance):
    items = [cose.encode_key(AUTHORITY.public), cose.encode_key(ECDH.public), SITE_NAME]
    for _ in range(chance.randrange(3)):
        items[chance.randrange(len(items))] = chance.choice(ODD + KEYS * 3)
    return cbor.encode(items if chance.randrange(10) else items[: chance.randrange(4)])


def made_rule(chance):
    pattern = chance.choice(["/r/open", "/r/*", "*", "/"] * 4 + ["", "r", "/*/b", "**", 5])
    conditions = dict(chance.choice(CONDITIONS)) | (dict(chance.choice(CONDITIONS)) if chance.randrange(2) else {})
    if not chance.randrange(3):
        conditions[chance.randint(1, 10)] = chance.choice(ODD)
    return cbor.encode(
        [pattern, chance.choice([1, 3, 127] * 4 + [0, 128, True]), conditions][: 3 - (not chance.randrange(12))]
    )


def made_notice(chance):
    devices = [bytes([chance.randrange(4)]) * 8 for _ in range(chance.randrange(3))]
    return signed(varied({1: SITE, 2: 3, 3: NOW, 4: devices}, chance), chance)


def made_head(chance):
    items = ["kiosk-1", 5, bytes(32), chance.choice([None, NOW])]
    if chance.randrange(2):
        items[chance.randrange(4)] = chance.choice(ODD)
    return signed(items if chance.randrange(9) else items[:3], chance)


def made_error(chance):
    parts = [
        cbor.encode(chance.choice([1, 2, 3, 5, -1, "1", True])),
        cbor.encode(chance.choice([*ODD[:20], [2, 3], [2], 2])),
    ]
    return b"".join(parts[: chance.choice([1, 2, 2, 2])]) + chance.choice([b"", b"", b"\x01", b"\x18"])


def told_sign1(data):
    message = cose.parse_sign1(data)
    cose.check_form(message)
    return list(message)


def told_credential(data):
    one = credential.parse(data)
    return [one.device_id, one.public, one.kid, one.site_id, one.issued_at, one.test_only, one.seal_public]


def told_grant(data):
    one = grant.parse(data)
    fields = [
        one.kid,
        one.id,
        one.site_id,
        one.subject,
        one.audience,
        one.key,
        one.sig_key,
        grant.encode_scope(one.rules),
    ]
    return fields + list(one[9:16])


def told_anchor(data):
    one = anchor.decode(data)
    return [one.sign_public, one.ecdh_public, one.name, one.site_id]


READERS = {
    "sign1": (told_sign1, lambda chance: signed(b"payload", chance)),
    "claims": (cwt.parse_claims, lambda chance: cbor.encode(varied(GRANT_CLAIMS, chance, GRANT_POOLS))),
    "anchor": (told_anchor, made_anchor),
    "credential": (told_credential, made_credential),
    "grant": (told_grant, made_grant),
    "rule": (lambda data: list(rule_reader.parse(cbor.decode(data))), made_rule),
    "notice": (lambda data: list(notice.parse(data)[:-1]), made_notice),
    "head": (lambda data: list(journal_reader.parse_head(data)[:-1]), made_head),
    "error": (edhoc_client.parse_error, made_error),
}


def hostile(make, chance):
    """What `make` makes; now and then with a byte changed, or cut short."""
    data = make(chance)
    kind = chance.randrange(8)
    if kind == 0 and data:
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    return data[: chance.randrange(len(data) + 1)] if kind == 1 else data


@pytest.mark.parametrize("kind", READERS)
def test_both_say_the_same_of_hostile_bytes(peer, kind):
    read, make = READERS[kind]
    chance = random.Random(SEED + len(kind))
    cases = [hostile(make, chance) for _ in range(700)]
    answers = peer.all([{"do": "read", "kind": kind, "data": data.hex()} for data in cases])
    wrong, good, reasons = [], 0, set()
    for data, theirs in zip(cases, answers, strict=True):
        ours = verdict(read, data)
        if not isinstance(ours, str):
            ours, good = cbor.encode(ours).hex(), good + 1
        else:
            reasons.add(ours)
        if ours != theirs:
            wrong.append((data.hex(), ours, theirs))
    assert wrong[:3] == []
    assert good > 50 and (len(reasons) > 4 or kind == "error")


# EDHOC


USER_NAME, DEVICE_NAME = "user", "device"


def edhoc_secret(name):
    return kdf.sha256(b"edhoc test key: ", name.encode())


def responder(method, suites, kid=DEVICE_KID, known_ead=()):
    own, cred = identity(DEVICE_NAME, kid, SUITE)
    return cred, edhoc_responder.Responder(SUITE, (method,), suites, own, cred.id_cred, cred, known_ead)


NUMBERS = itertools.count()


@pytest.mark.parametrize("method", edhoc_client.METHODS)
@pytest.mark.parametrize("suites", [(2,), (3,), (6, 2)], ids=str)
def test_javascript_meets_python_in_edhoc(peer, method, suites):
    """With a key that JavaScript made itself; by value or by kid; with EAD, up to message_4."""
    for c_i, kid, c_r in ((b"\x0a", DEVICE_KID, b"\x0b"), (b"", None, b"\x18"), (bytes(7), bytes(8), b"")):
        session = next(NUMBERS)
        cred_r, r = responder(method, (suites[-1],), kid)
        data = peer("initiator", id=session, method=method, suites=suites, cI=c_i.hex(), knownEad=[5])
        cred_i = ccs.credential(bytes.fromhex(data))
        message_1 = bytes.fromhex(peer("message1", id=session, ead=[[1, "aa"], [0, "0000"], [7, None]]))
        assert r.parse_message_1(message_1) == (method, c_i, [(1, b"\xaa"), (7, None)])
        message_2 = r.message_2(SUITE.generate(), c_r, [(-5, b"known"), (2, None)])
        told = [c_r.hex(), cbor.encode(cred_r.id_cred).hex(), [[-5, b"known".hex()], [2, None]]]
        assert peer("parseMessage2", id=session, data=message_2.hex()) == told
        assert peer("verifyMessage2", id=session, cred=cred_r.data.hex()) == ""
        message_3 = bytes.fromhex(peer("message3", id=session, ead=[[9, ""]]))
        assert r.parse_message_3(message_3) == (cred_i.id_cred, [(9, b"")])
        r.verify_message_3(cred_i)
        assert peer("oscore", id=session) == [each.hex() for each in r.oscore()]
        binding = peer("exporter", id=session, label=32768, context="", length=32)
        assert binding == r.exporter(32768, b"", 32).hex()
        message_4 = r.message_4([(3, b"done")])
        assert peer("verifyMessage4", id=session, data=message_4.hex()) == [[3, b"done".hex()]]


def test_a_grant_by_kid_and_by_value(peer):
    for by_value in (False, True):
        given = root(public=SUITE.private_key(edhoc_secret(USER_NAME)).public)
        cred_i = edhoc.cwt_credential(given.data, None if by_value else given.kid)
        cred_r, r = responder(2, (2,))
        fields = {"secret": edhoc_secret(USER_NAME).hex(), "cred": given.data.hex()}
        fields["kid"] = None if by_value else given.kid.hex()
        peer("initiator", id="grant", method=2, suites=[2], cI="0a", **fields)
        r.parse_message_1(bytes.fromhex(peer("message1", id="grant")))
        message_2 = r.message_2(SUITE.generate(), b"\x0b")
        peer("parseMessage2", id="grant", data=message_2.hex())
        assert peer("verifyMessage2", id="grant", cred=cred_r.data.hex()) == ""
        id_cred_i, _ = r.parse_message_3(bytes.fromhex(peer("message3", id="grant")))
        assert id_cred_i == cred_i.id_cred and edhoc.carried(id_cred_i) == (given.data if by_value else None)
        r.verify_message_3(cred_i)
        assert peer("oscore", id="grant") == [each.hex() for each in r.oscore()]


@pytest.mark.parametrize("method", edhoc_client.METHODS)
def test_both_initiators_say_the_same_of_a_changed_message_2(peer, method):
    """The same keys, ephemeral ones too, in both; each bit of a byte here and there, cut and lengthened."""
    user, cred_i = identity(USER_NAME, USER_KID, SUITE)
    once = secret("ephemeral")
    fields = {"method": method, "suites": [2], "cI": "0a", "secret": edhoc_secret(USER_NAME).hex()}
    fields |= {"cred": cred_i.data.hex(), "ephemeral": once.hex()}

    def python():
        own = edhoc_initiator.Initiator(
            SUITE, method, [2], user, cred_i.id_cred, cred_i, b"\x0a", SUITE.private_key(once)
        )
        return own, own.message_1()

    cred_r, r = responder(method, (2,))
    r.parse_message_1(python()[1])
    good = r.message_2(SUITE.generate(), b"\x0b", [(4, b"ead")])
    chance = random.Random(SEED + method)
    cases = [good, good[:-1], good + b"\x00", b"", cbor.encode(bytes(40))]
    for _ in range(45):
        at = chance.randrange(34, len(good)) if chance.randrange(4) else chance.randrange(len(good))
        cases.append(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
    seen = set()
    for data in cases:
        own, message_1 = python()
        session = {"id": "changed"}
        said = peer.all(
            [
                {"do": "initiator", **session, **fields},
                {"do": "message1", **session},
                {"do": "parseMessage2", **session, "data": data.hex()},
                {"do": "verifyMessage2", **session, "cred": cred_r.data.hex()},
            ]
        )
        assert said[1] == message_1.hex()
        parsed = verdict(own.parse_message_2, data)
        theirs = said[2] if isinstance(said[2], str) else "parsed"
        assert theirs == (parsed if isinstance(parsed, str) else "parsed"), data.hex()
        assert said[3] == (verdict(own.verify_message_2, cred_r) or ""), data.hex()
        seen |= {theirs, said[3]}
    proof = "!Unverified edhoc-signature-2" if method % 2 == 0 else "!Unverified edhoc-mac-2"
    assert {"", "parsed", proof, "!LocalError edhoc-state"} <= seen and len(seen) > 5


def test_papers_in_form_only(peer):
    """The one form of a paper: what Python refuses for it, JavaScript does too."""
    data = issuing.notice(AUTHORITY, SITE, 1, NOW, [])
    message = cose.parse_sign1(data)
    dressed = cbor.encode(Tag(18, [message.protected, {4: b"kid"}, message.payload, message.signature]))
    assert verdict(papers.read, dressed, (16, int, int, list), "") == "!Malformed cose-form"
    assert peer("read", kind="notice", data=dressed.hex()) == "!Malformed cose-form"
