"""AIF: RFC 9237's examples, and that whatever is not plainly an allow-list of methods grants nothing."""

from admit_protocol import aif, cbor
from admit_protocol.errors import Malformed, Unsupported
from support import raises, vectors

RFC_9237 = vectors("rfc9237_aif.json")


def pairs(entries):
    return [(path, mask) for path, mask in entries]


def test_the_example_of_rfc_9237_has_its_28_bytes():
    data = bytes.fromhex(RFC_9237["basic"]["hex"])
    assert len(data) == 28
    assert aif.decode(data) == [("/s/temp", aif.GET), ("/a/led", aif.PUT | aif.GET), ("/dtls", aif.POST)]
    assert aif.decode(data) == pairs(RFC_9237["basic"]["entries"])
    assert aif.encode(aif.decode(data)) == data


def test_dynamic_methods_are_carried_apart_from_the_plain_ones():
    mask = aif.POST | (aif.GET | aif.DELETE) << 32
    assert pairs(RFC_9237["dynamic"]["entries"]) == [("/a/make-coffee", mask)]
    data = aif.encode([("/a/make-coffee", mask)])
    assert aif.decode(data) == [("/a/make-coffee", mask)]
    assert not mask & aif.GET and not mask & aif.DELETE


def test_entries_with_the_same_path_become_one():
    entries = [("/r/open", aif.GET), ("/time", aif.GET), ("/r/open", aif.POST)]
    assert aif.decode(aif.encode(entries)) == [("/r/open", aif.GET | aif.POST), ("/time", aif.GET)]


def test_nothing_granted_is_an_empty_list():
    assert aif.encode([]) == b"\x80" and aif.decode(b"\x80") == []


def test_what_is_no_allow_list_is_refused():
    for value, reason in (
        ({"/r": 1}, "aif-structure"),
        ("/r", "aif-structure"),
        ([1, [["/r", 1, {}]]], "aif-structure"),  # our own scope with conditions: no reader of AIF takes it
        ([["/r"]], "aif-structure"),
        ([["/r", 1, {}]], "aif-structure"),
        ([[b"/r", 1]], "aif-path"),
        ([["", 1]], "aif-path"),
        ([["r/open", 1]], "aif-path"),
        ([["/r", 1], ["/s", 1], ["/r", 2]], "aif-duplicate-path"),
        ([["/r", "GET"]], "aif-methods"),
        ([["/r", True]], "aif-methods"),
        ([["/r", 0]], "aif-methods"),
        ([["/r", -1]], "aif-methods"),
        ([["/r", [1]]], "aif-methods"),
    ):
        with raises(Malformed, reason):
            aif.decode(cbor.encode(value))


def test_a_method_that_nobody_defined_spoils_the_whole_item():
    for mask in (0x80, 0x81, 1 << 31, 1 << 39, 2**64 - 1):
        with raises(Unsupported, "aif-methods"):
            aif.decode(cbor.encode([["/r", 1], ["/s", mask]]))
