"""`const` names a value and changes nothing about it; where the compiler knows it, a private name is not even kept."""

import sys

from admit_protocol.const import const

PUBLIC = const(3)
_PRIVATE = const(-5)


def test_a_constant_is_its_value():
    assert PUBLIC == 3 and _PRIVATE == -5 and const("text") == "text"


def test_on_micropython_a_private_constant_takes_no_place_in_its_module():
    kept = "_PRIVATE" in globals()
    assert kept == (sys.implementation.name != "micropython")
    assert "PUBLIC" in globals()
