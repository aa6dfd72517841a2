"""What a routines file declares: which routines and outputs, their typed signatures, and arguments held against those.

This file knows nothing of who may run what, nor of how often: see access.py and invocations.py.
"""

from admit_device.routines import REQUIRED, Output, Routine
from admit_protocol import cbor
from admit_protocol.errors import LocalError, Malformed

_OURS = ("asker", "code", "newcomer", "takeover", "visitor")


def collect(namespace):
    """(routines by name, outputs by name) among the names of a routines file."""
    routines = {name: value for name, value in namespace.items() if isinstance(value, Routine)}
    outputs = {value.name: value for value in namespace.values() if isinstance(value, Output)}
    for name in _OURS:
        if name in outputs:
            raise LocalError("routine-name", name + " is told to whoever stands there: no site sets it")
    for name, each in routines.items():
        _check_name(name)
        if "kiosk" in each.parameters:
            raise LocalError("routine-name", "every routine has a kiosk already")
        cbor.encode(signature(each))  # a default that has no CBOR form shows here, not at a visitor's request
    return routines, outputs


def arguments(routine, given):
    """`given` with the defaults filled in; Malformed if one is missing, unknown or out of bounds."""
    for name in given:
        if name not in routine.parameters:
            raise Malformed("routine-argument", "no parameter is named " + str(name))
    return {name: _argument(name, kind, given) for name, kind in routine.parameters.items()}


def with_defaults(routine, given):
    """`given`, unchecked, and the defaults of what it leaves out: what a rule's bounds are about."""
    filled = {name: kind.default for name, kind in routine.parameters.items() if kind.default is not REQUIRED}
    filled.update(given)
    return filled


def signature(routine):
    """The typed signature in JSON Schema's words, so that a stranger can draw a form for it."""
    properties, required = {}, []
    for name in sorted(routine.parameters):
        kind = routine.parameters[name]
        properties[name] = dict(kind.schema)
        if kind.default is REQUIRED:
            required.append(name)
        else:
            properties[name]["default"] = kind.default
    return {"description": routine.description, "properties": properties, "required": required}


def _argument(name, kind, given):
    if name not in given and kind.default is not REQUIRED:
        return kind.default
    if name not in given or not _accepts(kind.schema, given[name]):
        raise Malformed("routine-argument", "%s must be %s" % (name, _words(kind.schema)))
    return given[name]


def _accepts(schema, value):
    if schema["type"] == "integer":
        return type(value) is int and schema["minimum"] <= value <= schema["maximum"]
    if schema["type"] == "boolean":
        return isinstance(value, bool)
    return value in schema["enum"] if "enum" in schema else isinstance(value, str) and len(value) <= schema["maxLength"]


def _words(schema):
    if schema["type"] == "integer":
        return "a whole number from %d to %d" % (schema["minimum"], schema["maximum"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    return "true or false" if schema["type"] == "boolean" else "text of at most %d characters" % schema["maxLength"]


def _check_name(name):
    if len(name) > 32 or "/" in name:
        raise LocalError("routine-name", name)
