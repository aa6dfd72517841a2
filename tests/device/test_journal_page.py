"""GET /journal: pages that join, each as long as fits one message. GET /bundle: the same for couriers, sealed."""

from admit_protocol import cbor, coap, coap_numbers, cose_encrypt, journal, journal_reader
from admit_protocol.errors import Unverified
from rig import ALL
from support import raises
from visitors import SITE, Visitor, new_kiosk


def test_pages_join_under_the_signed_head():
    rig = new_kiosk()
    visitor = Visitor(rig, "admin", ALL)
    for _ in range(90):
        assert visitor.ask(coap.GET, "/release").code == coap.CONTENT
    start, head, count = 0, None, 1
    while start < count:
        query = [(coap.URI_QUERY, b"from=%d" % start)]
        body = cbor.decode(visitor.carry(coap.request(coap.GET, "/journal", options=query)).payload)
        assert body[1] == start and head in (None, body[2]) and sum(len(each) for each in body[3]) <= 3500
        head, count = body[2], journal_reader.parse_head(body[4]).count
        for record in body[3]:
            head = journal.chain(head, record)
        start += len(body[3])
        assert start < count or head == journal_reader.parse_head(body[4]).head
    assert count > 90


def take_out(visitor, start):
    """What a courier is given, from record `start` on."""
    query = [(coap.URI_QUERY, b"from=%d" % start)]
    return cbor.decode(visitor.carry(coap.request(coap.GET, "/bundle", options=query)).payload)


def test_what_a_courier_carries_out_is_sealed_and_each_page_proves_itself():
    rig = new_kiosk()
    admin, courier = Visitor(rig, "admin", ALL), Visitor(rig, "bob", [])
    for _ in range(70):
        assert admin.ask(coap.GET, "/release").code == coap.CONTENT
    public, start, head, pages = rig.device.identity.credential.public, 0, None, 0
    while True:
        body = take_out(courier, start)
        end = journal_reader.parse_head(body[3])
        journal_reader.verify_head(end, public, "kiosk-1", SITE.suite)
        if body[2] is None:
            break
        assert b"GET /release" not in body[2] and len(body[2]) < 3000
        page = cbor.decode(cose_encrypt.unseal(SITE.suite, SITE.ecdh, body[2]))
        assert page[1] == start < body[5] <= end.count and head in (None, page[2])
        journal_reader.verify(page[3], page[4], public, "kiosk-1", SITE.suite, (page[1], page[2]))
        start, head, pages = body[5], journal_reader.parse_head(page[4]).head, pages + 1
    assert (start, head, body[5]) == (end.count, end.head, end.count)
    assert pages > 1 and rig.device.journal.count == end.count


def test_a_page_that_was_sealed_to_the_authority_is_nobody_elses():
    rig = new_kiosk()
    sealed = take_out(Visitor(rig, "bob", []), 0)[2]
    with raises(Unverified, "cose-unsealed"):
        cose_encrypt.unseal(SITE.suite, SITE.suite.generate(), sealed)


def test_who_waits_for_what_is_new_makes_no_records_by_asking():
    rig = new_kiosk()
    admin = Visitor(rig, "admin", ALL)

    def ask(start):
        return cbor.decode(
            admin.carry(coap.request(coap.GET, "/journal", options=[(coap.URI_QUERY, b"from=%d" % start)])).payload
        )

    count = 0
    while ask(count)[3]:
        count = rig.device.journal.count
    for _ in range(5):
        assert ask(count)[3] == []
    assert rig.device.journal.count == count
    Visitor(rig).invoke("open")
    new = [journal_reader.parse_record(each).what for each in ask(count)[3]]
    assert new == ["POST /r/open", "/r/open", "GET /journal"]
    other = Visitor(rig, "bob", [])
    assert other.ask(coap.GET, "/journal", b"", [(coap.URI_QUERY, b"from=999")]).code == coap_numbers.FORBIDDEN
    assert rig.device.journal.count == count + 4  # a denial is one, whatever is asked for
