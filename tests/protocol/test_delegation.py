"""Delegations: whoever holds a grant passes on a part of it, and nothing else, as often as the grant says."""

from admit_protocol import cbor, cose, cwt, delegation, grant, issuing, rule
from admit_protocol.errors import LocalError, Malformed, Untrusted, Unverified
from admit_protocol.rule import Rule
from admit_protocol.standing import Grant
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SITE, OTHER_SITE = bytes(16), b"\x01" * 16
NOW = 1_800_000_000
suite = Suite(Dice(b"delegation").random)
authority, mallory = suite.generate(), suite.generate()
LOGIN = [suite.generate().public for _ in range(6)]  # one person after the other, to whom it is passed on
SIGN = [suite.generate() for _ in range(6)]
OPEN, LIGHT = ("/r/open", 3, {rule.BOUNDS: {"seconds": [1, 10]}}), ("/r/light", 3, {})
GOOD = {"subject": "bob", "audience": ["kiosk-1"], "rules": [OPEN], "public": LOGIN[1], "issued_at": NOW}


def root(number=0, site_id=SITE, **changes):
    """A grant of the authority that may be passed on four times over."""
    fields = {"subject": "alice", "audience": ["kiosk-*"], "rules": [OPEN, LIGHT], "public": LOGIN[0]}
    fields.update({"issued_at": NOW, "sig_public": SIGN[0].public, "delegate": 4})
    fields.update(changes)
    return grant.parse(issuing.grant(authority, site_id, number.to_bytes(8, "big"), **fields))


def child(parent, sign_key=SIGN[0], **changes):
    """A delegation, parsed: Bob's, of a part."""
    fields = dict(GOOD)
    fields.update(changes)
    return grant.parse(issuing.delegation(sign_key, parent, **fields))


def forged(parent, sign_key=SIGN[0], label=cose.DELEGATION, **claims):
    """A good delegation's claims, changed, as a child of `parent`, signed by whoever for whatever."""
    made = cwt.parse(TEMPLATE).claims
    made[cwt.PARENT] = parent.kid
    for name, value in claims.items():
        made[getattr(cwt, name)] = value
    return grant.parse(cwt.issue(sign_key, made, label))


def chain(depth):
    """[leaf, …, root] of so many delegations."""
    links = [root()]
    for n in range(depth):
        more = {"delegate": 3 - n, "public": LOGIN[n + 1], "sig_public": SIGN[n + 1].public}
        links.insert(0, child(links[0], SIGN[n], **more))
    return links


def verify(links):
    return delegation.verify_chain(links, authority.public, SITE, suite)


TEMPLATE = child(root()).data
CHAINS = {depth: chain(depth) for depth in (1, 2, 3, 4)}


def test_a_holder_passes_on_a_part():
    parent = root()
    given = verify([child(parent), parent])
    assert (given.subject, given.audience, given.key, given.parent) == ("bob", ("kiosk-1",), LOGIN[1], parent.kid)
    assert given.id == given.kid == grant.kid_of(given.data)
    assert given.chain == (parent,) and given.delegate == 0


def test_chains_of_every_depth_hold():
    for depth, links in CHAINS.items():
        leaf = verify(links)
        assert [each.kid for each in leaf.chain] == [each.kid for each in links[1:]]
        assert all([each.chain == () for each in leaf.chain]) and len(leaf.chain) == depth


def test_a_link_that_is_cut_out_or_out_of_order_is_refused():
    links = CHAINS[3]
    for wrong in (
        [links[0], links[1], links[3]],
        [links[0], links[2], links[3]],
        [links[1], links[0], links[2], links[3]],
        [links[0], links[2], links[1], links[3]],
        [links[0], links[0], links[1], links[2], links[3]],
    ):
        with raises(Untrusted, "delegation-other-parent"):
            verify(wrong)
    for without_root in (links[:3], links[:1], links[1:2]):
        with raises(Untrusted, "grant-parent-missing"):
            verify(without_root)


def test_a_link_of_another_site_or_with_another_parent_is_refused():
    mine, other = root(), root(1)
    with raises(Untrusted, "delegation-other-parent"):
        verify([child(other), mine])
    theirs = root(site_id=OTHER_SITE)
    with raises(Untrusted, "grant-other-site"):
        verify([child(theirs), theirs])
    with raises(Untrusted, "grant-other-site"):
        verify([forged(mine, ISS=OTHER_SITE.hex()), mine])
    with raises(Untrusted, "delegation-other-parent"):
        verify([root(2), mine])  # a grant that nobody passed on


def test_only_the_holder_signs_and_only_as_a_delegation():
    parent = root()
    for key in (mallory, authority, SIGN[1]):
        with raises(Unverified, "cose-signature"):
            verify([forged(parent, key), parent])
    for label in (cose.GRANT, cose.APPROVAL, cose.ENROLMENT, b""):
        with raises(Unverified, "cose-signature"):
            verify([forged(parent, label=label), parent])
    middle = CHAINS[2][1]
    with raises(Unverified, "cose-signature"):  # alice signs what bob alone may pass on
        verify([forged(middle), middle, CHAINS[2][2]])
    with raises(LocalError, "delegation-key"):
        child(parent, mallory)


def test_what_the_authority_did_not_sign_is_no_root():
    more = {"delegate": 1, "sig_public": SIGN[0].public}
    parent = grant.parse(issuing.grant(mallory, SITE, bytes(8), "alice", ["*"], [OPEN], LOGIN[0], NOW, **more))
    with raises(Unverified, "cose-signature"):
        verify([child(parent), parent])
    as_grant = forged(root(), authority, cose.GRANT)  # the authority signs no grant with a parent; if it did:
    with raises(Untrusted, "grant-parent-missing"):
        verify([as_grant])


def test_a_grant_is_passed_on_as_often_as_it_says():
    once = root(delegate=1)
    given = child(once)
    with raises(Untrusted, "delegation-depth"):
        verify([forged(given, SIGN[1]), given, once])
    for delegate in (1, 2, 4):
        with raises(Untrusted, "delegation-depth"):
            verify([forged(once, DELEGATE=delegate), once])
    never = root(delegate=0)
    with raises(Untrusted, "delegation-depth"):
        verify([forged(never), never])
    mute = root(sig_public=None)
    with raises(Untrusted, "delegation-no-key"):
        verify([forged(mute), mute])


def test_nothing_wider_than_the_parent():
    parent = root(not_before=NOW, expires=NOW + 1000, selectors=["group:night", "role:guard"])
    narrow = {"not_before": NOW, "expires": NOW + 1000}
    for changes in ({}, {"expires": NOW + 999}, {"not_before": NOW + 1}, {"selectors": ["group:night"]}):
        fields = dict(narrow)
        fields.update(changes)
        verify([child(parent, **fields), parent])
    for changes in (
        {"audience": ["*"]},
        {"audience": ["kiosk-1", "locker-1"]},
        {"audience": ["kiosk*"]},
        {"not_before": None},
        {"not_before": NOW - 1},
        {"expires": None},
        {"expires": NOW + 1001},
        {"selectors": ["group:day"]},
        {"selectors": ["group:night", "role:admin"]},
        {"rules": [("/r/open", 3, {})]},
        {"rules": [("/r/*", 3, {})]},
        {"rules": [OPEN, ("/journal", 1, {})]},
        {"rules": [("/r/light", 7, {})]},
    ):
        fields = dict(GOOD)
        fields.update(narrow)
        fields.update(changes)
        with raises(Untrusted, "grant-wider"):  # who passes it on is told
            issuing.delegation(SIGN[0], parent, **fields)
        with raises(Untrusted, "grant-wider"):  # and who takes it in does not believe that they were
            verify([_made(parent, fields), parent])


def _made(parent, fields):
    """What `issuing.delegation` would sign if it did not look."""
    check, delegation.check_narrow = delegation.check_narrow, lambda child, parent: None
    try:
        return grant.parse(issuing.delegation(SIGN[0], parent, **fields))
    finally:
        delegation.check_narrow = check


def test_an_invite_is_passed_on_with_its_own_key():
    invite_key = suite.generate()
    fields = {"audience": ["kiosk-1"], "public": invite_key.public, "sig_public": None, "delegate": 1, "enrol": 1}
    invite = root(**fields)
    assert verify([child(invite, invite_key), invite]).chain[0].enrol == 1
    for key in (SIGN[0], mallory):
        with raises(Unverified, "cose-signature"):
            verify([forged(invite, key), invite])


def test_papers_out_of_form_are_named():
    parent = root()
    for claims, reason in (
        ({"PARENT": bytes(7)}, "grant-parent"),
        ({"PARENT": "parent"}, "grant-parent"),
        ({"CTI": b"12345678"}, "grant-id"),  # its id is its kid: nobody gives it another grant's
        ({"DELEGATE": 0}, "grant-delegate"),
        ({"DELEGATE": 5}, "grant-delegate"),
        ({"DELEGATE": True}, "grant-delegate"),
        ({"DELEGATE": -1}, "grant-delegate"),
        ({"ENROL": 1, "DELEGATE": 1}, "grant-enrol"),  # who was invited invites nobody
        ({"SELECTORS": []}, "grant-selectors"),
        ({"SELECTORS": "group:night"}, "grant-selectors"),
        ({"SELECTORS": ["group:night", "group:day"]}, "grant-selectors"),
        ({"SELECTORS": ["group:day", "group:day"]}, "grant-selectors"),
        ({"SELECTORS": ["user:alice"]}, "grant-selectors"),
        ({"SELECTORS": ["everyone"]}, "grant-selectors"),
        ({"SELECTORS": ["group:"]}, "rule-selector"),
        ({"SELECTORS": [1]}, "rule-selector"),
    ):
        with raises(Malformed, reason):
            forged(parent, **claims)


def test_a_delegation_has_one_form_that_counts():
    """It is known by the hash of its bytes, and so is who may use up what of it."""
    made = cose.parse_sign1(child(root()).data)
    dressed = cbor.encode(cbor.Tag(18, [made.protected, {4: b"kid"}, made.payload, made.signature]))
    with raises(Malformed, "cose-form"):
        grant.parse(dressed)
    for s in (b"\xff" * 32, b"\x80" + bytes(31)):  # no signature at all, and one of the two forms that one has
        other = cbor.encode(cbor.Tag(18, [made.protected, {}, made.payload, made.signature[:32] + s]))
        with raises(Malformed, "cose-form"):
            grant.parse(other)


# Rules


def test_a_rule_covers_what_is_surely_narrower():
    windows, zone = {rule.WINDOWS: [[31, 480, 1080]]}, {rule.ZONE: [[0, 60]]}
    for wide, narrow, covered in (
        (("/r/*", 3, {}), ("/r/open", 3, {}), True),
        (("/r/*", 3, {}), ("/r/o*", 1, {}), True),
        (("*", 127, {}), ("*", 127, {}), True),
        (("/r/open", 3, {}), ("/r/open", 2, {rule.USES: 1, 99: "unknown"}), True),
        (("/r/open", 3, {}), ("/r/*", 3, {}), False),
        (("/r/open", 3, {}), ("/r/open*", 3, {}), False),
        (("/r/open", 1, {}), ("/r/open", 3, {}), False),
        (("/a", 1, windows), ("/a", 1, {}), False),
        (("/a", 1, windows), ("/a", 1, {rule.WINDOWS: [[31, 481, 1079]]}), True),
        (("/a", 1, windows), ("/a", 1, {rule.WINDOWS: [[1, 480, 1080], [2, 600, 700]]}), True),
        (("/a", 1, windows), ("/a", 1, {rule.WINDOWS: [[31, 479, 1080]]}), False),
        (("/a", 1, windows), ("/a", 1, {rule.WINDOWS: [[31, 480, 1081]]}), False),
        (("/a", 1, windows), ("/a", 1, {rule.WINDOWS: [[32, 480, 1080]]}), False),
        (("/a", 1, windows), ("/a", 1, {rule.WINDOWS: [[31, 1000, 600]]}), False),
        (("/a", 1, {rule.WINDOWS: [[1, 1320, 360]]}), ("/a", 1, {rule.WINDOWS: [[1, 1380, 300]]}), True),
        (("/a", 1, {rule.WINDOWS: [[1, 1320, 360]]}), ("/a", 1, {rule.WINDOWS: [[1, 1320, 1400]]}), True),
        (("/a", 1, {rule.WINDOWS: [[1, 1320, 360]]}), ("/a", 1, {rule.WINDOWS: [[1, 1320, 361]]}), False),
        (("/a", 1, {rule.WINDOWS: [[1, 0, 0]]}), ("/a", 1, {rule.WINDOWS: [[1, 0, 1439]]}), True),
        (("/a", 1, {rule.WINDOWS: [[1, 0, 0]]}), ("/a", 1, {rule.WINDOWS: [[1, 0, 0]]}), True),
        (("/a", 1, {rule.WINDOWS: [[1, 0, 0]]}), ("/a", 1, {rule.WINDOWS: [[1, 1, 1]]}), False),
        (("/a", 1, windows), ("/a", 1, dict(list(windows.items()) + list(zone.items()))), False),
        (("/a", 1, {rule.BOUNDS: {"s": [1, 10]}}), ("/a", 1, {rule.BOUNDS: {"s": [1, 10], "t": [0, 0]}}), True),
        (("/a", 1, {rule.BOUNDS: {"s": [1, 10]}}), ("/a", 1, {rule.BOUNDS: {"s": [2, 9]}}), True),
        (("/a", 1, {rule.BOUNDS: {"s": [1, 10]}}), ("/a", 1, {rule.BOUNDS: {"s": [None, 10]}}), False),
        (("/a", 1, {rule.BOUNDS: {"s": [1, 10]}}), ("/a", 1, {rule.BOUNDS: {"s": [0, 10]}}), False),
        (("/a", 1, {rule.BOUNDS: {"s": [1, 10]}}), ("/a", 1, {rule.BOUNDS: {"t": [1, 10]}}), False),
        (("/a", 1, {rule.BOUNDS: {"s": [None, 10]}}), ("/a", 1, {rule.BOUNDS: {"s": [-5, 10]}}), True),
        (("/a", 1, {rule.USES: 3}), ("/a", 1, {rule.USES: 3}), True),
        (("/a", 1, {rule.USES: 3}), ("/a", 1, {rule.USES: 4}), False),
        (("/a", 1, {rule.FRESH: 60}), ("/a", 1, {rule.FRESH: 59}), True),
        (("/a", 1, {rule.FRESH: 60}), ("/a", 1, {rule.FRESH: 61}), False),
        (("/a", 1, {rule.LIFE: [5, 9]}), ("/a", 1, {rule.LIFE: [6, 8]}), True),
        (("/a", 1, {rule.LIFE: [5, 9]}), ("/a", 1, {rule.LIFE: [5, None]}), False),
        (("/a", 1, {rule.RATE: [1, 60]}), ("/a", 1, {rule.RATE: [1, 60]}), True),
        (("/a", 1, {rule.RATE: [1, 60]}), ("/a", 1, {rule.RATE: [2, 60]}), False),
        (("/a", 1, {rule.PRESENCE: 1}), ("/a", 1, {rule.PRESENCE: 2}), False),
        (("/a", 1, {rule.APPROVALS: [2, ["group:a"]]}), ("/a", 1, {rule.APPROVALS: [1, ["group:a"]]}), False),
        (("/a", 1, {rule.TIMELESS: True}), ("/a", 1, {}), True),
        (("/a", 1, {}), ("/a", 1, {rule.TIMELESS: True}), False),
        (("/a", 1, {99: 1}), ("/a", 1, {99: 1}), True),  # what is unknown is covered by the very same,
        (("/a", 1, {99: 1}), ("/a", 1, {99: True}), False),
        (("/a", 1, {99: 1}), ("/a", 1, {}), False),
    ):
        assert delegation.covers(Rule(*wide), Rule(*narrow)) is covered, (wide, narrow)


def test_a_grant_with_its_chain_is_a_plain_tuple():
    leaf = verify(CHAINS[2])
    assert isinstance(leaf, tuple) and Grant(*leaf) == leaf
