"""The authority's keys are followed by others: what counts from when on, at a device, whoever brings it."""

from admit_device.identity import ANCHOR, SUCCEEDED
from admit_device.succession import follow
from admit_protocol import anchor, cbor, coap, coap_numbers, credential, issuing, succession
from memory_ports import WEDNESDAY, PowerCut
from newcomers import Newcomer, Returning, new_invite
from power_supply import Powered, Supply
from remembered import remembering
from rig import ALL, Rig, Site, sealed
from visitors import ROUTINES, SITE, Visitor, key_of, new_kiosk, reason

LIMIT_S = 120
DAY = 86400
ENDS = WEDNESDAY + 30 * DAY
OPEN = [("/r/open", 3, {})]


def followed(before, seed, ends=ENDS, issued_at=WEDNESDAY):
    """The site `before` with other keys; `step` leads to them."""
    after, known = Site(before.anchor.name, seed), before.anchor
    number = len(known.successions) + 1
    after.step = succession.sign(before.key, after.key, known.site_id, number, after.ecdh.public, issued_at, ends)
    first = known.first_public, known.first_ecdh_public, known.name
    after.anchor = anchor.Anchor(*(first + (known.successions + (after.step,),)))
    return after


NEXT, THIEF, AT_ONCE = followed(SITE, b"next"), followed(SITE, b"thief"), followed(SITE, b"next", WEDNESDAY)
THIRD = followed(NEXT, b"third", ENDS + DAY, WEDNESDAY + DAY)

_grants = {}


def grant_by(site, rules=ALL, number=7):
    """Alice's grant, the same words by whichever site's key."""
    kind = id(site), repr(rules), number
    if kind not in _grants:
        _grants[kind] = site.grant(key_of("alice").public, rules, number=number)
    return _grants[kind]


def holder(rig, site, by_value=True, **more):
    return Returning(rig, "alice", grant_by(site, **more), by_value)


def works(rig, site, **more):
    """Does a grant by this site's key let Alice in?"""
    return holder(rig, site, **more).ask(coap.GET, "/r").code == coap.CONTENT


def hand_in(visitor, *steps):
    """None, or the reason why not."""
    response = visitor.carry(coap.request(coap.POST, "/grants", cbor.encode({1: list(steps)})))
    return None if response.code == coap.CHANGED else reason(response)


def bring(visitor, data):
    response = visitor.ask(coap.POST, "/bundle", data)
    return None if response.code == coap.CHANGED else reason(response)


def ask(visitor, path, query=""):
    asked = coap.request(coap.GET, path, options=[(coap.URI_QUERY, query)] if query else ())
    return cbor.decode(visitor.carry(asked).payload)


def told_anchor(visitor):
    return ask(visitor, "/id", "anchor=1").get(8)


def number_of(rig):
    return rig.device.identity.anchor.number


def test_whoever_brings_it_the_device_follows_and_says_so():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    assert told_anchor(zoe) == SITE.anchor.encode()
    assert hand_in(zoe, NEXT.step) is None and number_of(rig) == 1
    assert told_anchor(zoe) == NEXT.anchor.encode()
    rig.boot()
    alice = holder(rig, NEXT)
    assert ask(alice, "/bundle", "from=999")[6] == 1
    assert told_anchor(alice) == NEXT.anchor.encode()
    assert bring(alice, NEXT.step) is None  # again is no harm
    assert bring(alice, THIRD.step) is None and number_of(rig) == 2
    assert told_anchor(alice) == THIRD.anchor.encode()
    assert rig.device.identity.kept(ANCHOR) == SITE.anchor.encode()
    assert max([len(each) for each in rig.keystore.files.values()]) < 1024


def test_both_keys_grants_count_until_the_overlap_is_over_and_then_the_new_ones():
    rig = new_kiosk()
    alice = holder(rig, SITE)
    assert bring(alice, NEXT.step) is None
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT  # the session goes on
    assert works(rig, NEXT) and works(rig, SITE, by_value=False) and works(rig, SITE, number=8)
    rig.pass_s(30 * DAY - 60)
    assert works(rig, SITE)
    rig.pass_s(60)
    assert not [name for name in rig.storage.names() if name.startswith("grant-")]
    assert rig.device.sessions.newcomers(False) == []
    assert works(rig, NEXT)
    for by_value, number in ((True, 7), (False, 7), (True, 8)):
        assert not works(rig, SITE, by_value=by_value, number=number)
    assert rig.device.identity.kept(SUCCEEDED)[3] is None


def test_a_stolen_key_counts_no_more_at_once():
    rig = new_kiosk()
    assert works(rig, SITE)
    bob, alice = Visitor(rig, "bob"), holder(rig, SITE, by_value=False)
    assert [each.ask(coap.GET, "/r").code for each in (bob, alice)] == [coap.CONTENT] * 2
    zoe = Newcomer(rig)
    assert zoe.ask(coap.GET, "/id").code == coap.CONTENT
    assert bring(bob, AT_ONCE.step) is None  # the answer comes, though his session is over by then
    assert bob.ask(coap.GET, "/r").code == coap_numbers.UNAUTHORIZED
    assert alice.ask(coap.GET, "/r").code == coap_numbers.UNAUTHORIZED
    assert reason(zoe.ask(coap.POST, "/grants", cbor.encode([zoes_grant(SITE)]))) == "cose-signature"
    assert zoe.ask(coap.POST, "/grants", cbor.encode([zoes_grant(AT_ONCE)])).code == coap.CHANGED
    assert zoe.ask(coap.GET, "/r").code == coap.CONTENT
    assert not works(rig, SITE, by_value=False) and not works(rig, SITE)
    assert works(rig, AT_ONCE)


def zoes_grant(site):
    return site.grant(key_of("zoe").public, OPEN, "zoe", number=9)


def test_what_only_an_authority_says_the_old_key_says_no_more():
    rig = new_kiosk()
    admin = holder(rig, SITE)
    assert bring(admin, SITE.bundle(1)) is None
    assert bring(admin, NEXT.step) is None
    assert bring(admin, SITE.bundle(2)) == "cose-signature"
    site_id, words = SITE.anchor.site_id, (rig.seal_public, False)
    by_new = issuing.bundle(NEXT.key, site_id, "kiosk-1", 2, (), WEDNESDAY)
    assert bring(admin, sealed(by_new)) is None
    renewed = []
    for site in (SITE, NEXT):
        kid = credential.kid(rig.public)
        made = issuing.credential(site.key, site_id, "kiosk-1", rig.public, kid, WEDNESDAY, *words)
        renewed.append(admin.carry(coap.request(coap.PUT, "/identity", cbor.encode({1: made}))))
    assert reason(renewed[0]) == "cose-signature" and renewed[1].code == coap.CHANGED
    assert ask(Newcomer_of(rig, made), "/id")[2] == made
    assert bring(admin, THIEF.step) == "succession-fork"


def Newcomer_of(rig, made):
    """Somebody who knows the device by its new credential, for the key that it always had."""
    rig.credential = made
    return Newcomer(rig)


def test_an_invite_of_the_old_key_is_good_until_the_overlap_is_over():
    rig = new_kiosk()
    assert hand_in(Newcomer(rig), followed(SITE, b"soon", WEDNESDAY + 3600).step) is None
    invited = new_invite()
    assert Newcomer(rig, "bob").redeem(invited) is None
    rig.pass_s(3600)
    assert Newcomer(rig, "zoe").redeem(invited) == "cose-signature"


def test_what_is_no_next_step_is_refused():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    elsewhere = followed(Site("other", b"other"), b"next")
    for step, why in (
        (THIRD.step, "succession-order"),
        (elsewhere.step, "paper-other-site"),
        (NEXT.step[:-1] + bytes([NEXT.step[-1] ^ 1]), "cose-signature"),
        (NEXT.step[:-1], "cbor-truncated"),
        (grant_by(SITE), "succession-structure"),
    ):
        assert hand_in(zoe, step) == why, why
    assert number_of(rig) == 0 and "successions" not in rig.storage.files
    for body in ({}, {3: []}, {1: b""}, {1: [1]}, {1: [], 2: []}):
        assert reason(zoe.ask(coap.POST, "/grants", cbor.encode(body))) == "grants-body"
    assert hand_in(zoe, NEXT.step, THIRD.step) is None and number_of(rig) == 2
    assert hand_in(zoe, THIEF.step) == "succession-fork"
    late = followed(NEXT, b"late", ENDS + DAY, WEDNESDAY + DAY)
    assert hand_in(zoe, late.step) == "succession-fork"


def test_storage_that_lost_the_way_is_told_it_again():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    assert hand_in(zoe, NEXT.step, THIRD.step) is None
    rig.storage.damaged.append("successions")
    assert told_anchor(zoe) is None and works(rig, THIRD)
    assert hand_in(zoe, THIRD.step) == "succession-order"
    assert hand_in(zoe, NEXT.step, THIRD.step) is None
    assert told_anchor(zoe) == THIRD.anchor.encode()


def test_who_comes_late_to_a_site_is_told_all_of_its_way():
    rig = Rig(ROUTINES, THIRD)
    assert told_anchor(Newcomer(rig)) == THIRD.anchor.encode()
    assert works(rig, THIRD) and works(rig, NEXT) and not works(rig, SITE)
    rig.pass_s(31 * DAY)
    assert not works(rig, NEXT)


# Grants that were signed anew


def test_holders_fetch_what_an_admin_has_handed_in_for_them():
    rig = new_kiosk()
    alice = holder(rig, SITE, rules=OPEN)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    admin = Visitor(rig, "admin")
    assert bring(admin, NEXT.step) is None
    old, new = [grant_by(site, OPEN) for site in (SITE, NEXT)]
    behind = ask(admin, "/grants", "behind=1")
    assert old_name(old) in behind and len(behind) == 2
    assert reason(alice.carry(coap.request(coap.GET, "/grants", options=[(coap.URI_QUERY, "behind=1")]))) == "rule-none"
    assert hand_renewed(alice, new) == "rule-none"
    assert ask(alice, "/grants") == []
    assert hand_renewed(admin, new, NEXT.grant(key_of("bob").public, OPEN, number=55)) is None
    assert len([name for name in rig.storage.names() if name.startswith("grant-")]) == 3  # not one for Bob
    assert ask(alice, "/grants") == [new] and ask(admin, "/grants") == []
    assert hand_renewed(admin, THIEF.grant(key_of("alice").public, OPEN, number=7)) == "cose-signature"
    assert hand_renewed(admin, b"") == "cbor-truncated"
    assert ask(holder(rig, NEXT, rules=OPEN), "/grants") == [old]  # whose kid it does not hold; it will not verify


def old_name(data):
    from admit_protocol import grant

    return grant.kid_of(data) + grant.parse(data).id


def hand_renewed(visitor, *items):
    response = visitor.carry(coap.request(coap.POST, "/grants", cbor.encode({2: list(items)})))
    return None if response.code == coap.CHANGED else reason(response)


# Power


class Bringer:
    """As much of a session as a record needs to know."""

    class subject:
        key = bytes(64)


@remembering
def test_a_power_cut_anywhere_leaves_the_old_authority_or_the_new_one():
    lived = new_kiosk()
    assert works(lived, SITE)
    for site in (NEXT, AT_ONCE):
        cut, was_cut, seen = 0, True, set()
        while was_cut:
            rig = Powered((lived.storage.files, lived.keystore.files))
            rig.public, rig.credential = lived.public, lived.credential
            rig.power(Supply(cut))
            was_cut = False
            try:
                follow(rig.device, site.step, Bringer)
            except PowerCut:
                was_cut = True
            rig.power(Supply())
            rig.boot()
            seen.add(number_of(rig))
            has_followed = number_of(rig) == 1
            counts = not has_followed or site is NEXT
            assert works(rig, SITE) == counts, cut
            zoe = Newcomer(rig)
            assert hand_in(zoe, site.step) is None
            assert number_of(rig) == 1 and told_anchor(zoe) == site.anchor.encode()
            cut += 1
        assert seen == {0, 1}


@remembering
def test_a_power_cut_at_the_end_of_the_overlap_lets_nothing_old_back_in():
    lived = new_kiosk()
    assert works(lived, SITE) and hand_in(Newcomer(lived), NEXT.step) is None
    cut, was_cut = 0, True
    while was_cut:
        rig = Powered((lived.storage.files, lived.keystore.files))
        rig.credential, was_cut = lived.credential, False
        rig.power(Supply(cut))
        try:
            rig.pass_s(30 * DAY)
        except PowerCut:
            was_cut = True
        rig.power(Supply())
        rig.boot()
        assert rig.device.identity.kept(SUCCEEDED)[3] is None
        assert not works(rig, SITE, by_value=False)
        cut += 1
    assert cut > 2
