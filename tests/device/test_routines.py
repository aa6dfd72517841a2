"""The words with which a routines file declares what a kiosk offers."""

from admit_device.routines import REQUIRED, Choice, Flag, Integer, Output, Routine, Text, output, routine

door = output("door", at_power_loss="locks", safe="closed")


@routine("Open the door.", outputs=(door,), seconds=Integer(1, 30, default=5), note=Text(9))
def open_door(kiosk, seconds, note):
    return seconds


def test_a_routine_keeps_what_was_declared():
    assert isinstance(open_door, Routine) and open_door.description == "Open the door."
    assert open_door.outputs == (door,) and sorted(open_door.parameters) == ["note", "seconds"]
    assert open_door.function(None, 3, "") == 3


def test_an_output_says_what_a_power_loss_does():
    assert isinstance(door, Output)
    assert (door.name, door.safe, door.at_power_loss) == ("door", "closed", "locks")
    assert output("lamp", "goes dark").safe is False


def test_parameters_are_described_in_json_schemas_words():
    for kind, schema, default in (
        (Integer(1, 9), {"type": "integer", "minimum": 1, "maximum": 9}, REQUIRED),
        (Text(5, default=""), {"type": "string", "maxLength": 5}, ""),
        (Choice("red", "green"), {"type": "string", "enum": ["red", "green"]}, REQUIRED),
        (Flag(default=False), {"type": "boolean"}, False),
    ):
        assert kind.schema == schema and kind.default is default
