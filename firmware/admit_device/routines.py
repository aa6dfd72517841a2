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
This file knows nothing of who may run what, nor of how often: see access.py and invocations.py.
"""

from admit_protocol import cbor
from admit_protocol.errors import LocalError, Malformed

_REQUIRED = object()


class Integer:
    """A whole number from `least` to `most`, both allowed."""

    def __init__(self, least, most, default=_REQUIRED):
        self.least, self.most, self.default = least, most, default

    def accepts(self, value):
        return isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most

    def signature(self):
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Text:
    """A string of at most `most` characters."""

    def __init__(self, most, default=_REQUIRED):
        self.most, self.default = most, default

    def accepts(self, value):
        return isinstance(value, str) and len(value) <= self.most

    def signature(self):
        return {"type": "string", "maxLength": self.most}


class Choice:
    """One of a few given strings."""

    def __init__(self, *choices, default=_REQUIRED):
        self.choices, self.default = choices, default

    def accepts(self, value):
        return value in self.choices

    def signature(self):
        return {"type": "string", "enum": list(self.choices)}


class Flag:
    """True or false."""

    def __init__(self, default=_REQUIRED):
        self.default = default

    def accepts(self, value):
        return isinstance(value, bool)

    def signature(self):
        return {"type": "boolean"}


class Output:
    """Something that the device moves or shows, and what becomes of it when the power fails."""

    def __init__(self, name, safe, at_power_loss):
        self.name, self.safe, self.at_power_loss = name, safe, at_power_loss


class Routine:
    """A function with its description, parameters and the outputs that it may move."""

    def __init__(self, function, description, parameters, outputs):
        self.function = function
        self.description = description
        self.parameters = parameters
        self.outputs = outputs

    def arguments(self, given):
        """`given` with the defaults filled in; Malformed if one is missing, unknown or out of bounds."""
        for name in given:
            if name not in self.parameters:
                raise Malformed("routine-argument", "no parameter is named " + str(name))
        return {name: self._argument(name, kind, given) for name, kind in self.parameters.items()}

    def with_defaults(self, given):
        """`given`, unchecked, and the defaults of what it leaves out: what a rule's bounds are about."""
        filled = {name: kind.default for name, kind in self.parameters.items() if kind.default is not _REQUIRED}
        filled.update(given)
        return filled

    def _argument(self, name, kind, given):
        if name not in given and kind.default is not _REQUIRED:
            return kind.default
        if name not in given or not kind.accepts(given[name]):
            raise Malformed("routine-argument", "%s must be %s" % (name, _words(kind.signature())))
        return given[name]

    def signature(self):
        """The typed signature in JSON Schema's words, so that a stranger can draw a form for it."""
        properties, required = {}, []
        for name in sorted(self.parameters):
            kind = self.parameters[name]
            properties[name] = kind.signature()
            if kind.default is _REQUIRED:
                required.append(name)
            else:
                properties[name]["default"] = kind.default
        return {"description": self.description, "properties": properties, "required": required}


def routine(description, outputs=(), **parameters):
    """Declare the function below as a routine. `outputs` are the Output objects that it moves."""
    return lambda function: Routine(function, description, parameters, outputs)


def output(name, at_power_loss, safe=False):
    """Declare an output: its value while at rest and after a reset (`safe`), and in words what a power loss does."""
    return Output(name, safe, at_power_loss)


def collect(namespace):
    """(routines by name, outputs by name) among the names of a routines file."""
    routines = {name: value for name, value in namespace.items() if isinstance(value, Routine)}
    outputs = {value.name: value for value in namespace.values() if isinstance(value, Output)}
    for name, each in routines.items():
        _check_name(name)
        if "kiosk" in each.parameters:
            raise LocalError("routine-name", "every routine has a kiosk already")
        cbor.encode(each.signature())  # a default that has no CBOR form shows here, not at a visitor's request
    return routines, outputs


def _check_name(name):
    if len(name) > 32 or "/" in name:
        raise LocalError("routine-name", name)


def _words(schema):
    if schema["type"] == "integer":
        return "a whole number from %d to %d" % (schema["minimum"], schema["maximum"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    return "true or false" if schema["type"] == "boolean" else "text of at most %d characters" % schema["maxLength"]
