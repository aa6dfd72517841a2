"""Passing on out of one's own wallet: narrower, with all that one's own asks for, and for one other key."""

import pytest

from admit import invitation, sharing, wallet
from admit.sharing import Wish, narrowed
from admit_protocol import delegation, rule
from admit_protocol.errors import NotFound, Untrusted, Unverified
from admit_protocol.rule import Rule
from sites import NOW

RULES = [("/r/open", 3, {rule.BOUNDS: {"seconds": [1, 10]}}), ("/r/light", 2, {rule.USES: 3})]


@pytest.fixture
def alice(tmp_path, site):
    return wallet.create(tmp_path / "alice", site.anchor)


@pytest.fixture
def bob(tmp_path):
    return wallet.create(tmp_path / "bob")


def give(signer, owner, rules=RULES, delegate=2, **more):
    login, sign = owner.publics
    data = signer.issue_grant("alice", ["kiosk-1", "kiosk-2"], rules, login, NOW, sign, delegate=delegate, **more)
    return owner.add_grant(data)


def wish(owner, name="bob", **more):
    return Wish(name, tuple(owner.publics), **more)


def test_all_of_it_or_a_part_goes_to_the_other_wallet_with_what_is_behind_it(site, signer, alice, bob, tmp_path):
    own = give(signer, alice, expires=NOW + 1000)
    given = sharing.share(alice, wish(bob, rules=[("/r/open", 2, {})], audience=["kiosk-2"], delegate=1), NOW)
    assert (given.subject, given.audience, given.expires, given.delegate) == ("bob", ("kiosk-2",), NOW + 1000, 1)
    assert given.rules == (Rule("/r/open", 2, {rule.BOUNDS: {"seconds": [1, 10]}}),)
    anchor, leaf, parents = invitation.decode(sharing.invite(alice, given))
    kept = bob.accept(anchor, leaf, parents)
    assert kept.chain == (own,) and bob.grants() == [kept]
    assert bob.grant_for("kiosk-2", NOW) == kept
    with pytest.raises(Untrusted) as caught:
        bob.grant_for("kiosk-2", NOW + 1000)
    assert caught.value.reason == "grant-expired"
    third = wallet.create(tmp_path / "carol")
    further = sharing.share(bob, wish(third, "carol"), NOW)
    assert [each.id for each in further.chain] == [kept.id, own.id]
    assert third.accept(*invitation.decode(sharing.invite(bob, further))).rules == kept.rules
    assert sharing.share(alice, wish(third), NOW).rules == own.rules


@pytest.mark.parametrize(
    "more, reason",
    [
        ({"rules": [("/r/door", 2, {})]}, "share-wider"),
        ({"rules": [("/r/open", 4, {})]}, "share-wider"),
        ({"rules": [("/r/*", 2, {})]}, "share-wider"),
        ({"audience": ["*"]}, "share-wider"),
        ({"expires": NOW + 5000}, "share-wider"),
        ({"not_before": NOW - 5000}, "share-wider"),
        ({"delegate": 2}, "delegation-depth"),
    ],
)
def test_nothing_wider_can_be_passed_on(signer, alice, bob, more, reason):
    give(signer, alice, not_before=NOW, expires=NOW + 1000)
    with pytest.raises(Untrusted) as caught:
        sharing.share(alice, wish(bob, **more), NOW + 1)
    assert caught.value.reason == reason


def test_conditions_stay_and_bounds_only_tighten():
    window = {rule.WINDOWS: [[31, 0, 0]]}
    own = (Rule("/r/open", 2, {**window, rule.BOUNDS: {"seconds": [1, 10]}}), Rule("/r/*", 2, {rule.USES: 3}))
    wanted = ("/r/open", 2, {rule.BOUNDS: {"seconds": [None, 20], "door": [1, 1]}})
    assert narrowed(own, wanted) == [
        ("/r/open", 2, {**window, rule.BOUNDS: {"door": [1, 1], "seconds": [1, 10]}}),
        ("/r/open", 2, {rule.USES: 3, rule.BOUNDS: wanted[2][rule.BOUNDS]}),
    ]
    for one in narrowed(own, wanted):
        assert any(delegation.covers(each, Rule(*one)) for each in own)


def test_only_what_may_be_passed_on_is(signer, alice, bob):
    with pytest.raises(NotFound) as caught:
        sharing.share(alice, wish(bob), NOW)
    assert caught.value.reason == "share-none"
    give(signer, alice, delegate=0)
    with pytest.raises(NotFound):
        sharing.share(alice, wish(bob), NOW)
    give(signer, alice, delegate=1, expires=NOW)
    with pytest.raises(Untrusted) as caught:
        sharing.share(alice, wish(bob), NOW)
    assert caught.value.reason == "share-ended"
    give(signer, alice, delegate=1)
    given = sharing.share(alice, wish(bob), NOW)
    bob.accept(*invitation.decode(sharing.invite(alice, given)))
    with pytest.raises(NotFound):  # it ends here
        sharing.share(bob, wish(alice), NOW)


def test_a_wallet_believes_no_chain_that_does_not_hold(signer, alice, bob, tmp_path):
    own = give(signer, alice)
    given = sharing.share(alice, wish(bob), NOW)
    anchor = alice.anchor
    with pytest.raises(Untrusted) as caught:
        bob.accept(anchor, given.data)
    assert caught.value.reason == "grant-parent-missing"
    with pytest.raises(Untrusted) as caught:
        bob.accept(anchor, given.data, [give(signer, alice, delegate=1).data])
    assert caught.value.reason == "delegation-other-parent"
    with pytest.raises(Untrusted) as caught:
        wallet.create(tmp_path / "eve").accept(anchor, given.data, [own.data])
    assert caught.value.reason == "wallet-other-key"
    forged = bytearray(given.data)
    at = given.data.index(b"bob")
    forged[at : at + 3] = b"eve"
    with pytest.raises(Unverified):
        bob.accept(anchor, bytes(forged), [own.data])
    assert bob.grants() == []
