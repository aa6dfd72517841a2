"""Routines declare typed, bounded parameters, and nothing runs before they are checked."""

from admit_device.routine_forms import arguments, collect, signature
from admit_device.routines import Choice, Flag, Integer, Text, output, routine
from admit_protocol.errors import LocalError, Malformed
from support import raises

door = output("door", at_power_loss="locks", safe="closed")


@routine(
    "Everything at once.",
    outputs=(door,),
    count=Integer(1, 9, default=3),
    note=Text(5, default=""),
    colour=Choice("red", "green"),
    loud=Flag(default=False),
)
def everything(kiosk, count, note, colour, loud):
    return [count, note, colour, loud]


def test_defaults_are_filled_in():
    assert arguments(everything, {"colour": "red"}) == {"count": 3, "note": "", "colour": "red", "loud": False}


def test_what_is_missing_unknown_or_out_of_bounds_is_refused():
    wrong = [
        {},
        {"colour": "blue"},
        {"colour": 1},
        {"colour": "red", "count": 0},
        {"colour": "red", "count": 10},
        {"colour": "red", "count": True},
        {"colour": "red", "count": "3"},
        {"colour": "red", "note": "longer"},
        {"colour": "red", "note": 7},
        {"colour": "red", "loud": 1},
        {"colour": "red", "else": 1},
        {"colour": "red", 1: 1},
    ]
    for given in wrong:
        with raises(Malformed, "routine-argument"):
            arguments(everything, given)


def test_the_signature_is_json_schemas():
    told = signature(everything)
    assert told["properties"]["count"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 3}
    assert told["properties"]["colour"] == {"type": "string", "enum": ["red", "green"]}
    assert told["required"] == ["colour"]


def test_a_file_is_searched_for_routines_and_outputs_and_nothing_else():
    routines, outputs = collect({"everything": everything, "door": door, "x": 1, "os": None})
    assert list(routines) == ["everything"]
    assert outputs["door"].safe == "closed"


def test_a_name_that_cannot_stand_in_a_path_is_refused():
    with raises(LocalError, "routine-name"):
        collect({"a/b": everything})
    with raises(LocalError, "routine-name"):
        collect({"a" * 33: everything})


def test_a_parameter_cannot_be_called_what_every_routine_gets():
    with raises(LocalError, "routine-name"):
        collect({"all": routine("All.", kiosk=Flag())(lambda kiosk: None)})
