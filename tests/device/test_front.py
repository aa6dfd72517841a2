"""What answers requests is there while somebody may ask, and gone with its code when nobody is."""

from admit_protocol import coap
from rig import ALL, Phone
from visitors import Visitor, new_kiosk


def test_a_visit_brings_it_and_the_end_of_the_visit_takes_it_away():
    rig = new_kiosk()
    visitor = Visitor(rig, "admin", ALL)
    assert visitor.ask(coap.GET, "/r").code == coap.CONTENT
    front = rig.device.front
    assert None not in (front._exchange, front._resources, front._routines)
    rig.radio.listener.closed(visitor.number)
    front.rest(True)
    assert (front._exchange, front._resources, front._routines) == (None, None, None)


def test_the_next_visitor_finds_everything_again():
    rig = new_kiosk()
    rig.device.front.rest(True)
    assert Phone(rig).plain(coap.GET, "/id").code == coap.CONTENT
    assert Visitor(rig, "admin", ALL).ask(coap.GET, "/health").code == coap.CONTENT


def test_it_is_busy_only_while_a_routine_runs():
    assert not new_kiosk().device.front.busy()
