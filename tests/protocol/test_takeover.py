"""Takeovers: enough holders of recovery keys sign the very same words, and nothing less leads anywhere."""

from admit_protocol import anchor, cbor, cose, issuing, takeover
from admit_protocol.errors import Malformed, Untrusted, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises, vectors

VECTORS = vectors("takeover.json")
SUITE = Suite(Dice(b"takeovers").random)
OLD_KEY, NEW_KEY, SEALING, ADA, BO, CY, EVE = [SUITE.generate() for _ in range(7)]
OLD = anchor.Anchor(OLD_KEY.public, SEALING.public, "Old")
NEW = anchor.Anchor(NEW_KEY.public, SEALING.public, "New")
NONCE, NOW, WEEK, DAY = bytes(range(16)), 1_800_000_000, 7 * 86400, 86400


def policy_of(key=OLD_KEY, number=1, threshold=2, people=(ADA, BO, CY), delay_s=WEEK, site=OLD, issued_at=NOW):
    publics = [each.public for each in people]
    return issuing.recovery_policy(key, site.site_id, number, threshold, publics, delay_s, issued_at)


POLICY = takeover.parse_policy(policy_of())


def words_of(site=OLD, devices=None, to=NEW, policy=POLICY, nonce=NONCE, issued_at=NOW, expires=NOW + DAY):
    said = site.site_id, devices, to.encode(), nonce, policy.hash, issued_at, expires
    return takeover.parse_words(issuing.takeover_words(*said))


WORDS = words_of()


def signed(people, words=WORDS):
    """Their Signatures, in the order of their keys."""
    people = sorted(people, key=lambda each: each.public)
    return takeover.parse_signatures([issuing.takeover_signature(each, words) for each in people])


def counts(people, words=WORDS, policy=POLICY):
    """Raises unless these signatures are enough."""
    signatures = signed(people, words)
    takeover.check(words, signatures, policy)
    for each in signatures:
        takeover.verify_signature(each, words, SUITE)


# The published examples


def test_the_vectors_are_read_as_they_were_made():
    made = {name: bytes.fromhex(value) for name, value in VECTORS["bytes"].items()}
    old = anchor.decode(made["old_anchor"])
    policy, words = takeover.parse_policy(made["policy"]), takeover.parse_words(made["words"])
    signatures = takeover.parse_signatures([bytes.fromhex(each) for each in VECTORS["signatures"]])
    takeover.verify_policy(policy, old, SUITE)
    takeover.check(words, signatures, policy)
    for each in signatures:
        takeover.verify_signature(each, words, SUITE)
    takeover.verify_veto(takeover.parse_veto(made["veto"]), old, SUITE)
    assert policy.hash.hex() == VECTORS["policy_hash"] and words.hash.hex() == VECTORS["words_hash"]
    told = cbor.decode(made["id"])[10]
    assert told == [anchor.decode(words.to).site_id, VECTORS["seconds_left"], len(signatures)]


# The recovery policy


def test_a_policy_says_who_and_how_long_and_is_the_authoritys():
    takeover.verify_policy(POLICY, OLD, SUITE)
    assert (POLICY.number, POLICY.threshold, POLICY.delay_s) == (1, 2, WEEK)
    assert list(POLICY.keys) == sorted([sha256(each.public) for each in (ADA, BO, CY)])
    with raises(Unverified, "cose-signature"):
        takeover.verify_policy(takeover.parse_policy(policy_of(EVE)), OLD, SUITE)
    with raises(Untrusted, "paper-other-site"):
        takeover.verify_policy(takeover.parse_policy(policy_of(NEW_KEY, site=NEW)), OLD, SUITE)


def test_what_a_policy_is_does_not_depend_on_who_signed_it():
    """An authority that has changed its key signs it again: what builds on it goes on counting."""
    again = takeover.parse_policy(issuing.renewed_recovery_policy(NEW_KEY, policy_of()))
    assert again.hash == POLICY.hash and again.sign1 != POLICY.sign1
    for other in (
        policy_of(number=2),
        policy_of(threshold=3),
        policy_of(people=(ADA, BO)),
        policy_of(delay_s=DAY),
        policy_of(issued_at=NOW + 1),
    ):
        assert takeover.parse_policy(other).hash != POLICY.hash


def test_a_policy_that_says_too_little_is_none():
    crowd = [SUITE.generate() for _ in range(9)]
    takeover.parse_policy(policy_of(people=crowd[:8], threshold=8))
    for wrong in (
        {"people": crowd},
        {"people": (ADA,), "threshold": 1},
        {"threshold": 1},
        {"threshold": 4},
        {"number": 0},
        {"delay_s": DAY - 1},
        {"delay_s": 30 * DAY + 1},
        {"people": (ADA, ADA)},
    ):
        with raises(Malformed, "recovery-structure"):
            policy_of(**wrong)


def test_every_field_of_a_paper_is_there_and_of_its_kind_and_no_other():
    papers = (
        (policy_of(), cose.RECOVERY_POLICY, takeover.parse_policy, "recovery-structure"),
        (issuing.takeover_signature(ADA, WORDS), cose.TAKEOVER, takeover.parse_signature, "takeover-structure"),
        (issuing.takeover_veto(OLD_KEY, OLD.site_id, NONCE), cose.TAKEOVER_VETO, takeover.parse_veto, None),
    )
    for data, label, parse, reason in papers:
        good = cbor.decode(cose.parse_sign1(data).payload)
        for wrong in spoilt(good):
            with raises(Malformed, reason or "takeover-structure"):
                parse(cose.sign1(ADA, cbor.encode(wrong), label))


def spoilt(good):
    """The fields without one, with one more, and with each of another kind."""
    wrong = [[], {}, changed(good, len(good) + 1, 1)]
    for number in good:
        wrong += [{at: value for at, value in good.items() if at != number}]
        wrong += [changed(good, number, value) for value in (True, "x", -1, bytes(7), [1])]
    return wrong


def changed(good, number, value):
    found = dict(good)
    found[number] = value
    return found


# The words


def test_words_name_devices_or_mean_all():
    assert takeover.means(WORDS, "kiosk-1")
    some = words_of(devices=["lobby-*", "gate"])
    assert takeover.means(some, "lobby-3") and takeover.means(some, "gate")
    assert not takeover.means(some, "gates") and not takeover.means(some, "kiosk-1")


def test_words_have_one_form():
    said = cbor.decode(issuing.takeover_words(OLD.site_id, ["*"], NEW.encode(), NONCE, POLICY.hash, NOW, NOW + DAY))
    takeover.parse_words(cbor.encode(said))
    wrong = spoilt(said) + [
        changed(said, 2, []),
        changed(said, 2, ["a"] * 9),
        changed(said, 2, [""]),
        changed(said, 2, ["x" * 65]),
        changed(said, 7, NOW),
        changed(said, 3, OLD.encode()),  # it leads nowhere
    ]
    for each in wrong:
        with raises(Malformed):
            takeover.parse_words(cbor.encode(each))


# Who signs


def test_any_so_many_of_the_holders_are_enough():
    for people in ((ADA, BO), (BO, CY), (ADA, CY), (ADA, BO, CY)):
        counts(people)


def test_too_few_are_not():
    for people in ((), (ADA,)):
        with raises(Untrusted, "takeover-too-few"):
            counts(people)


def test_nobody_signs_twice_or_for_another_site_or_under_other_words():
    twice = [issuing.takeover_signature(ADA, WORDS)] * 2
    with raises(Malformed, "takeover-structure"):
        takeover.parse_signatures(twice)
    with raises(Untrusted, "takeover-unknown-key"):
        counts((ADA, EVE))
    with raises(Untrusted, "takeover-other-site"):
        takeover.check(words_of(site=NEW, to=OLD), signed((ADA, BO)), POLICY)
    with raises(Untrusted, "takeover-other-words"):
        takeover.verify_signature(signed((ADA,), words_of(nonce=bytes(16)))[0], WORDS, SUITE)


def test_who_is_struck_from_the_policy_counts_no_more():
    fresh = takeover.parse_policy(policy_of(number=2, people=(ADA, BO)))
    with raises(Untrusted, "takeover-other-policy"):
        counts((ADA, BO), WORDS, fresh)
    with raises(Untrusted, "takeover-unknown-key"):
        counts((ADA, CY), words_of(policy=fresh), fresh)


def test_a_key_that_somebody_else_names_has_signed_nothing():
    said = {1: OLD.site_id, 2: WORDS.hash, 3: BO.public}
    forged = takeover.parse_signature(cose.sign1(EVE, cbor.encode(said), cose.TAKEOVER))
    with raises(Unverified, "cose-signature"):
        takeover.verify_signature(forged, WORDS, SUITE)


# The veto


def test_a_veto_is_the_authoritys_and_names_one_takeover():
    veto = takeover.parse_veto(issuing.takeover_veto(OLD_KEY, OLD.site_id, NONCE))
    takeover.verify_veto(veto, OLD, SUITE)
    assert veto.nonce == NONCE
    with raises(Unverified, "cose-signature"):
        takeover.verify_veto(takeover.parse_veto(issuing.takeover_veto(NEW_KEY, OLD.site_id, NONCE)), OLD, SUITE)
    with raises(Untrusted, "paper-other-site"):
        takeover.verify_veto(takeover.parse_veto(issuing.takeover_veto(NEW_KEY, NEW.site_id, NONCE)), OLD, SUITE)
