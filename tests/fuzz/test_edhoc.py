"""EDHOC against hostile input: parsers answer with a RemoteError, sessions run in their one order or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.suite import HostSuite
from admit_protocol import cbor, ccs, edhoc, edhoc_client
from admit_protocol.errors import AdmitError, LocalError, Malformed, RemoteError, Unsupported, WrongSuite
from edhoc_peers import identity, initiator, kdf, responder
from fuzz.strategies import FUZZ

SUITE = HostSuite()
USER, CRED_I = identity("user", b"\x91\x02\x03\x04\x05\x06\x07\x08", SUITE)
DEVICE, CRED_R = identity("device", b"\x05", SUITE)
X, Y = kdf.sha256(b"fuzz: x"), kdf.sha256(b"fuzz: y")

numbers = st.integers(-(2**64), 2**64 - 1)
scalars = st.none() | st.booleans() | numbers | st.binary(max_size=70) | st.text(max_size=8)
cbor_items = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(numbers | st.text(max_size=4), inner, max_size=4)
        | st.builds(cbor.Tag, st.integers(0, 2**64 - 1), inner)
    ),
    max_leaves=8,
)
sequences = st.lists(cbor_items, max_size=7).map(cbor.encode_sequence)
labels = st.integers(-30, 30).filter(bool)
eads = st.lists(st.tuples(labels, st.none() | st.binary(max_size=20)), max_size=4)
identifiers = st.binary(max_size=7)


def session(method=2, ead=()):
    """Both roles in mid-air with fixed ephemerals: (initiator, message_1, responder, message_2)."""
    i = initiator(method, (2,), b"\x0a", USER, CRED_I, SUITE, SUITE.private_key(X))
    r = responder(edhoc_client.METHODS, (2, 3), DEVICE, CRED_R, SUITE)
    message_1 = i.message_1(ead)
    r.parse_message_1(message_1)
    return i, message_1, r, r.message_2(SUITE.private_key(Y), b"\x0b", ead)


def assert_dead(role):
    """It says no to everything, and holds no secret any more."""
    assert role._prk is role._th is role._prk_out is role._received is role._ephemeral is role._key is None
    with pytest.raises(LocalError) as caught:
        role.oscore()
    assert caught.value.reason == "edhoc-state"


@st.composite
def mutated(draw, data):
    """`data` with a few bytes changed, cut out, put in or cut off."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(("flip", "cut", "insert", "truncate")))
        if kind == "flip" and at < len(data):
            data[at] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 4))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif kind == "truncate":
            del data[at:]
    return bytes(data)


PARSERS = {
    "message_1": edhoc.parse_message_1,
    "message_2": edhoc_client.parse_message_2,
    "plaintext": lambda data: edhoc.parse_plaintext(data, 8),
    "prefix": edhoc.split_prefixed,
    "ccs": ccs.credential,
    "cwt": edhoc.cwt_credential,
    "responder": lambda data: responder().parse_message_1(data),
}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@FUZZ
@given(st.binary(max_size=200) | sequences)
def test_a_parser_takes_anything_and_raises_only_remote_errors(parser, data):
    try:
        parser(data)
    except RemoteError:
        pass


@FUZZ
@given(st.binary(max_size=60) | sequences)
def test_an_error_message_is_read_or_it_is_none(data):
    found = edhoc_client.parse_error(data)
    if found is not None:
        code, info = found
        assert cbor.decode_sequence(data)[0] == code
        assert {1: isinstance(info, str), 2: isinstance(info, list), 3: info is True}.get(code, True)


@FUZZ
@given(st.integers(-5, 5), st.lists(st.integers(-24, 30), min_size=1, max_size=5), identifiers, eads)
def test_message_1_has_one_encoding(method, suites, c_i, ead):
    parsed = (method, suites, X, c_i, ead)
    data = edhoc_client.encode_message_1(*parsed)
    assert edhoc.parse_message_1(data) == parsed


@FUZZ
@given(sequences)
def test_what_a_parser_accepts_it_would_have_written(data):
    try:
        parsed = edhoc.parse_message_1(data)
    except RemoteError:
        return
    items = cbor.decode_sequence(data)
    if 0 not in items[4:]:  # padding
        assert edhoc_client.encode_message_1(*parsed) == data


@FUZZ
@given(st.data())
def test_a_changed_message_1_never_leads_to_a_session(data):
    i, message_1, _, _ = session()
    changed = data.draw(mutated(message_1).filter(lambda other: other != message_1))
    r = responder(edhoc_client.METHODS, (2, 3), DEVICE, CRED_R, SUITE)
    try:
        r.parse_message_1(changed)
        message_2 = r.message_2(SUITE.private_key(Y), b"\x0b" if r.c_i != b"\x0b" else b"\x0c")
    except RemoteError:
        assert_dead(r)
        return
    with pytest.raises(RemoteError):
        i.parse_message_2(message_2)
        i.verify_message_2(CRED_R)
    assert_dead(i)


@pytest.mark.parametrize("method", edhoc_client.METHODS)
@FUZZ
@given(st.data())
def test_a_changed_message_2_is_never_verified(method, data):
    i, _, _, message_2 = session(method)
    with pytest.raises(RemoteError):
        i.parse_message_2(data.draw(mutated(message_2).filter(lambda other: other != message_2)))
        i.verify_message_2(CRED_R)
    assert_dead(i)


@FUZZ
@given(st.data())
def test_a_changed_message_3_or_4_is_never_opened(data):
    i, _, r, message_2 = session()
    i.parse_message_2(message_2)
    i.verify_message_2(CRED_R)
    message_3 = i.message_3()
    if data.draw(st.booleans()):
        with pytest.raises(RemoteError):
            r.parse_message_3(data.draw(mutated(message_3).filter(lambda other: other != message_3)))
        assert_dead(r)
        return
    r.parse_message_3(message_3)
    r.verify_message_3(CRED_I)
    message_4 = r.message_4()
    with pytest.raises(RemoteError):
        i.verify_message_4(data.draw(mutated(message_4).filter(lambda other: other != message_4)))
    assert_dead(i)


@FUZZ
@given(st.binary(max_size=120) | sequences)
def test_a_plaintext_that_only_the_right_peer_could_send_may_still_be_nonsense(plaintext):
    """The peer holds the keys of the session, but does not keep to the CDDL."""
    i, _, r, message_2 = session()
    i.parse_message_2(message_2)
    i.verify_message_2(CRED_R)
    message_3 = i._seal(3, plaintext)
    with pytest.raises(RemoteError):
        r.parse_message_3(message_3)
        r.verify_message_3(CRED_I)
    assert_dead(r)


STEPS = {
    "I": ("message_1", "parse_message_2", "verify_message_2", "message_3", "verify_message_4"),
    "R": ("parse_message_1", "message_2", "parse_message_3", "verify_message_3", "message_4"),
}


@pytest.mark.parametrize("role", ["I", "R"])
@FUZZ
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_a_session_runs_in_order_or_not_at_all(role, order):
    """Whatever the order in which steps are tried: the first one out of turn kills the session for good."""
    i, message_1, r, message_2 = session()
    i.parse_message_2(message_2)
    i.verify_message_2(CRED_R)
    message_3 = i.message_3()
    ephemeral = SUITE.private_key(Y)
    arguments = {
        "I": ((), (message_2,), (CRED_R,), (), (cbor.encode(bytes(8)),)),
        "R": ((message_1,), (ephemeral, b"\x0b"), (message_3,), (CRED_I,), ()),
    }[role]
    subject = (
        initiator(2, (2,), b"\x0a", USER, CRED_I, SUITE, SUITE.private_key(X))
        if role == "I"
        else responder(edhoc_client.METHODS, (2, 3), DEVICE, CRED_R, SUITE)
    )
    expected = 0
    for n in order:
        step = getattr(subject, STEPS[role][n])
        if n == expected and expected is not None:
            try:
                step(*arguments[n])
                expected = n + 1
            except RemoteError:  # message_2 carries a signature of another run; message_4 is a forgery
                expected = None
        else:
            expected = None
            with pytest.raises(LocalError) as caught:
                step(*arguments[n])
            assert caught.value.reason == "edhoc-state"
    if expected is None:
        assert_dead(subject)


def test_the_named_errors_of_named_attacks():
    i, message_1, r, message_2 = session()
    method, suites_i, g_x, c_i, _ = edhoc.parse_message_1(message_1)

    def knock(data, methods=(2,), suites=(2,)):
        responder(methods, suites, DEVICE, CRED_R, SUITE).parse_message_1(data)

    attacks = {
        (Unsupported, "edhoc-method"): lambda: knock(edhoc_client.encode_message_1(3, suites_i, g_x, c_i)),
        (WrongSuite, "edhoc-suite"): lambda: knock(edhoc_client.encode_message_1(method, [0], g_x, c_i)),
        (Unsupported, "edhoc-critical-ead"): lambda: knock(
            edhoc_client.encode_message_1(method, suites_i, g_x, c_i, [(-1, b"")])
        ),
        (Malformed, "cbor-too-long"): lambda: knock(message_1 + edhoc.encode_ead([(0, bytes(4096))])),
        (Malformed, "edhoc-message-2"): lambda: i.parse_message_2(message_1),
        (Malformed, "cbor-truncated"): lambda: r.parse_message_3(message_2[:-1]),
    }
    for (kind, reason), attack in attacks.items():
        with pytest.raises(AdmitError) as caught:
            attack()
        assert (type(caught.value), caught.value.reason) == (kind, reason)


def test_swapped_identities_do_not_verify():
    """Mallory holds a good grant of her own and names Alice's, or the other way round."""
    mallory, cred_mallory = identity("mallory", b"\x92\x02\x03\x04\x05\x06\x07\x08", SUITE)
    for key, named, believed in (
        (mallory, CRED_I, CRED_I),
        (mallory, cred_mallory, CRED_I),
        (USER, CRED_I, cred_mallory),
    ):
        for method in edhoc_client.METHODS:
            i = initiator(method, (2,), b"\x0a", key, named, SUITE)
            r = responder(edhoc_client.METHODS, (2,), DEVICE, CRED_R, SUITE)
            r.parse_message_1(i.message_1())
            i.parse_message_2(r.message_2(SUITE.generate(), b"\x0b"))
            i.verify_message_2(CRED_R)
            assert r.parse_message_3(i.message_3())[0] == named.id_cred
            with pytest.raises(RemoteError) as caught:
                r.verify_message_3(believed)
            assert caught.value.reason == ("edhoc-mac-3" if method >= 2 else "edhoc-signature-3")


@FUZZ
@given(st.binary(max_size=12), st.none() | st.text(max_size=12))
def test_a_ccs_survives_as_it_is(kid, subject):
    data = ccs.encode(subject, USER.public, kid)
    cred = ccs.credential(data)
    assert (cred.data, cred.public, cred.id_cred) == (data, USER.public, {4: kid})
    plaintext = edhoc.encode_id_cred(cred.id_cred) + cbor.encode(bytes(8))
    assert edhoc.parse_plaintext(plaintext, 8)[0] == {4: kid}
