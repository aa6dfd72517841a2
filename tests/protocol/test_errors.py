"""The tree of errors: numbers on the wire are unique and stay; every error says who is at fault."""

from admit_protocol import errors
from support import raises

# The numbers are part of the wire format: a line here is never changed, only added.
CODES = {
    "AdmitError": 0,
    "LocalError": 1,
    "StorageError": 2,
    "EntropyError": 3,
    "RemoteError": 16,
    "Malformed": 17,
    "Unsupported": 18,
    "WrongSuite": 19,
    "Unverified": 20,
    "UnknownCredential": 21,
    "Untrusted": 22,
    "Unauthenticated": 23,
    "Replayed": 24,
    "Denied": 25,
    "NotFound": 26,
    "MethodNotAllowed": 27,
    "Conflict": 28,
    "TooLarge": 29,
    "Incomplete": 30,
    "Busy": 31,
    "TimedOut": 32,
    "Refused": 33,
}


def all_errors():
    kinds = [getattr(errors, name) for name in dir(errors)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, errors.AdmitError)]


def test_each_error_keeps_its_own_number():
    assert {kind.__name__: kind.code for kind in all_errors()} == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_each_error_is_our_fault_or_theirs():
    for kind in all_errors():
        if kind is not errors.AdmitError:
            assert issubclass(kind, errors.LocalError) != issubclass(kind, errors.RemoteError), kind
            assert (kind.code < 16) == issubclass(kind, errors.LocalError), kind


def test_what_a_peer_got_wrong_is_a_client_error_in_coap_and_our_failure_a_servers():
    for kind in all_errors():
        server = issubclass(kind, errors.LocalError) or kind in (errors.AdmitError, errors.Busy, errors.TimedOut)
        assert kind.coap >> 5 == (5 if server else 4), kind


def test_edhoc_knows_three_kinds_of_error():
    """RFC 9528 section 6: 1 unspecified, 2 wrong selected cipher suite, 3 unknown credential referenced."""
    special = {kind.__name__: kind.edhoc for kind in all_errors() if kind.edhoc != 1}
    assert special == {"WrongSuite": 2, "UnknownCredential": 3}


def test_an_error_reads_as_its_reason_and_its_detail():
    assert str(errors.Malformed("cbor-truncated")) == "cbor-truncated"
    assert str(errors.Malformed("cbor-truncated", "at byte 7")) == "cbor-truncated: at byte 7"
    with raises(errors.Malformed, "cbor-truncated"):
        raise errors.Malformed("cbor-truncated")


def test_a_refusal_carries_what_the_peer_answered():
    refused = errors.Refused("peer-refused", status=0x83, problem={1: 25})
    assert (refused.status, refused.problem) == (0x83, {1: 25})
    assert errors.Refused("peer-refused").problem == {}
