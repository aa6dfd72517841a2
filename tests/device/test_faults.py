"""Faults of our own or of a site's code: told the console in full, never a visitor, and the device goes on."""

import sys

from admit_device import device, faults
from admit_device.device import guarded
from admit_protocol import coap, coap_numbers
from visitors import Visitor, new_kiosk, reason


class Console:
    """Stands in for sys.stderr while the test runs; MicroPython prints where it cannot be caught."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def fail():
    raise RuntimeError("what a routine knew")


def printed(call):
    console, real = Console(), sys.stderr
    if sys.implementation.name == "micropython":
        call()
        return None
    sys.stderr = console
    try:
        call()
    finally:
        sys.stderr = real
    return console.text


def test_the_console_learns_what_went_wrong_and_where():
    try:
        fail()
    except RuntimeError as error:
        caught = error
    text = printed(lambda: faults.print_exception(caught))
    if text is not None:
        assert "what a routine knew" in text and "in fail" in text


def test_a_step_of_the_main_loop_that_fails_is_printed_and_the_loop_goes_on():
    told = []
    real, device.print_exception = device.print_exception, told.append
    try:
        assert guarded(fail) is False
        assert guarded(lambda: 5) == 5
    finally:
        device.print_exception = real
    assert [type(each) for each in told] == [RuntimeError]


def test_what_stops_a_program_is_not_caught():
    def leave():
        raise SystemExit

    try:
        guarded(leave)
    except SystemExit:
        pass
    else:
        raise AssertionError("caught")


def test_a_kiosk_whose_storage_is_full_starts_and_names_the_fault():
    rig = new_kiosk()
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
    rig.storage.full = True
    real, device.print_exception = device.print_exception, lambda error: None
    try:
        rig.boot()
    finally:
        device.print_exception = real
    alice = Visitor(rig, by_value=False)
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT
    for refused in (alice.ask(coap.POST, "/login"), alice.invoke("open"), alice.ask(coap.GET, "/health")):
        assert (refused.code, reason(refused)) == (coap_numbers.INTERNAL_SERVER_ERROR, "storage-full")
    assert rig.outputs.get("door") == "closed"
    rig.storage.full = False
    assert alice.invoke("open").code == coap.CHANGED
