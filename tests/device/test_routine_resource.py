"""Routines over the wire: listed, described, invoked at most once, and never able to take the device down."""

import asyncio

from admit_device import routine_resource as module
from admit_device.invocations import FAILED, INTERRUPTED
from admit_device.journal_page import page
from admit_device.routines import Choice, Flag, Integer, Text, output, routine
from admit_protocol import cbor, coap, coap_numbers, journal_reader
from memory_ports import PowerCut
from rig import ALL, Rig
from visitors import SITE, Visitor, reason

door = output("door", at_power_loss="locks", safe="closed")
lamp = output("lamp", at_power_loss="goes out")
runs = []


@routine("Open the door.", outputs=(door,), seconds=Integer(1, 30, default=5))
def open_door(kiosk, seconds):
    runs.append((kiosk.user, seconds))
    kiosk.set("door", "open")
    return seconds


@routine("Greets.", outputs=(door, lamp), who=Text(5), colour=Choice("red", "green", default="red"), loud=Flag(False))
def greet(kiosk, who, colour, loud):
    return "%s %s %s" % (who, colour, loud)


@routine("Breaks.")
def broken(kiosk):
    raise RuntimeError("the site's own secret")


@routine("Breaks later.")
async def broken_later(kiosk):
    await asyncio.sleep(0)
    raise ValueError("the site's own secret")


@routine("Loses its power.")
def unplugged(kiosk):
    kiosk.storage.cut_after = 0


@routine("Says nothing.")
def silent(kiosk):
    runs.append("silent")


NAMES = {
    "open": open_door,
    "greet": greet,
    "broken": broken,
    "later": broken_later,
    "unplugged": unplugged,
    "silent": silent,
    "door": door,
    "lamp": lamp,
}


def visited(rules=ALL, name="alice"):
    """(rig, visitor), with a quiet console."""
    runs.clear()
    module.print_exception = lambda error: None
    rig = Rig(NAMES, SITE)
    return rig, Visitor(rig, name, rules)


def outcome(response):
    assert response.code == coap.CHANGED, response
    return cbor.decode(response.payload)


def test_the_list_has_what_she_may_invoke_now_given_the_right_arguments():
    rules = [
        ("/r/open", 2, {3: {"seconds": [1, 3]}}),
        ("/r/greet", 1, {}),
        ("/r/broken", 2, {1: [[64, 0, 0]]}),
        ("/r/si*", 2, {}),
    ]
    _, alice = visited(rules)
    assert sorted(cbor.decode(alice.ask(coap.GET, "/r").payload)) == ["open", "silent"]


def test_a_description_is_a_typed_signature_and_what_its_outputs_do_without_power():
    rig, alice = visited()
    body = cbor.decode(alice.ask(coap.GET, "/r/greet").payload)
    assert body["description"] == "Greets."
    assert body["required"] == ["who"]
    assert body["properties"] == {
        "who": {"type": "string", "maxLength": 5},
        "colour": {"type": "string", "enum": ["red", "green"], "default": "red"},
        "loud": {"type": "boolean", "default": False},
    }
    assert body["outputs"] == {
        "door": {"value": "closed", "at_power_loss": "locks"},
        "lamp": {"value": False, "at_power_loss": "goes out"},
    }
    rig.device.kiosk.set("door", "open")
    assert cbor.decode(alice.ask(coap.GET, "/r/greet").payload)["outputs"]["door"]["value"] == "open"
    assert cbor.decode(alice.ask(coap.GET, "/r/silent").payload)["outputs"] == {}


def test_a_routine_gets_its_arguments_and_defaults_and_knows_whom_it_serves():
    _, alice = visited()
    assert outcome(alice.invoke("open", b"00000001", seconds=7)) == {1: 1, 2: 7}
    assert outcome(alice.invoke("open", b"00000002")) == {1: 1, 2: 5}
    assert outcome(alice.invoke("greet", b"00000003", who="Bob", loud=True)) == {1: 1, 2: "Bob red True"}
    assert outcome(alice.invoke("silent", b"00000004")) == {1: 1}
    assert runs == [("alice", 7), ("alice", 5), "silent"]


def test_what_does_not_fit_the_signature_never_runs_and_leaves_the_id_unused():
    rig, alice = visited()
    for arguments in ({"seconds": 31}, {"seconds": "3"}, {"second": 3}):
        refused = alice.invoke("open", **arguments)
        assert (refused.code, reason(refused)) == (coap.BAD_REQUEST, "routine-argument")
    assert runs == []
    assert outcome(alice.invoke("open", seconds=30)) == {1: 1, 2: 30}


def test_bounds_in_a_rule_hold_for_what_is_sent_and_for_what_is_left_out():
    for most, arguments, code in (
        (3, {"seconds": 3}, coap.CHANGED),
        (3, {"seconds": 4}, coap_numbers.FORBIDDEN),
        (3, {}, coap_numbers.FORBIDDEN),  # the default is 5
        (5, {}, coap.CHANGED),
    ):
        _, alice = visited([("/r/open", 2, {3: {"seconds": [1, most]}})])
        assert alice.invoke("open", **arguments).code == code, (most, arguments)
        assert len(runs) == (code == coap.CHANGED)


def test_an_unknown_routine_is_unknown_to_those_who_may_ask():
    _, alice = visited([("/r/nothing", 3, {})])
    for method in (coap.GET, coap.POST):
        refused = alice.ask(method, "/r/nothing", cbor.encode({1: b"12345678"}))
        assert (refused.code, reason(refused)) == (coap_numbers.NOT_FOUND, "routine-unknown")


def test_one_id_happens_once_for_one_key_and_once_for_another():
    rig, alice = visited()
    bob = Visitor(rig, "bob")
    for visitor in (alice, bob, alice, bob):
        assert outcome(visitor.invoke("open", b"12345678", seconds=2)) == {1: 1, 2: 2}
    assert runs == [("alice", 2), ("bob", 2)]
    # The id, not what is asked under it, says that it is the same invocation.
    assert outcome(alice.invoke("silent", b"12345678")) == {1: 1, 2: 2}
    assert runs == [("alice", 2), ("bob", 2)]


def test_a_routine_that_breaks_has_failed_and_tells_only_how():
    _, alice = visited()
    for _ in range(2):
        response = alice.invoke("broken")
        assert outcome(response) == {1: FAILED, 2: "RuntimeError"}
    assert outcome(alice.invoke("open", b"00000001")) == {1: 1, 2: 5}


def test_one_that_breaks_later_has_failed_too():
    _, alice = visited()

    async def story():
        assert alice.invoke("later") is None
        for _ in range(4):
            await asyncio.sleep(0)
        return alice.hear()

    (answer,) = asyncio.run(story())
    assert outcome(answer) == {1: FAILED, 2: "ValueError"}


def test_where_it_broke_is_told_the_console():
    _, alice = visited()
    printed = []
    module.print_exception = printed.append
    alice.invoke("broken")
    assert [str(each) for each in printed] == ["the site's own secret"]


def test_a_power_cut_in_the_middle_leaves_it_interrupted_for_ever():
    rig, alice = visited()
    rig.device.kiosk.storage = rig.storage
    try:
        alice.invoke("unplugged")
    except PowerCut:
        pass
    else:
        raise AssertionError("the power was not cut")
    rig.storage.cut_after = None
    rig.boot()
    for _ in range(2):
        assert outcome(Visitor(rig).invoke("unplugged")) == {1: INTERRUPTED}
    assert rig.storage.cut_after is None


def test_without_storage_nothing_runs():
    rig, alice = visited()
    alice.ask(coap.GET, "/r")
    rig.storage.full = True
    refused = alice.invoke("open")
    assert (refused.code, reason(refused)) == (coap_numbers.INTERNAL_SERVER_ERROR, "storage-full")
    assert runs == []


def test_decision_and_end_are_written_down_and_a_repetition_is_no_second_end():
    rig, alice = visited()
    alice.invoke("open", b"00000001")
    alice.invoke("open", b"00000001")
    alice.invoke("broken", b"00000002")
    found = [journal_reader.parse_record(each) for each in page(rig.device.journal, 1, 4000)[2]]
    told = [(journal_reader.KINDS[each.kind], each.what, journal_reader.OUTCOMES[each.outcome]) for each in found]
    assert told == [
        ("decision", "POST /r/open", "allowed"),
        ("invocation", "/r/open", "done"),
        ("decision", "POST /r/open", "allowed"),
        ("decision", "POST /r/broken", "allowed"),
        ("invocation", "/r/broken", "failed"),
    ]
