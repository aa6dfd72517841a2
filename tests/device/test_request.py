"""A request as a handler sees it."""

from admit_device.request import Request
from admit_protocol import coap
from admit_protocol.errors import Malformed
from support import raises


def asked(path, query=""):
    options = [(coap.URI_QUERY, query)] if query else ()
    return Request(None, None, coap.request(coap.GET, path, options=options))


def test_its_name_is_the_second_part_of_its_path():
    assert (asked("/r/open").name, asked("/r").name) == ("open", "")


def test_a_number_in_its_query():
    assert asked("/journal", "from=12").query("from", 0) == 12
    assert asked("/journal").query("from", 7) == 7
    for text in ("from=", "from=-1", "from=1x", "from=1234567890"):
        with raises(Malformed, "request-query"):
            asked("/journal", text).query("from", 0)


def test_nothing_moves_what_no_handler_says_it_shows():
    assert not asked("/r/open").watches("door")
