"""On a small heap, a module that is only needed for a while is gone afterwards; what was there before stays."""

import sys

import admit_protocol
from admit_device import ondemand
from admit_device.ondemand import OnDemand, borrowed, kept, rest, settle
from admit_protocol.errors import Malformed
from support import raises

HEAP = "400k"  # less than what makes forgetting needless
NAME = "admit_protocol.linkformat"
FORGETS = sys.implementation.name == "micropython"


def is_loaded():
    in_package = hasattr(admit_protocol, "linkformat")
    assert in_package == (NAME in sys.modules)
    return in_package


def test_a_small_heap_is_told_from_a_large_one():
    assert ondemand.is_small == FORGETS


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


def linkformat_module():
    from admit_protocol import linkformat

    return linkformat


def aif_module():
    from admit_protocol import aif

    return aif


def test_what_is_on_demand_stays_until_it_is_told_to_go():
    settle()
    on_demand = OnDemand(linkformat_module)
    first = on_demand()
    rest()
    assert is_loaded() and on_demand() is first
    on_demand.forget()
    assert is_loaded() != FORGETS
    assert on_demand().parse("") == [] and is_loaded()
    on_demand.forget()
    on_demand.forget()
    assert is_loaded() != FORGETS


def test_what_any_function_imported_goes_when_the_device_rests():
    settle()
    linkformat_module()
    assert is_loaded()
    rest()
    assert is_loaded() != FORGETS


def test_what_others_have_on_demand_is_not_forgotten():
    settle()
    mine, others = OnDemand(linkformat_module), OnDemand(aif_module)
    mine()
    others()
    others.forget()
    assert ("admit_protocol.aif" in sys.modules) != FORGETS and is_loaded()
    with borrowed():
        linkformat_module()
    assert is_loaded()
    mine.forget()
    assert is_loaded() != FORGETS


def test_what_was_there_by_chance_is_on_demand_all_the_same():
    settle()
    linkformat_module()
    on_demand = OnDemand(linkformat_module)
    on_demand()
    rest()
    assert is_loaded()
    on_demand.forget()
    assert is_loaded() != FORGETS


def test_what_belongs_to_others_is_never_forgotten():
    import support as others

    rest()
    with borrowed():
        import vectors as more  # a folder of this project's tests
    assert sys.modules["support"] is others and sys.modules["vectors"] is more


def test_what_is_kept_while_something_is_borrowed_stays():
    with borrowed():
        with kept():
            from admit_protocol import coap_numbers
    assert sys.modules["admit_protocol.coap_numbers"] is coap_numbers
    rest()
    assert sys.modules["admit_protocol.coap_numbers"] is coap_numbers


def test_what_was_there_before_stays():
    from admit_protocol import linkformat

    settle()
    with borrowed():
        from admit_protocol import linkformat as again
    rest()
    assert is_loaded() and again is linkformat
