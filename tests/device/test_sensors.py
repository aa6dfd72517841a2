"""Sensors: numbers that a site's own functions tell; what one of them does costs its own value and no more."""

from admit_device.sensors import declared
from admit_protocol import cbor, coap
from admit_protocol.errors import LocalError
from rig import ALL
from support import raises
from visitors import Visitor, new_kiosk


def health(rig):
    response = Visitor(rig, "admin", ALL).carry(coap.request(coap.GET, "/health"))
    return cbor.decode(response.payload)


def measuring(values):
    """A kiosk with these sensors."""
    rig = new_kiosk()
    rig.namespace = dict(rig.namespace)
    rig.namespace["sensors"] = values
    rig.boot()
    return rig


def test_a_sensor_tells_a_number_of_at_most_three_decimals():
    values = {"a": lambda: 21, "b": lambda: 21.5, "c": lambda: -0.125, "d": lambda: 0, "e": lambda: 1000000}
    told = health(measuring(values))["sensors"]
    assert told == {"a": 21, "b": [215, 1], "c": [-125, 3], "d": 0, "e": 1000000}


def test_a_sensor_that_fails_or_tells_no_number_tells_nothing_and_the_others_do():
    def broken():
        raise ValueError("a secret of the site")

    values = {"text": lambda: "21", "none": lambda: None, "yes": lambda: True, "broken": broken, "good": lambda: 1}
    values["nan"], values["large"], values["much"] = lambda: float("nan"), lambda: 1000001, lambda: float("-inf")
    body = health(measuring(values))
    assert body["sensors"] == dict([(name, None) for name in values] + [("good", 1)])
    assert body["exceptions"] == 3 and "secret" not in str(body)


def test_what_is_no_declaration_of_sensors_is_refused():
    nine = dict([("s%d" % number, int) for number in range(9)])
    for wrong in (nine, [int], {"": int}, {"A": int}, {"a b": int}, {"x" * 25: int}, {"a": 5}, {1: int}):
        with raises(LocalError, "sensor-form"):
            declared({"sensors": wrong})
    assert declared({}) == {}


def test_the_board_is_told_which_of_the_sites_code_begins():
    rig = measuring({"t": lambda: 1})
    health(rig)
    assert rig.done == "sensor t"
