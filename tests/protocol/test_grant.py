"""Grants: what the authority gives, to whom and where; every other grant is refused with its own reason."""

import subjects
from admit_protocol import aif, anchor, cbor, cose, cwt, grant, issuing, rule, standing
from admit_protocol.errors import AdmitError, Malformed, Unsupported, Untrusted, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.suite import Suite
from support import raises

drawn = [0]


def random(length):
    """Not random at all, so that every run is the same."""
    drawn[0] += 1
    return b"".join([sha256(b"draw", cbor.encode([drawn[0], i])) for i in range(length // 32 + 1)])[:length]


suite = Suite(random)
authority, sealing, stranger, alice, signing = [suite.private_key(sha256(bytes((n,)))) for n in range(5)]
SITE = anchor.site_id(authority.public, sealing.public)
OTHER_SITE = anchor.site_id(stranger.public, sealing.public)
ID = b"grant id"
NOW = 1_800_000_000
PLAIN = [("/r/open", 3, {}), ("/health", 1, {})]
OFFICE = {rule.WINDOWS: [[31, 480, 1080]]}


def make(key=authority, site_id=SITE, grant_id=ID, subject="alice", audience=("kiosk-1",), rules=PLAIN, **more):
    return issuing.grant(key, site_id, grant_id, subject, audience, rules, alice.public, NOW, **more)


def with_claims(changes, label=cose.GRANT):
    """A grant that the authority signed with some claims changed, or dropped where the value is None."""
    claims = cwt.parse(make()).claims
    for claim, value in changes.items():
        if value is None:
            claims.pop(claim)
        else:
            claims[claim] = value
    return cwt.issue(authority, claims, label)


def check(data, device_id="kiosk-1", now=NOW, revoked=(), public=authority.public, site_id=SITE):
    given = grant.parse(data)
    grant.verify_issuer(given, public, site_id, suite)
    standing.check(given, device_id, (now, now), revoked)
    return given


def test_a_grant_binds_a_users_keys_to_rules():
    given = check(make(sig_public=signing.public, not_before=NOW, expires=NOW + 60))
    assert (given.id, given.subject, given.audience) == (ID, "alice", ("kiosk-1",))
    assert (given.key, given.sig_key) == (alice.public, signing.public)
    assert given.rules == (("/r/open", 3, {}), ("/health", 1, {}))
    assert (given.not_before, given.expires) == (NOW, NOW + 60)
    assert (given.site_id, given.issued_at) == (SITE, NOW)


def test_what_is_left_out_is_none():
    given = check(make())
    assert (given.sig_key, given.not_before, given.expires) == (None, None, None)


def test_a_grant_says_what_groups_its_holder_is_in_and_how_often_it_may_be_passed_on():
    given = check(make(selectors=["role:guard", "group:night", "role:guard"], delegate=2, sig_public=signing.public))
    assert (given.selectors, given.delegate) == (("group:night", "role:guard"), 2)
    assert (given.parent, given.enrol, given.chain) == (None, 0, ())
    given = check(make())
    assert (given.selectors, given.delegate) == ((), 0)


def test_an_invite_is_for_one_device_and_to_be_passed_on():
    good = {"enrol": 3, "delegate": 1, "audience": ["lobby-1"]}
    assert grant.parse(make(**good)).enrol == 3
    for changes in (
        {"delegate": 0},
        {"audience": ["lobby-*"]},
        {"audience": ["lobby-1", "lobby-2"]},
        {"sig_public": signing.public},  # its key is its secret's
    ):
        fields = dict(good)
        fields.update(changes)
        with raises(Malformed, "grant-enrol"):
            make(**fields)
    for count in (-1, 256, True, b"\x01"):
        with raises(Malformed, "grant-enrol"):
            grant.parse(with_claims({cwt.ENROL: count, cwt.DELEGATE: 1}))


def test_a_kid_is_the_hash_of_the_whole_grant():
    data = make()
    assert grant.parse(data).kid == grant.kid_of(data) == sha256(data)[:8]
    assert grant.parse(data).data == data


def test_the_scope_is_plain_aif_when_aif_says_it_all():
    scope = cwt.parse(make()).claims[cwt.SCOPE]
    assert cbor.decode(scope) == [["/r/open", 3], ["/health", 1]]
    assert aif.decode(scope) == [("/r/open", 3), ("/health", 1)]


def test_a_reader_of_aif_gets_nothing_from_the_other_form():
    for rules in ([("/r/open", 3, OFFICE)], [("/r/*", 3, {})], [("*", 127, {})], PLAIN + [("/r/close", 2, OFFICE)]):
        scope = cwt.parse(make(rules=rules)).claims[cwt.SCOPE]
        assert cbor.decode(scope) == [1, [list(r) for r in rules]]
        with raises(Malformed, "aif-structure"):
            aif.decode(scope)
        assert list(check(make(rules=rules)).rules) == rules


def test_a_scope_has_one_form_only():
    for scope, reason in (
        ([1, [["/r/open", 3, {}]]], "grant-scope"),  # AIF would have done
        ([1, []], "grant-scope"),
        ([["/r/*", 3]], "grant-scope"),  # a pattern, to us; a path, to a reader of AIF
        ([True, [["/r/*", 3, {}]]], "grant-scope"),
        ([1, [["/r/*", 3, {}]], 0], "grant-scope"),
        ([1], "grant-scope"),
        ([1, {}], "grant-scope"),
        ([2, [["/r/*", 3, {}]]], "aif-structure"),
        ([["*", 3]], "aif-path"),
        ({}, "grant-scope"),
        ("r", "grant-scope"),
    ):
        with raises(Malformed, reason):
            grant.parse(with_claims({cwt.SCOPE: cbor.encode(scope)}))


def test_what_is_wrong_inside_a_scope_is_named():
    with raises(Malformed, "cbor-truncated"):
        grant.parse(with_claims({cwt.SCOPE: b"\x82"}))
    with raises(Malformed, "rule-window"):
        grant.parse(with_claims({cwt.SCOPE: cbor.encode([1, [["/a", 1, {1: []}]]])}))
    with raises(Malformed, "rule-methods"):
        grant.parse(with_claims({cwt.SCOPE: cbor.encode([["/a", 1 << 32]])}))
    with raises(Unsupported, "aif-methods"):
        grant.parse(with_claims({cwt.SCOPE: cbor.encode([["/a", 128]])}))


def test_an_unknown_condition_is_carried_and_refuses_later():
    given = check(make(rules=[("/r/open", 3, {99: ["later"]})]))
    assert subjects.ask(given.rules, (2, "/r/open", None), NOW).reason == "rule-unknown-condition"


def test_another_sites_grant():
    with raises(Untrusted, "grant-other-site"):
        check(make(), site_id=OTHER_SITE, public=stranger.public)
    with raises(Untrusted, "grant-other-site"):
        check(make(key=stranger, site_id=OTHER_SITE))


def test_another_signers_grant():
    with raises(Unverified, "cose-signature"):
        check(make(key=stranger))
    data = bytearray(make())
    data[-1] ^= 1
    with raises(Unverified, "cose-signature"):
        check(bytes(data))


def test_another_kind_of_signature():
    for label in (cose.DEVICE_CREDENTIAL, cose.BUNDLE, cose.JOURNAL_HEAD, cose.DELEGATION, cose.VOUCHER, b""):
        with raises(Unverified, "cose-signature"):
            check(with_claims({}, label))


def test_another_devices_grant():
    for audience, device_id, counts in (
        (["kiosk-1"], "kiosk-1", True),
        (["kiosk-1"], "kiosk-10", False),
        (["kiosk-1"], "KIOSK-1", False),
        (["kiosk-*"], "kiosk-10", True),
        (["kiosk-*"], "locker-1", False),
        (["*"], "locker-1", True),
        (["kiosk-1", "locker-*"], "locker-1", True),
        (["kiosk-1", "locker-*"], "kiosk-2", False),
    ):
        data = make(audience=audience)
        assert grant.parse(data).audience == tuple(audience)
        if counts:
            check(data, device_id)
        else:
            with raises(Untrusted, "grant-other-device"):
                check(data, device_id)


def test_a_revoked_grant():
    check(make(), revoked=(b"another.",))
    with raises(Untrusted, "grant-revoked"):
        check(make(), revoked=(b"another.", ID))


def test_an_early_grant_and_an_expired_one():
    data = make(not_before=NOW, expires=NOW + 60)
    check(data, now=NOW)
    check(data, now=NOW + 59)
    with raises(Untrusted, "grant-not-yet-valid"):
        check(data, now=NOW - 1)
    with raises(Untrusted, "grant-expired"):
        check(data, now=NOW + 60)


def test_a_grant_with_an_end_needs_the_time():
    check(make(), now=None)
    for ends in ({"not_before": NOW}, {"expires": NOW}):
        with raises(Untrusted, "grant-time-unknown"):
            check(make(**ends), now=None)


def test_each_claim_has_its_shape():
    key = cose.encode_key(alice.public)
    for claim, value, reason in (
        (cwt.ISS, None, "cwt-issuer"),
        (cwt.ISS, "admit", "cwt-issuer"),
        (cwt.SUB, None, "grant-subject"),
        (cwt.SUB, "", "grant-subject"),
        (cwt.SUB, "a" * 65, "grant-subject"),
        (cwt.AUD, None, "grant-audience"),
        (cwt.AUD, "", "grant-audience"),
        (cwt.AUD, "*-1", "grant-audience"),
        (cwt.AUD, ["kiosk-1"], "grant-audience"),
        (cwt.AUD, ["kiosk-1", ""], "grant-audience"),
        (cwt.IAT, None, "grant-issued-at"),
        (cwt.CTI, None, "grant-id"),
        (cwt.CTI, b"7 bytes", "grant-id"),
        (cwt.SCOPE, None, "grant-scope"),
        (cwt.SCOPE, "r/open", "grant-scope"),
        (cwt.CNF, None, "cwt-cnf"),
        (cwt.CNF, {}, "cwt-cnf"),
        (cwt.CNF, {1: key, 3: b"kid"}, "cwt-cnf"),
        (cwt.CNF, {1: {1: 2}}, "cose-key"),
        (cwt.SIG_KEY, {1: 2}, "cose-key"),
        (cwt.EXP, "soon", "cwt-claims"),
    ):
        with raises(Malformed, reason):
            grant.parse(with_claims({claim: value}))


def test_an_unknown_claim_is_ignored():
    assert grant.parse(with_claims({-70000: "later"})).subject == "alice"  # RFC 8392 section 3


def test_a_grant_cut_short_anywhere_does_not_parse():
    data = make(rules=[("/r/*", 3, OFFICE)])
    for length in range(len(data)):
        try:
            grant.parse(data[:length])
        except AdmitError as error:
            assert error.reason == "cbor-truncated", (length, error.reason)
            continue
        raise AssertionError("%d of %d bytes parsed" % (length, len(data)))


def test_sizes_stay_small():
    data = make(sig_public=signing.public, audience=("kiosk-*",), expires=NOW, rules=[("/r/open", 3, OFFICE)])
    assert len(data) < 420
