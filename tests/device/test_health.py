"""GET /health and its log: typed and bounded, whatever happened; what ended a run is told after the next start."""

from admit_device import faults
from admit_device.faults import note, print_exception
from admit_protocol import cbor, coap, coap_numbers
from admit_protocol.errors import StorageError
from rig import ALL
from visitors import Visitor, new_kiosk, reason

NAMES = [
    "board",
    "boots",
    "exceptions",
    "faults",
    "handshakes_failed",
    "heap_free",
    "heap_low",
    "last_exception",
    "policy_epoch",
    "radio",
    "records",
    "reset_cause",
    "sensors",
    "slot",
    "storage",
    "time",
    "time_source",
    "time_uncertain_s",
    "uptime_s",
    "version",
]


def ask(visitor, query=""):
    options = [(coap.URI_QUERY, query.encode())] if query else ()
    return visitor.carry(coap.request(coap.GET, "/health", options=options))


def health(rig, query=""):
    response = ask(Visitor(rig, "admin", ALL), query)
    assert response.code == coap.CONTENT
    return cbor.decode(response.payload)


def test_each_entry_is_of_its_type():
    body = health(new_kiosk())
    assert sorted(body) == NAMES
    numbers = ("boots", "uptime_s", "records", "policy_epoch", "handshakes_failed", "exceptions")
    assert all(isinstance(body[name], int) for name in numbers)
    assert all(body[name] is None or body[name] > 0 for name in ("heap_free", "heap_low"))
    assert sorted(body["storage"]) == ["free", "total", "writes"] and 0 < body["storage"]["free"] < 65536
    assert body["radio"] == {"connections": 1, "drops": 0, "refused": 0}
    assert (body["slot"], body["last_exception"], body["sensors"]) == (None, None, {})


def test_the_heap_that_was_left_at_worst_is_no_more_than_what_is_left_now():
    rig = new_kiosk()
    first = health(rig)
    rig.prepare()
    rig.device._rest()
    then = health(rig)
    if first["heap_low"] is not None:  # MicroPython
        assert then["heap_low"] <= first["heap_low"] and then["heap_low"] <= then["heap_free"]


def test_writes_and_links_are_counted():
    rig = new_kiosk()
    before = health(rig)
    rig.storage.write("x", b"1")
    visitor = Visitor(rig, "alice")
    rig.pass_s(31)
    after = health(rig)
    assert visitor.number not in rig.radio.sent
    assert after["storage"]["writes"] > before["storage"]["writes"]
    assert after["radio"]["connections"] >= before["radio"]["connections"] + 2
    assert after["radio"]["drops"] >= 1


def test_who_made_room_is_counted_as_refused():
    rig = new_kiosk()
    Visitor(rig, "mallory", []).login()  # whoever has no rights here keeps no place
    for _ in range(rig.radio.max_links):
        rig.radio.listener.opened(100 + rig.next_link, 515)
        rig.next_link += 1
    assert health(rig)["radio"]["refused"] >= 1


def test_failed_handshakes_are_counted_for_as_long_as_the_device_runs():
    rig = new_kiosk()
    for _ in range(3):
        rig.device.journal.count_failure("ccm-tag")
        rig.device.journal.flush_failures()
    assert health(rig)["handshakes_failed"] == 3
    assert any("handshake: ccm-tag" == line[2] and line[3] == 3 for line in health(rig, "log=0")[2])


# The log


def test_the_log_tells_why_the_device_started_and_goes_on_where_one_was():
    rig = new_kiosk()
    told = health(rig, "log=0")
    assert [each[2] for each in told[2]][:1] == ["start 1: power"]
    assert health(rig, "log=%d" % told[1])[2] == []
    note("something")
    (line,) = health(rig, "log=%d" % told[1])[2]
    assert line[0] == told[1] and line[2:] == ["something", 1]


def test_a_line_that_was_there_is_counted_and_moved_to_the_end():
    health(new_kiosk())
    for text in ("one", "two", "one", "one"):
        note(text)
    assert [each[2:] for each in faults.lines[-2:]] == [("two", 1), ("one", 3)]


def test_the_log_is_bounded_whatever_is_noted():
    rig = new_kiosk()
    for number in range(500):
        note("%d " % number + "x" * 500)
    assert sum(len(each[2]) for each in faults.lines) <= 2112
    told = health(rig, "log=0")
    assert told[1] == faults.totals[0] > 500 and len(cbor.encode(told)) < 4096
    assert told[2][-1][2].startswith("499 ")


def test_a_query_that_is_no_number_is_refused():
    admin = Visitor(new_kiosk(), "admin", ALL)
    for query in ("log=", "log=x", "log=-1", "log=1000000000"):
        refused = ask(admin, query)
        assert (refused.code, reason(refused)) == (coap.BAD_REQUEST, "request-query"), query


def test_who_may_not_see_the_health_sees_no_log():
    alice = Visitor(new_kiosk(), "alice", [("/r/open", 3, {})])
    assert reason(ask(alice, "log=0")) == "rule-none"


def test_what_storage_refuses_is_in_the_log():
    rig = new_kiosk()
    admin = Visitor(rig, "admin", ALL)
    admin.ask(coap.GET, "/health")
    rig.storage.full = True
    assert admin.ask(coap.GET, "/release").code == coap_numbers.INTERNAL_SERVER_ERROR
    assert "refused: storage-full" in [each[2] for each in faults.lines]


# Who watches


def test_who_watches_makes_one_record_an_hour():
    rig = new_kiosk()
    admin = Visitor(rig, "admin", ALL)
    before = rig.device.journal.count
    for _ in range(10):
        assert ask(admin).code == ask(admin, "log=0").code == coap.CONTENT
    for _ in range(3):
        assert ask(Visitor(rig, "admin", ALL)).code == coap.CONTENT
    assert rig.device.journal.count == before + 1
    assert ask(Visitor(rig, "bob", ALL)).code == coap.CONTENT
    assert rig.device.journal.count == before + 2
    rig.pass_s(3600)
    assert Visitor(rig, "admin", ALL).ask(coap.GET, "/health").code == coap.CONTENT
    assert rig.device.journal.count == before + 3


def test_every_refusal_is_still_written_down():
    rig = new_kiosk()
    Visitor(rig, "admin", ALL).ask(coap.GET, "/health")
    before = rig.device.journal.count
    assert Visitor(rig, "alice", [("/r/open", 3, {})]).ask(coap.GET, "/health").code == coap_numbers.FORBIDDEN
    assert rig.device.journal.count == before + 1


# The last exception


def fail(error):
    try:
        raise error
    except Exception as raised:
        print_exception(raised)


def test_the_last_exception_of_this_run_is_told_with_its_place():
    rig = new_kiosk()
    fail(KeyError("a secret of a visitor"))
    fail(StorageError("storage-full", "whose name does not matter"))
    told = health(rig)["last_exception"]
    assert (told["what"], told["boot"], told["ended"]) == ("StorageError: storage-full", 1, False)
    assert told["place"].startswith("test_health.py:") and told["place"].endswith(" fail")
    assert health(rig)["exceptions"] == 2
    assert "secret" not in str(health(rig, "log=0"))


def test_without_one_of_this_run_it_is_what_ended_an_earlier_one():
    from admit_device.crash import keep

    rig = new_kiosk()
    rig.clock.ms = 61_000
    keep(rig, OSError(5, "a secret"))
    rig.boot()
    told = health(rig)["last_exception"]
    assert told == {"what": "OSError: errno 5", "place": "-", "boot": 1, "uptime_s": 61, "ended": True}


def test_after_the_watchdog_it_is_what_the_last_run_was_doing():
    rig = new_kiosk()
    rig.reset_cause, rig.was_doing = "watchdog", b"/r/hang"
    rig.boot()
    told = health(rig)["last_exception"]
    assert told == {"what": "watchdog", "place": "/r/hang", "boot": 1, "uptime_s": None, "ended": True}
