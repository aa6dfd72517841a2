"""Who may reach what: every path, with every method, for everybody, as one table; and what of it is written down."""

from admit_device.journal_page import page
from admit_protocol import cbor, coap, coap_numbers, journal, journal_reader
from rig import Phone, Rig
from visitors import Visitor, grant_of, id_of, new_kiosk, reason, revocation

GET, POST, PUT, DELETE = "GET", "POST", "PUT", "DELETE"
METHODS = {"GET": 1, "POST": 2, "PUT": 3, "DELETE": 4, "FETCH": 5, "PATCH": 6, "IPATCH": 7}

# Alice's rules in the column "rule"; the others have none that fit, or all.
RULES = {
    "revoked": [("*", 127, {})],
    "no rule": [("/elsewhere", 127, {})],
    "rule": [("/r/open", 3, {}), ("/journal", 1, {}), ("/health", 1, {})],
    "admin": [("*", 127, {})],
}
PEOPLE = ["nobody", "revoked", "no rule", "rule", "admin"]

POLICY = revocation(1, [id_of(grant_of("revoked", RULES["revoked"]))])

# The last row of a session is the one that ends it.
TABLE = """
                           nobody  revoked no rule rule    admin
GET    /.well-known/core   2.05    2.05    2.05    2.05    2.05
POST   /.well-known/core   4.05    4.05    4.05    4.05    4.05
PUT    /.well-known/core   4.05    4.05    4.05    4.05    4.05
DELETE /.well-known/core   4.05    4.05    4.05    4.05    4.05
GET    /.well-known/edhoc  4.05    4.05    4.05    4.05    4.05
POST   /.well-known/edhoc  4.00    4.00    4.00    4.00    4.00
PUT    /.well-known/edhoc  4.05    4.05    4.05    4.05    4.05
DELETE /.well-known/edhoc  4.05    4.05    4.05    4.05    4.05
GET    /id                 2.05    2.05    2.05    2.05    2.05
POST   /id                 4.05    4.05    4.05    4.05    4.05
PUT    /id                 4.05    4.05    4.05    4.05    4.05
DELETE /id                 4.05    4.05    4.05    4.05    4.05
GET    /r                  4.01    4.03    2.05    2.05    2.05
POST   /r                  4.01    4.03    4.05    4.05    4.05
PUT    /r                  4.01    4.03    4.05    4.05    4.05
DELETE /r                  4.01    4.03    4.05    4.05    4.05
GET    /r/open             4.01    4.03    4.03    2.05    2.05
POST   /r/open             4.01    4.03    4.03    2.04    2.04
PUT    /r/open             4.01    4.03    4.03    4.03    4.05
DELETE /r/open             4.01    4.03    4.03    4.03    4.05
GET    /r/broken           4.01    4.03    4.03    4.03    2.05
POST   /r/broken           4.01    4.03    4.03    4.03    2.04
GET    /r/nothing          4.01    4.03    4.03    4.03    4.04
POST   /r/nothing          4.01    4.03    4.03    4.03    4.04
GET    /r/open/more        4.01    4.03    4.03    4.03    4.04
POST   /r/open/more        4.01    4.03    4.03    4.03    4.04
GET    /bundle             4.01    2.05    2.05    2.05    2.05
POST   /bundle             4.01    2.04    2.04    2.04    2.04
PUT    /bundle             4.01    4.05    4.05    4.05    4.05
DELETE /bundle             4.01    4.05    4.05    4.05    4.05
GET    /time               4.01    2.05    2.05    2.05    2.05
POST   /time               4.01    4.00    4.00    4.00    4.00
PUT    /time               4.01    4.05    4.05    4.05    4.05
GET    /grants             4.01    2.05    2.05    2.05    2.05
POST   /grants             4.01    4.00    4.00    4.00    4.00
DELETE /grants             4.01    4.05    4.05    4.05    4.05
GET    /enrol              4.01    4.03    4.03    4.03    2.05
POST   /enrol              4.01    4.00    4.00    4.00    4.00
PUT    /enrol              4.01    4.05    4.05    4.05    4.05
GET    /presence           4.01    4.03    2.05    2.05    2.05
POST   /presence           4.01    4.03    4.00    4.00    4.00
PUT    /presence           4.01    4.03    4.05    4.05    4.05
GET    /approvals          4.01    4.03    2.05    2.05    2.05
POST   /approvals          4.01    4.03    4.00    4.00    4.00
DELETE /approvals          4.01    4.03    4.05    4.05    4.05
GET    /journal            4.01    4.03    4.03    2.05    2.05
POST   /journal            4.01    4.03    4.03    4.03    4.05
PUT    /journal            4.01    4.03    4.03    4.03    4.05
DELETE /journal            4.01    4.03    4.03    4.03    4.05
GET    /health             4.01    4.03    4.03    2.05    2.05
POST   /health             4.01    4.03    4.03    4.03    4.05
PUT    /health             4.01    4.03    4.03    4.03    4.05
DELETE /health             4.01    4.03    4.03    4.03    4.05
GET    /release            4.01    4.03    4.03    4.03    2.05
POST   /release            4.01    4.03    4.03    4.03    4.09
PUT    /release            4.01    4.03    4.03    4.03    4.09
GET    /identity           4.05    4.03    4.03    4.03    4.05
POST   /identity           4.03    4.03    4.03    4.03    4.00
PUT    /identity           4.03    4.03    4.03    4.03    4.00
DELETE /identity           4.05    4.03    4.03    4.03    4.05
GET    /ownership          4.01    4.03    4.04    4.04    4.04
POST   /ownership          4.01    4.00    4.00    4.00    4.00
PUT    /ownership          4.01    4.00    4.00    4.00    4.00
DELETE /ownership          4.01    4.05    4.05    4.05    4.05
GET    /takeover           4.01    2.05    2.05    2.05    2.05
POST   /takeover           4.01    4.00    4.00    4.00    4.00
PUT    /takeover           4.01    4.05    4.05    4.05    4.05
DELETE /takeover           4.01    4.03    4.03    4.03    4.04
GET    /reset              4.01    4.03    4.03    4.03    4.05
POST   /reset              4.01    4.03    4.03    4.03    4.00
GET    /nowhere            4.01    4.03    4.03    4.03    4.04
POST   /nowhere            4.01    4.03    4.03    4.03    4.04
PUT    /nowhere            4.01    4.03    4.03    4.03    4.04
DELETE /nowhere            4.01    4.03    4.03    4.03    4.04
GET    /                   4.01    4.03    4.03    4.03    4.04
DELETE /                   4.01    4.03    4.03    4.03    4.04
FETCH  /id                 4.05    4.05    4.05    4.05    4.05
PATCH  /r/open             4.05    4.05    4.05    4.05    4.05
IPATCH /nowhere            4.05    4.05    4.05    4.05    4.05
GET    /login              4.01    4.03    4.05    4.05    4.05
POST   /login              4.01    4.03    2.04    2.04    2.04
PUT    /login              4.01    4.03    4.05    4.05    4.05
DELETE /login              4.01    4.03    2.02    2.02    2.02
"""


def rows():
    """(method, path, {who: code in words}) of the table."""
    for line in TABLE.strip().split("\n")[1:]:
        method, path, *codes = line.split()
        yield method, path, dict(zip(PEOPLE, codes))


def person(rig, who):
    """A call that makes one request as that person, and returns the response."""
    if who == "nobody":
        phone = Phone(rig)
        return lambda method, path, body: phone.plain(method, path, body)
    visitor = Visitor(rig, who, RULES[who])
    assert visitor.ask(coap.POST, "/bundle", POLICY).code == coap.CHANGED
    return visitor.ask


def body_of(method, path):
    if path == "/bundle":
        return POLICY
    return cbor.encode({1: b"12345678"}) if path.startswith("/r/") and method == POST else b""


def test_the_table():
    wrong = []
    for who in PEOPLE:
        ask = person(new_kiosk(), who)
        for method, path, expected in rows():
            code = coap.code_text(ask(METHODS[method], path, body_of(method, path)).code)
            if code != expected[who]:
                wrong.append((who, method, path, code, expected[who]))
    assert wrong == []


def test_the_table_names_every_resource_that_the_device_has():
    device = new_kiosk().device
    named = {tuple(part for part in path.split("/") if part) for _, path, _ in rows()}
    for path in device.front.resources()._table:
        assert tuple("open" if part == "*" else part for part in path) in named


def test_a_factory_device_has_what_is_for_anyone_and_nothing_else():
    phone = Phone(Rig({}))
    for method, path, expected in rows():
        code = coap.code_text(phone.plain(METHODS[method], path).code)
        if path == "/.well-known/edhoc" and method == POST:
            assert code == "4.04"
        else:
            assert code == expected["nobody"], (method, path, code)


def test_decisions_are_written_down_and_what_is_for_anyone_is_not():
    for who in PEOPLE:
        rig = new_kiosk()
        ask = person(rig, who)
        ask(coap.POST, "/login", b"")
        before = rig.device.journal.count
        for method, path, _ in rows():
            if (method, path) == (GET, "/r"):
                break
            ask(METHODS[method], path, b"")
        assert rig.device.journal.count == before
        answers = [ask(coap.GET, path, b"").code for path in ("/r", "/health", "/bundle")]
        assert coap_numbers.INTERNAL_SERVER_ERROR not in answers
        found = [journal_reader.parse_record(each) for each in page(rig.device.journal, before, 4000)[2]]
        told = [(each.what, each.outcome, each.extra.get(journal.REASON)) for each in found]
        assert (
            told
            == {
                "nobody": [],
                "revoked": [
                    ("GET /r", journal.DENIED, "grant-revoked"),
                    ("GET /health", journal.DENIED, "grant-revoked"),
                ],
                "no rule": [("GET /health", journal.DENIED, "rule-none")],
                "rule": [("GET /health", journal.ALLOWED, None)],
                "admin": [("GET /health", journal.ALLOWED, None)],
            }[who]
        )


def test_discovery_names_what_there_is_to_discover():
    response = Phone(new_kiosk()).plain(coap.GET, "/.well-known/core")
    assert response.uint(coap.CONTENT_FORMAT) == coap.CONTENT_LINK
    links = response.payload.decode().split(",")
    assert [each[1 : each.index(">")] for each in links] == [
        "/.well-known/core",
        "/.well-known/edhoc",
        "/id",
        "/r",
        "/login",
    ]
    assert '</.well-known/edhoc>;rt="core.edhoc"' in links


def test_the_journal_is_read_from_where_the_reader_says():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")

    def page(query):
        options = ((coap.URI_QUERY, query),) if query else ()
        return admin.carry(coap.request(coap.GET, "/journal", options=options))

    for _ in range(3):
        page("")
    for query, first in (("", 0), ("from=0", 0), ("from=2", 2), ("other=2", 0)):
        assert cbor.decode(page(query).payload)[1] == first, query
    beyond = cbor.decode(page("from=999999999").payload)
    assert (beyond[1], beyond[3]) == (rig.device.journal.count, [])
    for query in ("from=", "from=x", "from=-1", "from=1.0", "from=1000000000", "from= 1", "from=²"):
        refused = page(query)
        assert (refused.code, reason(refused)) == (coap.BAD_REQUEST, "request-query"), query


def test_health_tells_how_the_device_is():
    rig = new_kiosk()
    rig.pass_s(61)
    body = cbor.decode(Visitor(rig, "admin").ask(coap.GET, "/health").payload)
    assert (body["boots"], body["uptime_s"], body["time"], body["records"]) == (1, 62, rig.clock.seconds, 2)
    assert (body["time_source"], body["time_uncertain_s"], body["policy_epoch"]) == ("rtc", 0, 0)
    assert {"version", "heap_free", "storage", "radio", "sensors"} <= set(body)  # test_health.py has the rest


def test_a_path_that_is_too_long_names_nothing_and_fills_no_journal():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    admin.ask(coap.GET, "/r")
    before = rig.device.journal.count
    assert admin.ask(coap.GET, "/" + "x" * 200).code == coap_numbers.NOT_FOUND
    assert admin.ask(coap.GET, "/x" * 60).code == coap_numbers.NOT_FOUND
    assert rig.device.journal.count == before


def test_a_page_of_the_fullest_records_fits_what_a_reader_takes():
    rig = new_kiosk()
    admin = Visitor(rig, "admin")
    for number in range(60):
        admin.ask(coap.DELETE, "/" + "é" * 75 + "%03d" % number)
    response = admin.carry(coap.request(coap.GET, "/journal"))
    assert len(response.payload) <= cbor.MAX_LENGTH
    assert len(cbor.decode(response.payload)[3]) > 10
