"""Link lists: RFC 6690."""

from admit_protocol import linkformat
from admit_protocol.errors import Malformed
from support import raises

OURS = [
    ("/.well-known/edhoc", [("rt", "core.edhoc"), ("ed-r", None)]),
    ("/r", [("rt", "admit.routines list"), ("ct", 60), ("obs", None)]),
    ("/r/open", [("rt", "admit.routine"), ("title", 'the "front" door \\ gate')]),
    ("/id", []),
]


def test_a_list_as_the_rfc_writes_it():
    assert linkformat.encode(OURS[:2]) == (
        '</.well-known/edhoc>;rt="core.edhoc";ed-r,</r>;rt="admit.routines list";ct=60;obs'
    )
    assert linkformat.encode([]) == ""


def test_a_client_reads_back_what_a_device_wrote():
    read = linkformat.parse(linkformat.encode(OURS))
    assert [path for path, _ in read] == [path for path, _ in OURS]
    assert read[1][1] == [("rt", "admit.routines list"), ("ct", "60"), ("obs", None)]
    assert read[2][1] == [("rt", "admit.routine"), ("title", 'the "front" door \\ gate')]
    assert linkformat.parse("") == []


def test_the_examples_of_section_5():
    text = (
        '</sensors>;ct=40;title="Sensor Index",'
        '</sensors/temp>;rt="temperature-c";if="sensor",'
        '<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby",'
        '</t>;anchor="/sensors/temp";rel="alternate"'
    )
    links = linkformat.parse(text)
    assert links[0] == ("/sensors", [("ct", "40"), ("title", "Sensor Index")])
    assert links[2] == ("http://www.example.com/sensors/t123", [("anchor", "/sensors/temp"), ("rel", "describedby")])
    assert len(links) == 4


def test_queries_select_by_whole_word_prefix_and_path():
    def paths(*queries):
        return [path for path, _ in linkformat.select(OURS, queries)]

    assert paths() == [path for path, _ in OURS]
    assert paths("rt=core.edhoc") == ["/.well-known/edhoc"]
    assert paths("rt=core.ed") == []
    assert paths("rt=core.ed*") == ["/.well-known/edhoc"]
    assert paths("rt=list") == ["/r"]  # one word of several
    assert paths("ct=60") == ["/r"]
    assert paths("href=/r*") == ["/r", "/r/open"]
    assert paths("href=/r*", "rt=admit.routine") == ["/r/open"]
    assert paths("if=sensor") == []


def test_what_is_not_a_list_of_links():
    for text in (
        "/r",
        "</r",
        "</r>x",
        "</r>,",
        "</r>;",
        "</r>;=1",
        "</r>;rt=",
        '</r>;rt="x',
        '</r>;rt="x\\',
        "</r> ,</s>",
    ):
        with raises(Malformed, "linkformat-syntax"):
            linkformat.parse(text)
