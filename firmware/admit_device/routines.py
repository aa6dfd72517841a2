"""Routines: the named operations that a device offers, declared in a file by whoever builds the kiosk.

    from admit_device.routines import Integer, output, routine

    door = output("door", at_power_loss="locks")

    @routine("Open the door for a while.", seconds=Integer(1, 30, default=5))
    def open(kiosk, seconds):
        kiosk.set("door", True)
        kiosk.after(seconds, lambda: kiosk.set("door", False))
        return seconds

A routine is a plain or an `async` function. Parameters are typed and bounded: the device checks them before it runs
anything. Nothing is registered at import: the device looks for `Routine` and `Output` objects in the file's names.
Here are the words of a declaration alone, since they stay in memory: what becomes of it is routine_forms.py's.
"""

REQUIRED = object()


class Parameter:
    """What an argument may be, in JSON Schema's words, and what it is when left out (REQUIRED: it may not be)."""

    def __init__(self, schema, default):
        self.schema, self.default = schema, default


def Integer(least, most, default=REQUIRED):
    """A whole number from `least` to `most`, both allowed."""
    return Parameter({"type": "integer", "minimum": least, "maximum": most}, default)


def Text(most, default=REQUIRED):
    """A string of at most `most` characters."""
    return Parameter({"type": "string", "maxLength": most}, default)


def Choice(*choices, default=REQUIRED):
    """One of a few given strings."""
    return Parameter({"type": "string", "enum": list(choices)}, default)


def Flag(default=REQUIRED):
    """True or false."""
    return Parameter({"type": "boolean"}, default)


class Output:
    """Something that the device moves or shows, and what becomes of it when the power fails."""

    def __init__(self, name, safe, at_power_loss):
        self.name, self.safe, self.at_power_loss = name, safe, at_power_loss


class Routine:
    """A function with its description, parameters by name, and the outputs that it may move."""

    def __init__(self, function, description, parameters, outputs):
        self.function = function
        self.description = description
        self.parameters = parameters
        self.outputs = outputs


def routine(description, outputs=(), **parameters):
    """Declare the function below as a routine. `outputs` are the Output objects that it moves."""
    return lambda function: Routine(function, description, parameters, outputs)


def output(name, at_power_loss, safe=False):
    """Declare an output: its value while at rest and after a reset (`safe`), and in words what a power loss does."""
    return Output(name, safe, at_power_loss)
