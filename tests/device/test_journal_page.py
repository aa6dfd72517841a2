"""GET /journal: pages that join, each as long as fits one message."""

from admit_protocol import cbor, coap, journal, journal_reader
from rig import ALL
from visitors import Visitor, new_kiosk


def test_pages_join_under_the_signed_head():
    rig = new_kiosk()
    visitor = Visitor(rig, "admin", ALL)
    for _ in range(90):
        assert visitor.ask(coap.GET, "/health").code == coap.CONTENT
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
