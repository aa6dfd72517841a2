"""A module that is only borrowed is gone afterwards, on a board; one that was there before stays."""

import sys

import admit_protocol
from admit_device.ondemand import borrowed
from admit_protocol.errors import Malformed
from support import raises

NAME = "admit_protocol.linkformat"
FORGETS = sys.implementation.name == "micropython"


def is_loaded():
    in_package = hasattr(admit_protocol, "linkformat")
    assert in_package == (NAME in sys.modules)
    return in_package


def test_what_is_borrowed_is_given_back():
    for _ in range(2):
        with borrowed():
            from admit_protocol import linkformat

            assert is_loaded() and linkformat.parse("</r>") == [("/r", [])]
        assert is_loaded() != FORGETS


def test_an_error_passes_through_and_nothing_is_kept():
    with raises(Malformed, "linkformat-syntax"):
        with borrowed():
            from admit_protocol import linkformat

            linkformat.parse("r")
    assert is_loaded() != FORGETS


def test_what_was_there_before_stays():
    from admit_protocol import linkformat

    with borrowed():
        from admit_protocol import linkformat as again
    assert is_loaded() and again is linkformat
