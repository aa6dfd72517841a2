"""POST /grants: what is behind a grant is handed in once, verified from its root, and then known; nothing else is."""

from admit_protocol import cbor, coap, cose, cwt, grant, issuing, journal, journal_reader, p256_curve
from memory_ports import WEDNESDAY, PowerCut
from newcomers import Newcomer, Returning, kept, sign_key_of
from rig import ALL, Site
from visitors import OPEN, SITE, Visitor, grant_of, key_of, new_kiosk, reason

HEALTH = [("/health", 1, {})]
OTHER = Site("other", b"other")


def root_of(name="ann", rules=ALL, delegate=4, number=50, site=SITE, **more):
    """The authority's grant to somebody who may pass it on."""
    public, sign = key_of(name).public, sign_key_of(name).public
    about = ("root", name, repr(rules), delegate, number, site.anchor.name, repr(sorted(more.items())))
    return kept(
        lambda: site.grant(public, rules, name, ("*",), number, sig_public=sign, delegate=delegate, **more), *about
    )


def passed_on(parents, giver, name, rules=ALL, **more):
    """The next link behind `parents` (bytes, nearest first): those and the new one."""
    parent = grant.parse(parents[0])
    public, sig_public = key_of(name).public, sign_key_of(name).public
    delegate = more.pop("delegate", max(parent.delegate - 1, 0))
    about = ("link", parent.kid, giver, name, repr(rules), delegate, repr(sorted(more.items())))

    def make():
        given = (name, ["kiosk-1"], rules, public, WEDNESDAY, sig_public)
        return issuing.delegation(sign_key_of(giver), parent, *given, delegate=delegate, **more)

    return [kept(make, *about)] + parents


def chain_to(*names):
    """A chain from the last of them to the authority's grant to the first: nearest first."""
    chain = [root_of(names[0])]
    for giver, taker in zip(names, names[1:]):
        chain = passed_on(chain, giver, taker)
    return chain


def hand_in(visitor, items):
    """None, or the reason why not."""
    response = visitor.carry(coap.request(coap.POST, "/grants", cbor.encode(list(items))))
    return None if response.code == coap.CHANGED else reason(response)


def may(visitor, path="/health"):
    """None, or the reason why not."""
    response = visitor.ask(coap.GET, path)
    return None if response.code == coap.CONTENT else reason(response)


def opens(visitor, identifier=b"12345678"):
    response = visitor.invoke("open", identifier)
    return None if response.code == coap.CHANGED else reason(response)


def test_a_chain_that_is_handed_in_counts_at_once_and_at_the_next_visit():
    rig = new_kiosk()
    leaf, *behind = chain_to("ann", "bea")
    bea = Returning(rig, "bea", leaf, by_value=True)
    assert opens(bea) == "grant-needed"
    assert hand_in(bea, behind) is None
    assert opens(bea) is None
    assert hand_in(bea, behind) is None  # again is as good as once
    rig.boot()
    assert opens(Returning(rig, "bea", leaf), b"23456789") is None


def test_a_repeat_visit_of_the_longest_chain_verifies_no_signature():
    rig = new_kiosk()
    leaf, *behind = chain_to("ann", "bea", "cat", "dan", "eve")
    eve = Returning(rig, "eve", leaf, by_value=True)
    verified = p256_curve.counts["verify"]
    assert hand_in(eve, behind) is None
    assert p256_curve.counts["verify"] - verified == 5
    assert opens(eve) is None
    rig.boot()
    verified = p256_curve.counts["verify"]
    eve = Returning(rig, "eve", leaf)
    assert opens(eve, b"23456789") is None
    assert Returning(rig, "eve", leaf, by_value=True).ask(coap.GET, "/r").code == coap.CONTENT
    assert p256_curve.counts["verify"] - verified == 2  # the phone's own, of message_2
    assert [len(each.chain) for each in (eve.rig.device.sessions._sessions[eve.context.sender_id].grants)] == [4]


def test_what_the_device_knows_already_need_not_be_handed_in():
    rig = new_kiosk()
    ann = Returning(rig, "ann", root_of(), by_value=True)
    assert may(ann) is None
    leaf, *_ = chain_to("ann", "bea")
    assert opens(Returning(rig, "bea", leaf, by_value=True)) is None
    third, _, root = chain_to("ann", "bea", "cat")
    cat = Returning(rig, "cat", third, by_value=True)
    assert opens(cat, b"87654321") is None  # bea has been here


def test_links_in_any_order_and_more_of_them_than_it_takes_do_no_harm():
    rig = new_kiosk()
    leaf, second, root = chain_to("ann", "bea", "cat")
    cat = Returning(rig, "cat", leaf, by_value=True)
    assert hand_in(cat, [root, leaf, grant_of("alice"), second]) is None
    assert opens(cat) is None


def test_a_chain_with_a_link_missing_forged_or_of_another_site_is_refused_by_name():
    leaf, second, root = chain_to("ann", "bea", "cat")
    forged = passed_on([root], "ann", "bea", OPEN)[0]
    foreign = root_of(site=OTHER)
    damaged = root[:-1] + bytes([root[-1] ^ 1])
    for handed_in, why in (
        ([second], "grant-parent-missing"),
        ([root], "grant-parent-missing"),
        ([forged, root], "grant-parent-missing"),
        ([second, damaged], "grant-parent-missing"),
        ([second, foreign], "grant-parent-missing"),
        ([], "grants-body"),
        ([second, 5], "grants-body"),
        ([root] * 7, "grants-body"),
    ):
        rig = new_kiosk()
        cat = Returning(rig, "cat", leaf, by_value=True)
        assert hand_in(cat, handed_in) == why, why
        assert opens(cat) == "grant-needed"
        assert not [name for name in rig.storage.names() if name.startswith("grant-")]


def changed(honest, signer, **claims):
    """A link as `issuing` would not make it: with other claims (by their names in cwt), signed by `signer`."""
    told = cwt.parse(honest).claims
    for name, value in claims.items():
        told[getattr(cwt, name)] = value
    return cwt.issue(signer, told, cose.DELEGATION)


def test_a_link_that_its_parents_holder_did_not_sign_or_that_is_wider_is_refused_by_name():
    root = root_of("ann", OPEN, 1, 51, expires=WEDNESDAY + 100)
    honest = passed_on([root], "ann", "bea", OPEN, expires=WEDNESDAY + 100)[0]
    sign = sign_key_of("ann")
    for leaf, why in (
        (changed(honest, sign_key_of("bea")), "cose-signature"),
        (changed(honest, SITE.key), "cose-signature"),
        (changed(honest, sign, SCOPE=grant.encode_scope(ALL)), "grant-wider"),
        (changed(honest, sign, SCOPE=grant.encode_scope([("/r/*", 3, {})])), "grant-wider"),
        (changed(honest, sign, EXP=WEDNESDAY + 101), "grant-wider"),
        (changed(honest, sign, SELECTORS=["group:staff"]), "grant-wider"),
        (changed(honest, sign, DELEGATE=1), "delegation-depth"),
        (changed(honest, sign), None),
    ):
        bea = Returning(new_kiosk(), "bea", leaf, by_value=True)
        assert hand_in(bea, [root]) == why
        assert opens(bea) == ("grant-needed" if why else None)


def test_a_grant_of_another_key_is_not_taken():
    rig = new_kiosk()
    bob = Visitor(rig, "bob", HEALTH)
    assert hand_in(bob, [grant_of("alice")]) == "grant-other-key"
    assert hand_in(Newcomer(rig), [grant_of("alice")]) == "grant-other-key"
    assert opens(bob) == "rule-none"


def test_a_bare_key_may_hand_in_a_grant_of_its_own():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    assert opens(zoe) == "grant-needed"
    assert hand_in(zoe, [grant_of("zoe", OPEN)]) is None
    assert opens(zoe) is None
    assert may(zoe) == "rule-none"


def test_of_several_grants_the_best_decides():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", OPEN)
    assert (opens(alice), may(alice)) == (None, "rule-none")
    assert hand_in(alice, [grant_of("alice", HEALTH)]) is None
    assert (opens(alice, b"23456789"), may(alice)) == (None, None)
    names = cbor.decode(alice.ask(coap.GET, "/r").payload)
    assert list(names) == ["open"]
    revoked = SITE.bundle(1, [grant.parse(grant_of("alice", OPEN)).id])
    assert alice.ask(coap.POST, "/bundle", revoked).code == coap.CHANGED
    assert (opens(alice, b"34567890"), may(alice)) == ("rule-none", None)


def test_a_session_holds_four_grants_and_lets_the_oldest_go():
    rig = new_kiosk()
    alice = Visitor(rig, "alice", OPEN)
    for number in range(4):
        assert hand_in(alice, [grant_of("alice", [("/other/%d" % number, 1, {})])]) is None
    assert opens(alice) == "rule-none"
    assert may(alice, "/other/3") == may(alice, "/other/0") == "resource-unknown"


def test_each_link_that_is_taken_back_takes_the_chain_along_at_once_and_at_the_next_visit():
    for which in range(3):
        rig = new_kiosk()
        chain = chain_to("ann", "bea", "cat")
        cat, admin = Returning(rig, "cat", chain[0], by_value=True), Visitor(rig, "admin")
        assert hand_in(cat, chain[1:]) is None
        assert opens(cat) is None
        taken_back = SITE.bundle(1, [grant.parse(chain[which]).id])
        assert admin.ask(coap.POST, "/bundle", taken_back).code == coap.CHANGED
        assert opens(cat, b"23456789") == "grant-revoked"
        assert opens(Returning(rig, "cat", chain[0]), b"34567890") == "grant-revoked"


def test_power_fails_at_every_write_and_the_chain_is_known_or_handed_in_again():
    leaf, *behind = chain_to("ann", "bea")
    for cut in range(10):
        rig = new_kiosk()
        bea = Returning(rig, "bea", leaf, by_value=True)
        assert opens(bea) == "grant-needed"
        rig.storage.cut_after = cut
        try:
            done = hand_in(bea, behind) is None
        except PowerCut:
            done = False
        rig.storage.cut_after = None
        rig.boot()
        bea = Returning(rig, "bea", leaf, by_value=True)
        if opens(bea) == "grant-needed":
            assert not done
            assert hand_in(bea, behind) is None
            assert opens(bea) is None
        if done:
            break
    assert cut == 2  # the record, the chain


def test_it_is_written_down_who_came_by_which_grant():
    rig = new_kiosk()
    leaf, *behind = chain_to("ann", "bea")
    bea = Returning(rig, "bea", leaf, by_value=True)
    assert hand_in(bea, behind) is None
    records = [journal_reader.parse_record(each) for each in rig.device.journal.kept().all()]
    (record,) = [each for each in records if each.kind == journal.CHAIN]
    assert (record.who, record.extra[journal.BY]) == (journal.person(bea.key.public), grant.parse(leaf).id)


def test_a_get_tells_of_none_but_those_that_were_signed_anew():
    assert Visitor(new_kiosk()).ask(coap.GET, "/grants").payload == cbor.encode([])
