"""All that is signed: each kind is read as itself alone, in one form, whole."""

from admit_protocol import (
    anchor,
    approval,
    bundle,
    cbor,
    cose,
    credential,
    delegation,
    enrolment,
    grant,
    issuing,
    journal,
    journal_reader,
    notice,
    papers,
    receipt,
    release,
    rotation,
    succession,
    takeover,
    time_answer,
    voucher,
    wipe,
)
from admit_protocol.errors import Malformed, RemoteError, Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"papers").random)
# One key signs everything here, so that nothing but the kind can tell two papers apart.
KEY, OTHER = SUITE.generate(), SUITE.generate()
SITE = anchor.Anchor(KEY.public, KEY.public, "North")
ID, DEVICE, NOW, EIGHT, LONG = SITE.site_id, "kiosk-1", 1_800_000_000, b"12345678", bytes(32)
RULES = [("/r/open", 3, {})]
PARENT = grant.parse(issuing.grant(KEY, ID, EIGHT, "alice", [DEVICE], RULES, KEY.public, NOW, KEY.public, delegate=1))


def link(data):
    return delegation.link(grant.parse(data), PARENT, SUITE)


def believe(module, *rest):
    """How a paper of that module is read and verified."""
    return lambda data: module.verify(module.parse(data), *rest)


def half(signer, label, old, new):
    """One half of the proof that a key follows another."""
    return rotation.sign(signer, label, ID, DEVICE, old.public, new.public, KEY.public)


ELSEWHERE = anchor.Anchor(OTHER.public, OTHER.public, "South").encode()
WORDS = takeover.parse_words(issuing.takeover_words(ID, None, ELSEWHERE, bytes(16), LONG, NOW, NOW + 1))
OLD_HALF = rotation.parse(half(OTHER, cose.ROTATION, OTHER, KEY))
NEW_HALF = rotation.parse(half(OTHER, cose.POSSESSION, KEY, OTHER))


def agreed(data):
    """The new key's signature under the words of a succession, as part of one that is good otherwise."""
    *words, made = papers.read(data, (16, int, 64, 64, int, int), "succession-structure")
    whole = papers.sign(OTHER, cose.SUCCESSION, words + [made.signature])
    succession.verify(succession.parse(whole), OTHER.public, ID, 1, SUITE)


# kind: (label, a good paper, what reads and verifies it)
KINDS = {
    "credential": (
        cose.DEVICE_CREDENTIAL,
        issuing.credential(KEY, ID, DEVICE, KEY.public, credential.kid(KEY.public), NOW, KEY.public),
        believe(credential, SITE, SUITE),
    ),
    "grant": (
        cose.GRANT,
        issuing.grant(KEY, ID, EIGHT, "alice", [DEVICE], RULES, KEY.public, NOW),
        lambda data: grant.verify_issuer(grant.parse(data), KEY.public, ID, SUITE),
    ),
    "delegation": (
        cose.DELEGATION,
        issuing.delegation(KEY, PARENT, "bob", [DEVICE], RULES, KEY.public, NOW),
        link,
    ),
    "bundle": (
        cose.BUNDLE,
        issuing.bundle(KEY, ID, DEVICE, 1, [EIGHT], NOW),
        believe(bundle, SITE, DEVICE, SUITE),
    ),
    "time": (
        cose.TIME,
        issuing.time_answer(KEY, ID, DEVICE, EIGHT, NOW),
        believe(time_answer, SITE, DEVICE, EIGHT, SUITE),
    ),
    "approval": (
        cose.APPROVAL,
        issuing.approval(KEY, ID, DEVICE, EIGHT, LONG),
        believe(approval, KEY.public, ID, DEVICE, EIGHT, LONG, SUITE),
    ),
    "enrolment": (
        cose.ENROLMENT,
        issuing.enrolment(KEY, LONG, EIGHT),
        believe(enrolment, KEY.public, LONG, EIGHT, SUITE),
    ),
    "notice": (
        cose.NOTICE,
        issuing.notice(KEY, ID, 1, NOW, [EIGHT]),
        believe(notice, SITE, SUITE),
    ),
    "release": (
        cose.RELEASE,
        issuing.release(KEY, ID, "1.4.0", 7, 6, [("start.mpy", 3, LONG)], ["virtual"], "virtual", 6, 0, NOW, NOW + 9),
        believe(release, SITE, SUITE),
    ),
    "wipe certificate": (
        cose.WIPE_CERTIFICATE,
        wipe.sign(KEY, ID, DEVICE, 0, LONG, 1, NOW, "sold"),
        believe(wipe, KEY.public, ID, DEVICE, SUITE),
    ),
    "rotation": (
        cose.ROTATION,
        half(KEY, cose.ROTATION, KEY, OTHER),
        lambda data: rotation.verify(rotation.parse(data), NEW_HALF, KEY.public, ID, DEVICE, SUITE),
    ),
    "possession": (
        cose.POSSESSION,
        half(KEY, cose.POSSESSION, OTHER, KEY),
        lambda data: rotation.verify(OLD_HALF, rotation.parse(data), OTHER.public, ID, DEVICE, SUITE),
    ),
    "succession": (
        cose.SUCCESSION,
        succession.sign(KEY, OTHER, ID, 1, KEY.public, NOW, NOW),
        lambda data: succession.verify(succession.parse(data), KEY.public, ID, 1, SUITE),
    ),
    "successor": (
        cose.SUCCESSOR,
        papers.sign(KEY, cose.SUCCESSOR, (ID, 1, KEY.public, KEY.public, NOW, NOW)),
        agreed,
    ),
    "voucher": (
        cose.VOUCHER,
        issuing.voucher(KEY, 1, DEVICE, KEY.public, ID, SITE.encode(), None, NOW),
        lambda data: voucher.verify_chain([voucher.parse(data)], SITE, DEVICE, KEY.public, SUITE),
    ),
    "receipt": (
        cose.RECEIPT,
        receipt.sign(KEY, ID, DEVICE, LONG, ID, KEY.public, 0, LONG, 1, NOW),
        believe(receipt, KEY.public, ID, DEVICE, SUITE),
    ),
    "recovery policy": (
        cose.RECOVERY_POLICY,
        issuing.recovery_policy(KEY, ID, 1, 2, [KEY.public, OTHER.public], 86400, NOW),
        lambda data: takeover.verify_policy(takeover.parse_policy(data), SITE, SUITE),
    ),
    "takeover": (
        cose.TAKEOVER,
        issuing.takeover_signature(KEY, WORDS),
        lambda data: takeover.verify_signature(takeover.parse_signature(data), WORDS, SUITE),
    ),
    "takeover veto": (
        cose.TAKEOVER_VETO,
        issuing.takeover_veto(KEY, ID, bytes(16)),
        lambda data: takeover.verify_veto(takeover.parse_veto(data), SITE, SUITE),
    ),
    "journal head": (
        cose.JOURNAL_HEAD,
        cose.sign1(KEY, cbor.encode([DEVICE, 0, journal.first_head(KEY.public), NOW]), cose.JOURNAL_HEAD),
        lambda data: journal_reader.verify([], data, KEY.public, DEVICE, SUITE),
    ),
}


def resigned(data, label, key=KEY):
    return cose.sign1(key, cose.parse_sign1(data).payload, label)


def test_each_kind_is_read_as_itself():
    for _, data, verify in KINDS.values():
        verify(data)


def test_no_two_kinds_have_the_same_label():
    labels = [label for label, _, _ in KINDS.values()]
    purposes = [getattr(cose, name) for name in dir(cose) if isinstance(getattr(cose, name), bytes)]
    assert sorted(labels) == sorted([each for each in purposes if each.startswith(b"admit:")])
    assert len(set(labels)) == len(labels)


def test_no_kind_passes_for_another():
    """By form or by signature, whichever is looked at first."""
    for name, (_, _, verify) in KINDS.items():
        for other, (_, data, _) in KINDS.items():
            if other != name:
                assert refusal(verify, data), (name, other)


def test_the_very_words_of_a_kind_signed_for_another_purpose_are_not_it():
    for name, (label, data, verify) in KINDS.items():
        for purpose in [other for other, _, _ in KINDS.values()] + [b""]:
            if purpose == label:
                verify(resigned(data, purpose))
            else:
                assert refusal(verify, resigned(data, purpose)) == "cose-signature", (name, purpose)


def refusal(verify, data):
    try:
        verify(data)
    except RemoteError as error:
        return error.reason
    return None


def test_nobody_else_signs_them():
    for name, (label, data, verify) in KINDS.items():
        assert refusal(verify, resigned(data, label, OTHER)) == "cose-signature", name


def test_each_has_one_form():
    for name, (_, data, verify) in KINDS.items():
        made = cose.parse_sign1(data)
        assert cbor.encode(cbor.decode(made.payload)) == made.payload
        dressed = cbor.encode(cbor.Tag(18, [made.protected, {4: b"kid"}, made.payload, made.signature]))
        if name == "journal head":
            continue  # it names nothing by its bytes
        assert refusal(verify, dressed) == "cose-form", name


# The form of the small ones


def test_every_field_is_there_and_of_its_kind_and_no_other():
    for kind in ("time", "approval", "enrolment", "notice"):
        label, data, verify = KINDS[kind]
        good = cbor.decode(cose.parse_sign1(data).payload)
        wrong = [[], {}, _with(good, 0, 1), _with(good, len(good) + 1, 1)]
        for number in good:
            wrong += [_without(good, number), _with(_without(good, number), 99, good[number])]
            wrong += [_with(good, number, value) for value in (None, True, -1, bytes(7), [1])]
        for each in wrong:
            refused = refusal(verify, cose.sign1(KEY, cbor.encode(each), label))
            assert refused == kind + "-structure", (kind, each, refused)


def _with(good, number, value):
    changed = dict(good)
    changed[number] = value
    return changed


def _without(good, number):
    changed = dict(good)
    del changed[number]
    return changed


def test_a_number_of_bytes_is_kept_to():
    data = cose.sign1(KEY, cbor.encode({1: bytes(8), 2: 5, 3: None}), b"label")
    assert papers.read(data, (8, int, (str, type(None))), "x")[:3] == [bytes(8), 5, None]
    for kinds in ((7, int, type(None)), (8, str, type(None)), (8, int, str), (8, int), (8, int, type(None), int)):
        with raises(Malformed, "x"):
            papers.read(data, kinds, "x")


def test_order_is_strict():
    for good in ([], [1], [1, 2, 9], [b"a", b"b"], ["", "a"]):
        papers.check_order(good, "x")
    for wrong in ([1, 1], [2, 1], [b"b", b"a"], ["a", "b", "b"]):
        with raises(Malformed, "x"):
            papers.check_order(wrong, "x")


def test_site_then_signature_then_device():
    """So that who forges learns nothing of the device's name."""
    strangers = anchor.Anchor(OTHER.public, OTHER.public, "South")
    made = time_answer.parse(issuing.time_answer(OTHER, ID, "kiosk-2", EIGHT, NOW))
    with raises(Untrusted, "paper-other-site"):
        time_answer.verify(made, strangers, DEVICE, EIGHT, SUITE)
    with raises(Unverified, "cose-signature"):
        time_answer.verify(made, SITE, DEVICE, EIGHT, SUITE)
    with raises(Untrusted, "paper-other-device"):
        time_answer.verify(
            time_answer.parse(issuing.time_answer(KEY, ID, "kiosk-2", EIGHT, NOW)), SITE, DEVICE, EIGHT, SUITE
        )
